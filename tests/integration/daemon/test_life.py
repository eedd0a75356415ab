# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the daemon starts, stays and ends: under systemd, on its own, beside another one."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from ansible_collections.ovm.messaging.tests.integration.daemon.conftest import until
from lab.programs import PYTHONS

NEVER = "86400"
OK, BAD_INPUT, NO_CHANNEL, RUNS_ALREADY = 0, 2, 3, 7

# None of this has to do with the kind of XenStore.
pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


@pytest.fixture(params=list(PYTHONS))
def program(request, programs):  # noqa: F811 - a fixture
    """The built program for each Python, as a command."""
    return [str(programs(request.param))]


@pytest.fixture
def one_program(programs):  # noqa: F811 - a fixture
    """The built program for one Python."""
    return [str(programs("python3.11" if "python3.11" in PYTHONS else list(PYTHONS)[0]))]


@pytest.fixture
def pid_file(folder):
    path = pathlib.Path(folder, "ovmd.pid")
    yield path
    # A daemon on its own is nobody's child.
    try:
        pid = int(path.read_text())
    except (FileNotFoundError, ValueError):
        return
    end(pid, signal.SIGKILL)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as source:
            return source.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def end(pid, number=signal.SIGTERM):
    """End a process that is nobody's child, and wait for that."""
    if alive(pid):
        os.kill(pid, number)
        until(lambda: not alive(pid), "the end of %d" % pid)


# Under systemd


def test_every_python_tells_systemd_and_serves_a_message_and_an_event(start, run, other_side, template_config, program):
    template_config.enable("reconfigure")
    ovmd = start("-t", NEVER, command=program)
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    assert run("-e", "reconfigure", command=program) == (OK, b"", b"")
    other_side.wait_for(lambda: other_side.report().configuration().get("state") == "done", "done")
    assert run("-g", "k", command=program) == (OK, b"v\n", b"")
    ovmd.signal(signal.SIGHUP)
    heard = ovmd.supervisor.wait_for("RELOADING=1\nMONOTONIC_USEC=")
    assert abs(int(heard.rpartition("=")[2]) / 1e6 - time.monotonic()) < 60
    ovmd.supervisor.wait_for("READY=1")
    ovmd.signal(signal.SIGTERM)
    ovmd.supervisor.wait_for("STOPPING=1")
    assert ovmd.wait() == OK
    said = ovmd.said()
    assert "defect" not in said and said.startswith("ovmd: started, version ") and said.endswith("ovmd: ended\n")


def test_a_sign_of_life_for_the_watchdog(start, guest):
    ovmd = start("-t", NEVER, more={"WATCHDOG_USEC": "200000"})
    for _unused in range(3):
        ovmd.supervisor.wait_for("WATCHDOG=1")
    ovmd.stop()


def test_none_for_a_watchdog_that_watches_another_process(start, other_side):
    ovmd = start("-t", NEVER, more={"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    ovmd.signal(signal.SIGTERM)
    heard = []
    while "STOPPING=1" not in heard:
        heard.append(ovmd.supervisor.hear())
    assert "WATCHDOG=1" not in heard
    ovmd.wait()


def test_scripts_do_not_get_the_supervisors_socket(start, run, template_config):
    template_config.enable("resume")
    template_config.path.write_text(
        '#!/bin/sh\ncat; env > "$(dirname "$0")/environment"; echo done >> "$(dirname "$0")/runs"\n'
    )
    start("-t", NEVER, more={"WATCHDOG_USEC": "60000000"})
    run("-e", "resume")
    template_config.wait_for("done")
    found = (template_config.folder / "environment").read_text()
    assert "NOTIFY_SOCKET" not in found and "WATCHDOG" not in found and "OVM_TEMPLATE_DIR" in found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order(start, environment, number, folder, guest):
    ovmd = start("-t", NEVER, "-f", os.path.join(folder, "pid"))
    assert os.listdir(environment["OVM_STATE_DIR"]) != []
    ovmd.signal(number)
    assert ovmd.wait() == OK
    assert not os.path.exists(os.path.join(environment["OVM_STATE_DIR"], "wake"))
    assert not os.path.exists(os.path.join(folder, "pid"))


def test_it_sleeps_where_nothing_happens(start, other_side, guest):
    ovmd = start("-t", NEVER)
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    for attempt in range(1, 4):
        ovmd.signal(signal.SIGUSR1)
        ovmd.wait_for("status: version", attempt)
    counts = [int(found) for found in re.findall(r"(\d+) wake-ups", ovmd.said())]
    # What wakes it between is the signal alone.
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [1, 1]


def test_the_period_wakes_it(start, guest):
    ovmd = start("-t", "1")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("status: version")
    until(lambda: _slept(ovmd.pid) > 3, "several periods")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("status: version", 2)
    counts = [int(found) for found in re.findall(r"(\d+) wake-ups", ovmd.said())]
    assert counts[1] - counts[0] >= 1


def _slept(pid):
    with open("/proc/%d/status" % pid) as source:
        return int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", source.read()).group(1))


def test_it_keeps_small(start, run, other_side, template_config, one_program):
    """Resident memory; the bench measures it more closely."""
    template_config.enable("resume")
    ovmd = start("-t", NEVER, command=one_program)
    for number in range(100):
        other_side.send(b"key-%d" % number, b"v" * 100)
    other_side.wait_until_held(b"key-99", b"v" * 100)
    with open("/proc/%d/status" % ovmd.pid) as source:
        assert int(re.search(r"VmRSS:\s*(\d+)", source.read()).group(1)) <= 20 * 1024


def test_its_program_may_be_replaced_while_it_runs(start, run, other_side, template_config, one_program, folder):
    """As an upgrade does: what it needs later is loaded by then."""
    template_config.enable("reconfigure")
    copy = pathlib.Path(folder, "program")
    copy.write_bytes(pathlib.Path(one_program[0]).read_bytes())
    copy.chmod(0o755)
    ovmd = start("-t", "1", command=[str(copy)])
    other = pathlib.Path(folder, "other")
    other.write_bytes(b"#!/bin/false\n" + bytes(range(256)) * 400)
    os.replace(other, copy)
    other_side.send(b"some.password", b"v")
    other_side.send(b"k", b"v")
    other_side.event(b"reconfig:pre:x")
    other_side.event(b"nonsense")
    other_side.wait_until_held(b"k", b"v")
    other_side.wait_for(lambda: other_side.report().configuration().get("state") == "done", "done")
    assert run("-e", "user")[0] == OK
    run("-x")
    other_side.wait_until_gone(b"k")
    for number in (signal.SIGUSR1, signal.SIGHUP):
        ovmd.signal(number)
    ovmd.wait_for("looking at everything anew")
    ovmd.wait_for("status: backend")
    assert ovmd.stop() == OK and "defect" not in ovmd.said()


# On its own


def test_every_python_becomes_a_daemon_that_works_when_its_starter_ends(
    run, other_side, environment, program, pid_file, folder
):
    assert run("-f", str(pid_file), "-d0", "-t", NEVER, command=program) == (OK, b"", b"")
    pid = int(pid_file.read_text())
    try:
        other_side.send(b"k", b"v")
        other_side.wait_until_held(b"k", b"v")
        links = {number: os.readlink("/proc/%d/fd/%d" % (pid, number)) for number in range(3)}
        assert set(links.values()) == {"/dev/null"}
        assert os.readlink("/proc/%d/cwd" % pid) == "/"
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
        assert re.search(r"\nUmask:\s*0077\n", status) or "Umask" not in status
        stat = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
        parent, session, terminal = int(stat[1]), int(stat[3]), int(stat[4])
        # In a session of its own that it does not lead, so without a terminal for ever.
        assert session not in (pid, os.getsid(0)) and terminal == 0 and parent != os.getpid()
        assert run("-e", "user", command=program) == (OK, b"", b"")
    finally:
        end(pid)
    assert not pid_file.exists()


def test_a_start_that_fails_says_why_and_leaves_nothing(run, environment, one_program, pid_file, tmp_path):
    missing = str(tmp_path / "missing")
    code, out, err = run("-f", str(pid_file), "-d0", command=one_program, more={"XENSTORED_PATH": missing})
    assert (code, out) == (NO_CHANNEL, b"") and err.count(b"\n") == 1
    assert err.startswith(b"ovmd: XenStore at %s cannot be opened" % missing.encode())
    assert not pid_file.exists()


def test_it_does_not_hold_what_it_inherits(environment, one_program, pid_file, guest):
    """Whoever reads a pipe of the starter's sees its end."""
    reading, writing = os.pipe()
    subprocess.run(
        [*one_program, "-f", str(pid_file), "-d0"], env=environment, pass_fds=[writing], check=True, timeout=60
    )
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    end(int(pid_file.read_text()))


def test_a_starter_that_ignores_the_end_of_children(run, guest, one_program, pid_file, template_config):
    template_config.enable("resume")
    ignoring = ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh", *one_program]
    assert run("-f", str(pid_file), "-d0", "-t", NEVER, command=ignoring) == (OK, b"", b"")
    for attempt in range(1, 3):
        assert run("-e", "resume")[0] == OK
        template_config.wait_for(*["begin resume", "end resume"] * attempt)
    end(int(pid_file.read_text()))


def test_the_foreground_on_request(environment, one_program, guest, pid_file):
    process = subprocess.Popen([*one_program, "--foreground", "-d0", "-f", str(pid_file)], env=environment)
    until(lambda: os.path.exists(os.path.join(environment["OVM_STATE_DIR"], "wake")), "the daemon")
    assert int(pid_file.read_text()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == OK


# Two of them


def test_there_is_one_for_a_list(start, run, pid_file, environment):
    ovmd = start("-t", NEVER)
    code, out, err = run("-f", str(pid_file), "-d0")
    assert (code, out) == (RUNS_ALREADY, b"") and err.startswith(b"ovmd: another ovmd runs already on ")
    assert not pid_file.exists()
    assert run("-e", "user")[0] == OK  # the first still listens
    ovmd.kill()
    assert run("-f", str(pid_file), "-d0") == (OK, b"", b"")
    end(int(pid_file.read_text()))


def test_there_is_one_for_a_pid_file(start, run, pid_file, folder, environment):
    ovmd = start("-t", NEVER, "-f", str(pid_file))
    code, out, err = run("-f", str(pid_file), "-d0", more={"OVM_STATE_DIR": os.path.join(folder, "other")})
    assert (code, out) == (RUNS_ALREADY, b"")
    assert err == (
        b"ovmd: ovmd is running already as process %d, says %s: end that one first, or have it look again by SIGHUP\n"
        % (ovmd.pid, str(pid_file).encode())
    )
    ovmd.kill()
    assert pid_file.read_text() == "%d\n" % ovmd.pid  # as a SIGKILL leaves it
    assert run("-f", str(pid_file), "-d0") == (OK, b"", b"")
    end(int(pid_file.read_text()))


# What it refuses


@pytest.mark.parametrize("period", ["0", "-1", "86401", "ten", "1.5", "", " 5"])
def test_periods_that_are_none(run, guest, period):
    code, out, err = run("-t", period, "-d1")
    assert (code, out) == (BAD_INPUT, b"") and err.count(b"\n") == 1
    assert err.startswith(b"ovmd: the period '%s' is not a number of seconds from 1 to 86400" % period.encode())


@pytest.mark.parametrize("where", ["option", "environment"])
def test_reports_that_there_are_not(run, guest, where):
    if where == "option":
        code, _out, err = run("--reports=held,SECRETS", "-d1")
        assert err.startswith(b"ovmd: --reports: there is no report 'SECRETS': use none, or some of guest,")
    else:
        code, _out, err = run("-d1", more={"OVM_REPORTS": "held,none"})
        assert err.startswith(b"ovmd: OVM_REPORTS: there is no report 'none': ")
    assert code == BAD_INPUT


def test_a_pid_file_that_is_something_else(run, guest, folder):
    path = pathlib.Path(folder, "precious")
    path.write_text("precious\n")
    code, out, err = run("-f", str(path), "-d1")
    assert (code, out) == (NO_CHANNEL, b"") and b"is not a pid file" in err
    assert path.read_text() == "precious\n"
