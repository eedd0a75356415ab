# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The receiving half of a direction: the same for guest and host."""

import time
from collections import namedtuple

from . import layout
from .errors import NotFound
from .message import Message
from .xenstore import XenStore


class Arrival(namedtuple("Arrival", ("number", "message", "fault"))):
    """What lies under one number.

    :ivar int number: the message's number.
    :ivar Message message: the message, or None where it cannot be read.
    :ivar str fault: why it cannot be read, or an empty string.
    """

    __slots__ = ()


class Inbox:
    """Takes messages out of one direction's directory, in the order they were sent.

    A message stays in XenStore until ``discard``: whoever keeps it first and discards it
    then loses nothing, whenever it dies. What was read is not remembered by number, so a
    sender that counts from 1 again (a guest that was restored or migrated, a tree made
    anew) is no special case, but for what it left behind (_older).

    :param XenStore store: the connection.
    :param bytes directory: path of ``to-guest`` or ``from-guest``.
    :param float grace: seconds that an announced message may take to become whole.
        The vendor's driver may announce a later message first when two processes send
        at once. 0 for a side that must go on at once.
    :param join: puts a value's pieces together: layout.join or layout.join_from_guest.
    :param int fewest: pieces that a message has at least. The vendor's driver writes one even of an
        empty value, so without any it was refused; a host may write none.
    """

    def __init__(
        self, store: XenStore, directory: bytes, grace: float, join, fewest: int = 0, clock=time.monotonic
    ) -> None:
        self._store, self._directory, self._grace, self._join, self._clock = store, directory, grace, join, clock
        self._fewest = fewest
        self._last_write = layout.child(directory, layout.LAST_WRITE)
        self._announced = 0  # the counter as it was last time
        self._older = set()  # type: set[int]  # numbers beyond the counter: of a sender that has counted anew since
        self._suspects = {}  # type: dict[int, tuple[float, str]]  # number -> when it was first seen to be odd, and how it was then
        #: When (by the clock) pending() should be asked again even if nothing happens, or None.
        self.again_at = None  # type: float | None

    def pending(self) -> "list[Arrival]":
        """What has arrived and was not discarded yet, oldest first.

        Where one message is not whole yet, those behind it are held back too, to keep
        the order; see again_at.

        :rtype: list of Arrival
        """
        self.again_at = None
        try:
            # In this order: what comes between the two must not look as if it lay beyond the counter, hence older.
            names = layout.numbers(self._store.directory(self._directory))
            last = layout.counter(self._store.read(self._last_write))
        except NotFound:
            return []
        if last is None:
            return []
        restarted = last < self._announced
        if restarted:
            self._older.update(n for n in names if last < n <= self._announced)
        self._announced = last
        self._older = {n for n in self._older if n > last and n in names}
        self._suspects = {n: seen for n, seen in self._suspects.items() if n in names}
        arrivals = []
        order = [n for n in names if n > last] + [n for n in names if n <= last]
        self._expect(order)
        for number in order:
            if number > last and number not in self._older and not self._left_behind(number, last):
                continue
            arrival = self._look(number, overwritten=restarted and number <= last)
            if arrival is None:
                continue
            if arrival.fault and not self._settled(number, arrival.fault):
                break
            arrivals.append(arrival)
        return arrivals

    def discard(self, arrival: Arrival) -> None:
        """Remove an arrival from XenStore; without effect where it is gone already."""
        self._store.remove(layout.child(self._directory, arrival.number))
        self._forget(arrival.number)

    def _forget(self, number):
        self._suspects.pop(number, None)
        self._older.discard(number)

    def receive(self):
        """Each message that is there, discarded once the caller comes back for the next one.

        Waits, up to the grace, for messages that are not whole yet.

        :rtype: iterator of Arrival
        """
        while True:
            for arrival in self.pending():
                yield arrival
                self.discard(arrival)
            if self.again_at is None:
                return
            time.sleep(max(0, self.again_at - self._clock()))

    def watch(self, token: bytes) -> None:
        """Have ``store.wait`` tell of arrivals under this token; it does so at once, too."""
        self._store.watch(self._last_write, token)

    def _look(self, number: int, overwritten: bool) -> "Arrival | None":
        """Read one message; None where it is gone meanwhile."""
        try:
            key, names, pieces = self._parts(number)
        except NotFound:
            return None
        if not self._whole(names):
            missing = min(set(range(len(names) + 1)) - {layout.number(name) for name in names})
            return Arrival(number, None, "its piece %d is missing" % missing)
        value = self._join(pieces, overwritten)
        if value.endswith(b"\0"):
            value = value[:-1]  # the terminator of a C string, which some writers send
        if len(value) > layout.VALUE_LIMIT:
            return Arrival(number, None, "its value has %d bytes, the limit is %d" % (len(value), layout.VALUE_LIMIT))
        return Arrival(number, Message(key, value), "")

    def _expect(self, numbers: "list[int]") -> None:
        """What is looked at next, in this order, as far as it is looked at; for who can read it beforehand."""

    def _parts(self, number: int) -> "tuple[bytes, list[bytes], list[bytes]]":
        """What a message is made of: its key, its pieces' names and, where all are there, its pieces.

        :raises NotFound: it is gone meanwhile.
        """
        node = layout.child(self._directory, number)
        key, names = self._store.read(node), self._store.directory(node)
        if not self._whole(names):
            return key, names, []
        return key, names, [self._store.read(layout.child(node, index)) for index in range(len(names))]

    def _whole(self, names):
        return len(names) >= self._fewest and layout.whole(names)

    def _left_behind(self, number: int, last: int) -> bool:
        """Whether a number beyond the counter was left by a sender that counts anew.

        Only this reader's absence can have hidden that restart from it. A message that
        is just being written looks alike, but it is the very next one and does not stay.
        """
        if number == last + 1 or not self._grace or not self._settled(number, "unannounced"):
            return False
        self._older.add(number)  # whatever else is odd with it settles on its own
        return True

    def _settled(self, number: int, how: str) -> bool:
        """Whether a message has looked odd in the same way for longer than the grace."""
        now = self._clock()
        since, before = self._suspects.setdefault(number, (now, how))
        if before != how:
            since = now
            self._suspects[number] = (now, how)
        if now - since >= self._grace:
            return True
        again = since + self._grace
        self.again_at = again if self.again_at is None else min(again, self.again_at)
        return False
