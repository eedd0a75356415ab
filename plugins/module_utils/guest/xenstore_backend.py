# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A guest's parameters where its kernel has no ``/dev/ovmapi``: our own list, and XenStore.

Does what the vendor's kernel driver does on the same tree: setting a parameter transmits
it to the host and stores it; deleting is local; received messages are stored.
"""

import time

from ..channel import layout
from ..channel.errors import ChannelError, Conflict, NotFound, QuotaExceeded
from ..channel.guest_end import GuestEnd
from ..channel.inbox import Arrival
from ..channel.message import Message, display
from ..channel.outbox import ATTEMPTS, TOGETHER
from ..channel.reception import receive
from ..channel.xenstore import TIMEOUT, XenStore
from .entry import Entry
from .errors import EventNotHeard, SendFailed, UnknownEvent
from .parameter_list import DIRECTORY, ParameterList

# A parameter set by another process of this guest shows in XenStore a moment before it
# is in the list, and one that is deleted never does: look again at least so often (seconds).
_LOOK_AGAIN = 1.0
_ARRIVED, _SENT, _COLLECTED = b"arrived", b"sent", b"collected"
# Events that one attend() takes at most, so that nobody can keep it busy for ever.
_AT_ONCE = 1000


class XenStoreBackend:
    """See guest.backend for the interface.

    :param path: XenStore's socket or device; None looks in the usual places.
    :param str state_directory: where the parameter list is.
    :param float timeout: seconds that transmitting one parameter, or receiving, may take.
    :raises XenStoreUnavailable: there is no XenStore.
    :raises ParameterListError: the list cannot be opened.
    """

    name = "xenstore"

    def __init__(self, path=None, state_directory=DIRECTORY, timeout=10.0):
        self._timeout, self._directory = timeout, state_directory
        self._store = XenStore(path, timeout=min(timeout, TIMEOUT))
        try:
            self._list = ParameterList(state_directory, timeout)
        except BaseException:
            self._store.close()
            raise
        self._end = GuestEnd(self._store)
        self._watched = set()  # type: set[bytes]
        self.faults = []  # type: list
        self.knocking = True

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self._list.close()
        self._store.close()

    # Receiving

    def receive(self) -> "list[Message]":
        odd = []  # type: list
        with self._store.until(time.monotonic() + self._timeout):
            arrivals = receive(
                self._arrived, self._end.inbox.discard, self._list, lambda arrival: self._keep(arrival, odd)
            )
        self.faults += odd
        if arrivals:
            self._knock()
        return [arrival.message for arrival in arrivals]

    def _keep(self, arrival: Arrival, odd: list) -> None:
        """Store an arrival, or note among the odd ones that it is an event that cannot be."""
        if arrival.message.key != layout.EVENT_KEY:
            self._list.put(arrival.message)
            self._list.note_received(arrival.message.key)
            return
        from .events import parse  # few commands ever meet one

        try:
            event = parse(arrival.message.value)
        except UnknownEvent as problem:
            odd.append((arrival.number, problem.text))
            return
        if not self._list.queue_event(event):
            odd.append((arrival.number, "too many events wait already: see that ovmd runs"))

    def pending(self) -> "list[Message]":
        taken = self._list.taken()
        return [
            a.message for a in self._arrived() if taken.get(a.number) != a.message and a.message.key != layout.EVENT_KEY
        ]

    def _arrived(self) -> "list[Arrival]":
        arrivals = self._end.inbox.pending()
        self.faults = [(arrival.number, arrival.fault) for arrival in arrivals if arrival.fault]
        return [arrival for arrival in arrivals if not arrival.fault]

    def wait(self, timeout: float) -> bool:
        self._watch_arrivals()
        self._watch(layout.child(layout.FROM_GUEST, layout.LAST_WRITE), _SENT)
        return self._store.wait(min(timeout, _LOOK_AGAIN)) is not None

    def fileno(self) -> int:
        return self._store.fileno()

    def attend(self) -> bool:
        self._watch_arrivals()
        happened = 0
        while happened < _AT_ONCE and self._store.wait(0) is not None:
            happened += 1
        return bool(happened)

    def _watch_arrivals(self):
        if _ARRIVED not in self._watched:
            self._end.inbox.watch(_ARRIVED)
            self._watched.add(_ARRIVED)

    def _watch(self, path, token):
        if token not in self._watched:
            self._store.watch(path, token)
            self._watched.add(token)

    def _knock(self):
        if self.knocking:
            from .wake import knock  # commands that only look need it not

            knock(self._directory)

    # For the daemon

    @property
    def state(self) -> ParameterList:
        return self._list

    def post(self, event) -> None:
        from .wake import knock

        if not knock(self._directory):
            raise EventNotHeard(
                "the event %s was not passed on: no daemon listens at %s" % (event, self._directory),
                "start ovmd, or name the directory that it works with",
            )
        with self._list.writing():
            if not self._list.queue_event(event):
                raise EventNotHeard(
                    "the event %s was not passed on: too many wait already" % (event,), "see what keeps ovmd busy"
                )
        knock(self._directory)

    def tell(self, messages: "list[Message]") -> "int | None":
        return self._end.send_together(messages, self._timeout)

    def uncollected(self) -> "int | None":
        return self._end.uncollected()

    def announced(self) -> "int | None":
        return self._end.announced()

    def tree(self) -> "bytes | None":
        try:
            return self._store.read(b"domid")
        except NotFound:  # some toolstack that does not make it
            return None

    def expect_room(self, wanted: bool) -> None:
        if wanted:
            self._watch(layout.FROM_GUEST, _COLLECTED)
        elif _COLLECTED in self._watched:
            self._store.unwatch(layout.FROM_GUEST, _COLLECTED)
            self._watched.discard(_COLLECTED)

    # The list

    def entries(self) -> "list[Entry]":
        return self._list.entries()

    def get(self, key: bytes) -> "bytes | None":
        return self._list.get(key)

    def check(self, message: Message) -> Message:
        return message.check(layout.KEY_LIMIT_FROM_GUEST)

    def set(self, messages: "list[Message]", secret=()) -> None:
        messages = [self.check(message) for message in messages]
        sent = []  # type: list
        try:
            for at in range(0, len(messages), TOGETHER):
                together = messages[at : at + TOGETHER]
                try:
                    self._transmit(together, secret, sent)
                except (QuotaExceeded, Conflict):
                    # As many as there is room for, then the others as the host makes some; and as quickly as others.
                    for message in together:
                        self._transmit_alone(message, secret, sent)
        finally:
            if sent:
                self._knock()

    def _transmit(self, messages: "list[Message]", secret, sent: "list[bytes]") -> None:
        """Send some messages, all or none, and store them; their keys are appended to ``sent``.

        :raises QuotaExceeded: there is not room for all.
        :raises Conflict: only for several: others were faster too often.
        """
        # The lock keeps the list's order that of the transmissions.
        with self._list.writing():
            try:
                self._end.send_together(messages, self._timeout, ATTEMPTS if messages[1:] else 0)
            except QuotaExceeded:
                raise
            except ChannelError as problem:
                if isinstance(problem, Conflict) and messages[1:]:
                    raise
                raise _not_sent(messages, problem, sent) from problem
            for message in messages:
                if message.key != layout.EVENT_KEY:
                    self._list.put(message, message.key in secret)
        sent += [message.key for message in messages]

    def _transmit_alone(self, message: Message, secret, sent: "list[bytes]") -> None:
        """Send one message, and wait for room where there is none."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return self._transmit([message], secret, sent)
            except QuotaExceeded as full:
                try:
                    # With the list unlocked: the room may be made by whoever receives into it.
                    self._end.wait_for_room(deadline - time.monotonic(), full)
                except ChannelError as problem:
                    raise _not_sent([message], problem, sent) from problem

    def conceal(self, keys: "list[bytes]") -> None:
        with self._list.writing():
            self._list.conceal(keys)
        self._knock()

    def delete(self, keys: "list[bytes]") -> "list[bytes]":
        with self._list.writing():
            deleted = self._list.delete_each(keys)
        if deleted:
            self._knock()
        return deleted

    def delete_all(self) -> int:
        with self._list.writing():
            deleted = self._list.delete_all()
        if deleted:
            self._knock()
        return deleted


def _not_sent(messages: "list[Message]", problem: ChannelError, sent: "list[bytes]") -> SendFailed:
    return SendFailed(
        "the parameter '%s'%s was not sent: %s"
        % (display(messages[0].key), " (with %d more)" % (len(messages) - 1) if messages[1:] else "", problem.text),
        problem.remedy,
        sent,
    )
