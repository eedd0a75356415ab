# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that writes what it likes, beside one that means well: over a real XenStore, with a real guest's permissions.

Whatever the one does, the host goes on, the other is heard, each message once and in order, and hears.
"""

import contextlib
import itertools
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import QuotaExceeded, XenStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Vm, canonical_id

#: Seconds that anything may take on a machine under load.
LONG = 60.0
_FROM, _TO = layout.FROM_GUEST, layout.TO_GUEST

NUMBERS = st.one_of(
    st.integers(0, 6).map(lambda number: b"%d" % number),
    st.sampled_from([b"01", b"4294967295", b"4294967296", b"9999999999", b"99999999999", b"last-write", b"x", b"-1"]),
)
NODES = st.builds(lambda top, name: top + b"/" + name, st.sampled_from([_FROM, _FROM, _FROM, _TO]), NUMBERS)
PIECES = st.builds(lambda node, name: node + b"/" + name, NODES, st.sampled_from([b"0", b"1", b"2", b"3", b"00", b"x"]))
VALUES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"x" * 2000, b"x" * 1640, b"\0", b"{{ 7*7 }}", b"\x1b[2J", b"0", b"3", b"4294967295", b" 5 x"]),
)
PERMISSIONS = st.sampled_from([[b"n5"], [b"b5", b"n0"], [b"n5", b"n0"], [b"n6"], [b"n0"], [b"b0"]])
ACTS = st.one_of(
    st.tuples(st.just("write"), st.one_of(NODES, PIECES), VALUES),
    st.tuples(st.just("remove"), st.one_of(NODES, PIECES, st.sampled_from([_FROM, _TO, layout.ROOT])), st.none()),
    st.tuples(st.just("set_permissions"), st.one_of(NODES, st.sampled_from([_FROM, layout.ROOT])), PERMISSIONS),
    st.tuples(st.just("send"), st.binary(max_size=40), VALUES),
    st.tuples(st.just("collect"), st.none(), st.none()),
)


class World:
    """The host, and both guests.

    :ivar list said: what the one that means well has sent so far.
    """

    def __init__(self, xenstored, make_guest, folder):
        self.bad, self.good = make_guest(5), make_guest(6)
        self.host = Host(xenstored.path, str(folder / "host"), timeout=LONG, prepare=True)
        self.said = []
        self.host.collect()
        self.vm = Vm(canonical_id(self.good.uuid), self.good.name, RUNNING)
        self._stores = [XenStore(guest.path, timeout=LONG) for guest in (self.bad, self.good)]
        self.wild, self._tame = self._stores

    def close(self):
        for store in self._stores:
            store.close()
        self.host.close()

    def act(self, kind, first, second):
        """One thing that the guest does which means harm; XenStore may refuse it."""
        with contextlib.suppress(XenStoreError, ValueError):
            if kind == "send":
                GuestEnd(self.wild).send(Message(first, second), 0.5)
            elif kind == "remove":
                self.wild.remove(first)
            else:
                getattr(self.wild, kind)(first, second)

    def collect(self):
        began = time.monotonic()
        self.host.collect()
        assert time.monotonic() - began < LONG, "the host was kept busy"

    def say(self):
        """The other guest sends one more message."""
        message = Message(b"key", b"%d" % len(self.said))
        GuestEnd(self._tame).send(message, LONG)
        self.said.append(message)

    def heard(self):
        return [Message(m.key, m.value) for m in self.host.store.messages(self.vm.id, RECEIVED)]

    def check(self):
        """The other guest is heard, and hears."""
        deadline = time.monotonic() + LONG
        while self.heard() != self.said:
            assert time.monotonic() < deadline, "%d of %d messages were heard" % (len(self.heard()), len(self.said))
            self.collect()
        self.host.send(self.vm, [(b"to", b"%d" % len(self.said))], log=False)
        end = GuestEnd(self._tame)
        found = [arrival.message for arrival in end.inbox.receive()]
        assert found == [Message(b"to", b"%d" % len(self.said))]


@pytest.fixture
def world(xenstored, make_guest, tmp_path):
    world = World(xenstored, make_guest, tmp_path)
    yield world
    world.close()


def test_whatever_a_guest_writes(world):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(ACTS, max_size=25))
    def tried(acts):
        for kind, first, second in acts:
            if kind == "collect":
                world.collect()
                world.say()
            else:
                world.act(kind, first, second)
        world.check()

    tried()


def test_a_guest_that_never_stops(world):
    """Its directory has as many names as XenStore lets it have, and changes all the time; so does its counter."""
    over, written = threading.Event(), []

    def write():
        with XenStore(world.bad.path, timeout=LONG) as store:
            for number in itertools.count():
                if over.is_set():
                    return
                # Where all of its share is used up, it has to remove something first.
                with contextlib.suppress(QuotaExceeded):
                    store.write(_FROM + b"/a-name-that-is-no-number-%04d" % (number % 400), b"")
                with contextlib.suppress(QuotaExceeded):
                    store.write(_FROM + b"/%d/0" % (number % 50 + 1), b"v")
                    store.write(_FROM + b"/%s" % layout.LAST_WRITE, b"%d" % (number % 70))
                store.remove(_FROM + b"/a-name-that-is-no-number-%04d" % ((number + 200) % 400))
                written.append(number)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _count in range(10):
            world.say()
            world.check()
        began = time.monotonic()
        with contextlib.suppress(Problem):  # that one's own list is its own affair
            world.host.received(Vm(canonical_id(world.bad.uuid), world.bad.name, RUNNING))
        assert time.monotonic() - began < 2 * LONG
        assert writing.is_alive() and len(written) > 10
    finally:
        over.set()
        writing.join()
