# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: asks as much of the host as it can, in every way that there is."""

import functools
import os
import random
import signal

from guest_core import LONG
from processes import Child

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import XenStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

_children = {}  # process -> its way
_LAST_WRITE = layout.child(layout.FROM_GUEST, layout.LAST_WRITE)


def start(ways):
    """Flood until stop(), each way by a process of its own; all have begun when this ends.

    :param ways: of WAYS.
    """
    reading, writing = os.pipe()
    _children.update((Child(functools.partial(_work, WAYS[way], writing)), way) for way in ways)
    os.close(writing)
    for _unused in ways:
        os.read(reading, 1)
    os.close(reading)


def stop():
    """Stop it.

    :returns: for each process its way, and how often it has tried.
    """
    for child in _children:
        os.kill(child.pid, signal.SIGTERM)
    done = [(way, int(child.join())) for child, way in _children.items()]
    _children.clear()
    return done


def _work(work, begun):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_arguments: ended.append(True))
    number = 0
    with XenStore(timeout=LONG) as store:
        while not ended:
            number += 1
            try:
                work(store, number)
            except XenStoreError:
                pass  # its share is used up, or another of its processes was faster: on with it
            if number == 1:
                os.write(begun, b"+")
    return str(number)


def _messages(store, number):
    """Good messages, as many as there is room for."""
    GuestEnd(store)._outbox.send_together([Message(b"flood", b"%d" % number)] * 4, LONG)


def _large(store, number):
    """The largest ones."""
    GuestEnd(store)._outbox.send_together([Message(b"k" * 255, b"v" * 8191)], LONG)


def _counter(store, number):
    """News of messages that there are not: the host looks each time."""
    store.write(_LAST_WRITE, random.choice((b"%d" % number, b"0", b"4294967295", b"9" * 2000, b"\xff" * 100)))


def _junk(store, number):
    """Nodes that are no messages, messages that are not whole, pieces without end, and a tree as deep as can be."""
    place = layout.FROM_GUEST + b"/%d" % (100000 + number)
    shape = number % 5
    if shape == 0:
        for name in (b"0", b"01", b"x", b"-1", b"99999999999", b"last-write/1"):
            store.write(layout.FROM_GUEST + b"/" + name, b"x" * 1000)
    elif shape == 1:
        store.write(place, b"half")
        store.write(place + b"/1", b"x")
    elif shape == 2:
        for piece in range(20):
            store.write(place + b"/%d" % piece, b"x" * 1900)
    elif shape == 3:
        store.write(place + b"/0" * 100, b"x")
    else:
        store.write(place, b"")
        store.set_permissions(place, [b"n" + store.read(b"domid")])
    if number % 3 == 0:
        store.remove(place)


def _elsewhere(store, number):
    """Nodes of its own that are not the host's business, with watches on them: each write comes back as events."""
    if number == 1:
        for token in range(20):
            store.watch(b"data", b"%d" % token)
    store.write(b"data/%d" % (number % 200), b"x" * 2000)
    while store.wait(0) is not None:
        pass


def _transactions(store, number):
    """Transactions that come to nothing, over all that the guest has."""
    with store.transaction() as transaction:
        for name in transaction.directory(layout.FROM_GUEST)[:20]:
            transaction.read(layout.FROM_GUEST + b"/" + name)
        transaction.write(_LAST_WRITE, b"%d" % number)


WAYS = {
    "messages": _messages,
    "large": _large,
    "counter": _counter,
    "junk": _junk,
    "elsewhere": _elsewhere,
    "transactions": _transactions,
}


def calm():
    """Remove what was left behind, and send a last message in order."""
    with XenStore(timeout=LONG) as store:
        for path in (layout.FROM_GUEST, b"data"):
            for name in store.directory(path):
                store.remove(layout.child(path, name))
        GuestEnd(store).send(Message(b"after the flood", b"calm"), LONG)
