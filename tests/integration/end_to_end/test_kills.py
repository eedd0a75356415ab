# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway is killed (SIGKILL) again and again while messages move.

The promises: what a guest has sent ends up in the gateway exactly once and in order, and so
does its event. What a client sends reaches the guest exactly once where the client was told
so, and at most once where it was told that nobody knows.

The moments are random. A failure shows the seed; ``KILL_SEED=N`` has the same ones again, as
far as the scheduler allows.
"""

import contextlib
import os
import random
import threading
from collections import Counter

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import INCOMING, MessageStore
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import OutcomeUnknown, Unreachable
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find

GUESTS, MESSAGES, KILLS = 4, 500, 15
#: Messages that each guest may send in each life of the gateway: before it starts, and once it runs.
BEFORE, WHILE = 8, 17
PATIENCE = 60


@pytest.fixture
def rng():
    """Random numbers, whose seed a failure shows."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
    print("KILL_SEED=%d" % seed)
    return random.Random(seed)


@pytest.fixture
def guests(make_guest):
    return [make_guest(5 + n, name="guest-%d" % n) for n in range(GUESTS)]


# --- guests send ------------------------------------------------------------------------


class Sender(threading.Thread):
    """A guest that sends its messages, as many as it is allowed to by and by.

    :ivar list messages: pairs of key and value, all different.
    :ivar int sent: how many it has sent.
    """

    def __init__(self, guest, number, rng):
        super().__init__(daemon=True)
        sizes = [rng.choice((0, 10, 100, 1700, 8000)) for _n in range(MESSAGES)]
        self.messages = [
            (b"key-%d" % rng.randrange(5), b"%d:%d:" % (number, n) + b"v" * size) for n, size in enumerate(sizes)
        ]
        self.sent, self._guest, self._allowed, self.error = 0, guest, threading.Semaphore(0), None

    def allow(self, count):
        self._allowed.release(count)

    def run(self):
        try:
            with XenStore(self._guest.path, timeout=PATIENCE) as store:
                end = GuestEnd(store)
                for key, value in self.messages:
                    self._allowed.acquire()
                    end.send(Message(key, value), PATIENCE)
                    self.sent += 1
        except Exception as problem:  # for the test to show
            self.error = problem


def test_what_guests_send_is_stored_exactly_once_and_in_order(guests, gateway, watch_progress, make_manager, rng):
    senders = [Sender(guest, number, rng) for number, guest in enumerate(guests)]
    progress = watch_progress(guests)
    gateway.kill()
    for sender in senders:
        sender.start()
    allowed = lives = hits = 0
    while allowed < MESSAGES:
        for sender in senders:
            sender.allow(BEFORE)
        gateway.start()
        before = progress.collected()
        for sender in senders:
            sender.allow(WHILE)
        allowed, lives = allowed + BEFORE + WHILE, lives + 1
        progress.wait_until_collected(before + rng.randint(1, GUESTS * WHILE // 2))
        gateway.kill()
        # It hit when some had been collected in this life, and some had not.
        hits += before < progress.collected() < progress.sent()
    print("%d of %d kills hit" % (hits, lives))
    assert [sender.error for sender in senders] == [None] * GUESTS
    assert hits >= KILLS
    gateway.start()
    progress.wait_until_collected(GUESTS * MESSAGES)

    # Over REST there are only the newest events.
    with make_manager() as manager, MessageStore(gateway.directory) as store:
        events = Counter(event.vm for event in store.events() if event.type == INCOMING)
        for guest, sender in zip(guests, senders):
            vm = find(manager.vms(), guest.uuid)
            found = [(record.key, record.value) for record in manager.received(vm)]
            assert [int(value.split(b":")[1]) for _key, value in found] == list(range(MESSAGES))
            assert found == sender.messages
            assert events[vm.id] == MESSAGES


# --- clients send -----------------------------------------------------------------------


class Clients:
    """One for each guest, who sends to it message by message.

    :ivar list told: for each guest, what was said of each message: ``sent`` or ``unknown``.
    """

    def __init__(self, manager, vms):
        self._manager, self._news, self._up, self._over = manager, threading.Condition(), threading.Event(), False
        self.told, self.errors = [{} for _vm in vms], []
        self._threads = [
            threading.Thread(target=self._run, args=(vm, told), daemon=True) for vm, told in zip(vms, self.told)
        ]
        self.go_on()
        for thread in self._threads:
            thread.start()

    def pause(self):
        """Whoever cannot reach the gateway shall not try again for now."""
        self._up.clear()

    def go_on(self):
        self._up.set()

    def wait_for(self, more):
        """Return when so many more messages have an outcome."""
        with self._news:
            wanted = self._count() + more
            assert self._news.wait_for(lambda: self._count() >= wanted or self.errors, PATIENCE)

    def end(self):
        self._over = True
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _count(self):
        return sum(map(len, self.told))

    def _run(self, vm, told):
        try:
            while not self._over:
                number = len(told) + 1
                outcome = self._send(vm, b"%d" % number)
                with self._news:
                    told[number] = outcome
                    self._news.notify()
        except Exception as problem:  # for the test to show
            self.errors.append(problem)

    def _send(self, vm, value):
        while True:
            try:
                self._manager.send(vm, [(b"number", value)])
                return "sent"
            except OutcomeUnknown:
                return "unknown"
            except Unreachable:  # so nothing was sent
                assert self._up.wait(PATIENCE)


def test_what_clients_send_arrives_once_where_they_are_told_so_and_never_twice(guests, gateway, make_manager, rng):
    arrived = [[] for _guest in guests]
    with contextlib.ExitStack() as stack:
        ends = [GuestEnd(stack.enter_context(XenStore(guest.path))) for guest in guests]

        def receive():
            for end, got in zip(ends, arrived):
                got += [int(arrival.message.value) for arrival in end.inbox.receive()]

        manager = make_manager(retries=0, pool=GUESTS)
        clients = Clients(manager, [find(manager.vms(), guest.uuid) for guest in guests])
        for _n in range(KILLS):
            clients.wait_for(rng.randint(1, 40))
            clients.pause()
            gateway.kill()
            gateway.start()
            clients.go_on()
            receive()
        clients.end()
        receive()
    assert clients.errors == []
    for told, got in zip(clients.told, arrived):
        assert got == sorted(set(got))
        assert {number for number, outcome in told.items() if outcome == "sent"} <= set(got) <= set(told)
    outcomes = Counter(outcome for told in clients.told for outcome in told.values())
    print(dict(outcomes))
    assert outcomes["unknown"] > 0  # the kills did hit
