# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's modules, as Ansible has packed and sent them: killed at each system call, and each that can fail fails.

A module that does not come to its end has Ansible fail the task: so nothing was acknowledged, and the same task again
makes up for it. One that fails says why, in its result.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import Scripts
from faults.guests import failures, told
from faults.injector import PATIENCE, chosen, kill
from lab.programs import PYTHONS

BEFORE = [(b"old", b"1"), (b"key", b"old")]
SENT = [(b"from.host", b"a" * 5000)]
AFTER = [(b"old", b"1"), (b"key", b"v" * 5000), (b"from.host", b"a" * 5000), (b"new", b"n"), (b"secret", b"s3cr3t")]
HEARD = [(b"key", b"v" * 5000), (b"new", b"n"), (b"secret", b"s3cr3t")]
SCRIPT = "#!/bin/sh\n### BEGIN PLUGIN INFO\n# name: mine\n# description: %s\n# configure: %d\n### END PLUGIN INFO\n"
OLD, NEW = SCRIPT % ("Old.", 50), SCRIPT % ("New.", 20)
#: What Ansible 2.21 manages.
PYTHON = next(name for name in PYTHONS if int(name.partition(".")[2] or 13) >= 9)


def packed(folder, module, arguments):
    """A module and its arguments, as Ansible sends them to a target: the command that runs it there."""
    done = subprocess.run(
        ["ansible", "localhost", "-c", "local", "-m", "ovm.messaging." + module, "-a", json.dumps(arguments)],
        env=dict(
            os.environ,
            ANSIBLE_KEEP_REMOTE_FILES="1",
            ANSIBLE_REMOTE_TEMP=str(folder / "remote"),
            ANSIBLE_PYTHON_INTERPRETER=PYTHONS[PYTHON],
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    found = sorted((folder / "remote").glob("ansible-tmp-*/AnsiballZ_%s.py" % module))
    assert found, done.stdout + done.stderr
    return [PYTHONS[PYTHON], str(found[-1])]


def result(out):
    """What a module has said, or None where it did not come to that."""
    found = re.search(r"^\{.*\}$", out, re.M)
    return json.loads(found[0]) if found else None


class Module:
    """A module that is run again and again."""

    def __init__(self, world, folder, module, arguments):
        self.world, self.log = world, folder / "trace"
        self.begin()
        self.command = packed(folder, module, dict(arguments, **self.places()))
        self.begin()
        code, out, err, run = self.life.traced(self.command, self.log)
        assert code == 0, out + err
        assert result(out)["changed"], out
        self.check()
        self.points, self.failing = run.points(), run.points(reading=True)

    def again(self):
        """The same task makes up for it; and once more, it has nothing to do."""
        for last in (False, True):
            code, out, err = self.life.run(self.command)
            assert code == 0, "the same task fails: " + out + err
            assert not (last and result(out)["changed"]), "it changes something each time"
        self.check()

    def killed(self, point):
        self.begin()
        code, out, _err, run = self.life.traced(self.command, self.log, kill(point))
        assert code in (0, -9)
        self.look()
        if result(out):
            self.check()
        self.again()
        return run.hit

    def failed(self, failure):
        self.begin()
        code, out, err, run = self.life.traced(self.command, self.log, failure.fault)
        self.look()
        assert not re.search("s3cr3t", err), "a secret is in what it says"
        if code == 0:
            self.check()
        else:
            assert result(out), "no result: " + out + err
            told(code, result(out)["msg"], failure, (1,))
        self.again()
        return run.hit


class Parameters(Module):
    """ovm_guest_param."""

    def begin(self):
        self.life = self.world.begin(BEFORE)
        for key, value in SENT:
            self.life.send(key, value)

    def places(self):
        return {"xenstore_path": self.world.guest.path, "state_dir": self.life.state, "ovmapi_path": "/no"}

    def look(self):
        held, heard = self.life.held(), self.life.heard()
        news = [pair for pair in held if pair not in BEFORE + SENT]
        assert all(pair in heard for pair in news), "the list has what was never sent"
        assert heard in ([], HEARD), "the host has heard %s" % [key for key, _value in heard]

    def check(self):
        assert sorted(self.life.held()) == sorted(AFTER), "the list has %s" % [key for key, _value in self.life.held()]
        assert self.life.heard()[-len(HEARD) :] == HEARD
        assert self.life.waiting() == 0, "messages are left in XenStore"


class Script(Module):
    """ovm_template_script."""

    def begin(self):
        self.life = self.world.begin()
        self.folder = pathlib.Path(self.life.folder, "template.d")
        (self.folder / "scripts").mkdir(parents=True)
        (self.folder / "configure.d").mkdir()
        (self.folder / "scripts" / "mine").write_text(OLD)
        (self.folder / "scripts" / "mine").chmod(0o755)
        (self.folder / "configure.d" / "50mine").symlink_to("../scripts/mine")

    def places(self):
        return {"template_dir": str(self.folder)}

    def look(self):
        # Old or new, and whole.
        assert (self.folder / "scripts" / "mine").read_text() in (OLD, NEW)
        assert Scripts(directory=str(self.folder)).links() in ({"mine": {"configure": 50}}, {"mine": {"configure": 20}})
        found = [path for path in (self.folder / "configure.d").iterdir() if not path.name.startswith(".")]
        assert len(found) == 1, "it is enabled by %s" % found

    def check(self):
        assert (self.folder / "scripts" / "mine").read_text() == NEW
        assert Scripts(directory=str(self.folder)).links() == {"mine": {"configure": 20}}
        litter = [str(path) for path in self.folder.rglob(".*")]
        assert not litter, "litter: %s" % litter


@pytest.fixture
def parameters(world, tmp_path):
    wanted = {"params": {"key": "v" * 5000, "new": "n"}, "secret_params": {"secret": "s3cr3t"}}
    return Parameters(world, tmp_path, "ovm_guest_param", wanted)


@pytest.fixture
def script(one_world, tmp_path):
    return Script(one_world, tmp_path, "ovm_template_script", {"name": "mine", "content": NEW})


def test_setting_parameters_is_killed(campaign, world, parameters):
    campaign("ovm_guest_param", "killed", world.kind).run(parameters.points, parameters.killed)


def test_setting_parameters_where_a_call_fails(campaign, world, parameters):
    points = chosen(parameters.failing, 3)
    campaign("ovm_guest_param", "a call fails", world.kind).run(failures(points), parameters.failed)


def test_installing_a_script_is_killed(campaign, script):
    campaign("ovm_template_script", "killed").run(script.points, script.killed)


def test_installing_a_script_where_a_call_fails(campaign, script):
    campaign("ovm_template_script", "a call fails").run(failures(chosen(script.failing, 3)), script.failed)
