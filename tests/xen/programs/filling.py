# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uses up a guest's share of XenStore, as a guest has it that nobody gave more: from there, and from dom0."""

from guest_core import LONG, open_backend

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.outbox import TOGETHER
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore


def fill(size):
    """Send messages with values of one size until there is no room, then set a parameter.

    :returns: how many were sent; the type of the error that the parameter got, and its text with the remedy.
    """
    sent, together = 0, TOGETHER
    with open_backend() as backend:
        while together:
            try:
                backend.tell([Message(b"%d" % (sent + n), b"x" * size) for n in range(together)])
                sent += together
            except QuotaExceeded:
                together //= 2
    # It waits for room, which nobody makes.
    with open_backend(timeout=5.0) as backend:
        try:
            backend.set([Message(b"refused", b"x" * size)])
        except ChannelError as problem:
            return sent, type(problem).__name__, str(problem)
    return sent, "", ""


def fill_from_host(domid, size):
    """In dom0: send a guest, which does not read, messages with values of one size until there is no room.

    :returns: how many were sent, and the error's text with the remedy.
    """
    sent = 0
    with XenStore(timeout=LONG, role="host") as store:
        end = HostEnd(store, domid)
        while True:
            try:
                # Time enough to weigh what waits, and nobody makes room.
                end.send(Message(b"%d" % sent, b"x" * size), 5.0)
            except QuotaExceeded as full:
                return sent, str(full)
            sent += 1


def read_all():
    """Receive all there is.

    :returns: the keys, in the list's order, and how many bytes their values have.
    """
    with open_backend() as backend:
        backend.receive()
        return [[entry.key.decode("ascii"), len(entry.value)] for entry in backend.entries()]


def wait_for_room(size):
    """Set a parameter where there is no room, and wait until it is sent; the guest's data say so before.

    :param size: of its value.
    """
    with open_backend() as backend, XenStore(timeout=LONG) as store:
        store.write(b"data", b"waiting")
        backend.set([Message(b"patient", b"x" * size)])
        store.write(b"data", b"")


def forget():
    """Delete all parameters here."""
    with open_backend() as backend:
        backend.delete_all()


def hold_transactions(count):
    """Have so many transactions open at once; each adds a node of its own when all are.

    :returns: the names of the errors of those that could not be had, and how many others were committed.
    """
    stores = [XenStore(timeout=LONG) for _unused in range(count)]
    try:
        opened, refused = [], []
        for number, store in enumerate(stores):
            transacting = store.transaction()
            try:
                transaction = transacting.__enter__()
            except ChannelError as problem:
                refused.append(problem.code)
                continue
            opened.append(transacting)
            transaction.write(b"data/%d" % number, b"1")
        committed = 0
        for transacting in opened:
            try:
                transacting.__exit__(None, None, None)
                committed += 1
            except ChannelError as problem:
                refused.append(problem.code)
        return refused, committed
    finally:
        for store in stores:
            store.close()
