# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collecting what guests have sent: real daemons, real stores, real deaths."""

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ChannelError,
    DeadlineExceeded,
    PermissionDenied,
    ProtocolError,
    QuotaExceeded,
    XenStoreUnavailable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host import collector
from ansible_collections.ovm.messaging.plugins.module_utils.host.batching import BatchingXenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import MessageStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import (
    INCOMING,
    LOST,
    TROUBLE,
    MessageStore,
    Retention,
)
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, STOPPED
from lab import deaths
from lab.deaths import MOMENTS, dies

LONG = 20.0


def directory_of(domid):
    return layout.child(layout.home(domid), layout.FROM_GUEST)


FROM = directory_of(5)


def serve(host, enough):
    """Work as a service does, until there is enough."""
    deadline = time.monotonic() + 3 * LONG
    while not enough():
        assert time.monotonic() < deadline, "it takes too long"
        try:
            host.collect()
            if not enough():
                host.wait(1.0)
        except ChannelError:
            time.sleep(0.01)  # XenStore is gone at present


def calm(host):
    """Collect until there is nothing to do."""
    host.collect()
    while host.wait(0.1):
        host.collect()


def types(host):
    return [event.type for event in host.store.events()]


def test_messages_are_stored_and_removed(here, guest, host, say, stored):
    pairs = [(b"a", b"1"), (b"b", bytes(range(1, 256)) * 32), (b"a", b"2"), (b"\xff\n", b"")]
    say(guest, *pairs)
    assert here.collect() == 4 and stored(here, guest) == pairs
    assert host.directory(FROM) == [b"last-write"] and types(here) == [INCOMING] * 4
    assert here.collect() == 0
    say(guest, (b"c", b"3"))
    assert here.collect() == 1 and stored(here, guest)[4:] == [(b"c", b"3")]


def test_collecting_is_by_watch(here, guest, say, stored):
    calm(here)
    for n in range(3):
        sender = threading.Timer(0.1, say, (guest, (b"k", b"%d" % n)))
        sender.start()
        assert here.wait(LONG) and here.collect() == 1
        sender.join()
        assert not here.wait(0.1)
    assert stored(here, guest) == [(b"k", b"0"), (b"k", b"1"), (b"k", b"2")]


def test_guests_take_turns(here, make_guest, stored, monkeypatch):
    monkeypatch.setattr(collector, "BATCH", 4)
    guests = [make_guest(5), make_guest(6)]
    for guest in guests:
        with XenStore(guest.path) as store:
            GuestEnd(store)._outbox.send_together([Message(b"k", b"%d" % n) for n in range(10)], LONG)
    assert here.collect() == 8 and [len(stored(here, guest)) for guest in guests] == [4, 4]
    assert here.wait(0) and here.collect() == 8 and here.wait(0) and here.collect() == 4
    for guest in guests:
        assert stored(here, guest) == [(b"k", b"%d" % n) for n in range(10)]
    calm(here)
    assert not here.wait(0)


def test_four_guests_send_at_once(here, make_guest, stored, say):
    guests = [make_guest(5 + n) for n in range(4)]
    calm(here)
    pairs = [[(b"key-%d" % n, b"%d" % guest.domid * 100) for n in range(60)] for guest in guests]
    senders = [threading.Thread(target=say, args=(guest, *those)) for guest, those in zip(guests, pairs)]
    for sender in senders:
        sender.start()
    serve(here, lambda: len(here.store.events()) == 240)
    for sender in senders:
        sender.join()
    assert [stored(here, guest) for guest in guests] == pairs


def test_a_flood_never_runs_into_the_quota(here, guest, stored):
    """The guest has room for some 300 of these messages at a time."""
    source = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
with XenStore(sys.argv[1], timeout=20) as store:
    end = GuestEnd(store)
    for n in range(1500):
        end.send(Message(b"key-%d" % n, b"v"), 60)
"""
    calm(here)
    with subprocess.Popen([sys.executable, "-c", source, guest.path]) as sender:
        serve(here, lambda: sender.poll() is not None)
    calm(here)
    assert sender.returncode == 0
    assert [key for key, _value in stored(here, guest)] == [b"key-%d" % n for n in range(1500)]


# What comes is odd


def test_half_a_message_is_waited_for_and_then_lost(here, guest, host, say, stored, monkeypatch):
    monkeypatch.setattr(collector, "GRACE", 0.3)
    calm(here)
    with XenStore(guest.path) as store:
        store.write(layout.FROM_GUEST + b"/1", b"half")
        store.write(layout.FROM_GUEST + b"/1/1", b"x")
        store.write(layout.FROM_GUEST + b"/last-write", b"1")
    say(guest, (b"next", b"1"))
    assert here.wait(LONG) and here.collect() == 0
    started = time.monotonic()
    serve(here, lambda: stored(here, guest))
    assert stored(here, guest) == [(b"next", b"1")] and time.monotonic() - started < 5
    lost = here.store.events()[0]
    assert (lost.type, lost.severity, lost.description) == (
        LOST,
        "WARNING",
        "message 1 was lost: its piece 0 is missing",
    )
    calm(here)
    assert types(here) == [LOST, INCOMING] and host.directory(FROM) == [b"last-write"]


def test_a_value_that_was_refused_is_lost_and_not_empty(here, guest, say, stored, monkeypatch):
    """As the vendor's driver leaves it: a key, no piece, and the counter."""
    monkeypatch.setattr(collector, "GRACE", 0.0)
    with XenStore(guest.path) as store:
        store.write(layout.FROM_GUEST + b"/1", b"refused")
        store.write(layout.FROM_GUEST + b"/last-write", b"1")
    say(guest, (b"empty", b""))
    calm(here)
    assert stored(here, guest) == [(b"empty", b"")] and types(here) == [LOST, INCOMING]


def test_reports_are_stored_but_those_of_what_is_held_make_no_event(here, guest, say, stored):
    say(guest, (b"ovmd.report.held.k", b"{}"), (b"ovmd.report.guest", b"{}"))
    assert here.collect() == 2 and len(stored(here, guest)) == 2 and types(here) == [INCOMING]


def nothing(_store):
    """Nothing out of order."""


def odd_names(store):
    for name in (b"0", b"01", b"x", b"last-write/1", b"99999999999", b"4294967296/0"):
        store.write(layout.FROM_GUEST + b"/" + name, b"x" * 100)


def odd_counter(store):
    store.write(layout.FROM_GUEST + b"/last-write", b"\xff" * 2000)


def huge_counter(store):
    store.write(layout.FROM_GUEST + b"/last-write", b"9" * 2000)


def many_pieces(store):
    with contextlib.suppress(ChannelError):
        for n in range(900):
            store.write(layout.FROM_GUEST + b"/1/%d" % n, b"x" * 1900)
    store.write(layout.FROM_GUEST + b"/last-write", b"1")


def deep(store):
    path = layout.FROM_GUEST + b"/1/0"
    with contextlib.suppress(ChannelError):
        for _unused in range(500):
            path += b"/0"
            store.write(path, b"x")
    store.write(layout.FROM_GUEST + b"/last-write", b"1")


def many_empty(store):
    store.write(layout.FROM_GUEST + b"/last-write", b"900")
    with contextlib.suppress(ChannelError):
        for n in range(1, 900):
            store.write(layout.FROM_GUEST + b"/%d" % n, b"x")


def closed_off(store):
    domid = int(store.read(b"domid"))
    store.write(layout.FROM_GUEST + b"/1/0", b"x")
    store.write(layout.FROM_GUEST + b"/last-write", b"1")
    store.set_permissions(layout.FROM_GUEST, [b"n%d" % domid])
    store.set_permissions(layout.FROM_GUEST + b"/1", [b"n%d" % domid])


def no_directory(store):
    store.remove(layout.FROM_GUEST)


def no_tree(store):
    store.remove(layout.ROOT)


@pytest.mark.parametrize(
    "mischief",
    [nothing, odd_names, odd_counter, huge_counter, many_pieces, deep, many_empty, closed_off, no_directory, no_tree],
)
def test_a_hostile_tree_stops_nobody_else(here, make_guest, say, stored, mischief, monkeypatch):
    monkeypatch.setattr(collector, "GRACE", 0.2)
    bad, good = make_guest(5), make_guest(6)
    calm(here)
    with XenStore(bad.path) as store:
        mischief(store)
    say(good, (b"k", b"1"))
    serve(here, lambda: stored(here, good) == [(b"k", b"1")])
    calm(here)
    say(good, (b"k", b"2"))
    serve(here, lambda: len(stored(here, good)) == 2)
    assert len(here.store.events()) < 1000 and TROUBLE not in types(here)


@pytest.mark.parametrize(
    "problem, text",
    [
        (PermissionDenied("no entry", "knock"), "no entry: knock"),
        (ProtocolError("nonsense"), "nonsense"),
        (DeadlineExceeded("slow"), "slow"),
        (ValueError("quotes a value"), "there is a defect (ValueError)"),
    ],
)
def test_a_domain_that_cannot_be_read_is_told_once_and_tried_again(
    here, make_guest, say, stored, monkeypatch, problem, text, vm_of
):
    bad, good = make_guest(5), make_guest(6)
    directory = XenStore.directory

    def refused(store, path):
        if path == FROM:
            raise problem
        return directory(store, path)

    monkeypatch.setattr(XenStore, "directory", refused)
    monkeypatch.setattr(collector, "_LOOK_AGAIN", 0.0)
    for n in range(3):
        say(bad, (b"k", b"%d" % n))
        say(good, (b"k", b"%d" % n))
        serve(here, lambda n=n: len(stored(here, good)) == n + 1)
    assert here.collect() == 0
    assert stored(here, bad) == []
    told = [event for event in here.store.events() if event.type == TROUBLE]
    assert len(told) == 1 and told[0].vm == vm_of(bad).id and told[0].severity == "WARNING"
    assert told[0].description == "domain 5: what it has sent cannot be collected: " + text
    monkeypatch.setattr(XenStore, "directory", directory)
    serve(here, lambda: stored(here, bad) == [(b"k", b"0"), (b"k", b"1"), (b"k", b"2")])


# Channels


def writable(guest):
    try:
        with XenStore(guest.path) as store:
            GuestEnd(store).send(Message(b"ready", b"1"), LONG)
    except PermissionDenied:
        return False
    return True


def test_channels_of_new_domains_are_opened(here, make_guest):
    first = make_guest(5, prepare=False)
    assert not writable(first)
    calm(here)
    assert writable(first)
    second = make_guest(6, prepare=False)
    assert here.wait(LONG)
    calm(here)
    assert writable(second)
    second.reboot()
    calm(here)
    assert writable(second)


def test_channels_are_left_alone_unless_it_is_asked_for(open_host, make_guest):
    guest = make_guest(5, prepare=False)
    calm(open_host())
    assert not writable(guest)


def test_a_channel_that_cannot_be_opened_is_told_and_tried_again(
    here, make_guest, host, say, stored, vm_of, monkeypatch
):
    bad, good = make_guest(5, prepare=False), make_guest(6)
    prepare = HostEnd.prepare

    def refused(end):
        if end.domid == 5:
            raise QuotaExceeded("no room", "make some")
        return prepare(end)

    monkeypatch.setattr(HostEnd, "prepare", refused)
    say(good, (b"k", b"v"))
    serve(here, lambda: stored(here, good))
    host.write(b"/local/domain/5/name", b"still-bad")
    serve(here, lambda: here.store.vm(vm_of(bad).id).name == "still-bad")
    told = [event.description for event in here.store.events() if event.type == TROUBLE]
    assert told == ["domain 5: its channel cannot be opened: no room: make some"]
    monkeypatch.undo()
    host.write(b"/local/domain/5/name", b"better")
    serve(here, lambda: here.store.vm(vm_of(bad).id).name == "better")
    assert writable(bad)


def test_a_domain_that_is_gone_before_its_channel_is_opened(here, guest, monkeypatch):
    prepare = HostEnd.prepare

    def too_late(end):
        monkeypatch.undo()
        guest.destroy()
        return prepare(end)

    monkeypatch.setattr(HostEnd, "prepare", too_late)
    calm(here)
    assert types(here) == [] and [vm.state for vm in here.vms()] == [STOPPED]


# A machine's life


def test_a_reboot_keeps_the_machine(here, guest, say, stored, vm_of):
    calm(here)
    for n in range(3):
        say(guest, (b"k", b"%d" % n))
        serve(here, lambda n=n: len(stored(here, guest)) == n + 1)
        guest.reboot()
    calm(here)
    known = here.store.vm(vm_of(guest).id)
    assert (known.state, known.domid) == (RUNNING, 8) and len(here.store.vms()) == 1
    assert stored(here, guest) == [(b"k", b"0"), (b"k", b"1"), (b"k", b"2")]
    guest.destroy()
    calm(here)
    known = here.store.vm(known.id)
    assert (known.state, known.domid) == (STOPPED, None) and stored(here, guest)


def test_a_reboot_under_the_same_number_keeps_nothing_of_before(here, make_guest, say, stored):
    guest = make_guest(5, prepare=False)
    calm(here)
    say(guest, (b"k", b"1"))
    serve(here, lambda: stored(here, guest))
    guest.reboot(domid=5)
    calm(here)
    say(guest, (b"k", b"1"))  # under the same number, too
    serve(here, lambda: len(stored(here, guest)) == 2)


def test_a_number_that_goes_over_to_another_machine(here, make_guest, say, stored, vm_of):
    first = make_guest(5)
    calm(here)
    say(first, (b"k", b"first"))
    serve(here, lambda: stored(here, first))
    first.destroy()
    second = make_guest(5, name="second")
    say(second, (b"k", b"second"))
    serve(here, lambda: stored(here, second))
    assert stored(here, first) == [(b"k", b"first")] and stored(here, second) == [(b"k", b"second")]
    assert [vm.state for vm in here.vms()] == [STOPPED, RUNNING]
    assert here.present(vm_of(second))[1] == 5 and here.present(vm_of(first))[1] is None


def test_a_restore_in_the_middle_of_sending(here, guest, say, stored):
    calm(here)
    sent = []

    def send():
        for n in range(60):
            with contextlib.suppress(ChannelError):
                say(guest, (b"k", b"%d" % n))
                sent.append((b"k", b"%d" % n))

    sender = threading.Thread(target=send)
    sender.start()
    serve(here, lambda: len(sent) > 20)
    guest.restore()
    serve(here, lambda: not sender.is_alive())
    calm(here)
    got = stored(here, guest)
    assert len(got) == len(set(got)) and got == sorted(got, key=lambda pair: int(pair[1]))
    # What was in XenStore when the old domain's tree was demolished went with it.
    assert got[-1:] == sent[-1:] and set(got[:20]) <= set(sent)


def test_a_checkpoint_restarts_the_numbers(here, guest, host, stored):
    """As the vendor's driver does it: over what is there, pieces of before staying behind."""
    calm(here)
    with XenStore(guest.path) as store:
        for path, value in (
            (b"/1", b"old"),
            (b"/1/1", b"left behind"),
            (b"/2", b"two"),
            (b"/2/0", b"2"),
            (b"/last-write", b"2"),
        ):
            store.write(layout.FROM_GUEST + path, value)
        assert here.wait(LONG) and here.collect() == 0  # the first one is not whole
        for path, value in ((b"/1", b"new"), (b"/1/0", b"short"), (b"/last-write", b"1")):
            store.write(layout.FROM_GUEST + path, value)
    serve(here, lambda: len(stored(here, guest)) == 2)
    assert stored(here, guest) == [(b"two", b"2"), (b"new", b"short")]
    assert host.directory(FROM) == [b"last-write"]


def test_a_machine_is_renamed(here, guest, host, vm_of):
    calm(here)
    host.write(b"/local/domain/5/name", b"other")
    serve(here, lambda: here.store.vm(vm_of(guest).id).name == "other")


def test_a_machine_that_migrates_to_its_own_host(here, make_guest, host, say, stored, vm_of):
    old, new = make_guest(5, name="web"), make_guest(6)
    calm(here)
    host.write(b"/local/domain/6/name", b"web--incoming")
    host.write(b"/local/domain/6/vm", b"/vm/" + old.uuid.encode())
    serve(here, lambda: here.present(vm_of(old))[1] == 6)
    say(old, (b"k", b"old"))
    say(new, (b"k", b"new"))
    serve(here, lambda: len(stored(here, old)) == 2)
    known = here.store.vm(vm_of(old).id)
    assert (known.name, known.domid, known.state) == ("web", 6, RUNNING)
    assert sorted(stored(here, old)) == [(b"k", b"new"), (b"k", b"old")]


def test_a_half_made_domain_counts_once_it_is_whole(here, host, vm_of, guest):
    calm(here)
    host.mkdir(b"/local/domain/9")
    host.write(b"/local/domain/9/name", b"late")
    here._collector._look_again = 0.0  # the time for that has come
    calm(here)
    assert len(here.store.vms()) == 1
    host.write(b"/local/domain/9/vm", b"/vm/" + b"1" * 32)
    serve(here, lambda: here.store.vm("1" * 32) is not None)
    assert here.store.vm("1" * 32).domid == 9


def test_very_many_domains_are_looked_at_in_turn(here, make_guest, monkeypatch):
    monkeypatch.setattr(collector, "_IN_TURN", 2)
    for domid in (5, 6, 7):
        make_guest(domid)
    calm(here)
    turns = [here._collector._next_in_turn() for _unused in range(4)]
    assert sorted(turns[0] + turns[1] + turns[2]) == [5, 5, 6, 6, 7, 7] and turns[3] == turns[0]


def test_a_channel_is_not_opened_again_because_it_is_watched(open_host, make_guest, monkeypatch):
    make_guest(5)
    opened = []
    prepare = HostEnd.prepare
    monkeypatch.setattr(HostEnd, "prepare", lambda end: (opened.append(end.domid), prepare(end)))
    here = open_host(prepare=True)
    calm(here)
    assert opened == [5]


def test_a_channel_that_is_gone_when_its_watch_begins_is_opened(open_host, make_guest, host):
    make_guest(5)
    here = open_host(prepare=True)
    here.collect()
    host.remove(b"/local/domain/5/control/oracle-vmapi")
    calm(here)
    assert host.exists(b"/local/domain/5/control/oracle-vmapi/from-guest")


# XenStore is gone


def test_a_restarted_xenstored_is_no_end(here, make_guest, xenstored, say, stored, vm_of):
    guests = [make_guest(5), make_guest(6)]
    for guest in guests:
        say(guest, (b"k", b"before"))
    calm(here)
    xenstored.restart()
    for guest in guests:
        say(guest, (b"k", b"after"))
    serve(here, lambda: all(len(stored(here, guest)) == 2 for guest in guests))
    for guest in guests:
        assert stored(here, guest) == [(b"k", b"before"), (b"k", b"after")]
        assert here.store.vm(vm_of(guest).id).state == RUNNING
    calm(here)
    assert TROUBLE not in types(here)


def test_channels_are_opened_again_after_a_restart(here, make_guest, xenstored):
    guest = make_guest(5, prepare=False)
    calm(here)
    assert writable(guest)
    xenstored.restart()
    serve(here, lambda: writable(guest))


def test_no_xenstore_is_an_error_until_it_is_back(open_host, xenstored, guest, say, stored):
    xenstored.kill()
    here = open_host(timeout=1.0)
    for attempt in (here.collect, here.connect, lambda: here.wait(0.1)):
        with pytest.raises(XenStoreUnavailable, match="cannot be opened"):
            attempt()
    xenstored.start()
    guest.reintroduce()
    calm(here)
    say(guest, (b"k", b"1"))
    serve(here, lambda: stored(here, guest))
    xenstored.kill()
    for attempt in (here.collect, lambda: here.wait(0.1)):
        with pytest.raises(ChannelError, match="see that xenstored runs"):
            attempt()
    xenstored.start()
    guest.reintroduce()
    say(guest, (b"k", b"2"))
    serve(here, lambda: len(stored(here, guest)) == 2)


def test_a_xenstored_that_hangs_is_an_error_in_time(open_host, xenstored, guest, say, stored):
    here = open_host(timeout=1.0)
    calm(here)
    say(guest, (b"k", b"1"))
    assert here.wait(LONG)
    xenstored.pause()
    try:
        with pytest.raises(DeadlineExceeded):
            here.collect()
    finally:
        xenstored.resume()
    serve(here, lambda: stored(here, guest) == [(b"k", b"1")])
    assert TROUBLE not in types(here)


def test_a_xenstored_that_dies_between_storing_and_removing(open_host, xenstored, guest, say, stored, monkeypatch):
    here = open_host(timeout=1.0)
    calm(here)
    say(guest, (b"a", b"1"), (b"b", b"2"))
    discard = collector.GuestInbox.discard_all

    def late(inbox, arrivals):
        xenstored.kill()
        return discard(inbox, arrivals)

    monkeypatch.setattr(collector.GuestInbox, "discard_all", late)
    with pytest.raises(ChannelError):
        here.collect()
    monkeypatch.undo()
    xenstored.start()
    guest.reintroduce()
    say(guest, (b"c", b"3"))
    serve(here, lambda: len(stored(here, guest)) > 2)
    assert stored(here, guest) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")] and TROUBLE not in types(here)


def test_what_a_new_tree_has_under_the_numbers_of_the_old_one_stays(
    open_host, xenstored, guest, say, stored, monkeypatch
):
    """xenstored is started anew, and the guest counts from 1 again, between storing a batch and removing it."""
    here = open_host()
    calm(here)
    say(guest, (b"a", b"1"), (b"b", b"2"))
    discard = collector.GuestInbox.discard_all

    def late(inbox, arrivals):
        monkeypatch.undo()
        xenstored.restart()
        say(guest, (b"c", b"3"), (b"d", b"4"))
        return discard(inbox, arrivals)

    monkeypatch.setattr(collector.GuestInbox, "discard_all", late)
    with pytest.raises(ChannelError):
        here.collect()
    serve(here, lambda: len(stored(here, guest)) > 3)
    assert stored(here, guest) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")]


def test_a_message_that_changes_while_it_is_read_is_read_again(here, guest, host, say, stored, monkeypatch):
    """Its key and its pieces are read one after the other, of many messages together."""
    calm(here)
    say(guest, (b"a", b"x" * 6000), (b"b", b"2"))
    read, times = BatchingXenStore.read_together, []

    def late(store, wanted):
        if any(path.startswith(FROM + b"/1/") for path, _names in wanted):
            times.append(wanted)
            host.remove(FROM + b"/1")
        return read(store, wanted)

    monkeypatch.setattr(BatchingXenStore, "read_together", late)
    assert here.collect() == 1 and len(times) == 1 and stored(here, guest) == [(b"b", b"2")]


def test_a_store_that_cannot_be_written_loses_nothing(open_host, directory, guest, host, say, stored):
    here = open_host(timeout=0.2)
    calm(here)
    say(guest, (b"k", b"1"))
    assert here.wait(LONG)
    with MessageStore(directory) as other, other._writing():
        with pytest.raises(MessageStoreError, match="another process is writing"):
            here.collect()
    assert b"1" in host.directory(FROM) and here.wait(0)
    assert here.collect() == 1 and stored(here, guest) == [(b"k", b"1")] and host.directory(FROM) == [b"last-write"]


def test_a_host_without_guests(here):
    assert here.collect() == 0 and here.vms() == here.events() == []


# Retention


def test_the_store_is_cut_back_as_messages_come(open_host, guest, stored, say, monkeypatch):
    monkeypatch.setattr(collector, "_RETAIN_AFTER", 20)
    here = open_host(retention=Retention(messages=30, events=30))
    for n in range(5):
        with XenStore(guest.path) as store:
            GuestEnd(store)._outbox.send_together([Message(b"k", b"%d" % (16 * n + m)) for m in range(16)], LONG)
        here.collect()
    values = [int(value) for _key, value in stored(here, guest)]
    assert values == list(range(80 - len(values), 80)) and 30 <= len(values) < 50
    assert 30 <= len(here.store.events()) < 50


def test_machines_that_send_nothing_are_looked_at_too(open_host, make_guest, vm_of, monkeypatch):
    monkeypatch.setattr(collector, "_RETAIN_EVERY", 0.0)
    here = open_host(retention=Retention(age=0.001))
    guests = [make_guest(5), make_guest(6)]
    here.collect()
    for guest in guests:
        guest.destroy()
    serve(here, lambda: here.store.vms() == [])


# Deaths


#: Exchanges with XenStore that one pass takes: each is a moment to die at.
EXCHANGES = 7


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", range(1, EXCHANGES + 1))
def test_a_collector_that_dies_anywhere_loses_nothing_and_repeats_nothing(
    xenstored, directory, guest, host, say, stored, open_host, monkeypatch, moment, step
):
    monkeypatch.setattr(collector, "GRACE", 0.0)
    pairs = [(b"a", b"1"), (b"b", b"x" * 4000), (b"a", b"2")]
    say(guest, *pairs)
    host.write(FROM + b"/4", b"lost")
    host.write(FROM + b"/last-write", b"4")
    assert dies(moment, step, lambda: Host(xenstored.path, directory, LONG).collect())
    here = open_host()
    say(guest, (b"c", b"3"))
    calm(here)
    assert stored(here, guest) == [*pairs, (b"c", b"3")]
    assert sorted(types(here)) == [INCOMING] * 4 + [LOST]
    assert host.directory(FROM) == [b"last-write"]
    assert here.store.snapshot(here.vms()[0].id)[1] == {}


def test_the_number_of_exchanges_is_right(xenstored, directory, guest, host, say, monkeypatch, open_host):
    monkeypatch.setattr(collector, "GRACE", 0.0)
    say(guest, (b"a", b"1"), (b"b", b"x" * 4000), (b"a", b"2"))
    host.write(FROM + b"/4", b"lost")
    host.write(FROM + b"/last-write", b"4")
    steps = [0]

    def counted(exchange):
        def exchanging(self, *arguments):
            steps[0] += 1
            return exchange(self, *arguments)

        return exchanging

    here = open_host()
    for kind, name in deaths.EXCHANGES:
        monkeypatch.setattr(kind, name, counted(getattr(kind, name)))
    assert here.collect() == 3 and steps[0] == EXCHANGES


@pytest.mark.parametrize("same", [True, False])
def test_what_a_dead_collector_has_left_is_removed_unless_it_is_new(here, guest, host, say, stored, vm_of, same):
    """Its note says that message 1 is stored. Meanwhile another one may have got that number."""
    with here.store.ledger(vm_of(guest).id, 5).writing() as ledger:
        ledger.take(1, Message(b"k", b"v"))
        ledger.take(7, Message(b"gone", b"v"))
    say(guest, (b"k", b"v" if same else b"new"), (b"next", b"v"))
    calm(here)
    assert stored(here, guest) == ([] if same else [(b"k", b"new")]) + [(b"next", b"v")]
    assert host.directory(FROM) == [b"last-write"] and here.store.snapshot(vm_of(guest).id)[1] == {}


def test_what_is_left_is_found_among_numbers_beyond_a_counter_that_went_back(here, guest, host, stored, vm_of, say):
    """The collector died, and the guest was checkpointed: such a number may be new, but not this one."""
    say(guest, (b"a", b"1"), (b"b", b"2"), (b"c", b"3"))
    with here.store.ledger(vm_of(guest).id, 5).writing() as ledger:
        for number, (key, value) in enumerate(((b"a", b"1"), (b"b", b"2"), (b"c", b"3")), 1):
            ledger.take(number, Message(key, value))
    with XenStore(guest.path) as store:
        for path, value in ((b"/1", b"new"), (b"/1/0", b"1"), (b"/last-write", b"1")):
            store.write(layout.FROM_GUEST + path, value)
    calm(here)
    assert stored(here, guest) == [(b"new", b"1")] and host.directory(FROM) == [b"last-write"]


def test_notes_of_domains_that_are_gone_go_too(here, guest, vm_of):
    for vm, domid in ((vm_of(guest).id, 4), ("1" * 32, 5)):
        with here.store.ledger(vm, domid).writing() as ledger:
            ledger.take(1, Message(b"k", b"v"))
    calm(here)
    assert here.store.snapshot(vm_of(guest).id)[1] == here.store.snapshot("1" * 32)[1] == {}


def collect_for_ever(path, directory):
    with Host(path, directory, LONG, prepare=True) as host:
        while True:
            host.collect()
            host.wait(1.0)


def test_a_service_that_is_killed_again_and_again_stores_everything_once(
    xenstored, directory, make_guest, say, stored, open_host
):
    guests = [make_guest(5 + n) for n in range(4)]
    pairs = [[(b"key-%d" % n, b"%d" % guest.domid) for n in range(60)] for guest in guests]
    senders = [threading.Thread(target=say, args=(guest, *those)) for guest, those in zip(guests, pairs)]
    for sender in senders:
        sender.start()
    context = multiprocessing.get_context("spawn")
    chance = random.Random(5)
    while any(sender.is_alive() for sender in senders):
        service = context.Process(target=collect_for_ever, args=(xenstored.path, directory))
        service.start()
        service.join(chance.uniform(0.3, 1.0))
        os.kill(service.pid, signal.SIGKILL)
        service.join()
        assert service.exitcode == -signal.SIGKILL
    here = open_host()
    calm(here)
    assert [stored(here, guest) for guest in guests] == pairs
    assert types(here) == [INCOMING] * 240
