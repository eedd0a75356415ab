# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm-chkconfig, and runs of ovm-template-config: killed at each system call, and each that can fail fails.

A script is enabled once for a target, or not at all; others stay as they are; no link leads nowhere. What nobody has
acknowledged is done by the same command again, and no litter stays. Of a killed run nothing is left that runs or locks.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import Scripts
from faults.guests import failures, told
from faults.injector import PATIENCE, Traced, chosen, kill
from lab import shell_script

OLD = {"configure": 50, "suspend": 10}
NEW = {"configure": 20, "cleanup": 30}
#: Arguments -> what the script is enabled for then.
CHKCONFIG = {
    "ovm-chkconfig --add": (["--add", "mine"], NEW),
    "ovm-chkconfig --del": (["--del", "mine"], {}),
    "ovm-chkconfig on": (["mine", "on"], {"configure": 50, "suspend": 10, "cleanup": 30}),
    "ovm-chkconfig off": (["--target=configure", "mine", "off"], {"suspend": 10}),
}
SCRIPT = (
    """#!/bin/sh
### BEGIN PLUGIN INFO
# name: {name}
# description: of the tests
# configure: 20
# cleanup: 30
### END PLUGIN INFO
"""
    + shell_script.beginning()
    + """echo 'begin {name}' >> {place}/ran
echo 'end {name}' >> {place}/ran
echo "$given" > "/dev/fd/$output"
"""
)


class Guest:
    """A guest's folder of scripts, anew for each fault.

    :ivar pathlib.Path place: it and what else is touched.
    """

    def __init__(self, folder):
        self.place, self.log = pathlib.Path(folder, "guest"), pathlib.Path(folder, "trace")
        self.folder = self.place / "template.d"
        self.environment = {
            "LC_ALL": "C",
            "PATH": os.environ["PATH"],
            "OVM_TEMPLATE_DIR": str(self.folder),
            "OVM_TEMPLATE_LOCK": str(self.place / "lock"),
            "OVM_TEMPLATE_LOG": str(self.place / "log"),
        }

    def begin(self, links):
        """A guest with two scripts, of which the first has these links."""
        shutil.rmtree(self.place, ignore_errors=True)
        (self.folder / "scripts").mkdir(parents=True)
        for name in ("mine", "other"):
            path = self.folder / "scripts" / name
            path.write_text(SCRIPT.replace("{name}", name).replace("{place}", str(self.place)))
            path.chmod(0o755)
        for name, found in (("mine", links), ("other", {"configure": 40, "suspend": 60})):
            for target, priority in found.items():
                link = self.folder / (target + ".d") / ("%02d%s" % (priority, name))
                link.parent.mkdir(exist_ok=True)
                link.symlink_to("../scripts/" + name)

    def traced(self, command, fault=(), given=b"", **environment):
        with Traced(
            command,
            self.log,
            [self.place],
            fault,
            env=dict(self.environment, **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as run:
            code, out, err = run.communicate(given)
        return code, out.decode(), err.decode(), run

    def run(self, command, given=b""):
        done = subprocess.run(
            command, input=given, env=self.environment, capture_output=True, timeout=PATIENCE, check=False
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def check_links(self, before, after):
        """Each target has the link that it had or that it is to have, and no other."""
        found = {}
        for path in self.folder.glob("*.d/*mine"):
            assert path.resolve().is_file(), "%s leads nowhere" % path
            if not path.name.startswith("."):
                found.setdefault(path.parent.stem, []).append(int(path.name[:2]))
        for target in set(before) | set(after) | set(found):
            allowed = [[priority] for priority in (before.get(target), after.get(target)) if priority is not None]
            if target not in before or target not in after:
                allowed.append([])
            assert found.get(target, []) in allowed, "%s has %s" % (target, found.get(target, []))

    def links(self):
        return Scripts(directory=str(self.folder)).links()

    def litter(self):
        return [str(path) for path in self.place.rglob(".*")]


@pytest.fixture
def guest(tmp_path):
    return Guest(tmp_path)


class Change:
    """A command that changes links."""

    def __init__(self, guest, name, program):
        arguments, self.wanted = CHKCONFIG[name]
        self.guest, self.command = guest, [*program, *arguments]
        self.guest.begin(OLD)
        code, _out, err, run = guest.traced(self.command)
        assert (code, err) == (0, "")
        self.check()
        self.points, self.failing = run.points(), run.points(reading=True)

    def check(self):
        found = self.guest.links()
        assert found.get("mine", {}) == self.wanted, "it is enabled for %s" % found.get("mine")
        assert found["other"] == {"configure": 40, "suspend": 60}, "the other script was touched"
        assert not self.guest.litter(), "litter: %s" % self.guest.litter()

    def again(self):
        self.guest.check_links(OLD, self.wanted)
        code, _out, err = self.guest.run(self.command)
        assert (code, err) == (0, ""), err
        self.check()

    def killed(self, point):
        self.guest.begin(OLD)
        code, _out, _err, run = self.guest.traced(self.command, kill(point))
        assert code in (0, -9)
        self.again()
        return run.hit

    def failed(self, failure):
        self.guest.begin(OLD)
        code, _out, err, run = self.guest.traced(self.command, failure.fault)
        if code:
            told(code, err, failure, (1, 3))
            assert not self.guest.litter(), "litter: %s" % self.guest.litter()
        else:
            self.check()
        self.again()
        return run.hit


@pytest.mark.parametrize("name", CHKCONFIG)
def test_links_of_one_who_is_killed(campaign, guest, programs, name):
    change = Change(guest, name, programs("ovm-chkconfig"))
    campaign(name, "killed").run(change.points, change.killed)


@pytest.mark.parametrize("name", CHKCONFIG)
def test_links_where_a_call_fails(campaign, guest, programs, name):
    change = Change(guest, name, programs("ovm-chkconfig"))
    campaign(name, "a call fails").run(failures(chosen(change.failing, 3)), change.failed)


class Run:
    """A run of scripts.

    :ivar list ran: what the scripts note.
    """

    ran = ["begin mine", "end mine", "begin other", "end other"]

    def __init__(self, guest, program):
        self.guest, self.command = guest, [*program, "--stdin", "-o", "1", "--lock-timeout", "0", "configure"]
        self.guest.begin({"configure": 20})
        code, self.out, err, run = self.traced()
        assert (code, err) == (0, ""), err
        assert self.done() == self.ran
        self.points, self.failing = run.points(), run.points(reading=True)

    def traced(self, fault=()):
        return self.guest.traced(self.command, fault, b'{"key": "value"}\n')

    def done(self):
        path = self.guest.place / "ran"
        return path.read_text().splitlines() if path.exists() else []

    def again(self):
        """The next run is not held up, and does all."""
        before = len(self.done())
        code, out, err = self.guest.run(self.command, b'{"key": "value"}\n')
        assert (code, out) == (0, self.out), err
        assert self.done()[-4:] == self.ran
        assert len(self.done()) <= before + 5  # the last one of before may just have been at its end

    def killed(self, point):
        self.guest.begin({"configure": 20})
        code, _out, _err, run = self.traced(kill(point))
        assert code in (0, -9)
        assert self.ran[: len(self.done())] == self.done()
        self.again()
        return run.hit

    def failed(self, failure):
        self.guest.begin({"configure": 20})
        code, out, err, run = self.traced(failure.fault)
        if code:
            told(code, err, failure, (1, 3, 5))
        else:
            assert out == self.out
            assert self.done() == self.ran, "called done, but the scripts did %s" % self.done()
        self.again()
        return run.hit


def test_a_run_that_is_killed(campaign, guest, programs):
    run = Run(guest, programs("ovm-template-config"))
    campaign("ovm-template-config", "killed").run(run.points, run.killed)


def test_a_run_where_a_call_fails(campaign, guest, programs):
    run = Run(guest, programs("ovm-template-config"))
    campaign("ovm-template-config", "a call fails").run(failures(chosen(run.failing, 3)), run.failed)
