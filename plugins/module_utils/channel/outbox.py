# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The sending half of a direction: the same for guest and host."""

import time

from . import layout
from .backlog import Backlog, Unweighed, weight
from .errors import NotFound, PermissionDenied, QuotaExceeded
from .message import Message
from .xenstore import Requests, Transaction, XenStore

#: Messages that may be sent together: a transaction must not get so big that readers keep
#: disturbing it, and xenstored limits its nodes to 1024.
TOGETHER = 16
#: So often several messages together may meet a faster writer, before it is better to send
#: them one by one: somebody whose transactions are short could keep on being faster.
ATTEMPTS = 8


class Outbox:
    """Puts messages into one direction's directory.

    Messages are written in one transaction, in the order the vendor's driver uses: key,
    pieces, counter. So a reader never sees half of one, writers never take the same
    number, and a refused message leaves nothing behind.

    :param XenStore store: the connection.
    :param bytes directory: path of ``to-guest`` or ``from-guest``.
    :param int key_limit: bytes of the longest key in this direction.
    :param bytes opposite: path of the other direction's directory, if what waits there counts
        against the same quota: a guest's share has all that either side puts into its channel.
    :param Backlog backlog: what is known of the messages that wait, where XenStore itself does not refuse too many:
        the host's.
    """

    def __init__(
        self,
        store: XenStore,
        directory: bytes,
        key_limit: int,
        opposite: "bytes | None" = None,
        backlog: "Backlog | None" = None,
    ) -> None:
        self._store, self._directory, self._key_limit, self._backlog = store, directory, key_limit, backlog
        self._sharing = [directory] if opposite is None else [directory, opposite]
        # Both directions of a channel are in one node.
        self._room = directory if opposite is None else directory.rpartition(b"/")[0]
        self._found_empty = False
        self._last_write = layout.child(directory, layout.LAST_WRITE)

    def send(self, message: Message, timeout: float) -> int:
        """Send one message; where the other side has to make room first, wait for that.

        :param Message message: what to send.
        :param float timeout: seconds that all of it may take.
        :returns: the number the message got.
        :raises InvalidMessage: it cannot be carried; nothing was sent.
        :raises QuotaExceeded: there was no room and none was made in time; nothing was sent.
        :raises PermissionDenied: the host has not opened the channel for this domain.
        :raises ConnectionLost: XenStore went away; when in the very last step, the
            message may have been sent.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.send_together([message], deadline - time.monotonic())
            except QuotaExceeded as full:
                self.wait_for_room(deadline - time.monotonic(), full)

    def send_together(self, messages: "list[Message]", timeout: float, attempts: int = 0) -> int:
        """Send several messages in order, all of them or none, in half the requests that one by one takes.

        :param messages: of Message; at most TOGETHER.
        :param int attempts: how often at most, where other writers are faster; 0 means for all the time.
        :returns: the number that the last one got.
        :raises QuotaExceeded: there is not room for all; nothing was sent. Other errors as with send.
        :raises Conflict: other writers were faster each time; nothing was sent.
        """
        for message in messages:
            message.check(self._key_limit)
        try:
            with self._store.until(time.monotonic() + timeout):
                number = self._transact(messages, attempts)
        except PermissionDenied as denied:
            raise PermissionDenied(
                "this domain may not write to " + self._directory.decode("ascii"),
                "have the host open the message channel for it (on plain Xen: make that node, owned by the guest)",
            ) from denied
        self._found_empty = False
        return number

    def _transact(self, messages, attempts):
        backlog = self._backlog
        if backlog is None:
            return self._store.transact(lambda transaction: self._put(transaction, messages), attempts)
        while True:
            try:
                number = self._store.transact(lambda transaction: self._put(transaction, messages), attempts)
            except Unweighed as unknown:
                self._weigh(backlog, unknown.numbers)
                continue
            weights = [weight(message.key, layout.split(message.value)) for message in messages]
            backlog.learn(dict(zip(range(number + 1 - len(messages), number + 1), weights)))
            return number

    def _put(self, transaction: Transaction, messages: "list[Message]") -> int:
        names = self._names(transaction, self._directory)
        number = self._newest(transaction, names)
        if self._backlog is not None:
            self._backlog.admit(layout.numbers(names), messages)
        for message in messages:
            number += 1
            node = layout.child(self._directory, number)
            transaction.write(node, message.key)
            for index, piece in enumerate(layout.split(message.value)):
                transaction.write(layout.child(node, index), piece)
        transaction.write(self._last_write, b"%d" % number)
        return number

    def _weigh(self, backlog: Backlog, numbers: "list[int]") -> None:
        """Find out how much room messages take that others have sent."""
        # In no transaction: a guest that reads meanwhile would have it fail, again and again.
        weights = {}
        for number in numbers:
            node = layout.child(self._directory, number)
            try:
                pieces = [self._store.read(layout.child(node, name)) for name in self._store.directory(node)]
                weights[number] = weight(self._store.read(node), pieces)
            except NotFound:  # it was collected
                weights[number] = 0
        backlog.learn(weights)

    def _names(self, requests: Requests, directory: bytes) -> "list[bytes]":
        """The names in a directory, none where there is no such."""
        try:
            return requests.directory(directory)
        except NotFound:
            return []

    def _newest(self, transaction: Transaction, names: "list[bytes]") -> int:
        """The highest number in use, or 0.

        What lies beyond the counter was left by a sender that counted anew. It must not
        be written over: the reader may still want it, and would mix the two up.
        """
        found = layout.numbers(names)[-1:]
        if layout.LAST_WRITE in names:
            found.append(layout.counter(transaction.read(self._last_write)) or 0)
        return max(found or [0])

    def wait_for_room(self, timeout: float, full: QuotaExceeded) -> None:
        """Return when something was collected since a message was refused.

        :param float timeout: seconds that this may take.
        :param QuotaExceeded full: the refusal.
        :raises QuotaExceeded: there is nothing to be collected, or nobody does it in time.
        """
        deadline = time.monotonic() + timeout
        before = self._waiting()
        if not any(before) and not self._found_empty:
            # All may have been collected since. If the next message is refused as well, it is not for messages.
            self._found_empty = True
            return
        token = b"room:" + self._directory
        if any(before):
            self._store.watch(self._room, token)
            try:
                while time.monotonic() < deadline:
                    if any(now < then for now, then in zip(self._waiting(), before)):
                        return
                    self._store.wait(max(0, deadline - time.monotonic()), token)
            finally:
                self._store.unwatch(self._room, token)
        refusal = QuotaExceeded(
            "no room in XenStore: %s wait to be collected"
            % " and ".join(
                "%d messages in %s" % (count, directory.decode("ascii"))
                for count, directory in zip(before, self._sharing)
                if count or directory == self._directory
            ),
            "see that %s, then send again"
            % ("both sides run and read" if any(before[1:]) else "the other side runs and reads"),
        )
        refusal.code = full.code
        raise refusal from full

    def _waiting(self) -> "list[int]":
        """How many messages there are in each directory that shares the room."""
        return [len(layout.numbers(self._names(self._store, directory))) for directory in self._sharing]
