# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are not for the command line."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList

OK, BAD_INPUT = 0, 2
PATIENCE = 60


@pytest.mark.parametrize(
    "stdin, value",
    [(b"s3cret\n", b"s3cret"), (b"two\nlines\n\n", b"two\nlines\n"), (b"", b""), (b"\xff\r\n", b"\xff\r")],
)
def test_a_secret_comes_from_standard_input(one_ovmd, environment, other_side, stdin, value):
    assert one_ovmd("-p", "a=1", "--set-secret", "k", "-p", "b=2", stdin=stdin) == (OK, b"", b"")
    assert other_side.heard() == [(b"a", b"1"), (b"k", value), (b"b", b"2")]
    with ParameterList(environment["OVM_STATE_DIR"]) as parameters:
        marked = [(entry.key, entry.value, entry.secret) for entry in parameters.entries()]
    assert marked == [(b"a", b"1", False), (b"k", value, True), (b"b", b"2", False)]


@pytest.mark.parametrize(
    "arguments, stdin, text",
    [
        (["--set-secret=k"], b"x" * 8192, "the value of 'k' has 8192 bytes, the limit is 8191"),
        (["--set-secret=k"], b"x" * (3 << 20), "the value of 'k' has more than 1048576 bytes, the limit is 8191"),
        (["--set-secret=k"], b"a\0b", "the value of 'k' has a NUL byte"),
        (["--set-secret="], b"x", "the key is empty"),
        (["--set-secret=a", "--set-secret=b"], b"x", "--set-secret was given more than once"),
    ],
)
def test_what_cannot_be_a_secret(one_ovmd, other_side, arguments, stdin, text):
    code, out, err = one_ovmd("-p", "first=1", *arguments, stdin=stdin)
    assert (code, out) == (BAD_INPUT, b"") and err.decode().startswith("ovmd: %s: " % text) and err.count(b"\n") == 1
    assert one_ovmd("-l") == (OK, b"", b"") and other_side.heard() == []


def test_a_closed_standard_input_gives_no_secret(one_ovmd):
    code, _out, err = one_ovmd("--set-secret=k", prefix=["sh", "-c", 'exec "$@" <&-', "sh"])
    assert code == BAD_INPUT
    assert err == b"ovmd: the value of 'k' cannot be read from standard input (Bad file descriptor): send it there\n"


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, command, environment):
        self._fd, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # for /dev/tty
        )
        self._slave = slave
        self.seen = b""

    def expect(self, text):
        """Wait for a text to appear."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready, _unused, _unused = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, "not seen: %r but %r" % (text, self.seen)
            self.seen += os.read(self._fd, 4096)

    def type(self, text):
        os.write(self._fd, text)

    def end(self):
        """:returns: the exit code."""
        return self.process.wait(timeout=PATIENCE)

    def echoes(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        os.close(self._fd)


@pytest.fixture
def on_terminal(ovmd, environment):
    started = []

    def start(*arguments):
        started.append(Terminal(ovmd.command + list(arguments), environment))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def test_a_person_is_asked_and_sees_nothing(on_terminal, other_side):
    terminal = on_terminal("--set-secret=k", "-g", "k")
    terminal.expect(b"Value of 'k': ")
    assert not terminal.echoes()
    terminal.type(b"s3cret \xc3\xbc\n")
    terminal.expect("s3cret ü\r\n".encode())  # by -g; the terminal itself must not have shown it
    assert terminal.end() == OK and terminal.echoes()
    assert terminal.seen == "Value of 'k': \r\ns3cret ü\r\n".encode()
    assert other_side.heard() == [(b"k", "s3cret ü".encode())]


def test_a_person_may_think_better_of_it(on_terminal, other_side):
    terminal = on_terminal("--set-secret=k")
    terminal.expect(b"Value of 'k': ")
    terminal.type(b"s3c\x03")
    assert terminal.end() == -signal.SIGINT and terminal.echoes()
    terminal = on_terminal("--set-secret=k")
    terminal.expect(b"Value of 'k': ")
    terminal.type(b"\x04")
    terminal.expect(b"ovmd: no value was given for 'k': an empty value is an empty line\r\n")
    assert terminal.end() == BAD_INPUT
    assert other_side.heard() == []
