# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Message trees that the other side has written: a hostile guest's for the host, a broken host's for the guest."""

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.backlog import LIMIT, NAMES, weight
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import NotFound, QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.reception import receive
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import Requests
from ansible_collections.ovm.messaging.plugins.module_utils.host.collector import BATCH, GuestInbox
from fuzz.checks import only
from fuzz.draw import Draw

NUMBERS = [b"1", b"2", b"3", b"10", b"0", b"01", b"4294967295", b"9999999999", b"99999999999", b"-1", b"x", b"\xb2"]
NAMES_OF_PIECES = [b"0", b"1", b"2", b"3", b"4", b"00", b"5", b"x", b"last-write"]
COUNTERS = [b"0", b"1", b"2", b"3", b"9", b" 12 x", b"", b"-1", b"9999999999", b"0" * 5000 + b"1", b"1" * 2000, b"abc"]
TOKENS = [*NUMBERS, layout.LAST_WRITE, b"VMAPIEvent", b"com.oracle.linux.root-password"]
SEEDS = [
    b"",
    bytes([1, 0, 3]) + b"abc",
    bytes(range(200)),
    b"\x00\x01\x02\x03\x04\x05\x06" * 20,
    b"\x06\x05value\x07" * 8,
    b"\x03\xff\x00" * 30,
]
_HOME = layout.home(5)


class Store(Requests):
    """A XenStore in memory, without permissions: what the other side could do is done by its own hands.

    :ivar dict nodes: path to value; paths are whole.
    """

    def __init__(self):
        self.nodes = {_HOME: b""}

    def whole(self, path):
        return path if path.startswith(b"/") else _HOME + b"/" + path

    def read(self, path):
        try:
            return self.nodes[self.whole(path)]
        except KeyError:
            raise NotFound("there is no such node") from None

    def write(self, path, value):
        node = self.whole(path)
        while node and node not in self.nodes:
            self.nodes[node] = b""
            node = node.rpartition(b"/")[0]
        self.nodes[self.whole(path)] = value

    def remove(self, path):
        path = self.whole(path)
        for node in [node for node in self.nodes if node == path or node.startswith(path + b"/")]:
            del self.nodes[node]

    def directory(self, path):
        path = self.whole(path)
        if path not in self.nodes:
            raise NotFound("there is no such node")
        start = path + b"/"
        return [node[len(start) :] for node in self.nodes if node.startswith(start) and b"/" not in node[len(start) :]]


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


class _Ledger:
    """The ledger of whoever keeps messages; see channel.reception."""

    def __init__(self):
        self.notes, self.kept = {}, []

    def writing(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass

    def taken(self):
        return dict(self.notes)

    def take(self, number, message):
        self.notes[number] = message

    def untake(self, number):
        self.notes.pop(number, None)


def run(data):
    draw = Draw(data)
    store, clock, ledger = Store(), _Clock(), _Ledger()
    from_guest = draw.flag()
    directory = _HOME + b"/" + (layout.FROM_GUEST if from_guest else layout.TO_GUEST)
    if not from_guest:
        inbox = GuestEnd(store).inbox
    elif draw.flag():
        inbox = GuestInbox(store, 5, BATCH)
    else:
        inbox = HostEnd(store, 5).inbox
    inbox._clock = clock
    for _number in draw.some(40):
        _change(draw, store, directory)
        if draw.flag():
            _look(inbox, store, directory, ledger)
            clock.now += draw.below(3) / 2
    for _again in range(4 + 2 * len(store.nodes)):  # whatever lies there now comes to rest, one thing after the other
        clock.now += 5
        _look(inbox, store, directory, ledger)
        if inbox.again_at is None:
            break
    if inbox.again_at is not None:
        raise AssertionError("it goes on looking at what does not change")
    if ledger.notes:
        raise AssertionError("notes of messages that are gone")
    _well_behaved(draw, store, directory, inbox, ledger)


def _change(draw, store, directory):
    """One thing that the other side does."""
    kind = draw.below(8)
    node = directory + b"/" + (draw.one_of(NUMBERS) if draw.flag() else b"%d" % draw.below(20))
    if kind == 0:
        store.write(directory + b"/" + layout.LAST_WRITE, draw.one_of(COUNTERS))
    elif kind == 1:
        store.remove(node)
    elif kind == 2:
        store.remove(directory)
    elif kind == 3:
        store.write(node, draw.raw(300))
    elif kind == 4:
        store.write(node + b"/" + draw.one_of(NAMES_OF_PIECES), bytes(2048 - draw.below(3)))
    elif kind == 5:
        for piece in range(draw.below(7)):
            store.write(node + b"/%d" % piece, draw.one_of((b"x" * 2048, b"x" * 2047, b"", b"\0", draw.bytes(9))))
    elif kind == 6:
        store.write(node + b"/" + draw.one_of(NAMES_OF_PIECES), draw.bytes(20))
    else:  # a whole message
        store.write(node, draw.raw(60))
        for place, piece in enumerate(layout.split(draw.bytes(60) * draw.below(90), draw.one_of((1640, 2048)))):
            store.write(node + b"/%d" % place, piece)
        store.write(directory + b"/" + layout.LAST_WRITE, node.rpartition(b"/")[2])


def _look(inbox, store, directory, ledger):
    """Receive; and see that what comes is whole, in bounds, and gone then."""
    arrivals = inbox.pending()
    if len({arrival.number for arrival in arrivals}) != len(arrivals):
        raise AssertionError("two messages with one number")
    for number, message, fault in arrivals:
        if not 0 < number <= 9999999999 or bool(fault) == bool(message and message.key is not None):
            raise AssertionError("an arrival that is neither a message nor a fault")
        if not fault and len(message.value) > layout.VALUE_LIMIT:
            raise AssertionError("a value of %d bytes" % len(message.value))
    receive(lambda: arrivals, inbox.discard, ledger, ledger.kept.append)
    for arrival in arrivals:
        if directory + b"/%d" % arrival.number in store.nodes:
            raise AssertionError("a message that was kept stays")


def _well_behaved(draw, store, directory, inbox, ledger):
    """Whatever was there before: who writes as the protocol says is heard, once, in order."""
    names = layout.numbers(store.directory(directory)) if directory in store.nodes else []
    number = max([0, *names, layout.counter(store.nodes.get(directory + b"/" + layout.LAST_WRITE)) or 0])
    if number + 3 > 0xFFFFFFFF:
        return
    sent, before = [], len(ledger.kept)
    for _count in range(3):
        number += 1
        value = draw.bytes(30) * draw.below(200)
        value = value.replace(b"\0", b"-")[: layout.VALUE_LIMIT]
        sent.append(Message(b"key", value))
        store.write(directory + b"/%d" % number, b"key")
        for place, piece in enumerate(layout.split(value)):
            store.write(directory + b"/%d/%d" % (number, place), piece)
        store.write(directory + b"/" + layout.LAST_WRITE, b"%d" % number)
    for _again in range(4 + 2 * len(store.nodes)):
        _look(inbox, store, directory, ledger)
        inbox._clock.now += 5
        if inbox.again_at is None:
            break
    heard = [arrival.message for arrival in ledger.kept[before:] if not arrival.fault]
    if heard[-3:] != sent or heard.count(sent[0]) != sent.count(sent[0]):
        raise AssertionError("%d of 3 messages were heard" % len(heard))
    _full(draw, sent)


def _full(draw, messages):
    """The host never lets more wait for a guest than that one's XenStore bears."""
    from ansible_collections.ovm.messaging.plugins.module_utils.channel.backlog import Backlog, Unweighed

    backlog, numbers = Backlog(), [draw.below(1 << 32) for _count in draw.some(20)]
    weights = {number: draw.below(1 << 18) for number in numbers}
    for _again in range(2):
        with only(QuotaExceeded):
            try:
                backlog.admit(numbers, messages)
            except Unweighed as unknown:
                if not set(unknown.numbers) <= set(numbers):
                    raise AssertionError("messages that are not there") from None
                backlog.learn({number: weights[number] for number in unknown.numbers})
                continue
            known = {number: weights[number] for number in numbers if number in backlog._weights}
            total = sum(known.values()) + sum(weight(m.key, layout.split(m.value)) for m in messages)
            if total > LIMIT or sum(len(b"%d\0" % number) for number in numbers) > NAMES:
                raise AssertionError("more waits than there is room for")
