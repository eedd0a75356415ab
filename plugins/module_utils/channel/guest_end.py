# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The channel as a guest uses it, over its own XenStore connection."""

from . import layout
from .errors import NotFound, QuotaExceeded
from .inbox import Inbox
from .message import Message
from .outbox import Outbox
from .xenstore import XenStore


class GuestEnd:
    """Sends to the host and receives from it. All paths are relative: the guest's own.

    :param XenStore store: a connection of this guest.
    :ivar Inbox inbox: messages from the host. A message that cannot be read is passed over
        at once and its node stays, as with the vendor's driver.
    """

    def __init__(self, store: XenStore) -> None:
        self.store = store
        self.inbox = Inbox(store, layout.TO_GUEST, 0, layout.join)
        self._outbox = Outbox(store, layout.FROM_GUEST, layout.KEY_LIMIT_FROM_GUEST, layout.TO_GUEST)

    def send(self, message: Message, timeout: float) -> int:
        """Send a message to the host; see Outbox.send."""
        return self._outbox.send(message, timeout)

    def send_together(self, messages: "list[Message]", timeout: float, attempts: int = 0) -> int:
        """Send several messages to the host, all of them or none; see Outbox.send_together."""
        return self._outbox.send_together(messages, timeout, attempts)

    def wait_for_room(self, timeout: float, full: QuotaExceeded) -> None:
        """Return when a message that was refused may find room; see Outbox.wait_for_room."""
        self._outbox.wait_for_room(timeout, full)

    def uncollected(self) -> int:
        """:returns: how many messages the host has not removed yet."""
        try:
            return len(layout.numbers(self.store.directory(layout.FROM_GUEST)))
        except NotFound:
            return 0

    def announced(self) -> int:
        """:returns: the number of the last message to the host; 0 in a tree that is new, or where there is none."""
        try:
            return layout.counter(self.store.read(layout.child(layout.FROM_GUEST, layout.LAST_WRITE))) or 0
        except NotFound:
            return 0
