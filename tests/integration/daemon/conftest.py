# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd as a daemon in a guest of the lab, and what stands in for systemd and for ovm-template-config."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.programs import build
from ansible_collections.ovm.messaging.tests.integration.ovmd import conftest as ovmd_conftest

# fixtures of those tests
programs, pythons = ovmd_conftest.programs, ovmd_conftest.pythons

#: Seconds after which something counts as not coming.
PATIENCE = 60
#: A period so long that nothing can be due to it.
NEVER = "86400"

#: The program out of the checkout, so that coverage of the core is measured.
CHECKOUT = (
    sys.executable,
    "-c",
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from ovmd import main; sys.exit(main())",
    str(pathlib.Path(build.ROOT, "programs", "ovmd")),
)

#: Does what a test has it do: notes its start, reads its input, and, where there is a pipe for
#: its target, ends with the exit code that comes out of there.
TEMPLATE_CONFIG = """#!/bin/sh
cd "$(dirname "$0")"
all=$*
while [ $# -gt 1 ]; do
    if [ "$1" = --report ]; then report=$2; fi
    shift
done
target=$1
cat > input.$target
printf '%s\\n' "$all" > arguments.$target
echo "begin $target" >> runs
code=0
if [ -e gate.$target ]; then read -r code < gate.$target; fi
if [ -e result.$target ]; then cat result.$target > /proc/self/fd/$report; fi
echo "end $target" >> runs
exit $code
"""


def until(condition, what):
    """Look until something is the case; for what nobody can be asked to tell of.

    :returns: what the condition gave in the end.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("it did not come: %s" % what)
        time.sleep(0.005)


class Supervisor:
    """What systemd is to a daemon: it hears what sd_notify tells."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(PATIENCE)

    def close(self):
        self._socket.close()

    def hear(self):
        """The next thing that is told."""
        return self._socket.recv(4096).decode()

    def wait_for(self, start):
        """:returns: the first that starts so, from now on."""
        while True:
            heard = self.hear()
            if heard.startswith(start):
                return heard


class TemplateConfig:
    """A stand-in for ovm-template-config, and its scripts' directory."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "ovm-template-config"
        self.path.write_text(TEMPLATE_CONFIG)
        self.path.chmod(0o755)
        self.scripts = self.folder / "template.d"

    def enable(self, *targets):
        """Have a script for targets."""
        for target in targets:
            (self.scripts / (target + ".d")).mkdir(parents=True, exist_ok=True)
            (self.scripts / (target + ".d") / "50some").write_text("")

    def gate(self, target):
        """Have a target's runs wait for open()."""
        os.mkfifo(self.folder / ("gate." + target))

    def open(self, target, code=0):
        """Let one waiting run go on."""
        with open(self.folder / ("gate." + target), "w") as gate:
            gate.write("%d\n" % code)

    def close(self):
        """Let all runs go on that still wait."""
        for gate in self.folder.glob("gate.*"):
            with contextlib.suppress(OSError):  # nobody waits there
                handle = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
                os.write(handle, b"0\n")
                os.close(handle)

    def result(self, target, text):
        """What the runs of a target report."""
        (self.folder / ("result." + target)).write_text(text)

    def runs(self):
        """What was run: lines."""
        try:
            return (self.folder / "runs").read_text().splitlines()
        except FileNotFoundError:
            return []

    def wait_for(self, *lines):
        until(lambda: self.runs() == list(lines), "%s; it is %s" % (lines, self.runs()))

    def input(self, target):
        return (self.folder / ("input." + target)).read_bytes()

    def arguments(self, target):
        return (self.folder / ("arguments." + target)).read_bytes().rstrip(b"\n")


class Ovmd:
    """A daemon under a supervisor; it works once this is made.

    :ivar subprocess.Popen process: it.
    :ivar Supervisor supervisor: hears what it tells.
    """

    def __init__(self, command, environment, folder, *arguments, ready=True):
        self.supervisor = Supervisor(folder)
        self._log = os.path.join(folder, "log")
        self._place = os.path.getsize(self._log) if os.path.exists(self._log) else 0
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, "-d1", *arguments],
                env=dict(environment, NOTIFY_SOCKET=self.supervisor.path),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if ready:
            try:
                self.supervisor.wait_for("READY=1")
            except BaseException:
                print(self.said())
                self.kill()
                raise

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def said(self):
        """Its log, all of it."""
        with open(self._log, "rb") as log:
            log.seek(self._place)
            return log.read().decode()

    def wait_for(self, text, times=1):
        """Wait for something to be in its log."""
        until(lambda: self.said().count(text) >= times, "%r in:\n%s" % (text, self.said()))

    def stop(self):
        """End it in good order."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.supervisor.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.supervisor.path)
        return code


class Host:
    """The host's side of a guest's channel; reads at once whatever comes."""

    def __init__(self, store, end):
        self._store, self._end, self._token = store, end, b"test-%d" % id(self)
        self.messages = []
        end.inbox.watch(self._token)

    def send(self, key, value=b"v"):
        self._end.send(Message(key, value), PATIENCE)

    def event(self, text):
        self.send(b"VMAPIEvent", text)

    def receive(self):
        new = [tuple(arrival.message) for arrival in self._end.inbox.receive()]
        self.messages += new
        return new

    def wait_for(self, condition, what):
        """Receive until a condition of what has come so far is fulfilled."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.receive()
            if condition():
                return
            if time.monotonic() > deadline:
                raise AssertionError("it did not come: %s; there is %s" % (what, self.messages))
            self._store.wait(min(1, deadline - time.monotonic()), self._token)

    def report(self):
        """What the guest has reported."""
        return report.Report(dict(self.messages))

    def wait_until_held(self, key, value):
        self.wait_for(lambda: self.report().holds(key, value), "that %s is held" % key)

    def wait_until_gone(self, key):
        self.wait_for(lambda: self.report().holds_key(key) is False, "that %s is gone" % key)

    def reported(self, key):
        """All values reported under a key, in order."""
        return [value for name, value in self.messages if name == report.PREFIX + key]


@pytest.fixture
def folder():
    """A folder whose path is short enough for sockets."""
    path = tempfile.mkdtemp(prefix="ovmd-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def template_config(folder):
    made = TemplateConfig(folder)
    yield made
    made.close()


@pytest.fixture
def environment(guest, folder, template_config):
    """Whatever the daemon would touch of this machine is somewhere else."""
    return dict(
        {name: value for name, value in os.environ.items() if name.startswith(("COV", "PYTHON", "PATH", "LC_"))},
        XENSTORED_PATH=guest.path,
        OVM_STATE_DIR=os.path.join(folder, "state"),
        OVM_DEVICE="/no",
        OVM_TEMPLATE_CONFIG=str(template_config.path),
        OVM_TEMPLATE_DIR=str(template_config.scripts),
    )


@pytest.fixture
def other_side(host, host_end):
    return Host(host, host_end)


@pytest.fixture
def start(environment, folder):
    """Starts the daemon from the checkout; whatever still runs at the end is killed."""
    started = []

    def start_one(*arguments, command=CHECKOUT, more=(), **options):
        started.append(Ovmd(command, dict(environment, **dict(more)), folder, *arguments, **options))
        return started[-1]

    yield start_one
    for ovmd in started:
        if ovmd.process.poll() is None:
            ovmd.signal(signal.SIGTERM)
            try:
                assert ovmd.wait() == 0, ovmd.said()
            except subprocess.TimeoutExpired:
                ovmd.kill()
                raise


@pytest.fixture
def run(environment):
    """Runs a one-shot ovmd beside the daemon: exit code, standard output, standard error."""

    def run_one(*arguments, command=CHECKOUT, more=(), stdin=b""):
        done = subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            env=dict(environment, **dict(more)),
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run_one


@pytest.fixture
def make_host(host, guest):
    """Opens the host's side of a guest's channel as it is now: after a restore it is another one."""

    def make(of=guest):
        return Host(host, HostEnd(host, of.domid))

    return make
