# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to run for a target, and by whom. Runs with a guest are in integration/daemon."""

import os

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest.target_run import (
    ProgramMissing,
    ProgramRunner,
    TargetNotRun,
    UnitRunner,
    has_scripts,
)


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "resume.d").mkdir()
    (tmp_path / "resume.d" / "50some").write_text("")
    (tmp_path / "suspend.d").mkdir()
    return {"PATH": ":%s:/missing" % tmp_path, "OVM_TEMPLATE_DIR": str(tmp_path)}


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_a_unit_is_started_by_systemctl(environ, tmp_path):
    runner = UnitRunner(environ)
    assert runner.ready("resume") == "there is no systemctl"
    program(tmp_path / "systemctl", '[ "$*" = "start ovm-template-config@resume.service" ] && exit 3\n')
    assert runner.ready("resume") == ""
    assert runner.ready("suspend") == runner.ready("migrate") == "no script is enabled for it"
    assert runner.run("resume", None, None, None) == 3


def test_no_systemctl_any_more(environ):
    with pytest.raises(ProgramMissing, match="there is no systemctl: start ovmd without --units"):
        UnitRunner(environ).run("resume", None, None, None)


def test_where_the_program_is_looked_for(environ, tmp_path):
    assert ProgramRunner(environ).ready("resume") == "the program ovm-template-config is not installed"
    program(tmp_path / "ovm-template-config", "")
    assert ProgramRunner(environ).ready("resume") == ""
    assert ProgramRunner(environ).ready("suspend") == "no script is enabled for it"
    assert ProgramRunner(dict(environ, PATH="/missing"), str(tmp_path)).ready("resume") == ""
    named = dict(environ, OVM_TEMPLATE_CONFIG=str(tmp_path))
    assert ProgramRunner(named).ready("resume") == "the program %s cannot be run" % tmp_path


class Backend:
    """What a run wants to know of one."""

    def __init__(self, folder):
        self.state = self
        self.path = str(folder / "parameters.db")

    def entries(self):
        return []


def test_no_room_for_the_result_of_a_run(environ, tmp_path):
    program(tmp_path / "ovm-template-config", "touch %s\n" % (tmp_path / "ran"))
    with pytest.raises(
        TargetNotRun, match="ovm-template-config cannot be run for the target resume .No such file.*: see"
    ):
        ProgramRunner(environ).run("resume", Backend(tmp_path / "missing"), None, None)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("runner", [ProgramRunner, UnitRunner])
def test_no_process_for_a_run(environ, tmp_path, monkeypatch, runner):
    def no_process():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    for name in ("ovm-template-config", "systemctl"):
        program(tmp_path / name, "")
    monkeypatch.setattr("os.fork", no_process)
    with pytest.raises(
        TargetNotRun, match="for the target resume .Resource temporarily unavailable.: see that the sys"
    ):
        runner(environ).run("resume", Backend(tmp_path), None, None)


@pytest.mark.parametrize(
    ("problem", "enabled"),
    [(FileNotFoundError(), False), (NotADirectoryError(), False), (PermissionError(), True), (OSError(5, "EIO"), True)],
)
def test_a_target_whose_scripts_cannot_be_seen_is_run(tmp_path, monkeypatch, problem, enabled):
    """The program says what is wrong; a target that nobody runs would be an event that is lost."""

    def fail(_path):
        raise problem

    (tmp_path / "suspend.d").mkdir()
    assert has_scripts(str(tmp_path), "suspend") is False
    (tmp_path / "suspend.d/50note").touch()
    assert has_scripts(str(tmp_path), "suspend") is True
    monkeypatch.setattr(os, "listdir", fail)
    assert has_scripts(str(tmp_path), "suspend") is enabled
