# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Manager offers (delivery/carrier.py), over the real gateway, without any fault.

Every byte survives both ways, in order and with its time; and nothing costs more requests
than it must.
"""

import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import InvalidMessage, Refused
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, STOPPED, VmNotRunning, find

ALL_BYTES = bytes(range(1, 256))
#: Keys and values that lose something where somebody guesses at encodings or markup.
ODD = [
    (ALL_BYTES[:250], ALL_BYTES * 3),
    (b"empty", b""),
    (b'"quotes" \\ and </script>', b'{"key": "x"}, [null]'),
    ("schl\u00fcssel \U0001f511".encode(), "\u202ewert \ufeff".encode()),
    (b"\xed\xb3\xbf surrogate", b"\xed\xa0\x80\xff"),
    (b" blanks ", b"\t\r\n lines \n"),
    (b"repeated", b"1"),
    (b"repeated", b"2"),
    (b"repeated", b"1"),
]


def pairs(records):
    return [(record.key, record.value) for record in records]


def test_every_byte_arrives_in_the_guest(manager, vm, arrived, faults):
    manager.send(vm, ODD)
    assert arrived() == ODD
    assert faults.sends() == 1


def test_every_byte_comes_from_the_guest_in_order_and_with_its_time(manager, vm, say):
    before = time.time() - 1
    say(*ODD)
    records = manager.received(vm)
    assert pairs(records) == ODD
    assert all(before < record.time < time.time() + 1 for record in records)
    assert manager.dated(vm, records) == records


def test_each_received_message_is_an_event_that_tells_key_value_and_time(manager, vm, say):
    say(*ODD)
    assert len(manager.received(vm)) == len(ODD)
    events = [event for event in manager.events(vm) if manager.dialect.incoming(event)]
    assert len(events) == len(ODD)
    assert [event.time for event in events] == sorted(event.time for event in events)
    bare = [record._replace(time=None) for record in manager.received(vm)]
    # Where the messages had no times, as may be with the vendor's Manager, the events have them.
    assert [record.time for record in manager.dated(vm, bare)] == [event.time for event in events]


def test_no_event_shows_a_secret(manager, vm, say):
    say((b"db-password", b"correct horse"))
    assert pairs(manager.received(vm)) == [(b"db-password", b"correct horse")]
    assert "correct horse" not in repr(manager.events())


def test_only_what_was_to_be_logged_is_remembered(manager, vm, faults):
    manager.send(vm, [(b"a", b"1"), (b"b", b"2")], log=True)
    manager.send(vm, [(b"c", b"3")])
    manager.send(vm, [(b"a", b"4")], log=True)
    assert pairs(manager.sent(vm)) == [(b"a", b"1"), (b"b", b"2"), (b"a", b"4")]
    assert manager.received(vm) == []
    assert [request.query["logFlag"] for request in faults.seen("PUT")] == ["Yes", "No", "Yes"]


@pytest.mark.parametrize(
    "message, log",
    [
        ((b"k" * 257, b""), False),
        ((b"k", b"v" * 8193), False),
        ((b"k", b"v" * 1025), True),
        ((b"root-password", b"secret"), True),
        ((b"", b"v"), False),
        ((b"k", b"\0"), False),
    ],
)
def test_what_cannot_be_sent_is_refused_with_all_the_rest_before_anything_is_said(manager, vm, faults, message, log):
    with pytest.raises(InvalidMessage):
        manager.send(vm, [(b"good", b"1"), message], log)
    assert faults.count() == 0


def test_what_only_the_guests_channel_cannot_carry_is_refused_by_the_gateway(manager, vm, arrived):
    """A Manager's limits are a little wider than a guest's."""
    for message in ((b"k" * 255, b""), (b"k", b"v" * 8192)):
        with pytest.raises(Refused, match="the limit is"):
            manager.send(vm, [(b"good", b"1"), message])
    assert arrived() == []


def test_the_longest_of_everything(manager, vm, arrived, say):
    manager.send(vm, [(b"k" * 254, b"v" * 8191)])
    manager.send(vm, [(b"k", b"v" * 1024)], log=True)
    assert arrived() == [(b"k" * 254, b"v" * 8191), (b"k", b"v" * 1024)]
    say((b"k" * 255, b"v" * 8191))
    assert pairs(manager.received(vm)) == [(b"k" * 255, b"v" * 8191)]


def test_tells_how_many_messages_the_guest_has_not_taken(manager, vm, guest):
    assert manager.waiting(vm) == 0
    manager.send(vm, ODD)
    assert manager.waiting(vm) == len(ODD)
    with XenStore(guest.path) as store:
        for _arrival in GuestEnd(store).inbox.receive():
            pass
    assert manager.waiting(vm) == 0


def test_the_managers_clock(manager):
    manager.connect()
    assert abs(manager.now() - time.time()) < 2


def test_a_vm_keeps_its_id_when_it_reboots_and_when_it_is_gone(manager, vm, guest, say, arrived, domids):
    say((b"before", b"1"))
    assert pairs(manager.received(vm)) == [(b"before", b"1")]
    guest.reboot(next(domids))
    assert manager.current(vm) == vm
    manager.send(vm, [(b"hello", b"again")])
    assert arrived() == [(b"hello", b"again")]
    say((b"after", b"2"))
    assert pairs(manager.received(vm)) == [(b"before", b"1"), (b"after", b"2")]
    guest.destroy()
    assert (vm.state, manager.current(vm).state) == (RUNNING, STOPPED)
    assert pairs(manager.received(vm)) == [(b"before", b"1"), (b"after", b"2")]
    with pytest.raises(VmNotRunning):
        manager.send(vm, [(b"too", b"late")])


def test_guests_that_come_later_are_there_at_once(make_manager, vm, make_guest):
    for _n in range(4):
        later = make_guest(name="same name")
        with make_manager() as manager:
            assert find(manager.vms(), later.uuid).name == "same name"


def test_a_task_costs_as_few_requests_as_can_be(manager, make_guest, faults, vm, gateway):
    """Log in and wait: 1. All VMs: 1. Each VM: 1 send, and no look at a job that has ended already."""
    others = [make_guest() for _n in range(4)]
    manager.connect()
    for guest in others:
        manager.send(find(manager.vms(), guest.uuid), ODD)
    assert (faults.count(), faults.sends(), faults.connections) == (2 + len(others), len(others), 1)


def test_answers_come_at_once(manager, vm):
    """Not 40 ms late, as where head and body of an answer wait for each other (Nagle's algorithm)."""
    manager.connect()
    times = []
    for _n in range(60):
        start = time.monotonic()
        manager.current(vm)
        times.append(time.monotonic() - start)
    assert sorted(times)[len(times) // 2] < 0.03
