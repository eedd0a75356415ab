# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The domains of a Xen host, as XenStore shows them, and news of them.

A virtual machine keeps its UUID. Its domain has another number after each reboot, restore
and migration, and for a moment it may have two domains.
"""

import re
import time
from collections import namedtuple

from ..channel import layout
from ..channel.errors import NotFound
from ..channel.xenstore import Requests, XenStore
from ..vms import canonical_id

_DOMAINS = b"/local/domain"
# An old toolstack appends a number where the node of an earlier domain is still there.
_VM = re.compile(rb"/vm/((?:[0-9a-fA-F]-?){32})(?:-[0-9]+)?\Z")
# What libxl calls a domain that is just coming from another host, or has just left for one.
_MIGRATING = re.compile(r"--(?:incoming|migratedaway)\Z")

# Events that are taken before anything is done about them: a guest can make them without end.
_AT_ONCE = 1000


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
    :ivar dict arrived: numbers of domains that have sent something, in order (a set with an order).
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
        self._followed = None  # type: list[int] | None
        self.listing, self.changed, self.arrived = True, set(), {}  # type: tuple[bool, set[int], dict[int, None]]

    def close(self) -> None:
        """Close the connection."""
        if self.store is not None:
            self.store.close()

    def follow(self, domids: "list[int]") -> None:
        """Watch these domains, and the others no more."""
        if self.store is None:
            self.store = self._connect()
        if domids == self._followed:
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
        self._followed = list(domids)

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
            self.changed.add(int(domid))
        return True
