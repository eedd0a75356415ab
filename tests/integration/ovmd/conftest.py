# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd as a guest has it: the built program, run by each Python that a guest might have."""

import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from lab.daemon import KINDS, Daemon
from lab.programs import PYTHONS, Built

#: Seconds after which a program counts as hanging.
PATIENCE = 60


class Ovmd:
    """The program in a guest.

    :ivar list command: what starts it.
    :ivar dict environment: and with what.
    """

    def __init__(self, program, environment):
        self.command, self.environment = [str(program)], environment

    def __call__(self, *arguments, stdin=b"", environment=(), prefix=(), **more):
        """Run it.

        :param environment: pairs to add to its environment.
        :param prefix: a command that starts it.
        :returns: its exit code, standard output and standard error.
        """
        done = subprocess.run(
            [*prefix, *self.command, *arguments],
            input=stdin,
            capture_output=True,
            env=dict(self.environment, **dict(environment)),
            timeout=PATIENCE,
            check=False,
            **more,
        )
        return done.returncode, done.stdout, done.stderr


class Host:
    """The host's side of the guest's channel."""

    def __init__(self, store, domid):
        self._end = HostEnd(store, domid)

    def send(self, key, value):
        self._end.send(Message(key, value), PATIENCE)

    def heard(self):
        return [tuple(arrival.message) for arrival in self._end.inbox.receive()]


@pytest.fixture(scope="session")
def programs():
    """ovmd built for each Python: a function from the Python's name to the file."""
    with Built("ovmd") as program:
        yield program


@pytest.fixture(scope="session")
def pythons():
    """The Pythons to run programs with: name -> path, oldest first."""
    return PYTHONS


def pytest_generate_tests(metafunc):
    """Every Python with the C daemon, the oldest also with the others: the two have little to do with each other."""
    names = set(metafunc.fixturenames)
    oldest, kinds = next(iter(PYTHONS)), sorted(KINDS)
    if {"python", "xenstored"} <= names:
        pairs = [(name, "c") for name in PYTHONS] + [(oldest, kind) for kind in kinds if kind != "c"]
        metafunc.parametrize(("python", "xenstored"), pairs, indirect=True)
    elif "python" in names:
        metafunc.parametrize("python", list(PYTHONS), indirect=True)
    elif "xenstored" in names:
        metafunc.parametrize("xenstored", kinds, indirect=True)


@pytest.fixture
def xenstored(request, lab_parts):
    """The lab's, but for which tests run with which daemon."""
    with Daemon(request.param) as daemon:
        yield daemon


@pytest.fixture
def python(request):
    """The name of one of the Pythons."""
    return request.param


@pytest.fixture
def make_ovmd(programs, python):
    """A function from an environment to an Ovmd, by each Python."""
    return lambda environment: Ovmd(programs(python), environment)


@pytest.fixture
def other_side(guest, host):
    return Host(host, guest.domid)


@pytest.fixture
def environment(guest, tmp_path):
    """Nothing of this process's own, so that nothing of it helps; and a locale that knows no UTF-8."""
    return {"LC_ALL": "C", "XENSTORED_PATH": guest.path, "OVM_STATE_DIR": str(tmp_path / "state"), "OVM_DEVICE": "/no"}


@pytest.fixture
def ovmd(make_ovmd, environment):
    """ovmd in the guest, by each Python."""
    return make_ovmd(environment)


@pytest.fixture
def one_ovmd(programs, environment):
    """ovmd in the guest, by the oldest Python only."""
    return Ovmd(programs(next(iter(PYTHONS))), environment)
