# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guest end and host end through real daemons: nothing lost, nothing twice, order kept."""

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ConnectionLost,
    InvalidMessage,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.outbox import Outbox
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

ALL_BYTES = bytes(range(1, 256))
LONG = 20.0
FROM = b"/local/domain/5/control/oracle-vmapi/from-guest"
TO = b"/local/domain/5/control/oracle-vmapi/to-guest"


class Clock:
    """Time that passes when told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guest_end(guest):
    with XenStore(guest.path, timeout=LONG) as store:
        yield GuestEnd(store)


@pytest.fixture
def host_end(host_end, clock):
    """The lab's, by our clock."""
    host_end.inbox._clock = clock
    return host_end


def received(inbox):
    """All that is pending, discarded, as (number, key, value) or (number, fault)."""
    found = []
    for arrival in inbox.pending():
        inbox.discard(arrival)
        found.append((arrival.number,) + (arrival.message or (arrival.fault,)))
    return found


def message(n, value=b"v"):
    return Message(b"key-%d" % n, value)


# Both ways


@pytest.mark.parametrize("size", [0, 1, 1639, 1640, 1641, 2015, 2047, 2048, 3280, 4095, 6143, 8190, 8191])
def test_a_value_of_any_size_arrives_both_ways(guest_end, host_end, size):
    value = (ALL_BYTES * 33)[:size]
    guest_end.send(Message(b"up", value), LONG)
    host_end.send(Message(b"down", value), LONG)
    assert received(host_end.inbox) == [(1, b"up", value)]
    assert received(guest_end.inbox) == [(1, b"down", value)]


def test_a_key_of_the_longest_size_and_any_byte_arrives_both_ways(guest_end, host_end):
    guest_end.send(Message(ALL_BYTES, b""), LONG)
    host_end.send(Message(ALL_BYTES[1:], b""), LONG)
    assert received(host_end.inbox) == [(1, ALL_BYTES, b"")]
    assert received(guest_end.inbox) == [(1, ALL_BYTES[1:], b"")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Message,
            st.binary(min_size=1, max_size=254).map(lambda raw: raw.replace(b"\0", b"0")),
            st.binary(max_size=3000).map(lambda raw: raw.replace(b"\0", b"0")),
        ),
        max_size=8,
    )
)
def test_any_messages_arrive_in_order_both_ways(guest_end, host_end, messages):
    for each in messages:
        guest_end.send(each, LONG)
        host_end.send(each, LONG)
    assert [found[1:] for found in received(host_end.inbox)] == messages
    assert [found[1:] for found in received(guest_end.inbox)] == messages


def test_what_cannot_be_carried_is_refused_before_anything_is_written(guest_end, host_end, host):
    for bad in (Message(b"", b""), Message(b"k" * 256, b""), Message(b"k", b"v" * 8192), Message(b"k", b"\0")):
        with pytest.raises(InvalidMessage):
            guest_end.send(bad, LONG)
    with pytest.raises(InvalidMessage, match="the limit is 254"):
        host_end.send(Message(b"k" * 255, b""), LONG)
    assert host.directory(FROM) == host.directory(TO) == []


def test_messages_wait_for_whoever_comes_later(guest, host, host_end, clock):
    for n in range(20):
        host_end.send(message(n), LONG)
    with XenStore(guest.path) as store:
        assert [found[1] for found in received(GuestEnd(store).inbox)] == [b"key-%d" % n for n in range(20)]


def test_what_is_not_discarded_comes_again_and_numbering_goes_on(guest_end, host_end):
    host_end.send(message(1), LONG)
    host_end.send(message(2), LONG)
    first, second = guest_end.inbox.pending()
    guest_end.inbox.discard(first)
    guest_end.inbox.discard(first)
    assert guest_end.inbox.pending() == [second]
    guest_end.inbox.discard(second)
    host_end.send(message(3), LONG)
    assert received(guest_end.inbox) == [(3, b"key-3", b"v")]


def test_numbers_beyond_nine_keep_the_order(guest_end, host_end):
    for n in range(120):
        guest_end.send(message(n), LONG)
    assert [found[0] for found in received(host_end.inbox)] == list(range(1, 121))


def test_reception_is_by_watch(guest_end, host_end, guest):
    guest_end.inbox.watch(b"t")
    assert guest_end.store.wait(LONG)  # at once, for what may be there already
    assert guest_end.store.wait(0) is None
    host_end.send(message(1), LONG)
    assert guest_end.store.wait(LONG) == (b"control/oracle-vmapi/to-guest/last-write", b"t")
    assert received(guest_end.inbox) == [(1, b"key-1", b"v")]


def test_nothing_is_there_before_anything_was_sent(guest_end, host_end):
    assert guest_end.inbox.pending() == host_end.inbox.pending() == []
    assert list(host_end.inbox.receive()) == []


# Several at once


def send_many(path, writer, count):
    with XenStore(path, timeout=60) as store:
        end = GuestEnd(store)
        for n in range(count):
            end.send(Message(b"writer-%d" % writer, b"%d" % n), 60)


def test_several_writers_in_a_guest_lose_nothing_and_keep_their_order(guest, host):
    writers, count = 4, 200  # more than a stock guest may have waiting, so they have to wait for room, too
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=send_many, args=(guest.path, w, count)) for w in range(writers)]
    for process in processes:
        process.start()
    inbox = HostEnd(host, 5).inbox
    inbox.watch(b"t")
    got = {b"writer-%d" % w: [] for w in range(writers)}
    numbers = []
    while len(numbers) < writers * count:
        assert host.wait(60), "writers that have ended: %s" % [process.exitcode for process in processes]
        for arrival in inbox.receive():
            numbers.append(arrival.number)
            got[arrival.message.key].append(int(arrival.message.value))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert numbers == sorted(set(numbers))
    assert all(values == list(range(count)) for values in got.values())


def test_several_writers_on_the_host(guest_end, host_end, xenstored):
    def work(writer):
        with XenStore(xenstored.path, timeout=60) as store:
            end = HostEnd(store, 5)
            for n in range(40):
                end.send(Message(b"writer-%d" % writer, b"%d" % n), 60)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = received(guest_end.inbox)
    assert [number for number, _key, _value in found] == list(range(1, 161))
    for w in range(4):
        assert [int(value) for _n, key, value in found if key == b"writer-%d" % w] == list(range(40))


# Quotas


def fill(guest_end, timeout=2.0):
    """Send until there is no room; how many were sent, and the refusal."""
    for n in range(2000):
        try:
            guest_end.send(message(n), timeout)
        except QuotaExceeded as full:
            return n, full
    raise AssertionError("there was room for 2000 messages")


def test_a_full_store_is_an_error_and_nothing_is_lost_once_the_host_reads(guest_end, host_end):
    sent, full = fill(guest_end)
    assert full.code in ("ENOSPC", "EQUOTA")
    assert str(full) == (
        "no room in XenStore: %d messages in control/oracle-vmapi/from-guest wait to be collected: "
        "see that the other side runs and reads, then send again" % sent
    )
    assert [found[1] for found in received(host_end.inbox)] == [b"key-%d" % n for n in range(sent)]
    guest_end.send(message(9999), LONG)
    assert [found[1] for found in received(host_end.inbox)] == [b"key-9999"]


def test_a_sender_waits_for_room(guest_end, host_end, xenstored):
    sent, _full = fill(guest_end)

    def collect():
        with XenStore(xenstored.path) as store:
            inbox = HostEnd(store, 5).inbox
            inbox.discard(inbox.pending()[0])

    collector = threading.Timer(0.3, collect)
    collector.start()
    guest_end.send(message(9999), LONG)
    collector.join()
    assert len(received(host_end.inbox)) == sent


def test_messages_of_the_host_that_take_up_the_room_are_named(guest_end, no_room):
    with pytest.raises(QuotaExceeded) as found:
        guest_end.send(message(1), 0.1)
    assert str(found.value) == (
        "no room in XenStore: 0 messages in control/oracle-vmapi/from-guest and %d messages in "
        "control/oracle-vmapi/to-guest wait to be collected: see that both sides run and read, then send again"
        % no_room
    )


def test_a_sender_waits_for_room_that_its_own_side_makes(guest, guest_end, host_end, no_room, monkeypatch):
    waits = threading.Event()
    wait_for_room = Outbox.wait_for_room
    monkeypatch.setattr(Outbox, "wait_for_room", lambda *arguments: (waits.set(), wait_for_room(*arguments)))
    with ThreadPoolExecutor() as pool:
        sender = pool.submit(guest_end.send, message(1), LONG)
        assert waits.wait(LONG)
        with XenStore(guest.path) as store:
            assert len(received(GuestEnd(store).inbox)) == no_room
        sender.result(LONG)
    assert [found[1] for found in received(host_end.inbox)] == [b"key-1"]


def test_a_quota_that_has_nothing_to_do_with_messages_is_told_at_once(guest, guest_end, host_end):
    with XenStore(guest.path) as store, pytest.raises(QuotaExceeded):
        for n in range(1100):
            store.write(b"data/%d/%d" % (n % 10, n), b"")
    start = time.monotonic()
    with pytest.raises(QuotaExceeded, match="0 messages in"):
        guest_end.send(message(1), LONG)
    assert time.monotonic() - start < LONG / 2


def test_room_that_was_made_before_anybody_looked(guest_end, host_end, monkeypatch):
    sent, _full = fill(guest_end)
    came = []
    waiting = Outbox._waiting

    def all_is_collected(outbox):
        came.extend(received(host_end.inbox))
        return waiting(outbox)

    monkeypatch.setattr(Outbox, "_waiting", all_is_collected)
    guest_end.send(message(9999), LONG)
    assert len(came) == sent


# What waits for a guest

LARGE = Message(b"large", b"x" * layout.VALUE_LIMIT)


def fill_for_guest(host_end, what=LARGE):
    """Send to a guest until there is no room; how many were sent, and the refusal."""
    for n in range(5000):
        try:
            host_end.send(what, 0.2)
        except QuotaExceeded as full:
            return n, full
    raise AssertionError("there was room for 5000 messages")


def test_a_guest_is_not_sent_more_than_its_xenstore_bears(guest_end, host_end):
    """xenstored does not listen to a guest any more that owns 2.5 MiB, and the host's messages are the guest's."""
    own = 0
    with pytest.raises(QuotaExceeded):
        while True:
            guest_end.send(LARGE, 0.2)
            own += 1
    sent, full = fill_for_guest(host_end)
    assert str(full) == (
        "no room in XenStore: %d messages in %s wait to be collected: "
        "see that the other side runs and reads, then send again" % (sent, TO.decode())
    )
    assert 80 < sent < 100 and own > 150
    assert len(received(guest_end.inbox)) == sent
    assert len(received(host_end.inbox)) == own
    host_end.send(LARGE, LONG)


def test_a_sender_waits_until_the_guest_has_read(guest, guest_end, host_end):
    sent, _full = fill_for_guest(host_end)

    def read():
        with XenStore(guest.path) as store:
            inbox = GuestEnd(store).inbox
            inbox.discard(inbox.pending()[0])

    reader = threading.Timer(0.3, read)
    reader.start()
    host_end.send(LARGE, LONG)
    reader.join()
    assert len(received(guest_end.inbox)) == sent


def test_no_more_messages_wait_than_can_be_listed(guest_end, host_end):
    """oxenstored and the vendor's driver list 4096 bytes of names, or nothing."""
    sent, _full = fill_for_guest(host_end, Message(b"key", b"value"))
    assert sent == 1021  # 9 of one digit and a NUL, 90 of two, 900 of three, 22 of four
    assert len(received(guest_end.inbox)) == sent
    sent, _full = fill_for_guest(host_end, Message(b"key", b"value"))
    assert sent == 800
    assert len(received(guest_end.inbox)) == sent


def test_what_others_have_sent_counts_by_its_size(guest_end, host_end, host, monkeypatch):
    weighed = []
    weigh = Outbox._weigh
    monkeypatch.setattr(Outbox, "_weigh", lambda *arguments: (weighed.append(len(arguments[2])), weigh(*arguments)))
    for n in range(200):
        host_end.send(message(n), LONG)
    other = HostEnd(host, 5)
    for n in range(3):
        other.send(message(n), LONG)
    assert weighed == [200]  # once; nobody asks for the size of what it has sent itself
    sent, _full = fill_for_guest(host_end)
    with pytest.raises(QuotaExceeded, match="no room in XenStore: %d messages in" % (203 + sent)):
        HostEnd(host, 5).send(LARGE, 2)
    # Where there is no room for a large one there may be some for a small one.
    HostEnd(host, 5).send(message(1), LONG)
    assert len(received(guest_end.inbox)) == 204 + sent


# What others leave behind


def write_message(store, node, key, *pieces):
    store.write(node, key)
    for n, piece in enumerate(pieces):
        store.write(node + b"/%d" % n, piece)


def test_a_message_that_is_just_being_written_is_not_looked_at(guest_end, host, clock, host_end):
    write_message(host, TO + b"/1", b"key", b"half")
    assert guest_end.inbox.pending() == []
    host.write(TO + b"/1/1", b" and half")
    host.write(TO + b"/last-write", b"1")
    assert received(guest_end.inbox) == [(1, b"key", b"half and half")]


def test_the_host_too_leaves_alone_what_is_being_written(guest, host, host_end, clock):
    write_message(host, FROM + b"/1", b"key", b"half")
    host.write(FROM + b"/last-write", b"0")
    for _unused in range(3):
        clock.now += 10
        assert host_end.inbox.pending() == []


def test_a_message_without_its_first_piece_is_lost_and_said_to_be(guest_end, host, host_end, clock):
    """The driver goes on after a refused piece, and tells nobody (observed)."""
    write_message(host, FROM + b"/1", b"one", b"1")
    host.write(FROM + b"/2", b"two")
    host.write(FROM + b"/2/1", b"the tail")
    write_message(host, FROM + b"/3", b"three", b"3")
    host.write(FROM + b"/last-write", b"3")
    # Another process of the guest may just be writing it, so it gets a moment; what follows waits, to keep the order.
    assert received(host_end.inbox) == [(1, b"one", b"1")]
    assert host_end.inbox.again_at == clock.now + 1.0
    clock.now += 0.5
    assert received(host_end.inbox) == [] and host_end.inbox.again_at == clock.now + 0.5
    clock.now += 0.5
    assert received(host_end.inbox) == [(2, "its piece 0 is missing"), (3, b"three", b"3")]
    assert host.directory(FROM) == [b"last-write"] and host_end.inbox.again_at is None


def test_a_message_that_still_changes_gets_its_time_anew(guest, host, host_end, clock):
    host.write(FROM + b"/1", b"one")
    host.write(FROM + b"/1/2", b"C")
    host.write(FROM + b"/last-write", b"1")
    assert host_end.inbox.pending() == []
    clock.now += 0.5
    host.write(FROM + b"/1/0", b"A")
    assert host_end.inbox.pending() == [] and host_end.inbox.again_at == clock.now + 1.0
    clock.now += 1.0
    assert received(host_end.inbox) == [(1, "its piece 1 is missing")]


def test_a_message_that_becomes_whole_in_time_is_not_lost(host, guest, host_end, clock):
    """Two senders in one guest, of which the driver announces the later one first (observed)."""
    host.write(FROM + b"/1", b"one")
    host.write(FROM + b"/1/1", b"B")
    write_message(host, FROM + b"/2", b"two", b"2")
    host.write(FROM + b"/last-write", b"2")
    assert received(host_end.inbox) == []
    clock.now += 0.9
    host.write(FROM + b"/1/0", b"A")
    host.write(FROM + b"/last-write", b"1")
    host.write(FROM + b"/last-write", b"2")
    assert received(host_end.inbox) == [(1, b"one", b"AB"), (2, b"two", b"2")]


def test_a_message_from_a_guest_without_any_piece_was_lost(host, guest):
    """So the vendor's driver leaves one whose value was refused; of an empty value it writes one piece."""
    host.write(FROM + b"/1", b"one")
    host.write(FROM + b"/2", b"two")
    host.write(FROM + b"/2/0", b"")
    host.write(FROM + b"/last-write", b"2")
    found = list(HostEnd(host, 5, grace=0.05).inbox.receive())
    assert found == [(1, None, "its piece 0 is missing"), (2, (b"two", b""), "")]


def test_a_reader_that_comes_once_waits_out_the_grace(host, guest):
    host.write(FROM + b"/1", b"one")
    host.write(FROM + b"/1/1", b"B")
    host.write(FROM + b"/last-write", b"1")
    found = list(HostEnd(host, 5, grace=0.05).inbox.receive())
    assert found == [(1, None, "its piece 0 is missing")] and host.directory(FROM) == [b"last-write"]


@pytest.mark.parametrize(
    "names",
    [(b"0", b"2"), (b"1",), (b"0", b"x"), (b"00", b"01")],
)
def test_a_guest_passes_over_a_malformed_message_and_leaves_it(guest_end, host, names):
    host.write(TO + b"/1", b"odd")
    for name in names:
        host.write(TO + b"/1/" + name, b"v")
    write_message(host, TO + b"/2", b"good", b"v")
    host.write(TO + b"/last-write", b"2")
    odd, good = guest_end.inbox.pending()
    assert odd.message is None and odd.fault.startswith("its piece ") and good.message == (b"good", b"v")


def test_what_the_driver_takes_for_a_message_we_do_too(guest_end, host, host_end):
    host.write(TO + b"/1", b"key alone")
    host.write(TO + b"/2/0", b"no key")
    write_message(host, TO + b"/3", b"with a terminator", b"v\0")
    write_message(host, TO + b"/4", b"many pieces", *[b"%d" % (n % 10) for n in range(300)])
    write_message(host, TO + b"/6", b"a number is missing", b"v")
    host.write(TO + b"/last-write", b"  006 and text\n")
    assert received(guest_end.inbox) == [
        (1, b"key alone", b""),
        (2, b"", b"no key"),
        (3, b"with a terminator", b"v"),
        (4, b"many pieces", b"0123456789" * 30),
        (6, b"a number is missing", b"v"),
    ]


def test_a_value_over_the_limit_is_not_taken(guest_end, host, host_end):
    write_message(host, TO + b"/1", b"big", *[b"x" * 1024] * 8)
    host.write(TO + b"/last-write", b"1")
    assert received(guest_end.inbox) == [(1, "its value has 8192 bytes, the limit is 8191")]


@pytest.mark.parametrize("counter", [b"", b"abc", b"x7", b"-1"])
def test_a_counter_that_is_none_announces_nothing(guest_end, host, host_end, counter):
    write_message(host, TO + b"/1", b"k", b"v")
    host.write(TO + b"/last-write", counter)
    assert guest_end.inbox.pending() == []
    host_end.send(message(2), LONG)
    assert received(guest_end.inbox) == [(1, b"k", b"v"), (2, b"key-2", b"v")]


def test_the_drivers_stray_piece_is_dropped(host, guest, host_end):
    write_message(host, FROM + b"/1", b"k", b"a" * 2048, b"b" * 2047, b"junkjunk")
    host.write(FROM + b"/last-write", b"1")
    assert received(host_end.inbox) == [(1, b"k", b"a" * 2048 + b"b" * 2047)]


# Numbering that starts again


def test_a_tree_that_was_made_anew_starts_at_one(guest_end, host_end, host):
    for n in range(3):
        guest_end.send(message(n), LONG)
    received(host_end.inbox)
    host.remove(b"/local/domain/5/control/oracle-vmapi")
    assert host_end.prepare() is True
    assert guest_end.send(message(3), LONG) == 1
    assert received(host_end.inbox) == [(1, b"key-3", b"v")]


def test_a_guest_that_was_restored_counts_from_one_again(host, guest, host_end):
    """The driver's counter restarts, in the same tree (observed at every checkpoint)."""
    for number in (1, 2, 3):
        write_message(host, FROM + b"/%d" % number, b"old-%d" % number, b"v")
    host.write(FROM + b"/last-write", b"3")
    assert len(received(host_end.inbox)) == 3
    write_message(host, FROM + b"/1", b"new-1", b"v")
    host.write(FROM + b"/last-write", b"1")
    assert received(host_end.inbox) == [(1, b"new-1", b"v")]
    write_message(host, FROM + b"/1", b"newest-1", b"v")  # restored once more, right after
    host.write(FROM + b"/last-write", b"1")
    assert received(host_end.inbox) == [(1, b"newest-1", b"v")]


def test_what_comes_while_it_looks_at_a_restarted_counter_is_not_older(host, guest, host_end, monkeypatch):
    for number in range(1, 4):
        write_message(host, FROM + b"/%d" % number, b"key", b"%d" % number)
    host.write(FROM + b"/last-write", b"3")
    assert len(received(host_end.inbox)) == 3
    write_message(host, FROM + b"/1", b"first", b"1")
    host.write(FROM + b"/last-write", b"1")
    read = host.read

    def read_and_go_on(path):
        found = read(path)
        if path == FROM + b"/last-write" and found == b"1":
            write_message(host, FROM + b"/2", b"second", b"2")
            host.write(FROM + b"/last-write", b"2")
        return found

    monkeypatch.setattr(host, "read", read_and_go_on)
    assert received(host_end.inbox) + received(host_end.inbox) == [(1, b"first", b"1"), (2, b"second", b"2")]


def test_what_was_announced_before_a_restart_comes_first(host, guest, host_end):
    for number in (1, 2, 3, 4):
        write_message(host, FROM + b"/%d" % number, b"old-%d" % number, b"v" * 2048, b"tail")
    host.write(FROM + b"/last-write", b"4")
    assert len(host_end.inbox.pending()) == 4  # seen, but whoever asked died before it kept them
    write_message(host, FROM + b"/1", b"new-1", b"short")
    host.write(FROM + b"/last-write", b"1")
    assert [found[:2] for found in received(host_end.inbox)] == [
        (2, b"old-2"),
        (3, b"old-3"),
        (4, b"old-4"),
        (1, b"new-1"),
    ]


def test_a_message_over_an_uncollected_one_has_no_tail_of_it(host, guest, host_end):
    write_message(host, FROM + b"/1", b"old", b"v" * 2048, b"old tail")
    write_message(host, FROM + b"/2", b"old", b"v" * 2048, b"old tail")
    host.write(FROM + b"/last-write", b"2")
    host_end.inbox.pending()
    write_message(host, FROM + b"/1", b"new", b"short")
    host.write(FROM + b"/last-write", b"1")
    assert (1, b"new", b"short") in received(host_end.inbox)


def test_a_reader_that_missed_the_restart_takes_what_was_left_once_it_stays(host, guest, host_end, clock):
    for number in (3, 4):
        write_message(host, FROM + b"/%d" % number, b"old-%d" % number, b"v")
    write_message(host, FROM + b"/1", b"new-1", b"v")
    host.write(FROM + b"/last-write", b"1")
    assert received(host_end.inbox) == [(1, b"new-1", b"v")]
    clock.now = host_end.inbox.again_at
    assert received(host_end.inbox) == [(3, b"old-3", b"v"), (4, b"old-4", b"v")]


def test_a_sender_never_writes_over_what_waits(guest_end, host, host_end):
    """Even where the counter went back, as after a restore under another kernel."""
    guest_end.send(message(1), LONG)
    guest_end.send(message(2), LONG)
    host.write(FROM + b"/last-write", b"0")
    assert guest_end.send(message(3), LONG) == 3
    assert [found[1] for found in received(host_end.inbox)] == [b"key-1", b"key-2", b"key-3"]


# Opening the channel


def test_prepare_opens_the_channel_once(make_guest, host):
    guest = make_guest(5, prepare=False)
    end = HostEnd(host, 5)
    with XenStore(guest.path, timeout=LONG) as store:
        with pytest.raises(PermissionDenied) as denied:
            GuestEnd(store).send(message(1), LONG)
        assert str(denied.value).startswith(
            "this domain may not write to control/oracle-vmapi/from-guest: have the host open the message channel"
        )
        assert end.prepare() is True and end.prepare() is False
        assert host.get_permissions(b"/local/domain/5/control/oracle-vmapi")[0] == b"n5"
        assert GuestEnd(store).send(message(1), LONG) == 1
        host_end_sent = end.send(message(2), LONG)
        assert host_end_sent == 1 and len(received(GuestEnd(store).inbox)) == 1


def test_prepare_leaves_what_works_as_it_is(make_guest, host):
    """Another toolstack may keep the nodes its own and let the guest read and write them (observed)."""
    guest = make_guest(5, prepare=False)
    for path in (b"", b"/to-guest", b"/from-guest"):
        path = b"/local/domain/5/control/oracle-vmapi" + path
        host.mkdir(path)
        host.set_permissions(path, [b"n0", b"b5"])
    end = HostEnd(host, 5)
    assert end.prepare() is False
    with XenStore(guest.path, timeout=LONG) as store:
        guest_end = GuestEnd(store)
        guest_end.send(Message(b"k", b"v" * 8191), LONG)
        assert received(end.inbox) == [(1, b"k", b"v" * 8191)]
        end.send(message(1), LONG)
        assert received(guest_end.inbox) == [(1, b"key-1", b"v")]


def test_prepare_repairs_what_the_guest_cannot_write(make_guest, host):
    make_guest(5, prepare=False)
    host.mkdir(FROM)  # takes after control, which is the host's
    assert HostEnd(host, 5).prepare() is True
    assert host.get_permissions(FROM)[0] == b"n5"


def test_there_is_no_channel_for_a_domain_that_does_not_exist(host):
    with pytest.raises(NotFound, match="there is no domain 99: see 'xl list'"):
        HostEnd(host, 99).prepare()
    assert not host.exists(b"/local/domain/99")


# Death


def test_a_sender_that_loses_xenstore_says_so(xenstored, make_guest):
    guest = make_guest(5)
    with XenStore(guest.path, timeout=0.3) as store:
        end = GuestEnd(store)
        end.send(message(1), LONG)
        guest.destroy()
        with pytest.raises(ConnectionLost):
            end.send(message(2), 0.3)


def test_layout_is_what_the_reference_says(guest_end, host_end, host):
    """Node by node, as the vendor's side reads and writes it."""
    guest_end.send(Message(b"key1", b"x" * 1641), LONG)
    host_end.send(Message(b"key2", b"value2"), LONG)
    assert host.read(FROM + b"/1") == b"key1" and host.read(FROM + b"/last-write") == b"1"
    assert sorted(host.directory(FROM + b"/1")) == [b"0", b"1"]
    assert host.read(FROM + b"/1/0") == b"x" * 1640 and host.read(FROM + b"/1/1") == b"x"
    assert host.read(TO + b"/1") == b"key2" and host.read(TO + b"/1/0") == b"value2"
    assert host.read(TO + b"/last-write") == b"1"
    assert layout.home(5) + b"/" + layout.TO_GUEST == TO
