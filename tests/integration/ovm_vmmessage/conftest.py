# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_vmmessage against a real gateway, and ovmd in a guest behind it."""

import contextlib
import fcntl
import os
import pathlib
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import termios
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect, encode_text
from ansible_collections.ovm.messaging.plugins.module_utils.manager.session import Session
from ansible_collections.ovm.messaging.programs import build
from lab.faults import Faults

#: Seconds after which a program counts as hanging.
PATIENCE = 60
COMMAND = [sys.executable, str(pathlib.Path(build.ROOT, "programs", "ovm_vmmessage"))]
OVMD = [sys.executable, str(pathlib.Path(build.ROOT, "programs", "ovmd"))]


def _hear_interrupts():
    # Tests that run in the background of a script have been told to ignore them, and so would their children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _redirected(shell):
    """What to put before a command, to have a shell redirect its streams."""
    return ["sh", "-c", 'exec "$@" ' + shell, "sh"] if shell else []


class Program:
    """The program in a session of its own, so that there is no terminal to ask at.

    :ivar list command: what starts it.
    :ivar dict environment: and with what.
    """

    def __init__(self, environment):
        self.command, self.environment = COMMAND, environment

    def __call__(self, *arguments, stdin=b"", environment=(), shell=""):
        """Run it.

        :param environment: pairs to add to its environment.
        :param str shell: redirections, as a shell has them.
        :returns: its exit code, standard output and standard error.
        """
        done = subprocess.run(
            [*_redirected(shell), *self.command, *arguments],
            input=stdin,
            capture_output=True,
            env=dict(self.environment, **dict(environment)),
            timeout=PATIENCE,
            start_new_session=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments, **streams):
        """Start it, and leave it running."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            start_new_session=True,
            preexec_fn=_hear_interrupts,
            **streams,
        )


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, arguments, environment, shell="", **streams):
        self._fd, self._slave = pty.openpty()
        self.process = subprocess.Popen(
            [*_redirected(shell), *COMMAND, *arguments],
            env=environment,
            start_new_session=True,
            preexec_fn=self._prepare,
            **dict(dict.fromkeys(("stdin", "stdout", "stderr"), self._slave), **streams),
        )
        self.seen = b""

    def _prepare(self):
        _hear_interrupts()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)  # for /dev/tty, wherever the standard streams go to

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
        code = self.process.wait(timeout=PATIENCE)
        while select.select([self._fd], [], [], 0)[0]:
            self.seen += os.read(self._fd, 4096)
        return code

    def echoes(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        os.close(self._fd)


class Vm:
    """A guest behind the gateway.

    :ivar Guest guest: the lab's.
    """

    def __init__(self, guest, session, tmp_path):
        self.guest, self._session = guest, session
        self._environment = {
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "XENSTORED_PATH": guest.path,
            "OVM_STATE_DIR": str(tmp_path / ("ovmd-%d" % guest.domid)),
            "OVM_DEVICE": "/no",
        }

    @property
    def id(self):
        return self.guest.uuid.replace("-", "")

    def ovmd(self, *arguments):
        """Run the guest's ovmd; returns its standard output."""
        done = subprocess.run(
            [*OVMD, *arguments], capture_output=True, env=self._environment, timeout=PATIENCE, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    def sends(self, key, value):
        """The guest sends; returns once the gateway has it."""
        had = self._has(key, value)
        with XenStore(self.guest.path) as store:
            GuestEnd(store).send(Message(key, value), PATIENCE)
        self._until(lambda: self._has(key, value) > had)

    def wait_for(self, key, value):
        """Return once the gateway has this from the guest."""
        self._until(lambda: self._has(key, value))

    def _has(self, key, value):
        """How many such messages the gateway has from the guest."""
        messages = self._session.get("Vm/%s/messages" % self.id)
        return [(found["key"], found["value"]) for found in messages].count((encode_text(key), encode_text(value)))

    def wait_until(self, state):
        """Return once the gateway knows this virtual machine in that state."""
        self._until(
            lambda: any(
                (found["id"]["value"], found["vmRunState"]) == (self.id, state) for found in self._session.get("Vm")
            )
        )

    @staticmethod
    def _until(condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the gateway does not notice"


@pytest.fixture
def session(gateway):
    """A login at the gateway."""
    where = Connection(gateway.host, gateway.port, gateway.username, gateway.password, ca_path=str(gateway.ca))
    with contextlib.closing(Session(where, Dialect())) as opened:
        yield opened


@pytest.fixture
def make_vm(make_guest, session, tmp_path):
    """A function that makes a Vm that the gateway knows: ``make_vm(domid, name)``."""

    def make(domid, name):
        vm = Vm(make_guest(domid, name=name), session, tmp_path)
        vm.wait_until("RUNNING")
        return vm

    return make


@pytest.fixture
def vm(make_vm):
    """The seed document's virtual machine."""
    return make_vm(5, "MyVM02")


@pytest.fixture
def told(gateway):
    """A function: an environment that tells the program of the gateway, or of faults in front of it.

    Nothing else of this process's own is in it but where the collection is; and a locale that knows no UTF-8.
    """

    def told(where):
        return dict(
            gateway.environment(),
            LC_ALL="C",
            PATH=os.environ["PATH"],
            PYTHONPATH=os.environ["PYTHONPATH"],
            OVM_HOST=where.host,
            OVM_PORT=str(where.port),
            OVM_CA_FILE=str(where.ca),
        )

    return told


@pytest.fixture
def environment(gateway, told):
    return told(gateway)


@pytest.fixture
def run(environment):
    """The program, told of the gateway."""
    return Program(environment)


@pytest.fixture
def run_by(told):
    """A function: the program, told of faults in front of the gateway."""
    return lambda faults: Program(told(faults))


@pytest.fixture
def faults(gateway):
    """A proxy that can make faults."""
    with Faults(gateway) as proxy:
        yield proxy
        assert proxy.broken == []


@pytest.fixture
def run_by_faults(faults, run_by):
    """The program, told of that proxy."""
    return run_by(faults)


@pytest.fixture
def on_terminal(environment):
    """A function that starts the program on a terminal."""
    started = []

    def start(*arguments, environment=environment, **more):
        started.append(Terminal(arguments, environment, **more))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


@pytest.fixture
def store(gateway):
    """A function that runs SQL on what the gateway has stored."""

    def execute(statement, *arguments):
        path = os.path.join(str(gateway.directory), "messages.db")
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as database:
            with database:
                return database.execute(statement, arguments).rowcount

    return execute
