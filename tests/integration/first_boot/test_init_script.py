# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SysV init script, with the real programs, in a folder of the test's own."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.ovm.messaging.programs import build

from .conftest import HOSTNAME, ONCE, PATIENCE, ROOT_PASSWORD, Running

SCRIPT = str(pathlib.Path(__file__).parents[3] / "roles" / "ovmd" / "files" / "ovmd.init")
MESSAGES = [(HOSTNAME, "web1"), (ROOT_PASSWORD, "s3cr3t")]


class Service:
    """What ``service ovmd`` is."""

    def __init__(self, machine, environment):
        self.machine, self.environment = machine, environment
        self.pid_file = pathlib.Path(environment["OVMD_PID_FILE"])
        self.settings = pathlib.Path(environment["OVMD_SETTINGS"])

    def __call__(self, *arguments):
        """:returns: exit code and output."""
        done = subprocess.run(
            ["sh", SCRIPT, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def start(self):
        """Start it, without waiting."""
        return Running(["sh", SCRIPT, "start"], self.environment)

    @property
    def pid(self):
        return int(self.pid_file.read_text(encoding="ascii"))


@pytest.fixture(scope="session")
def ovmd(program):
    """The built daemon, beside the other program."""
    return build.build("ovmd", program.parent, str(program.parent / "python"), [sys.executable])[0]


@pytest.fixture
def service(machine, program, ovmd, tmp_path):
    environment = dict(
        machine.environment,
        OVMD_PROGRAM=str(ovmd),
        OVMD_TEMPLATE_CONFIG=str(tmp_path / "ovm-template-config"),
        OVMD_SETTINGS=str(tmp_path / "sysconfig" / "ovmd"),
        OVMD_PID_FILE=str(tmp_path / "ovmd.pid"),
    )
    wrapper = tmp_path / "ovm-template-config"  # the log's place is an option
    wrapper.write_text('#!/bin/sh\nexec "%s" --logfile "%s" "$@"\n' % (program, machine.log), encoding="utf-8")
    wrapper.chmod(0o755)
    found = Service(machine, environment)
    found.settings.parent.mkdir()
    machine.flag = found.settings
    machine.flag.write_text("OVMD_OPTIONS='-t 5 -d 0' # period\n", encoding="ascii")
    yield found
    if found.pid_file.exists():
        try:
            os.kill(found.pid, signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            pass


def test_a_daemon_s_life(service):
    assert service("status") == (3, "ovmd is not running\n")
    assert service("stop") == (0, "ovmd is not running\n")
    assert service("reload") == (7, "ovmd is not running\n")
    assert service("try-restart") == (0, "")
    assert service("start") == (0, "ovmd is started\n")
    first = service.pid
    words = pathlib.Path("/proc/%d/cmdline" % first).read_bytes().split(b"\0")
    assert words[-5:] == [b"-t", b"5", b"-d", b"0", b""]
    assert service("start") == (0, "ovmd is running already (process %d)\n" % first)
    assert service("status") == (0, "ovmd is running (process %d)\n" % first)
    assert service("reload") == (0, "") and service.pid == first
    for command in "restart", "try-restart", "condrestart", "force-reload":
        assert service(command) == (0, "ovmd is stopped\novmd is started\n") and service.pid != first
        first = service.pid
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while service("status")[0] == 0:
        assert time.monotonic() < deadline
    assert service("status") == (1, "ovmd is dead, and has left %s\n" % service.pid_file)
    assert service("start") == (0, "ovmd is started\n")
    assert service("stop") == (0, "ovmd is stopped\n") and not service.pid_file.exists()


def test_another_process_has_got_its_number(service):
    service.pid_file.write_text("%d\n" % os.getpid(), encoding="ascii")
    assert service("status")[0] == 1
    assert service("stop") == (0, "ovmd is not running\n")
    service.pid_file.write_text("../../1\n", encoding="ascii")
    assert service("status")[0] == 1


def test_a_daemon_that_hangs(service):
    assert service("start")[0] == 0
    os.kill(service.pid, signal.SIGSTOP)
    service.environment["OVMD_PATIENCE"] = "1"
    assert service("stop") == (0, "ovmd is stopped\n") and not service.pid_file.exists()


@pytest.mark.parametrize("arguments", [(), ("what",)])
def test_usage(service, arguments):
    code, said = service(*arguments)
    assert code == 2 and said.startswith("usage: ") and "enable-initial-config|disable-initial-config}" in said


@pytest.mark.parametrize(
    "before, after",
    [
        (None, b"INITIAL_CONFIG=%s\n"),
        (b"", b"INITIAL_CONFIG=%s\n"),
        (b"A='x \xff'\nINITIAL_CONFIG=maybe\nB=1", b"A='x \xff'\nB=1\nINITIAL_CONFIG=%s\n"),
        (
            b"export INITIAL_CONFIG=yes\n# c\nINITIAL_CONFIG_TIMEOUT=5\n",
            b"# c\nINITIAL_CONFIG_TIMEOUT=5\nINITIAL_CONFIG=%s\n",
        ),
    ],
)
def test_the_flag(service, before, after):
    service.settings.unlink()
    if before is not None:
        service.settings.write_bytes(before)
        service.settings.chmod(0o640)
    for command, word in (("enable", b"yes"), ("enable", b"yes"), ("disable", b"no")):
        code, said = service(command + "-initial-config")
        assert (code, said) == (0, "INITIAL_CONFIG=%s in %s\n" % (word.decode(), service.settings))
        assert service.settings.read_bytes() == after % word
    if before is not None:
        assert service.settings.stat().st_mode & 0o777 == 0o640
    assert os.listdir(service.settings.parent) == [service.settings.name]


def test_a_flag_that_cannot_be_written(service):
    service.environment["OVMD_SETTINGS"] = "/dev/null/ovmd"
    assert service("enable-initial-config")[0] == 4


def test_the_first_boot_is_part_of_the_start(service, other_side):
    machine = service.machine
    assert service("enable-initial-config")[0] == 0
    starting = service.start()
    starting.expect("waiting for parameters")
    other_side.send(*MESSAGES)
    assert starting.end() == 0 and machine.done == ONCE
    assert service.settings.read_text(encoding="ascii").endswith("INITIAL_CONFIG=no\n")
    assert "OVMD_OPTIONS='-t 5 -d 0' # period\n" in service.settings.read_text(encoding="ascii")
    assert other_side.wait_for("done") and service("status")[0] == 0
    assert service("restart")[0] == 0 and service("start")[0] == 0 and machine.done == ONCE


def test_a_first_boot_that_fails_keeps_nothing_from_starting(service):
    service.settings.write_text("INITIAL_CONFIG=maybe\n", encoding="ascii")
    code, said = service("start")
    assert code == 1 and "INITIAL_CONFIG has a value that it cannot have" in said and service("status")[0] == 0


def test_it_is_posix():
    """No more than a POSIX shell is needed, and the header is one for insserv and chkconfig."""
    assert subprocess.run(["sh", "-n", SCRIPT], check=False).returncode == 0
    text = pathlib.Path(SCRIPT).read_text(encoding="ascii")
    header = text[text.index("### BEGIN INIT INFO") : text.index("### END INIT INFO")].splitlines()[1:]
    assert all(line.startswith("# ") for line in header)
    given = dict(line[2:].split(":", 1) for line in header if not line.startswith("#  "))
    assert {"Provides", "Required-Start", "Required-Stop", "Default-Start", "Default-Stop"} <= set(given)
    assert given["Provides"].strip() == "ovmd" and "\n# chkconfig: 2345 08 92\n" in text
