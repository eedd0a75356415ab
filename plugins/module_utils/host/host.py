# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A Xen host as a carrier of messages: for the gateway, and for modules that run on the host itself."""

import os
import shutil
import sys
import tempfile
import threading
import time

from ..channel import layout
from ..channel.backlog import Backlog
from ..channel.errors import (
    Conflict,
    ConnectionLost,
    DeadlineExceeded,
    NotFound,
    ProtocolError,
    QuotaExceeded,
    XenStoreError,
)
from ..channel.host_end import HostEnd
from ..channel.message import Message, display
from ..channel.outbox import ATTEMPTS, TOGETHER, Outbox
from ..channel.xenstore import TIMEOUT, Transaction, XenStore
from ..problem import OutcomeUnknown
from ..values import MASK, key_text
from ..vms import LOGGED_VALUE_LIMIT, RUNNING, STOPPED, Event, Record, Vm, VmNotFound, VmNotRunning, root_password_last
from . import domains
from .batching import BatchingXenStore
from .collector import CollectingLock, Collector, GuestInbox
from .errors import LoggedValueTooLong, MessageStoreError, SendFailed
from .message_store import FILE, RECEIVED, SENT, MessageStore, Retention
from .pool import Pool

#: Where the message store is.
DIRECTORY = "/var/lib/ovm-gateway"

# Seconds after which somebody who waits for another process looks whether that one is still there.
_LOOK_AGAIN = 0.5


class Host:
    """See delivery.carrier for the interface. Any thread may call anything, but only one collect() and wait().

    :param store_path: XenStore's socket or device; None looks in the usual places.
    :param str directory: where the message store is.
    :param float timeout: seconds that one call may take.
    :param bool collect: whether messages of guests may be moved into the store. If not, for a check mode, nothing is
        changed at all by anything but send().
    :param bool prepare: whether collect() opens the channels of new domains; send() opens the one it needs anyway.
    :param Retention retention: what the store keeps.
    :raises MessageStoreError: the store cannot be opened.
    :ivar MessageStore store: what is remembered.
    """

    name = "xenstore"

    def __init__(
        self,
        store_path: "str | None" = None,
        directory: str = DIRECTORY,
        timeout: float = 10.0,
        collect: bool = True,
        prepare: bool = False,
        retention: "Retention | None" = None,
    ) -> None:
        self._path, self._timeout, self._collects = store_path, timeout, collect
        self._temporary = None
        if not collect and not os.path.exists(os.path.join(directory, FILE)):
            # Nothing is remembered, and no store must come of asking.
            directory = self._temporary = tempfile.mkdtemp(prefix="ovm-")
        self.store = MessageStore(directory, timeout)
        self._pool = Pool(self._connect)
        self._lock = CollectingLock(directory)
        self._serving = False
        self._homes = domains.Homes(self._connect)
        self._collector = Collector(self._connect, self._homes, self.store, prepare, retention or Retention())
        self._census = domains.Census([], {})
        self._backlogs = {}  # type: dict[domains.Domain, Backlog]  # of those whose channels are open
        self._changes = _Changes(self._connect, self._pool)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self) -> None:
        """Close everything. Threads that wait must have come back."""
        self._changes.close()
        self._collector.close()
        self._homes.close()
        self._pool.close()
        if self._serving:
            self._lock.release()
        self.store.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _connect(self):
        return BatchingXenStore(self._path, timeout=min(self._timeout, TIMEOUT), role="host")

    # Virtual machines

    def connect(self) -> None:
        self._homes.now()
        with self._pool.borrowed():
            pass

    def vms(self) -> "list[Vm]":
        running = domains.current(self._discover().values())
        found = {vm.id: Vm(vm.id, vm.name, STOPPED) for vm in self.store.vms()}
        found.update((vm, Vm(vm, domain.name, RUNNING)) for vm, domain in running.items())
        return sorted(found.values(), key=lambda vm: (vm.name, vm.id))

    def current(self, vm: Vm) -> Vm:
        return self.present(vm)[0]

    def present(self, vm: Vm) -> "tuple[Vm, int | None]":
        """A virtual machine as it is now, and the number of the domain that it is at present, or None.

        :raises VmNotFound: it is not known.
        """
        with self._pool.borrowed() as store:
            domain = self._domain(store, vm.id)
        if domain:
            return Vm(vm.id, domain.name, RUNNING), domain.domid
        known = self.store.vm(vm.id)
        if known is None:
            raise VmNotFound("the virtual machine '%s' is not known on this host" % vm.name, "see whether it has moved")
        return Vm(vm.id, known.name, STOPPED), None

    def _discover(self):
        """All domains, looked at anew."""
        with self._pool.borrowed() as store:
            known = domains.discover(store, domains.homes(store))
        if self._collects and not self._serving:  # else whoever collects sees to that
            current = domains.current(known.values())
            self.store.see({vm: (domain.name, domain.domid) for vm, domain in current.items()}, time.time())
        return known

    def _domain(self, store, vm):
        """The domain that a virtual machine is now, or None. Looks only at those that are new, and at that one."""
        for anew in (False, True):
            found = self._all(store, anew).of(vm)
            if found:
                now = domains.look(store, found[-1].domid)
                if now and now.vm == vm:
                    return now
            # Either it does not run, or what was known does not hold any more.
            self._census = domains.Census([], {})
        return None

    def _all(self, store, anew=False):
        """All domains, a Census: only those are looked at that were not known yet."""
        census, homes = self._census, self._homes.now(anew)
        if not census.holds(homes):
            census = self._census = domains.Census(homes, domains.discover(store, homes, census.known))
        return census

    # Sending

    def check(self, messages, log: bool) -> "list[Message]":
        """:raises InvalidMessage: the channel cannot carry one.
        :raises LoggedValueTooLong: one cannot be remembered.
        """
        checked = [Message(key, value).check(layout.KEY_LIMIT_TO_GUEST) for key, value in messages]
        for key, value in checked if log else ():
            if len(value) > LOGGED_VALUE_LIMIT:
                raise LoggedValueTooLong(
                    "the value of '%s' has %d bytes, the limit of a logged message is %d"
                    % (display(key), len(value), LOGGED_VALUE_LIMIT),
                    "send it without logging it",
                )
        return checked

    def send(self, vm: Vm, messages, log: bool) -> None:
        """:raises VmNotRunning: it has no domain; nothing was sent.
        :raises SendFailed: not all were sent, or not all were remembered.
        """
        messages = root_password_last(self.check(messages, log))
        deadline = time.monotonic() + self._timeout
        sent = []  # type: list[bytes]
        together = TOGETHER
        # When the time is over, something is left for finding out how things stand.
        with self._pool.borrowed() as store, store.until(deadline + store.timeout):
            while len(sent) < len(messages):
                batch = messages[len(sent) : len(sent) + together]
                domain = self._receiver(store, vm, batch, sent)
                outbox = None
                try:
                    outbox = _Outbox(store, domain, self._open(store, domain))
                    if together == 1:
                        outbox.send(batch[0], deadline - time.monotonic())
                    else:
                        outbox.send_together(batch, deadline - time.monotonic(), ATTEMPTS)
                except _Moved:
                    self._backlogs.pop(domain, None)
                    continue
                except (QuotaExceeded, Conflict) as problem:
                    if together == 1:
                        raise _failure(vm, batch, sent, problem) from problem
                    # As many as there is room for, then the others as the guest makes some; and as quickly as others.
                    together = 1
                    continue
                except XenStoreError as problem:
                    if outbox and outbox.put and isinstance(problem, (ConnectionLost, DeadlineExceeded, ProtocolError)):
                        raise OutcomeUnknown(
                            "whether %s reached '%s'%s is not known: %s"
                            % (_some(batch), vm.name, _after(sent), problem.text),
                            "see what the guest has received before you send again",
                        ) from problem
                    raise _failure(vm, batch, sent, problem) from problem
                sent += [message.key for message in batch]
                if log:
                    self._remember(vm, batch, sent)

    def _receiver(self, store, vm, messages, sent):
        """The domain to send to."""
        try:
            domain = self._domain(store, vm.id)
        except XenStoreError as problem:
            raise _failure(vm, messages, sent, problem) from problem
        if domain is None:
            stopped = VmNotRunning(vm._replace(state=STOPPED))
            if not sent:
                raise stopped
            raise SendFailed("%s after %d messages were sent" % (stopped.text, len(sent)), stopped.remedy, sent)
        return domain

    def _open(self, store, domain):
        """Make the channel to a domain where there is none yet.

        :returns: what is known of its backlog.
        """
        backlog = self._backlogs.get(domain)
        if backlog is None:
            try:
                HostEnd(store, domain.domid).prepare()
            except NotFound:
                raise _Moved() from None
            running = set(self._census.known.values())
            self._backlogs = {other: known for other, known in self._backlogs.items() if other in running}
            backlog = self._backlogs[domain] = Backlog()
        return backlog

    def _remember(self, vm, messages, sent):
        try:
            if self.store.vm(vm.id) is None:
                self._discover()
            self.store.add_sent(vm.id, messages, time.time())
        except (MessageStoreError, XenStoreError) as problem:
            raise SendFailed(
                "%s reached '%s', but cannot be remembered: %s" % (_some(messages), vm.name, problem.text),
                problem.remedy,
                sent,
            ) from problem

    # What was sent

    def received(self, vm: Vm) -> "list[Record]":
        deadline = time.monotonic() + self._timeout
        while self._collects and time.monotonic() < deadline:
            if self._lock.acquire():
                try:
                    self._collector.collect_from(vm.id, deadline)
                finally:
                    self._lock.release()
                return self._records(vm, RECEIVED)
            if self.up_to_date(vm, min(_LOOK_AGAIN, deadline - time.monotonic())):
                return self._records(vm, RECEIVED)
        return self._received_and_pending(vm)

    def sent(self, vm: Vm) -> "list[Record]":
        return self._records(vm, SENT)

    def dated(self, vm: Vm, records: "list[Record]") -> "list[Record]":
        return records  # all have their times

    def up_to_date(self, vm: Vm, timeout: float) -> bool:
        """Wait until another process that collects has stored what a virtual machine had sent before this call.

        :param float timeout: seconds.
        :returns: whether it has.
        """
        deadline = time.monotonic() + timeout
        with self._pool.borrowed() as store:
            waiting = {inbox: _announced(store, inbox) for inbox in self._directories(store, vm, layout.FROM_GUEST)}
            return all(_taken(store, inbox, numbers, deadline) for inbox, numbers in waiting.items())

    def waiting(self, vm: Vm) -> "int | None":
        with self._pool.borrowed() as store:
            directories = self._directories(store, vm, layout.TO_GUEST)
            return len(_numbers(store, directories[-1])) if directories else None

    def events(self, vm: "Vm | None" = None) -> "list[Event]":
        return [
            Event(
                str(event.id),
                event.vm,
                event.time,
                event.severity,
                event.type,
                event.summary,
                _told(event.message) if event.message else event.description,
            )
            for event in self.store.events(vm and vm.id)
        ]

    def now(self) -> float:
        return time.time()

    def _records(self, vm, direction):
        return [Record(message.key, message.value, message.time) for message in self.store.messages(vm.id, direction)]

    def _directories(self, store, vm, path):
        """Of all domains that a virtual machine is at present; the newest one's is the last."""
        return [layout.child(layout.home(domain.domid), path) for domain in self._all(store).of(vm.id)]

    def _received_and_pending(self, vm):
        """What is stored and what is still in XenStore, which is only looked at."""
        with self._pool.borrowed() as store:
            for _unused in range(5):
                before = self._pending(store, vm)
                messages, notes = self.store.snapshot(vm.id)
                new = {place: message for place, message in before.items() if notes.get(place) != message}
                after = self._pending(store, vm) if new else {}
                if all(after.get(place) == message for place, message in new.items()):
                    break
                # Another process took one just now; the store has it, too.
        records = [Record(message.key, message.value, message.time) for message in messages]
        return records + [Record(message.key, message.value, self.now()) for message in new.values()]

    def _pending(self, store, vm):
        """What a virtual machine has in XenStore: messages by domain and number, in order."""
        return {
            (domain.domid, arrival.number): arrival.message
            for domain in self._all(store).of(vm.id)
            for arrival in GuestInbox(store, domain.domid, sys.maxsize).pending()
            if not arrival.fault
        }

    # A service

    def collect(self) -> int:
        """Move what guests have sent into the store: one pass over all that may have sent something.

        From the first call on, no other process collects, until close(). Call it again after each wait(),
        whatever that has returned: the store is also cut back by and by.

        :returns: how many messages are new in the store; none where another process collects.
        :raises XenStoreError: XenStore cannot be asked at present. Nothing is lost: call again.
        :raises MessageStoreError: likewise the store.
        """
        return self._collector.collect() if self._serves() else 0

    def wait(self, timeout: float) -> bool:
        """Wait until collect() may have something to do.

        :param float timeout: seconds.
        :returns: whether it may.
        :raises XenStoreError: XenStore is gone at present; call again.
        """
        if self._serves():
            return self._collector.wait(timeout)
        time.sleep(min(timeout, _LOOK_AGAIN))
        return False

    def _serves(self):
        if self._collects and not self._serving:
            self._serving = self._lock.acquire()
        return self._serving

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until a guest may have sent or taken something, or have come or gone; since this thread last asked.

        :param float timeout: seconds.
        :returns: whether something has changed.
        """
        return self._changes.wait(timeout)


class _Moved(Exception):
    """The virtual machine is another domain by now, or that one's channel is gone."""


class _Outbox(Outbox):
    """Sends to a domain as long as that is still the same virtual machine.

    :ivar bool put: whether all was put into a transaction, whose commit comes next.
    """

    def __init__(self, store: XenStore, domain: domains.Domain, backlog: Backlog) -> None:
        self._to_guest = layout.child(layout.home(domain.domid), layout.TO_GUEST)
        super().__init__(store, self._to_guest, layout.KEY_LIMIT_TO_GUEST, backlog=backlog)
        self._domain, self.put = domain, False

    def _put(self, transaction: Transaction, messages: "list[Message]") -> int:
        self.put = False
        now = domains.look(transaction, self._domain.domid)
        if now is None or now.vm != self._domain.vm or not transaction.exists(self._to_guest):
            raise _Moved()
        number = super()._put(transaction, messages)
        self.put = True
        return number


class _Changes:
    """Tells threads that something has changed, on one connection for all of them.

    :param connect: makes a XenStore.
    :param Pool pool: of such.
    """

    def __init__(self, connect, pool: Pool) -> None:
        self._pool = pool
        self._news = domains.News(connect, deliveries=True)
        self._lock, self._thread, self._count = threading.Lock(), threading.local(), 0

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=max(0, timeout)):
            return False  # another thread waits, just as long
        try:
            seen = getattr(self._thread, "seen", 0)
            if self._count == seen and self._happens(deadline):
                self._count += 1
            self._thread.seen = self._count
            return self._count != seen
        finally:
            self._lock.release()

    def _happens(self, deadline):
        news = self._news
        if news.listing:
            with self._pool.borrowed() as store:
                news.follow(domains.homes(store))
            news.listing = False
        happened = news.wait(max(0, deadline - time.monotonic()))
        news.changed.clear()
        news.begun.clear()
        news.arrived.clear()
        return happened

    def close(self):
        self._news.close()


def _some(messages):
    """Which messages, for an error."""
    more = " and %d more" % (len(messages) - 1) if messages[1:] else ""
    return "'%s'%s" % (display(messages[0].key), more)


def _after(sent):
    return " after %d others were" % len(sent) if sent else ""


def _failure(vm, messages, sent, problem):
    text = "%s cannot be sent to '%s'%s: %s" % (_some(messages), vm.name, _after(sent), problem.text)
    return SendFailed(text, problem.remedy, sent)


def _told(message):
    value = MASK if message.secret else message.value.decode("utf-8", "backslashreplace")
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.time))
    return "key '%s', value '%s', %s" % (key_text(message.key), value, when)


def _numbers(store, directory):
    """The numbers of the messages in a directory."""
    try:
        return set(layout.numbers(store.directory(directory)))
    except NotFound:
        return set()


def _announced(store, directory):
    """Likewise, but only of those that are sent whole."""
    try:
        last = layout.counter(store.read(layout.child(directory, layout.LAST_WRITE)))
    except NotFound:
        last = None
    return {number for number in _numbers(store, directory) if number <= (last or 0)}


def _taken(store, directory, numbers, deadline):
    """Wait until messages are gone from a directory; whether they are."""
    numbers = numbers & _numbers(store, directory)
    if not numbers:
        return True
    token = b"taken:" + directory
    store.watch(directory, token)
    try:
        while numbers and time.monotonic() < deadline:
            store.wait(max(0, deadline - time.monotonic()), token)
            numbers = numbers & _numbers(store, directory)
    finally:
        store.unwatch(directory, token)
    return not numbers
