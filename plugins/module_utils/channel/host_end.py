# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The channel as the host uses it, towards one guest."""

from . import layout
from .backlog import Backlog
from .errors import NotFound
from .inbox import Inbox
from .message import Message
from .outbox import Outbox
from .xenstore import Transaction, XenStore

#: Seconds that a guest's announced message may take to become whole before it counts as lost.
GRACE = 1.0


class HostEnd:
    """Sends to a guest and receives from it.

    :param XenStore store: a connection of the host.
    :param int domid: the guest's domain number.
    :ivar Inbox inbox: messages from the guest. Discard also those that cannot be read:
        everything under ``from-guest`` counts against the guest's quota.
    """

    def __init__(self, store: XenStore, domid: int, grace: float = GRACE) -> None:
        self.store, self.domid = store, domid
        self._home = layout.home(domid)
        self.inbox = Inbox(store, layout.child(self._home, layout.FROM_GUEST), grace, layout.join_from_guest, 1)
        to_guest = layout.child(self._home, layout.TO_GUEST)
        self._outbox = Outbox(store, to_guest, layout.KEY_LIMIT_TO_GUEST, backlog=Backlog())

    def send(self, message: Message, timeout: float) -> int:
        """Send a message to the guest; see Outbox.send."""
        return self._outbox.send(message, timeout)

    def prepare(self) -> bool:
        """Open the channel: make its nodes, owned by the guest, where the guest cannot write them yet.

        Stock toolstacks leave a guest's ``control`` read-only, so a plain Xen host needs
        this once a domain, best before the guest is unpaused. What another toolstack has
        set up so that it works is left as it is.

        :returns: whether anything had to be changed.
        :raises NotFound: there is no such domain.
        """
        return self.store.transact(self._prepare)

    def _prepare(self, transaction: Transaction) -> bool:
        if not transaction.exists(self._home):
            raise NotFound("there is no domain %d" % self.domid, "see 'xl list' for those that run")
        changed = False
        for path in (layout.ROOT, layout.TO_GUEST, layout.FROM_GUEST):
            path = layout.child(self._home, path)
            if transaction.exists(path):
                if self._writable(transaction.get_permissions(path)):
                    continue
            else:
                transaction.mkdir(path)
            transaction.set_permissions(path, [b"n%d" % self.domid])
            changed = True
        return changed

    def _writable(self, permissions: "list[bytes]") -> bool:
        """Whether the guest may read and write: as the owner, or by an entry of its own."""
        return permissions[0][1:] == b"%d" % self.domid or b"b%d" % self.domid in permissions[1:]
