# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script in docs/guides/writing-scripts.md does what that says, by each Python that a guest might have."""

import json
import os
import pathlib
import subprocess

import pytest

from ansible_collections.ovm.messaging.programs import build
from lab.programs import PYTHONS, Built
from lab.template_scripts import pythons

MANUAL = pathlib.Path(build.ROOT, "docs", "guides", "writing-scripts.md").read_text()
KEY = "com.example.motd"
INTERPRETERS = pythons()


def run(command, environment, stdin=""):
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture(scope="module")
def template_config():
    with Built("ovm-template-config") as program:
        yield str(program(list(PYTHONS)[0]))


@pytest.fixture(params=list(INTERPRETERS))
def motd(request, one_chkconfig, tmp_path):
    """The file that the script writes; the script is installed as the manual says."""
    motd = tmp_path / "motd"
    example = MANUAL.split("```python\n", 1)[1].split("```", 1)[0]
    assert example.startswith("#!/usr/bin/python3\n") and '"/etc/motd"' in example
    example = example.replace("/usr/bin/python3", INTERPRETERS[request.param], 1).replace("/etc/motd", str(motd))
    path = one_chkconfig.put("motd")
    path.write_text(example)
    assert one_chkconfig("--add", "motd") == (0, "", "")
    return motd


@pytest.fixture
def configure(template_config, one_chkconfig, tmp_path):
    """A function: run a target with a text for the message of the day, and return how the script went."""
    environment = dict(
        one_chkconfig.environment, OVM_TEMPLATE_LOCK=str(tmp_path / "lock"), PATH=os.environ["PATH"], LC_ALL="C.UTF-8"
    )

    def run_target(target, text=None, *options):
        command = [template_config, "--logfile", str(tmp_path / "log"), "--script", "motd", *options]
        if "--enumerate" in options:
            return json.loads(run([*command, target], environment))
        given = "" if text is None else json.dumps({KEY: text})
        report = json.loads(run([*command, "--stdin", "--report", "1", target], environment, given))
        return [(script["status"], script["changed"]) for script in report["scripts"]]

    return run_target


def test_the_example(motd, configure):
    [(priority, name, parameters)] = configure("configure", None, "--enumerate")
    assert (priority, name, [parameter["key"] for parameter in parameters]) == ("95", "motd", [KEY])
    assert configure("cleanup", None, "--enumerate") == [["5", "motd", []]]
    assert configure("configure", "Hello", "--check") == [("ok", True)] and not motd.exists()
    assert configure("configure", "Hello") == [("ok", True)] and motd.read_text() == "Hello\n"
    assert configure("configure", "Hello") == [("ok", False)]
    assert configure("configure") == [("ok", False)] and motd.read_text() == "Hello\n"
    assert configure("cleanup") == [("ok", True)] and motd.read_text() == ""


def test_by_hand(motd, template_config, one_chkconfig):
    script = str(one_chkconfig.folder / "scripts/motd")
    environment = {"PYTHONPATH": template_config + "/lib", "PATH": os.environ["PATH"]}
    session = MANUAL.rsplit("```console\n", 1)[1].split("```", 1)[0]
    described = next(line for line in session.splitlines() if line.startswith("["))
    # Python 2 has an order of its own.
    assert json.loads(run([script, "--enumerate", "configure"], environment)) == json.loads(described)
    given = '{"%s": "Hello"}' % KEY
    assert run([script, "--check", "configure"], environment, given) == given + "\n" and given + "\n" in session
    assert not motd.exists()
    run([script, "configure"], environment, given)
    assert motd.read_text() == "Hello\n"


def test_every_helper_in_the_manual_is_there():
    from templateconfig import common

    named = MANUAL.split("## Helpers", 1)[1].split("##", 1)[0]
    for name in ("run_cmd", "shell_cmd", "Failed", "CommandFailed", "changed", "checking"):
        assert "`" + name in named and hasattr(common, name)
