# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Moves what guests have sent out of XenStore into the message store, each message exactly once."""

import bisect
import fcntl
import os
import threading
import time

from ..channel import layout
from ..channel.errors import ConnectionLost, DeadlineExceeded, NotFound, ProtocolError, XenStoreError
from ..channel.host_end import GRACE, HostEnd
from ..channel.inbox import Arrival, Inbox
from ..channel.message import Message
from ..channel.reception import receive
from ..channel.xenstore import XenStore
from ..problem import Problem
from . import domains
from .errors import HostError, MessageStoreError
from .message_store import TROUBLE, WARNING, MessageStore, Retention

#: Messages of one domain that are taken before it is the next one's turn; they are stored in one commit.
BATCH = 64
# Seconds that one domain's turn may take: a guest can have its directory change all the time.
_PATIENCE = 5.0
# Seconds after which domains are looked at even if XenStore told nothing, so many of them: a home
# may be made after the domain was introduced, and what went wrong is tried again.
_LOOK_AGAIN, _IN_TURN = 10.0, 64
# Messages of a virtual machine after which the store is cut back; and the seconds between
# two virtual machines that have sent nothing.
_RETAIN_AFTER, _RETAIN_EVERY = 250, 1.0
_PREPARE, _COLLECT = "its channel cannot be opened", "what it has sent cannot be collected"


def _channel(domid):
    return layout.child(layout.home(domid), layout.FROM_GUEST)


class CollectingLock:
    """Only one process collects: the one that has this file locked. It is free again when that one dies.

    :param str directory: the message store's.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "collecting")
        self._guard = threading.Lock()
        self._file, self._users = -1, 0

    def acquire(self) -> bool:
        """Take it, if no other process has it. Threads share it: each must release it.

        :returns: whether it was to be had.
        """
        with self._guard:
            if not self._users and not self._lock():
                return False
            self._users += 1
            return True

    def release(self) -> None:
        """Give it back, for others to have it."""
        with self._guard:
            self._users -= 1
            if not self._users:
                os.close(self._file)

    def _lock(self):
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise MessageStoreError(
                "the lock %s cannot be opened (%s)" % (self._path, problem.strerror), "see that root may write there"
            ) from problem
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            return False
        return True


class GuestInbox(Inbox):
    """A guest's messages, so many at a time.

    :param int batch: so many.
    :ivar bool more: whether there were more than pending() gave last time.
    """

    def __init__(self, store: XenStore, domid: int, batch: int) -> None:
        super().__init__(store, _channel(domid), GRACE, layout.join_from_guest, 1)
        self._batch, self._left, self.more = batch, 0, False
        self._read = {}  # type: dict[int, tuple[bytes, list[bytes], list[bytes]]]  # beforehand, by number

    def pending(self) -> "list[Arrival]":
        self._left, self.more = self._batch, False
        try:
            return super().pending()
        finally:
            self._read = {}

    def _expect(self, numbers: "list[int]") -> None:
        nodes = {number: layout.child(self._directory, number) for number in numbers[: self._batch]}
        wanted = [(node, names) for node in nodes.values() for names in (False, True)]
        found = self._store.read_together(wanted)
        heads = {number: head for number, head in zip(nodes, zip(found[::2], found[1::2])) if None not in head}  # type: dict[int, tuple[bytes, list[bytes]]]
        places = [
            (number, layout.child(nodes[number], index))
            for number, (_key, names) in heads.items()
            if self._whole(names)
            for index in range(len(names))
        ]
        pieces = {number: [] for number in heads}  # type: dict[int, list]
        for (number, _path), piece in zip(places, self._store.read_together([(path, False) for _n, path in places])):
            pieces[number].append(piece)
        # What has changed in between is read again, as what is not read here.
        self._read = {
            number: (key, names, pieces[number]) for number, (key, names) in heads.items() if None not in pieces[number]
        }

    def _parts(self, number: int) -> "tuple[bytes, list[bytes], list[bytes]]":
        return self._read.pop(number, None) or super()._parts(number)

    def discard_all(self, arrivals: "list[Arrival]") -> None:
        """Remove arrivals from XenStore as discard() does, none after the answer for the one before it."""
        self._store.remove_together([layout.child(self._directory, arrival.number) for arrival in arrivals])
        for arrival in arrivals:
            self._forget(arrival.number)

    def _look(self, number: int, overwritten: bool) -> "Arrival | None":
        if not self._left:
            self.more = True
            return None
        arrival = super()._look(number, overwritten)
        if arrival is not None:
            self._left -= 1
            if arrival.fault:
                # The ledger tells arrivals apart by their messages.
                arrival = arrival._replace(message=Message(None, arrival.fault.encode("utf-8")))
        return arrival

    def finish(self, number: int, message: Message) -> None:
        """Remove a message that is stored, unless another has taken its number meanwhile."""
        self._left = 2
        for overwritten in (False, True):
            arrival = self._look(number, overwritten)
            if arrival is not None and arrival.message == message:
                self.discard(arrival)
                return


class Collector:
    """Collects. Only for whoever has the collecting lock.

    :param connect: makes a XenStore.
    :param Homes homes: of that XenStore's domains.
    :param MessageStore messages: where the messages go.
    :param bool prepare: whether the channels of new domains are opened.
    :param Retention retention: what the store keeps.
    """

    def __init__(
        self, connect, homes: domains.Homes, messages: MessageStore, prepare: bool, retention: Retention
    ) -> None:
        self._connect, self._messages, self._prepare, self._retention = connect, messages, prepare, retention
        self._listed = homes
        self._news = domains.News(connect)
        self._store = None  # type: XenStore | None
        self._lock = threading.RLock()
        self._homes, self._domains = [], {}  # type: tuple[list[int], dict[int, domains.Domain]]
        self._inboxes = {}  # type: dict[int, GuestInbox]
        self._ready = {}  # type: dict[int, None]  # domains to look into, in this order
        self._prepared = set()  # type: set[int]
        self._troubles = {}  # type: dict[tuple[int, str], str]  # what was told to be wrong with a domain
        self._look_again, self._turn = 0.0, 0
        self._kept = {}  # type: dict[str, int]  # messages of a VM since the store was cut back
        self._retain_at, self._retained = 0.0, ""

    def close(self) -> None:
        """Close the connections. A thread that waits must have come back."""
        self._news.close()
        if self._store is not None:
            self._store.close()

    # What there is

    def collect(self) -> int:
        """One pass over all domains that may have sent something; a batch of each at most.

        :returns: the number of messages that are new in the store.
        """
        with self._lock:
            self._look_around()
            new = 0
            for domid in list(self._ready):
                new += self._take_turn(domid)
            self._retain_next()
            return new

    def collect_from(self, vm: str, deadline: float) -> int:
        """All that one virtual machine has sent.

        :param float deadline: as of time.monotonic().
        :returns: the number of messages that are new in the store.
        """
        with self._lock:
            homes = self._listed.now()
            if homes is not self._homes or len(homes) != len(self._domains):
                self._discover(homes, self._domains)
            new = 0
            for domid in sorted(domid for domid, domain in self._domains.items() if domain.vm == vm):
                self._ready[domid] = None
                while domid in self._ready and time.monotonic() < deadline:
                    new += self._take_turn(domid)
            return new

    def wait(self, timeout: float) -> bool:
        """Wait until there may be something to collect.

        :param float timeout: seconds.
        :returns: whether there may be.
        """
        with self._lock:
            if self._ready:
                return True
            again = [inbox.again_at for inbox in self._inboxes.values()]
            due = min([self._look_again] + [at for at in again if at is not None])
        self._news.follow(self._homes)
        return self._news.wait(max(0, min(timeout, due - time.monotonic()))) or due <= time.monotonic()

    def _connection(self):
        if self._store is None:
            self._store = self._connect()
        return self._store

    def _look_around(self):
        """Find out which domains there are, and which may have sent something."""
        store, news, now = self._connection(), self._news, time.monotonic()
        watching = news.store is not None
        if watching:
            news.wait(0)
            self._prepared -= news.changed  # the whole tree may be another one
            self._prepared -= {domid for domid in news.begun if not store.exists(_channel(domid))}
        if not watching or news.listing or now >= self._look_again:
            known = self._watched() if watching else {}
            if now >= self._look_again:
                # Watches tell. This is in case that one of them did not: of very many domains it is some at a time.
                self._look_again = now + _LOOK_AGAIN
                for domid in self._next_in_turn():
                    known.pop(domid, None)
            self._discover(domains.homes(store), known)
            again = {domid for domid, what in self._troubles if what == _COLLECT}
            self._ready.update((domid, None) for domid in (again if watching else self._domains))
        elif news.changed or news.begun:
            unchanged = set(self._domains) - news.changed - news.begun
            self._discover(self._homes, {domid: self._domains[domid] for domid in unchanged})
        self._ready.update((domid, None) for domid in news.arrived if domid in self._domains)
        if watching:
            news.listing, news.changed, news.begun, news.arrived = False, set(), set(), {}
        for domid, inbox in self._inboxes.items():
            if inbox.again_at is not None and inbox.again_at <= now:
                self._ready[domid] = None

    def _watched(self):
        """The domains that are known, and of which nothing new was told."""
        news = self._news
        return {d: self._domains[d] for d in news.followed if d in self._domains and d not in news.changed | news.begun}

    def _next_in_turn(self):
        """So many domains, each time the next ones."""
        numbers = sorted(self._domains)
        begin = bisect.bisect(numbers, self._turn)
        turn = (numbers[begin:] + numbers[:begin])[:_IN_TURN]
        self._turn = turn[-1] if turn else 0
        return turn

    def _discover(self, homes, known):
        found, before = domains.discover(self._connection(), homes, known), self._domains
        current = domains.current(found.values())
        self._messages.see({vm: (domain.name, domain.domid) for vm, domain in current.items()}, time.time())
        gone = {domid for domid in before if domid not in found or found[domid].vm != before[domid].vm}
        if gone or not before:
            self._messages.forget_notes((domain.vm, domid) for domid, domain in found.items())
        for domid in gone:
            self._inboxes.pop(domid, None)
            self._ready.pop(domid, None)
        self._prepared -= gone
        self._troubles = {(domid, what): text for (domid, what), text in self._troubles.items() if domid not in gone}
        self._ready.update((domid, None) for domid in found if domid not in before or domid in gone)
        self._homes, self._domains = homes, found
        if self._prepare:
            for domid in set(found) - self._prepared:
                self._open_channel(found[domid])

    def _open_channel(self, domain):
        try:
            HostEnd(self._connection(), domain.domid).prepare()
        except NotFound:
            pass  # it is gone again
        except XenStoreError as problem:
            self._tell(domain, _PREPARE, problem)
        else:
            self._prepared.add(domain.domid)
            self._troubles.pop((domain.domid, _PREPARE), None)

    # One domain

    def _take_turn(self, domid):
        """Collect a batch from one domain; it stays among the ready ones where it has more."""
        domain = self._domains[domid]
        del self._ready[domid]
        inbox = self._inboxes.get(domid)
        if inbox is None:
            inbox = self._inboxes[domid] = GuestInbox(self._connection(), domid, BATCH)
        try:
            with self._connection().until(time.monotonic() + _PATIENCE):
                new = self._collect_batch(domain, inbox)
        except XenStoreError as problem:
            self._ready[domid] = None
            self._tell(domain, _COLLECT, problem)
            del self._ready[domid]
            return 0
        except Problem:  # of the store, hence of all domains
            self._ready[domid] = None
            raise
        except Exception as defect:
            # Whatever a guest has found to bring this about, it must not harm the others. Only
            # its kind is told: its text may quote a value.
            self._tell(domain, _COLLECT, HostError("there is a defect (%s)" % defect.__class__.__name__))
            return 0
        self._troubles.pop((domid, _COLLECT), None)
        if inbox.more:
            self._ready[domid] = None
        self._retain(domain.vm, new)
        return new

    def _collect_batch(self, domain, inbox):
        inbox.again_at = None
        ledger = self._messages.ledger(domain.vm, domain.domid)
        unfinished = ledger.taken()
        if unfinished:
            # Somebody died between storing and removing these. What lies there under their
            # numbers by now may be new.
            for number, message in unfinished.items():
                inbox.finish(number, message)
            with ledger.writing():
                for number in unfinished:
                    ledger.untake(number)
        arrivals = inbox.pending()
        # Looked at once only: nobody else collects, and looking again would miss that a
        # guest has begun to count anew.
        new = receive(lambda: arrivals, inbox.discard, ledger, ledger.keep, inbox.discard_all)
        return len([arrival for arrival in new if not arrival.fault])

    def _tell(self, domain, what, problem):
        """Remember that something is wrong with one domain, once. Raises instead where it is XenStore itself."""
        if isinstance(problem, ConnectionLost):
            raise problem
        if isinstance(problem, (DeadlineExceeded, ProtocolError)):
            domains.homes(self._connection())
        if self._troubles.get((domain.domid, what)) != problem.text:
            text = "domain %d: %s: %s" % (domain.domid, what, problem)
            self._messages.add_event(domain.vm, WARNING, TROUBLE, text, time.time())
            self._troubles[domain.domid, what] = problem.text

    # Retention

    def _retain(self, vm, new):
        """Cut the store back, when a virtual machine has sent something for the first time, and now and then."""
        if new:
            kept = self._kept.get(vm, _RETAIN_AFTER) + new
            if kept >= _RETAIN_AFTER:
                self._messages.retain(vm, self._retention, time.time())
                kept = 0
            self._kept[vm] = kept

    def _retain_next(self):
        """Likewise one virtual machine after the other, whether it sends or not."""
        if time.monotonic() >= self._retain_at:
            self._retain_at = time.monotonic() + _RETAIN_EVERY
            ids = sorted(vm.id for vm in self._messages.vms())
            if ids:
                self._retained = next((vm for vm in ids if vm > self._retained), ids[0])
                self._messages.retain(self._retained, self._retention, time.time())
