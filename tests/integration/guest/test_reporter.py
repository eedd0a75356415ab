# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest tells of itself, over real XenStore, as the other side reads it."""

import select
from functools import partial

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ConnectionLost,
    PermissionDenied,
    QuotaExceeded,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.outbox import TOGETHER
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest import reporter as reporters
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import AddressesUnavailable, SendFailed
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import EVERYTHING, Reporter
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from ansible_collections.ovm.messaging.plugins.module_utils.report import Report
from lab.deaths import MOMENTS, dies

LONG = 20.0
ETH0 = {"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]}


class Side:
    """The manager's side: collects, and remembers the newest message of each key."""

    def __init__(self, end):
        self.end, self.newest, self.counts = end, {}, {}

    def collect(self):
        """:returns: what has arrived since the last time, in order."""
        new = [arrival.message for arrival in self.end.inbox.receive()]
        for key, value in new:
            self.newest[key] = value
            self.counts[key] = self.counts.get(key, 0) + 1
        return new

    def report(self):
        self.collect()
        return Report(self.newest)


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture
def backend(guest, state):
    with XenStoreBackend(guest.path, state, LONG) as opened:
        opened.knocking = False
        yield opened


@pytest.fixture
def side(host_end):
    return Side(host_end)


@pytest.fixture
def interfaces():
    return [dict(ETH0)]


@pytest.fixture
def reporter(backend, interfaces):
    return Reporter(backend, backend.state, "1.2.3", EVERYTHING, lambda: interfaces)


def keys(messages):
    return [message.key for message in messages]


def receive(backend, side, *pairs):
    for key, value in pairs:
        side.end.send(Message(key, value), LONG)
    assert len(backend.receive()) == len(pairs)


def test_the_other_side_reads_what_the_guest_tells(backend, reporter, side):
    receive(backend, side, (b"app.port", b"5432"), (b"app.password", b"hunter2"), (b"b" * 254, b"\xff" * 8191))
    backend.set([Message(b"app.pin", b"1234"), Message(b"mine", b"")], secret={b"app.pin"})
    assert reporter.report() is False and reporter.problem is None
    told = side.report()
    assert told.present and told.boot == backend.state.life
    assert told.holds(b"app.port", b"5432") is True and told.holds(b"app.port", b"5433") is False
    assert told.holds(b"b" * 254, b"\xff" * 8191) is True and told.holds(b"mine", b"") is True
    for secret in (b"app.password", b"app.pin"):
        assert told.holds(secret, b"hunter2") is None and told.holds_key(secret) is True
    assert told.holds_key(b"another") is False and told.configuration() == {}
    assert report.addresses(side.newest[report.ADDRESSES]) == [ETH0]
    told_of = [value for key, value in side.newest.items() if key.startswith(report.PREFIX)]
    assert len(told_of) == 7 and not any(b"hunter2" in value or b"1234" in value for value in told_of)


def test_what_was_told_is_not_told_again(backend, reporter, side, guest, state, interfaces):
    backend.set([Message(b"a", b"1"), Message(b"b", b"2")])
    assert reporter.report() is False and len(side.collect()) == 6
    assert reporter.report() is False and side.collect() == []
    with XenStoreBackend(guest.path, state, LONG) as restarted:
        assert Reporter(restarted, restarted.state, "1.2.3", EVERYTHING, lambda: interfaces).report() is False
        assert side.collect() == []
        assert Reporter(restarted, restarted.state, "1.2.4", EVERYTHING, lambda: interfaces).report() is False
        assert keys(side.collect()) == [report.GUEST]


def test_only_what_changed_is_told(backend, reporter, side, interfaces):
    backend.set([Message(b"a", b"1"), Message(b"b", b"2")])
    reporter.report()
    side.collect()
    backend.set([Message(b"b", b"3")])
    backend.set([Message(b"b", b"4")])
    assert keys(side.collect()) == [b"b", b"b"]
    reporter.report()
    assert keys(side.collect()) == [report.HELD + b"b"] and side.report().holds(b"b", b"4") is True
    interfaces[0]["addresses"] = ["192.0.2.6/24"]
    reporter.report()
    assert keys(side.collect()) == [report.ADDRESSES]
    backend.conceal([b"b"])
    reporter.report()
    assert keys(side.collect()) == [report.HELD + b"b"] and side.report().holds(b"b", b"4") is None


def test_what_is_deleted_is_gone_and_may_come_back(backend, reporter, side):
    long = b"k" * 254
    receive(backend, side, (b"a", b"1"), (long, b"2"))
    reporter.report()
    side.collect()
    backend.delete_all()
    reporter.report()
    assert keys(side.collect()) == [report.HELD + b"a", report.held_key(long)]
    told = side.report()
    assert told.holds_key(b"a") is False and told.holds_key(long) is False
    assert side.newest[report.HELD + b"a"] == report.held(told.boot, b"a", None)[1]
    assert reporter.report() is False and side.collect() == []
    receive(backend, side, (long, b"2"))
    reporter.report()
    assert keys(side.collect()) == [report.held_key(long)] and side.report().holds(long, b"2") is True


def test_what_the_host_sends_anew_is_told_anew(backend, reporter, side):
    """Else nobody could see that a secret has arrived whose report looks the same as the one before."""
    for _time in range(2):
        side.counts.clear()
        receive(backend, side, (b"app.password", b"1"), (b"used.up", b"1"))
        backend.delete([b"used.up"])  # before anybody could report that it was there
        reporter.report()
        told = side.report()
        assert side.counts[report.HELD + b"app.password"] == side.counts[report.HELD + b"used.up"] == 1
        assert told.holds_key(b"app.password") is True
        assert side.newest[report.HELD + b"used.up"] == report.held(told.boot, b"used.up", None)[1]
    reporter.report()
    assert side.collect() == []


def test_reports_and_events_are_never_reported(backend, reporter, side):
    receive(backend, side, (b"VMAPIEvent", b"reconfig"), (report.HELD + b"x", b"y"))
    backend.set([Message(report.GUEST, b"nonsense"), Message(b"VMAPIEvent", b"user")])
    side.collect()
    reporter.report()
    assert keys(side.collect()) == [report.GUEST, report.ADDRESSES]
    backend.delete_all()
    reporter.report()
    assert side.collect() == []


def test_only_what_is_asked_for_is_told(backend, side):
    backend.set([Message(b"a", b"1")])
    side.collect()
    assert Reporter(backend, backend.state, "1", ()).report() is False and side.collect() == []
    assert Reporter(backend, backend.state, "1", [reporters.HELD]).report() is False
    assert keys(side.collect()) == [report.HELD + b"a"]
    # Nobody gives the addresses.
    assert Reporter(backend, backend.state, "1").report() is False and keys(side.collect()) == [report.GUEST]


def test_how_the_configuration_stands(backend, reporter, side, guest, state):
    with XenStoreBackend(guest.path, state, LONG) as another:  # a one-shot command, beside the daemon
        single = Reporter(another, another.state, "1.2.3", [reporters.CONFIGURATION])
        assert single.configuration(report.RUNNING, target="configure") is False
        assert keys(side.collect()) == [report.CONFIGURATION] and side.report().configuration() == {}  # whose is it?
        reporter.report()
        assert side.report().configuration() == {"boot": backend.state.life, "state": "running", "target": "configure"}
        scripts = [{"name": "ssh", "status": "failed", "changed": None, "seconds": 0.1, "message": "no"}]
        single.configuration(report.FAILED, target="configure", failed=["ssh"], scripts=scripts)
    assert side.report().configuration()["scripts"] == scripts and side.report().configuration()["failed"] == ["ssh"]
    assert side.counts[report.CONFIGURATION] == 2
    reporter.report()
    assert side.collect() == []


def test_the_newest_state_of_the_configuration_is_told_by_whoever_can(
    backend, reporter, side, guest, state, monkeypatch
):
    monkeypatch.setattr(reporters, "ROOM", -1)
    with XenStoreBackend(guest.path, state, LONG) as another:
        single = Reporter(another, another.state, "1.2.3", [reporters.CONFIGURATION])
        assert single.configuration(report.RUNNING) is True and single.configuration(report.DONE) is True
    assert side.collect() == []
    monkeypatch.undo()
    reporter.report()  # the daemon goes on
    assert side.report().configuration()["state"] == "done" and side.counts[report.CONFIGURATION] == 1


def test_a_state_that_another_process_has_just_told_is_not_overtaken(backend, reporter, side, monkeypatch):
    reporter.configuration(report.RUNNING)
    monkeypatch.setattr(backend, "uncollected", lambda: one_shot.configuration(report.DONE) and None)
    one_shot = Reporter(Quick(backend), backend.state, "1", [reporters.CONFIGURATION])
    reporter.report(again=True)
    assert side.report().configuration()["state"] == "done"


class Quick:
    """A backend as another process has it, in the middle of something that this one does."""

    def __init__(self, backend):
        self.tell, self.announced, self.tree = backend.tell, backend.announced, backend.tree
        self.expect_room = self.uncollected = lambda *_arguments: 0


def test_many_parameters_leave_room_for_others(backend, reporter, side):
    backend.set([Message(b"key-%d" % n, b"v") for n in range(300)])
    side.collect()
    rounds = []
    while reporter.report():
        assert reporter.problem is None
        rounds.append(backend.uncollected())
        assert rounds[-1] <= reporters.ROOM + 16 and len(rounds) < 20
        side.collect()
    told = side.report()
    assert all(told.holds(b"key-%d" % n, b"v") for n in range(300)) and len(rounds) == 4
    assert {side.counts[report.HELD + b"key-%d" % n] for n in range(300)} == {1}


def test_a_pace_is_kept_where_nobody_knows_how_much_room_there_is(backend, side, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(backend, "uncollected", lambda: None)
    reporter = Reporter(backend, backend.state, "1", [reporters.HELD], clock=lambda: now[0])
    backend.set([Message(b"key-%d" % n, b"v") for n in range(100)])
    side.collect()
    sizes = []
    while reporter.report():
        assert reporter.report() is True  # to ask again at once does not help
        sizes.append(len(side.collect()))
        now[0] += reporters.PACE[1]
    assert sizes == [48, 48] and len(side.collect()) == 4


def test_the_daemon_is_woken_when_the_host_has_made_room(backend, reporter, side):
    while backend.attend():
        pass
    backend.set([Message(b"key-%d" % n, b"v") for n in range(100)])
    assert reporter.report() is True
    wakes = 0
    while True:
        while backend.attend():
            behind = reporter.report()
        if not behind:
            break
        side.collect()
        assert select.select([backend], [], [], LONG)[0]
        wakes += 1
    assert all(side.report().holds(b"key-%d" % n, b"v") for n in range(100)) and wakes < 10
    while backend.attend():
        reporter.report()
    backend.set([Message(b"x", b"y")])
    assert not backend.attend()  # it expects no more room


def test_a_full_xenstore_is_tried_again_later(backend, reporter, side, guest, state, monkeypatch):
    monkeypatch.setattr(reporters, "ROOM", 100000)
    with XenStoreBackend(guest.path, state, 0.5) as sender:
        with pytest.raises(SendFailed, match="no room"):
            sender.set([Message(b"key-%d" % n, b"v") for n in range(600)])
    assert reporter.report() is True and isinstance(reporter.problem, QuotaExceeded)
    assert side.collect() and report.GUEST not in side.newest
    while reporter.report():
        side.collect()
    assert side.report().holds(b"key-0", b"v") is True and reporter.problem is None


def test_a_channel_that_the_host_has_not_opened_is_tried_again(make_guest, state, host):
    guest = make_guest(7, prepare=False)
    with XenStoreBackend(guest.path, state, LONG) as backend:
        reporter = Reporter(backend, backend.state, "1")
        assert reporter.report() is True and isinstance(reporter.problem, PermissionDenied)
        end = HostEnd(host, 7)
        end.prepare()
        assert reporter.report() is False and Side(end).report().present


def test_a_xenstore_that_is_gone_is_tried_again(guest, state, host_end):
    with XenStoreBackend(guest.path, state, 0.5) as backend:
        reporter = Reporter(backend, backend.state, "1")
        guest.destroy()
        assert reporter.report() is True and "XenStore" in str(reporter.problem)


def test_everything_again_for_a_host_that_asks_for_it(backend, reporter, side):
    receive(backend, side, (b"a", b"1"), (b"b", b"2"))
    reporter.configuration(report.DONE)
    backend.delete([b"b"])
    reporter.report()
    before = side.collect()
    assert reporter.report(again=True) is False
    assert sorted(side.collect()) == sorted(dict(before).items())
    assert reporter.report() is False and side.collect() == []


def test_that_everything_is_asked_for_outlasts_a_failure(backend, reporter, side, monkeypatch):
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    told = side.collect()

    def gone():
        raise ConnectionLost("XenStore is gone")

    monkeypatch.setattr(backend, "announced", gone)
    assert reporter.report(again=True) is True and str(reporter.problem) == "XenStore is gone"
    monkeypatch.undo()
    assert reporter.report() is False and side.collect() == told


def test_everything_again_on_another_host(backend, reporter, side, guest, xenstored):
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    guest.restore(6)
    with XenStore(xenstored.path, timeout=LONG) as store:
        there = Side(HostEnd(store, 6))
        while reporter.report():
            assert backend.attend() or select.select([backend], [], [], LONG)[0]
        assert there.report().holds(b"a", b"1") is True and report.ADDRESSES in there.newest
        assert reporter.report() is False and there.collect() == []


def test_everything_again_for_a_tree_that_was_made_anew(backend, reporter, side, host):
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    side.collect()
    host.remove(b"/local/domain/5/control/oracle-vmapi")
    side.end.prepare()
    backend.set([Message(b"c", b"3")])  # somebody counts from 1 again
    assert reporter.report() is False
    assert {report.GUEST, report.HELD + b"a", report.HELD + b"c"} <= set(keys(side.collect()))


@pytest.mark.parametrize("domid", [5, 6])
def test_everything_again_where_the_guest_was_restored_in_the_midst_of_a_report(
    backend, reporter, guest, xenstored, domid, monkeypatch, side
):
    """Between the look at the tree and what is told; the number may come again, as on another host."""
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    receive(backend, side, (b"b", b"2"))
    side.collect()

    def restoring(messages):
        monkeypatch.undo()
        guest.restore(domid)
        return backend.tell(messages)

    monkeypatch.setattr(backend, "tell", restoring)
    while reporter.report():
        backend.attend()
    with XenStore(xenstored.path, timeout=LONG) as store:
        there = Side(HostEnd(store, domid))
        there.collect()
        assert report.HELD + b"b" in there.newest and report.GUEST not in there.newest
        while reporter.report():
            backend.attend()
        there.collect()
        assert report.GUEST in there.newest and report.ADDRESSES in there.newest
        assert there.report().holds(b"a", b"1") is True
        assert reporter.report() is False and there.collect() == []


def test_everything_again_where_others_have_sent_more_to_another_host_than_was_sent_before(
    backend, reporter, side, guest, xenstored
):
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    last = backend.announced()
    guest.restore(6)
    for n in range(last + 1):
        backend.set([Message(b"other", b"%d" % n)])
    while reporter.report():
        backend.attend()
    with XenStore(xenstored.path, timeout=LONG) as store:
        there = Side(HostEnd(store, 6))
        there.collect()
        assert report.GUEST in there.newest and there.report().holds(b"a", b"1") is True


def test_a_host_that_does_not_tell_the_number_of_the_domain(backend, reporter, side, host, guest):
    host.remove(b"/local/domain/5/domid")
    assert backend.tree() is None
    receive(backend, side, (b"a", b"1"))
    assert reporter.report() is False and side.report().holds(b"a", b"1") is True
    assert reporter.report() is False and side.collect() == []


def test_a_checkpoint_changes_nothing(backend, reporter, side, guest):
    receive(backend, side, (b"a", b"1"))
    reporter.report()
    side.collect()
    guest.checkpoint()
    assert reporter.report() is False and side.collect() == []


def test_addresses_that_cannot_be_read_hold_nothing_else_up(backend, side):
    def interfaces():
        raise AddressesUnavailable("no netlink")

    reporter = Reporter(backend, backend.state, "1", EVERYTHING, interfaces)
    assert reporter.report() is False and str(reporter.problem) == "no netlink"
    assert keys(side.collect()) == [report.GUEST]


def report_once(guest, state):  # pragma: no cover - in a child that dies
    with XenStoreBackend(guest.path, state, LONG) as backend:
        Reporter(backend, backend.state, "1").report()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_reporter_that_is_killed_at_any_exchange(guest, host_end, tmp_path, moment):
    """Whatever it was doing: the next one tells the rest."""
    side, step, died = Side(host_end), 0, True
    while died:
        step += 1
        state = str(tmp_path / ("%d" % step))
        with XenStoreBackend(guest.path, state, LONG) as backend:
            backend.set([Message(b"a", b"1"), Message(b"b", b"2")])
        died = dies(moment, step, partial(report_once, guest, state))
        with XenStoreBackend(guest.path, state, LONG) as backend:
            assert Reporter(backend, backend.state, "1").report() is False
            told = side.report()
            assert told.boot == backend.state.life and told.holds(b"a", b"1") and told.holds(b"b", b"2")
    assert step > 8


def test_all_that_was_told_is_read_as_often_for_many_parameters_as_for_one(backend, side, reporter, monkeypatch):
    reads = []
    read_all = backend.state.reported
    monkeypatch.setattr(backend.state, "reported", lambda: reads.append(1) or read_all())
    backend.set([Message(b"one", b"1")])
    assert not reporter.report()
    once = len(reads)
    side.collect()
    # Several transactions of reports, but fewer messages than wait for no room.
    backend.set([Message(b"key-%d" % n, b"1") for n in range(3 * TOGETHER)])
    side.collect()
    del reads[:]
    assert not reporter.report()
    assert len(reads) == once
    assert len([key for key in keys(side.collect()) if key.startswith(report.HELD)]) == 3 * TOGETHER


def test_nothing_is_looked_at_for_each_message_that_a_slow_host_collects(backend, side, reporter, monkeypatch):
    backend.set([Message(b"key-%d" % n, b"1") for n in range(TOGETHER)])
    side.collect()
    monkeypatch.setattr(reporters, "ROOM", 3)
    backend.set([Message(b"more-%d" % n, b"1") for n in range(TOGETHER)])
    assert reporter.report()
    reads = []
    read_all = backend.state.reported
    monkeypatch.setattr(backend.state, "reported", lambda: reads.append(1) or read_all())
    assert reporter.report() and not reads
    side.collect()
    while reporter.report():
        side.collect()
    assert reads
    side.collect()
    held = [key for key in side.newest if key.startswith(report.HELD)]
    assert len(held) == 2 * TOGETHER
