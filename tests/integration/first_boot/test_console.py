# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at the console of a machine at its first boot."""

import json
import os
import pathlib
import pty
import select
import signal
import termios
import time

import pytest

from .conftest import HOSTNAME, ONCE, PATIENCE, ROOT_PASSWORD

DONE = 0


class Screen:
    """The console: a terminal of the test's own.

    :ivar str path: the program opens this.
    """

    def __init__(self):
        self._master, self._terminal = pty.openpty()
        self.path = os.ttyname(self._terminal)
        self._before = termios.tcgetattr(self._terminal)
        self.seen = b""

    def expect(self, text):
        """Wait for a text to appear; what came up to its end does not count the next time."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready = select.select([self._master], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, "not seen: %r but %r" % (text, self.seen)
            self.seen += os.read(self._master, 4096)
        self.seen = self.seen[self.seen.index(text) + len(text) :]

    def type(self, text):
        os.write(self._master, text)

    def echoes(self):
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def as_before(self):
        """Wait until the terminal is as it was."""
        deadline = time.monotonic() + PATIENCE
        while termios.tcgetattr(self._terminal) != self._before:
            assert time.monotonic() < deadline, "the terminal stays as it is"
            time.sleep(0.01)
        return True

    def hang_up(self):
        os.close(self._master)
        self._master = -1

    def close(self):
        for descriptor in (self._master, self._terminal):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
def screen():
    found = Screen()
    yield found
    found.close()


@pytest.fixture
def at_console(start, machine, screen):
    """The program, waiting at the console."""
    machine.environment["OVM_CONSOLE"] = screen.path
    running = start()
    screen.expect(b"Press Enter to give it here instead: ")
    return running


PASSWORD = b"Root password (com.oracle.linux.root-password; required): "


def test_a_person_configures_the_machine(at_console, machine, screen, other_side):
    screen.type(b"\n")
    screen.expect(b"Host name (com.oracle.linux.network.hostname): ")
    screen.type(b"web1\n")
    screen.expect(b"PIN (org.example.pin): ")
    assert not screen.echoes()
    screen.type(b"\n")
    screen.expect(PASSWORD)
    screen.type(b"s3cr3t\n")
    screen.expect(b"The same again: ")
    screen.type(b"s3cr3t\n")
    screen.expect(b"That is all. The machine configures itself now.\r\n")
    assert at_console.end() == DONE and screen.as_before()
    assert machine.done == ONCE and not machine.asked
    assert machine.given("network") == {HOSTNAME: "web1", ROOT_PASSWORD: "s3cr3t"}
    assert other_side.states() == ["running", "done"] and "s3cr3t" not in machine.logged()


def test_messages_come_while_a_person_is_asked(at_console, machine, screen, other_side):
    screen.type(b"\nweb1\n")
    screen.expect(b"PIN (org.example.pin): ")
    assert not screen.echoes()
    screen.type(b"12")
    other_side.send((HOSTNAME, "web2"), (ROOT_PASSWORD, "s3cr3t"))
    screen.expect(b"\r\nThe configuration has come from elsewhere (messages).\r\n")
    assert at_console.end() == DONE and screen.as_before()
    assert machine.given("network") == {HOSTNAME: "web2", ROOT_PASSWORD: "s3cr3t"}


def test_there_is_no_xenstore(start, machine, screen):
    machine.environment.update(OVM_CONSOLE=screen.path, XENSTORED_PATH="/no/xenstore")
    running = start()
    screen.expect(b"Press Enter")
    screen.type(b"\n")
    screen.expect(b"(com.oracle.linux.network.hostname): ")
    screen.type(b"\n")
    for prompt, text in ((b"PIN", b"\n"), (PASSWORD, b"s3cr3t\n"), (b"again: ", b"s3cr3t\n")):
        screen.expect(prompt)
        screen.type(text)
    assert running.end() == DONE and machine.done == ONCE and not machine.asked


def test_a_person_thinks_better_of_it(at_console, machine, screen, other_side):
    for key in (b"\x03", b"\x04"):  # Ctrl-C, Ctrl-D
        screen.type(b"\n")
        screen.expect(b"Host name (com.oracle.linux.network.hostname): ")
        screen.type(b"of-" + key if key == b"\x03" else key)
        screen.expect(b"Nothing was kept.")
        screen.expect(b"Press Enter to give it here instead: ")
    assert at_console.process.poll() is None
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert at_console.end() == DONE and machine.given("network") == {ROOT_PASSWORD: "s3cr3t"}


def test_nobody_is_there(at_console, machine, screen, other_side):
    for _time in range(19):
        screen.type(b"\x04")
        screen.expect(b"Press Enter to give it here instead: ")
    screen.type(b"\x04")
    at_console.expect("the console gives no parameters: nobody is there")
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert at_console.end() == DONE and screen.as_before()


def test_the_terminal_hangs_up(at_console, machine, screen, other_side):
    screen.hang_up()
    at_console.expect("the console gives no parameters: it was hung up")
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert at_console.end() == DONE and machine.done == ONCE


def children(process):
    return [int(pid) for pid in pathlib.Path("/proc/%d/task/%d/children" % (process, process)).read_text().split()]


def lives(process):
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return bool(pathlib.Path("/proc/%d/cmdline" % process).read_bytes())
    except OSError:
        return False


def who_asks(running):
    """The process number of the one at the console: it leads a session."""
    return next(pid for pid in children(running.process.pid) if os.getsid(pid) == pid)


def test_the_program_is_killed(at_console, screen):
    screen.type(b"\n\n")
    screen.expect(b"PIN (org.example.pin): ")
    assert not screen.echoes()
    helpers = children(at_console.process.pid)
    assert who_asks(at_console) in helpers and len(helpers) == 2
    at_console.process.kill()
    assert at_console.end() == -signal.SIGKILL and screen.as_before()
    deadline = time.monotonic() + PATIENCE
    while any(lives(helper) for helper in helpers):
        assert time.monotonic() < deadline, "the processes that ask and look for a disc go on"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_one_who_asks_is_killed(at_console, machine, screen, other_side, number):
    screen.type(b"\n\n")
    screen.expect(b"PIN (org.example.pin): ")
    os.kill(who_asks(at_console), number)
    assert screen.as_before()
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert at_console.end() == DONE and machine.done == ONCE


def test_the_program_is_told_to_stop(at_console, screen):
    screen.type(b"\n\n")
    screen.expect(b"PIN (org.example.pin): ")
    at_console.process.terminate()
    assert at_console.end() == -signal.SIGTERM and screen.as_before()


def test_it_holds_nothing_of_the_program(at_console, machine):
    """Neither locks nor connections: or the next start would find them taken."""
    descriptors = pathlib.Path("/proc/%d/fd" % who_asks(at_console))
    held = [os.readlink(descriptor) for descriptor in descriptors.iterdir() if int(descriptor.name) > 2]
    assert all(name.startswith(("pipe:", "/dev/pts/")) for name in held), json.dumps(held)
