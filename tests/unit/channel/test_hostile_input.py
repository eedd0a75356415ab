# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What XenStore may answer, and what a guest may write: found by fuzzing."""

import os
import socket
import struct
import tempfile
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout, xenstore
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import DeadlineExceeded, ProtocolError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.inbox import Inbox
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from fuzz.targets.message_tree import Store

DIRECTORY, READ, WATCH, TRANSACTION_START, WATCH_EVENT, ERROR, DIRECTORY_PART = 1, 2, 4, 6, 15, 16, 22
#: Seconds: what a request may take here, and what a machine under load may make of it.
SHORT, LONG = 0.5, 60.0


class Daemon:
    """Answers each request as it is told, and goes on talking for as long as there is anybody.

    :ivar answer: a function of the kind of a request; it gives pairs of a kind and a payload.
    """

    def __init__(self, folder):
        self.path, self.answer, self.asked = os.path.join(folder, "socket"), lambda op: [(op, b"")], 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(8)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self):
        while True:
            try:
                connection = self._listening.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rb") as requests:
                try:
                    self._talk(connection, requests)
                except (OSError, struct.error):
                    pass  # it has gone

    def _talk(self, connection, requests):
        while True:
            op, identity, _transaction, size = struct.unpack("IIII", requests.read(16))
            requests.read(size)
            self.asked += 1
            for kind, payload in self.answer(op):
                number = 0 if kind == WATCH_EVENT else identity
                connection.sendall(struct.pack("IIII", kind, number, 0, len(payload)) + payload)


@pytest.fixture
def daemon(tmp_path):
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must not be long
        daemon = Daemon(folder)
        yield daemon
        daemon.close()


@pytest.fixture
def store(daemon):
    with XenStore(daemon.path, timeout=SHORT) as store:
        yield store


def endless(kind, payload):
    while True:
        yield kind, payload


@pytest.mark.parametrize("number", [b"9" * 5000, b"4294967296", b"99999999999", b"", b"-1", b"x"])
def test_a_transactions_number_that_cannot_be_one(daemon, store, number):
    daemon.answer = lambda op: [(op, number + b"\0")]
    with pytest.raises(ProtocolError, match="no number to a transaction"), store.transaction():
        pass


@pytest.mark.parametrize("stamp", ["the same", "another"])
def test_a_directory_that_does_not_end_or_changes_all_the_time(daemon, store, stamp):
    def answer(op):
        if op == DIRECTORY:
            return [(ERROR, b"E2BIG\0")]
        return [(op, (b"%d" % daemon.asked if stamp == "another" else b"1") + b"\0name\0")]

    daemon.answer = answer
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="the directory d could not be read whole in time"):
        store.directory(b"d")
    assert time.monotonic() - began < LONG and daemon.asked > 2
    daemon.answer = lambda op: [(op, b"v")]
    assert store.read(b"n") == b"v"


def test_events_without_end_instead_of_an_answer(daemon, store):
    store.watch(b"a", b"t")
    daemon.answer = lambda op: endless(WATCH_EVENT, b"a\0t\0")
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="did not answer a request in time"):
        store.write(b"b", b"")
    assert time.monotonic() - began < LONG


def test_events_of_others_without_end_while_one_is_waited_for(daemon, store):
    store.watch(b"a", b"noisy")

    def answer(op):
        yield op, b"OK\0"
        yield from endless(WATCH_EVENT, b"a\0noisy\0")

    daemon.answer = answer
    store.watch(b"b", b"quiet")
    began = time.monotonic()
    assert store.wait(0.1, b"quiet") is None
    assert time.monotonic() - began < LONG


def test_events_that_nobody_takes_do_not_pile_up(daemon, store):
    store.watch(b"a", b"t")
    store.watch(b"b", b"u")
    most = xenstore._EVENTS
    events = [(WATCH_EVENT, b"a/%d\0t\0" % number) for number in range(most * 5)] + [(WATCH_EVENT, b"b/1\0u\0")]
    daemon.answer = lambda op: [*events, *events, (op, b"v")]
    store.timeout = LONG
    assert store.read(b"n") == b"v"
    found = []
    while len(found) <= most + 2:
        event = store.wait(0)
        if event is None:
            break
        found.append(event)
    # As many as it takes to know what has changed.
    assert len(found) == len(set(found)) == most + 2
    assert found[0] == (b"a/0", b"t") and found[-1] == (b"b", b"u")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_broken_message_beyond_the_counter_is_given_up_and_holds_nobody_back():
    store, clock = Store(), Clock()
    inbox = Inbox(store, layout.FROM_GUEST, 1.0, layout.join_from_guest, 1, clock)
    store.write(layout.FROM_GUEST + b"/10", b"half a message")
    store.write(layout.FROM_GUEST + b"/last-write", b"1")
    store.write(layout.FROM_GUEST + b"/1", b"key")
    store.write(layout.FROM_GUEST + b"/1/0", b"value")
    found = []
    for _again in range(8):
        for arrival in inbox.pending():
            found.append((arrival.number, arrival.fault))
            inbox.discard(arrival)
        clock.now += 1.5
    assert found == [(1, ""), (10, "its piece 0 is missing")] and inbox.again_at is None


def test_a_counter_of_many_zeros():
    assert layout.counter(b"0" * 5000 + b"17 x") == 17 and layout.counter(b"0" * 5000) == 0


@pytest.mark.parametrize("size", [0, 1, 1639, 1640, 1641, 3280, 5000, 8191])
def test_a_long_message_of_ours_whose_sender_counts_anew_is_whole(size):
    """As after XenStore was restarted, and has forgotten everything."""
    store, value = Store(), (b"0123456789" * 900)[:size]
    inbox = Inbox(store, layout.FROM_GUEST, 1.0, layout.join_from_guest, 1, Clock())
    for number, said in ((7, b"before"), (1, value)):
        store.remove(layout.FROM_GUEST)
        store.write(layout.FROM_GUEST + b"/%d" % number, b"key")
        for place, piece in enumerate(layout.split(said)):
            store.write(layout.FROM_GUEST + b"/%d/%d" % (number, place), piece)
        store.write(layout.FROM_GUEST + b"/last-write", b"%d" % number)
        found = [arrival.message.value for arrival in inbox.pending()]
        assert found == [said]


def test_a_short_message_of_the_drivers_over_a_long_one_has_no_tail_of_it():
    new, old = b"n" * 1639 + b"\0", [b"o" * 2048, b"o" * 100]
    assert layout.join_from_guest([new, old[1]], overwritten=True) == new
    assert layout.join_from_guest([b"n" * 30, *old], overwritten=True) == b"n" * 30
