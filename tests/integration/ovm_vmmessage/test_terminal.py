# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are asked for, and values that must not steer a terminal."""

import os
import pathlib
import signal
import subprocess

import pytest

from lab.faults import Held

OK, NO_SUCH_KEY, BAD_INPUT, LOGIN_REFUSED = 0, 1, 2, 6
PATIENCE = 60
SEND = ["-v", "MyVM02", "-k", "key2"]
QUIET_SEND = ["--quiet", *SEND, "-V", "value2"]


@pytest.fixture
def asked(environment):
    """An environment without a password."""
    return {name: value for name, value in environment.items() if name != "OVM_PASSWORD"}


@pytest.fixture
def prompt(gateway):
    return b"Password of %s at %s: " % (gateway.username.encode(), gateway.host.encode())


def test_a_person_is_asked_for_the_password_and_sees_nothing(on_terminal, asked, gateway, prompt, vm):
    terminal = on_terminal(*QUIET_SEND, environment=asked)
    terminal.expect(prompt)
    assert not terminal.echoes()
    terminal.type(gateway.password.encode() + b"\n")
    assert terminal.end() == OK and terminal.echoes()
    assert terminal.seen == prompt + b"\r\n"
    assert vm.ovmd("-g", "key2") == b"value2\n"


def test_the_password_is_asked_for_at_the_terminal_wherever_the_streams_go(on_terminal, asked, gateway, prompt, vm):
    reader, writer = os.pipe()
    with open(os.devnull, "r+b") as nowhere:
        terminal = on_terminal(
            *SEND, "--quiet", "--value-from-stdin", environment=asked, stdin=reader, stdout=nowhere, stderr=nowhere
        )
    os.close(reader)
    os.write(writer, b"from a pipe\n")
    os.close(writer)
    terminal.expect(prompt)
    terminal.type(gateway.password.encode() + b"\n")
    assert terminal.end() == OK and terminal.seen == prompt + b"\r\n"
    assert vm.ovmd("-g", "key2") == b"from a pipe\n"


def test_a_wrong_or_missing_answer(on_terminal, asked, prompt):
    terminal = on_terminal(*QUIET_SEND, environment=asked)
    terminal.expect(prompt)
    terminal.type(b"WRONG\n")
    terminal.expect(b": check user and password\r\n")
    assert terminal.end() == LOGIN_REFUSED and b"WRONG" not in terminal.seen
    for nothing in (b"\n", b"\x04"):
        terminal = on_terminal(*QUIET_SEND, environment=asked)
        terminal.expect(prompt)
        terminal.type(nothing)
        terminal.expect(b"ovm_vmmessage: no password was given: set OVM_PASSWORD, or use a client certificate\r\n")
        assert terminal.end() == BAD_INPUT and terminal.echoes()
    terminal = on_terminal(*QUIET_SEND, environment=asked)
    terminal.expect(prompt)
    terminal.type(b"\xff\n")
    terminal.expect(b"ovm_vmmessage: the password is not UTF-8: have it written in UTF-8\r\n")
    assert terminal.end() == BAD_INPUT


def test_an_interrupt_gives_the_terminal_back(on_terminal, asked, prompt):
    terminal = on_terminal(*QUIET_SEND, environment=asked)
    terminal.expect(prompt)
    terminal.type(b"s3c\x03")
    assert terminal.end() == -signal.SIGINT and terminal.echoes()


def test_without_a_terminal_or_with_e_nobody_is_asked(run, asked, on_terminal):
    run.environment = asked
    text = b"ovm_vmmessage: no password was given, and there is no terminal to ask for it: "
    assert run(*QUIET_SEND, stdin=b"password\n") == (
        BAD_INPUT, b"", text + b"set OVM_PASSWORD, or use a client certificate\n"
    )  # fmt: skip
    terminal = on_terminal("-E", *QUIET_SEND, environment=asked)
    terminal.expect(b"ovm_vmmessage: -E was given, but OVM_PASSWORD is not set: set it to the password\r\n")
    assert terminal.end() == BAD_INPUT


def test_a_value_is_asked_for_and_not_shown(on_terminal, vm):
    terminal = on_terminal("--quiet", *SEND, "--value-from-stdin")
    terminal.expect(b"Value of 'key2': ")
    assert not terminal.echoes()
    terminal.type("s3cret ü\n".encode())
    assert terminal.end() == OK and terminal.echoes()
    assert terminal.seen == b"Value of 'key2': \r\n"
    assert vm.ovmd("-g", "key2") == "s3cret ü\n".encode()
    terminal = on_terminal("--quiet", "-v", "MyVM02", "-k", "key\x1b[2J", "--value-from-stdin", shell="</dev/tty")
    terminal.expect(b"Value of 'key\\x1b[2J': ")
    terminal.type(b"\x04")
    terminal.expect(b"ovm_vmmessage: no value was given for 'key\\x1b[2J': an empty value is an empty line\r\n")
    assert terminal.end() == BAD_INPUT


@pytest.mark.parametrize(
    "stdin, value",
    [(b"s3cret\n", b"s3cret"), (b"two\nlines\n\n", b"two\nlines\n"), (b"", b""), (b"\xff\r\n", b"\xff\r")],
)
def test_a_value_comes_from_standard_input(run, vm, stdin, value):
    assert run("--quiet", *SEND, "--value-from-stdin", stdin=stdin) == (OK, b"", b"")
    assert vm.ovmd("-g", "key2") == value + b"\n"


def test_values_that_standard_input_does_not_give(run):
    text = b"ovm_vmmessage: the value of 'key2' has more than 1048576 bytes: send less\n"
    assert run(*SEND, "--value-from-stdin", stdin=b"x" * (3 << 20)) == (BAD_INPUT, b"", text)
    text = (
        b"ovm_vmmessage: the value of 'key2' cannot be read from standard input (Bad file descriptor): send it there\n"
    )
    assert run(*SEND, "--value-from-stdin", shell="</dev/zero")[2].endswith(b"has more than 1048576 bytes: send less\n")
    assert run(*SEND, "--value-from-stdin", shell="<&-") == (BAD_INPUT, b"", text)


def test_the_list_of_processes_shows_no_secret(run_by_faults, faults, gateway, vm):
    held = Held()
    faults.add(held, "PUT", "/sendMessage$")
    process = run_by_faults.start("-E", *SEND, "--value-from-stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"s3cret")
    process.stdin.close()
    held.wait()
    shown = pathlib.Path("/proc/%d/cmdline" % process.pid).read_bytes()
    assert b"key2" in shown and b"s3cret" not in shown and gateway.password.encode() not in shown
    held.release()
    assert process.wait(PATIENCE) == OK
    process.stdout.close()
    assert vm.ovmd("-g", "key2") == b"s3cret\n"


# What is waited for


def test_a_person_is_told_what_is_waited_for(on_terminal, told, faults, vm):
    held = Held()
    faults.add(held, "PUT", "/sendMessage")
    terminal = on_terminal(*SEND, "-V", "s3cret", environment=told(faults))
    held.wait()
    terminal.expect(b"ovm_vmmessage: waiting for the manager's job of sending to 'MyVM02', for ")
    terminal.expect(b" seconds so far\r\n")
    held.release()
    assert terminal.end() == OK and terminal.seen.endswith(b"Message sent successfully.\r\n")
    assert b"s3cret" not in terminal.seen and vm.ovmd("-g", "key2") == b"s3cret\n"


def test_so_is_a_program_that_asks_for_it(run_by_faults, faults, vm):
    held = Held()
    faults.add(held, "GET", "/Manager")
    process = run_by_faults.start(
        "--verbose", "--quiet", *SEND, "-V", "v", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    held.wait()
    line = process.stderr.readline()
    held.release()
    out, _more = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (OK, b"")
    start = "ovm_vmmessage: waiting for the manager at %s:%d to answer and to run, for " % (faults.host, faults.port)
    assert line.startswith(start.encode()) and line.endswith(b" seconds so far\n")


# What a guest has sent


HOSTILE = b"\x1b]0;owned\x07\x1b[2J\r\n\xff" + "ü\u202e".encode()


def said(terminal):
    """Its lines, but for those that it has where this machine is busy."""
    return [line for line in terminal.seen.decode().split("\r\n") if not line.startswith("ovm_vmmessage: waiting for ")]


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_value_does_not_steer_a_terminal(on_terminal, run, vm, quiet):
    vm.sends(HOSTILE, HOSTILE)
    query = [*quiet, "-v", "MyVM02", "-q", os.fsdecode(HOSTILE)]
    terminal = on_terminal(*query)
    assert terminal.end() == OK
    shown = "\\x1b]0;owned\\x07\\x1b[2J\\r\\n\\xffü\\u202e"
    lines = said(terminal)
    if quiet:
        assert lines == [shown, ""]
    else:
        assert lines[3] == "Querying for key '%s." % shown
        assert lines[5] == "Query for Key : '%s' returned value '%s'." % (shown, shown)
        assert "\x1b" not in terminal.seen.decode()
    # A program gets what was sent.
    assert (HOSTILE + b"\n" if quiet else b"'%s'.\n" % HOSTILE) in run(*query)[1]


def test_neither_does_a_name_or_a_key_that_is_not_there(on_terminal, make_vm):
    make_vm(6, "evil\x1b[2J\nConnected.")
    terminal = on_terminal("-v", "evil\x1b[2J\nConnected.", "-q", "a\x1bb")
    assert terminal.end() == NO_SUCH_KEY
    lines = said(terminal)
    assert lines[2] == "VM : 'evil\\x1b[2J\\nConnected.' has status : Running."
    assert lines[4].startswith("ovm_vmmessage: the virtual machine 'evil\\x1b[2J\\nConnected.' has sent nothing with ")
    assert len(lines) == 6
