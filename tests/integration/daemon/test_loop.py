# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the daemon in this process: what a running one does in a child, or only on a broken system."""

import os
import signal

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import XenStoreUnavailable
from ansible_collections.ovm.messaging.plugins.module_utils.guest import daemon as daemons
from ansible_collections.ovm.messaging.plugins.module_utils.guest.background import Background
from ansible_collections.ovm.messaging.plugins.module_utils.guest.daemon import Daemon, run_for_event
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import AddressesUnavailable, ParameterListError
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import EVERYTHING
from ansible_collections.ovm.messaging.plugins.module_utils.guest.target_run import ProgramMissing, ProgramRunner
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from ansible_collections.ovm.messaging.plugins.module_utils.readiness import Readiness

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


class Log:
    """What was said."""

    def __init__(self):
        self.said = []

    def change(self, text, message=None):
        self.said.append(text)

    detail = error = change

    def reopen(self):
        self.said.append("reopened")


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def open_backend(guest, environment):
    return lambda: XenStoreBackend(guest.path, environment["OVM_STATE_DIR"], 20)


@pytest.fixture
def make_daemon(open_backend, environment, log):
    made = []

    def make(open_one=open_backend, reports=EVERYTHING):
        runner = ProgramRunner(environment)
        made.append(Daemon(open_one, environment["OVM_STATE_DIR"], runner, log, Readiness({}), "1", reports, 86400))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def queued(open_backend):
    """An event that waits: its position, and a backend to look with."""
    with open_backend() as backend:
        with backend.state.writing():
            backend.state.queue_event(parse("reconfig"))
        yield backend.state.next_event()[0], backend


@pytest.mark.parametrize("code, said", [(0, "was run"), (4, "failed with the exit code 4")])
def test_a_run_for_an_event(open_backend, environment, queued, template_config, log, code, said):
    if code:
        template_config.path.write_text("#!/bin/sh\nexit 4\n")
    runner = ProgramRunner(environment)
    assert run_for_event(open_backend, runner, "1", EVERYTHING, queued[0], "reconfigure", log) == code
    assert log.said == ["the target reconfigure " + said] and queued[1].state.next_event() is None


def test_a_run_for_an_event_without_the_program(open_backend, environment, queued, template_config, log):
    template_config.path.unlink()
    with pytest.raises(ProgramMissing):
        run_for_event(open_backend, ProgramRunner(environment), "1", EVERYTHING, queued[0], "reconfigure", log)
    assert queued[1].state.next_event() is None


def test_a_run_waits_for_xenstore_for_some_time(open_backend, environment, queued, template_config, log, monkeypatch):
    left = [3]

    def sometimes():
        left[0] -= 1
        if left[0]:
            raise XenStoreUnavailable("not yet")
        return open_backend()

    assert run_for_event(sometimes, ProgramRunner(environment), "1", EVERYTHING, queued[0], "resume", log) == 0

    def never():
        raise XenStoreUnavailable("gone")

    monkeypatch.setattr(daemons, "_PATIENCE", 0)
    with pytest.raises(XenStoreUnavailable):
        run_for_event(never, ProgramRunner(environment), "1", EVERYTHING, queued[0], "resume", log)


def test_a_run_whose_reports_cannot_be_kept(open_backend, environment, template_config, log):
    class Full:
        def configuration(self, state, **details):
            raise ParameterListError("the list is full", "make room")

    with open_backend() as backend:
        assert ProgramRunner(environment).run("configure", backend, Full(), log) == 0
    assert log.said == ["the host cannot be told how the configuration stands: the list is full: make room"] * 2


def test_a_run_is_stopped_with_its_caller(open_backend, environment, template_config, log):
    template_config.path.write_text("#!/bin/sh\ncat > /dev/null\nkill -TERM $PPID\nsleep 600 &\nwait\n")
    before = signal.getsignal(signal.SIGTERM)
    with open_backend() as backend:
        assert ProgramRunner(environment).run("cleanup", backend, None, log) == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


# A broken system


def test_a_kernel_that_tells_no_addresses(make_daemon, other_side, log, monkeypatch):
    def refused():
        raise AddressesUnavailable("no netlink", "see to it")

    monkeypatch.setattr(daemons, "Addresses", refused)
    daemon = make_daemon()
    daemon.start()
    other_side.send(b"k", b"v")
    while daemon._attempt():
        pass
    other_side.wait_until_held(b"k", b"v")
    assert log.said == ["no netlink: see to it", "received"] and other_side.reported(b"addresses") == []


def test_news_of_addresses_that_break_off(make_daemon, log, monkeypatch):
    class Broken(daemons.Addresses):
        def drain(self):
            raise AddressesUnavailable("no more news")

    daemon = make_daemon()
    monkeypatch.setattr(daemons, "Addresses", Broken)
    daemon.start()
    monkeypatch.undo()
    assert log.said == ["no more news"]
    assert not daemon._attempt() and log.said == ["no more news", "no more news"]
    assert not daemon._attempt() and len(log.said) == 2


def test_what_cannot_be_reported_is_in_the_status(make_daemon, make_guest, environment, log):
    closed = make_guest(7, prepare=False)
    daemon = make_daemon(lambda: XenStoreBackend(closed.path, environment["OVM_STATE_DIR"], 20))
    daemon.start()
    os.kill(os.getpid(), signal.SIGUSR1)
    daemon._attempt()
    assert log.said[-1].startswith("status: not everything could be reported: this domain may not write to ")
    assert len([line for line in log.said if line.startswith("not everything")]) == 1


def test_the_status_in_an_outage(make_daemon, open_backend, log, monkeypatch):
    daemon = make_daemon()
    daemon.start()
    monkeypatch.setattr(daemon._backend, "entries", lambda: _raise(ParameterListError("it is locked")))
    daemon._tell_status()
    assert log.said[-1] == "status: it is locked"
    daemon._open = lambda: _raise(XenStoreUnavailable("it is gone"))
    daemon._disconnect()
    pauses = []
    for _unused in range(3):
        assert not daemon._attempt()
        pauses.append(daemon._trouble._pause)
    assert log.said.count("it is gone") == 1 and pauses == [0.1, 0.2, 0.4]
    daemon._tell_status()
    assert log.said[-1] == "status: out of order, trying again"
    daemon._open = open_backend
    daemon._attempt()
    assert log.said[-1].startswith("it works again after ")


def test_a_start_that_fails_half_way_leaves_nothing_open(make_daemon, monkeypatch):
    daemon = make_daemon()
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(daemons, "Reporter", lambda *_arguments: _raise(ParameterListError("no")))
    monkeypatch.setattr(daemons, "Addresses", lambda: None)
    with pytest.raises(ParameterListError):
        daemon.start()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_event_whose_child_cannot_be_made(make_daemon, queued, template_config, log, monkeypatch):
    """It waits, and the daemon goes on."""
    template_config.enable("reconfigure")
    monkeypatch.setattr(daemons, "fork", lambda: _raise(BlockingIOError(11, "Resource temporarily unavailable")))
    daemon = make_daemon()
    daemon.start()
    assert queued[1].state.next_event()[1:] == (parse("reconfig"), 0)
    assert log.said[-1] == "the target reconfigure cannot be run now (Resource temporarily unavailable): trying again"
    monkeypatch.undo()
    daemon._attempt()
    template_config.wait_for("begin reconfigure", "end reconfigure")


def _raise(problem):
    raise problem


# Becoming a daemon


def test_a_daemon_that_dies_before_it_works(guest):
    background = Background()
    if background.here:  # pragma: no cover - not seen by the measurement
        os._exit(1)
    assert background.outcome() == (70, "the daemon died before it worked: see the system's log")


def test_a_daemon_that_says_why_it_does_not_work(guest):
    background = Background()
    if background.here:  # pragma: no cover - not seen by the measurement
        background.failed(3, "no \udcff: " + "x" * 5000)
        os._exit(1)
    assert background.outcome() == (3, "no \\udcff: " + "x" * 5000)
