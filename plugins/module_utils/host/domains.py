# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The domains of a Xen host, as XenStore shows them, and news of them.

A virtual machine keeps its UUID. Its domain has another number after each reboot, restore
and migration, and for a moment it may have two domains.
"""

import re
import threading
import time
from collections import namedtuple

from ..channel import layout
from ..channel.errors import DeadlineExceeded, NotFound
from ..channel.xenstore import TIMEOUT, Requests, XenStore
from ..vms import canonical_id

_DOMAINS = b"/local/domain"
# An old toolstack appends a number where the node of an earlier domain is still there.
_VM = re.compile(rb"/vm/((?:[0-9a-fA-F]-?){32})(?:-[0-9]+)?\Z")
# What libxl calls a domain that is just coming from another host, or has just left for one.
_MIGRATING = re.compile(r"--(?:incoming|migratedaway)\Z")

# Events that are taken before anything is done about them: a guest can make them without end.
_AT_ONCE = 1000
# Seconds.
_NOW_AND_THEN = 0.5


class Domain(namedtuple("Domain", ("domid", "vm", "name"))):
    """A domain.

    :ivar int domid: its number.
    :ivar str vm: Vm.id of the virtual machine that it is.
    :ivar str name: that one's name.
    """

    __slots__ = ()


def look(store: Requests, domid: int) -> "Domain | None":
    """A domain as it is now; None where there is none, or only half of one: without UUID or name."""
    try:
        return _domain(domid, *[store.read(path) for path in _about(domid)])
    except NotFound:
        return None


def _about(domid):
    """The nodes that say what a domain is."""
    return [layout.child(layout.home(domid), name) for name in (b"vm", b"name")]


def _domain(domid, vm_path, name):
    """What they say; None where one is not there or says nothing."""
    vm = _VM.match(vm_path or b"")
    if not vm or not name:
        return None
    name_text = name.decode("utf-8", "backslashreplace")
    return Domain(domid, canonical_id(vm.group(1).decode("ascii")), _MIGRATING.sub("", name_text))


def homes(store: XenStore) -> "list[int]":
    """The numbers of all domains that have a home in XenStore, half-made ones too, but not of the host's own."""
    try:
        return layout.numbers(store.directory(_DOMAINS))
    except NotFound:
        return []


def discover(store: XenStore, domids, known=None) -> "dict[int, Domain]":
    """The domains among some homes.

    :param domids: of homes().
    :param known: those that need not be looked at again, by number.
    """
    known = known or {}
    new = [domid for domid in domids if domid not in known]
    values = store.read_together([(path, False) for domid in new for path in _about(domid)])
    looked = {domid: _domain(domid, *two) for domid, two in zip(new, zip(values[::2], values[1::2]))}
    found = {domid: known.get(domid) or looked[domid] for domid in domids}
    return {domid: domain for domid, domain in found.items() if domain}


class Homes:
    """The numbers of all homes. With many domains it takes long to ask for them: done only when one came or went.

    Any thread may use it. Watches tell, on a connection of its own: before a request there is answered, XenStore has
    told all that happened before it. A home may be made after its domain was introduced, so now and then it is asked
    for anyway.

    :param connect: makes a XenStore.
    """

    def __init__(self, connect) -> None:
        self._connect, self._lock = connect, threading.Lock()
        self._store = None  # type: XenStore | None
        self._numbers, self._until = None, 0.0  # type: tuple[list[int] | None, float]

    def close(self) -> None:
        """Close the connection."""
        if self._store is not None:
            self._store.close()

    def now(self, anew: bool = False) -> "list[int]":
        """They, as homes() gives them: the same list as long as nothing came or went.

        :param bool anew: ask for them, whatever was told.
        :raises DeadlineExceeded: XenStore does not answer, neither this thread nor the one before it.
        """
        if not self._lock.acquire(timeout=self._store.timeout if self._store else TIMEOUT):
            raise DeadlineExceeded(
                "XenStore did not tell another thread its domains in time", "see that xenstored runs"
            )
        try:
            return self._now(anew)
        finally:
            self._lock.release()

    def _now(self, anew):
        if self._store is None:
            self._store = self._watching()
        self._store.exists(_DOMAINS)
        for _unused in range(_AT_ONCE):
            if self._store.wait(0) is None:
                break
            self._numbers = None
        if anew or self._numbers is None or time.monotonic() >= self._until:
            found = homes(self._store)
            self._until = time.monotonic() + _NOW_AND_THEN
            if found != self._numbers:
                self._numbers = found
        return self._numbers

    def _watching(self):
        store = self._connect()
        try:
            for path in (b"@introduceDomain", b"@releaseDomain"):
                store.watch(path, path)
        except BaseException:
            store.close()
            raise
        return store


class Census:
    """All domains at one moment.

    :param list homes: of homes().
    :param dict known: Domain by number.
    :ivar dict known: the same.
    """

    def __init__(self, homes: "list[int]", known: "dict[int, Domain]") -> None:
        self._homes, self.known = homes, known
        self._of = {}  # type: dict[str, list[Domain]]
        for domid in sorted(known):
            self._of.setdefault(known[domid].vm, []).append(known[domid])

    def of(self, vm: str) -> "list[Domain]":
        """All domains that a virtual machine is; the newest one is the last."""
        return self._of.get(vm, [])

    def holds(self, homes: "list[int]") -> bool:
        """Whether all of these homes, a list of Homes, were looked at, and none was half-made."""
        return homes is self._homes and len(homes) == len(self.known)


def current(domains) -> "dict[str, Domain]":
    """The domain that each virtual machine is now, by Vm.id: of several, the newest, which has the highest number."""
    return {domain.vm: domain for domain in sorted(domains)}


class News:
    """Tells by watches when there is something new about domains.

    One thread at a time may use it. It has a connection of its own, since whoever waits
    has that all the time.

    :param connect: makes a XenStore.
    :param bool deliveries: tell also when a guest takes messages.
    :ivar XenStore store: the connection; None before the first follow().
    :ivar bool listing: domains came or went: look at all of them.
    :ivar set changed: numbers of domains whose name or UUID changed.
    :ivar set begun: numbers of those that are newly watched: either may have changed before.
    :ivar dict arrived: numbers of domains that have sent something, in order (a set with an order).
    :ivar list followed: numbers of the domains that are watched.
    """

    def __init__(self, connect, deliveries: bool = False) -> None:
        self._connect = connect
        self.store = None  # type: XenStore | None
        self._paths = [
            (b"vm", b"vm"),
            (b"name", b"name"),
            (b"from", layout.child(layout.FROM_GUEST, layout.LAST_WRITE)),
        ]
        if deliveries:
            self._paths.append((b"to", layout.TO_GUEST))
        self._tokens = {}  # type: dict[bytes, bytes]  # -> path
        self._first = set()  # type: set[bytes]  # of those of which nothing was told yet; XenStore begins with a word
        self.followed = []  # type: list[int]
        self.listing, self.changed, self.begun = True, set(), set()  # type: tuple[bool, set[int], set[int]]
        self.arrived = {}  # type: dict[int, None]

    def close(self) -> None:
        """Close the connection."""
        if self.store is not None:
            self.store.close()

    def follow(self, domids: "list[int]") -> None:
        """Watch these domains, and the others no more."""
        if self.store is None:
            self.store = self._connect()
        elif domids == self.followed:
            return
        wanted = {b"introduced": b"@introduceDomain", b"released": b"@releaseDomain"}
        for domid in domids:
            for kind, path in self._paths:
                wanted[b"%s:%d" % (kind, domid)] = layout.child(layout.home(domid), path)
        for token in set(self._tokens) - set(wanted):
            self.store.unwatch(self._tokens.pop(token), token)
        for token in sorted(set(wanted) - set(self._tokens)):
            self.store.watch(wanted[token], token)
            self._tokens[token] = wanted[token]
            self._first.add(token)
        self.followed = list(domids)

    def wait(self, timeout: float) -> bool:
        """Wait for news; they are in the attributes then.

        :param float timeout: seconds; 0 only looks.
        :returns: whether there was anything.
        """
        happened = False
        if self.store is None:
            raise AssertionError("follow() comes first")  # pragma: no cover
        deadline = time.monotonic() + timeout
        for _unused in range(_AT_ONCE):
            # The first one is waited for; whatever else is there comes along.
            event = self.store.wait(0 if happened else max(0, deadline - time.monotonic()))
            if event is None:
                break
            happened = self._note(event[1]) or happened
        return happened

    def _note(self, token):
        if token not in self._tokens:
            return False  # it was under way when its watch ended
        kind, _colon, domid = token.partition(b":")
        if kind in (b"introduced", b"released"):
            self.listing = True
        elif kind == b"from":
            self.arrived[int(domid)] = None
        elif kind != b"to":
            (self.begun if token in self._first else self.changed).add(int(domid))
        self._first.discard(token)
        return True
