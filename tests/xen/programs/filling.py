# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: uses up its share of XenStore, as a guest has it that nobody gave more."""

from guest_core import LONG, open_backend

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, QuotaExceeded
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
