# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages with values of many sizes, see values: their keys are their sizes.

In a guest they go through its core. In dom0 they go as docs/explanation/protocol.md tells it, by a few lines of
another making, which ask XenStore for many things at a time; our own host's end would take most of the time.
"""

import os
import socket
import struct
import time

from values import difference, value_of

from ansible_collections.ovm.messaging.plugins.module_utils._vendor.pyxs._internal import Op
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.outbox import TOGETHER
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

#: Seconds that one message may take.
LONG = 600.0
#: Bytes of a piece.
PIECE = 1640
_HEADER = struct.Struct("=IIII")
# Of the largest messages so many take a third of a guest's share.
_WAITING = 48


class _Host:
    """XenStore as dom0 has it, for many requests at a time; only its socket bears that."""

    def __init__(self, domid):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LONG)
        self._socket.connect(os.environ.get("XENSTORED_PATH") or "/run/xenstored/socket")
        self._stream = self._socket.makefile("rb")
        self._channel = b"/local/domain/%d/control/oracle-vmapi/" % domid

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._stream.close()
        self._socket.close()

    def ask(self, requests):
        """:returns: the answers to requests, which are an operation, a path in the channel and perhaps a value each."""
        packets = []
        for operation, path, *value in requests:
            payload = self._channel + path + b"\0" + b"".join(value)
            packets.append(_HEADER.pack(operation, 0, 0, len(payload)) + payload)
        self._socket.sendall(b"".join(packets))
        answers = []
        for operation, path, *_value in requests:
            kind, _number, _transaction, size = _HEADER.unpack(self._stream.read(_HEADER.size))
            answers.append(self._stream.read(size))
            if kind != operation:
                raise RuntimeError("%r: %r" % (path, answers[-1]))
        return answers

    def listed(self, path):
        """:returns: the names in a directory."""
        return self.ask([(Op.DIRECTORY, path)])[0].split(b"\0")[:-1]

    def counter(self, path):
        """:returns: the number of the last message in a directory."""
        return int(self.ask([(Op.READ, path + b"/last-write")])[0]) if b"last-write" in self.listed(path) else 0


def host_sends(domid, sizes):
    """In dom0: send a message for each size. Of the guest's share enough is left for what it sends itself."""
    with _Host(domid) as host:
        before = host.counter(b"to-guest")
        for start in range(0, len(sizes), TOGETHER):
            while len(host.listed(b"to-guest")) > _WAITING:
                time.sleep(0.02)
            requests = []
            for number, size in enumerate(sizes[start : start + TOGETHER], before + start + 1):
                value, node = value_of(size), b"to-guest/%d" % number
                requests.append((Op.WRITE, node, b"%d" % size))
                for at in range(0, max(size, 1), PIECE):
                    requests.append((Op.WRITE, node + b"/%d" % (at // PIECE), value[at : at + PIECE]))
            requests.append((Op.WRITE, b"to-guest/last-write", b"%d" % number))
            host.ask(requests)


def host_receives(domid, sizes, timeout):
    """In dom0: receive a message of each size, in order.

    :returns: how many came, and what is wrong with them.
    """
    deadline = time.monotonic() + timeout
    came, wrong = 0, []
    with _Host(domid) as host:
        before = None
        while came < len(sizes) and time.monotonic() < deadline:
            last = host.counter(b"from-guest")
            if before is None:
                # What the guest has sent already is there.
                before = min([int(name) for name in host.listed(b"from-guest") if name.isdigit()] or [last + 1]) - 1
            if last == before + came:
                time.sleep(0.02)
                continue
            expected = range(before + came + 1, last + 1)
            wrong += _look(host, dict(zip(expected, sizes[came:])))
            host.ask([(Op.RM, b"from-guest/%d" % number) for number in expected])
            came += len(expected)
    return came, wrong[:20]


def _look(host, expected):
    """What is wrong with messages: number -> size that it should have."""
    requests, wrong = [], []
    for number, size in expected.items():
        node = b"from-guest/%d" % number
        requests += [(Op.READ, node), (Op.DIRECTORY, node)]
        requests += [(Op.READ, node + b"/%d" % (at // PIECE)) for at in range(0, max(size, 1), PIECE)]
    answers = iter(host.ask(requests))
    for number, size in expected.items():
        key, names = next(answers), next(answers).split(b"\0")[:-1]
        pieces = [next(answers) for _at in range(0, max(size, 1), PIECE)]
        if key != b"%d" % size or sorted(names) != [b"%d" % piece for piece in range(len(pieces))]:
            wrong.append("message %d has the key %r and the pieces %r" % (number, key, names))
        elif difference(b"".join(pieces), size):
            wrong.append(difference(b"".join(pieces), size))
    return wrong


def guest_sends(sizes):
    """In a guest: send a message for each size."""
    with XenStore(timeout=LONG) as store:
        _send(GuestEnd(store), sizes)


def guest_receives(sizes, timeout):
    """In a guest: receive a message of each size, in order; gives the same as host_receives()."""
    with XenStore(timeout=LONG) as store:
        return _receive(GuestEnd(store), sizes, timeout)


def host_end_sends(domid, sizes):
    """In dom0: send a message for each size through our own host's end."""
    with XenStore(timeout=LONG, role="host") as store:
        _send(HostEnd(store, domid), sizes)


def host_end_receives(domid, sizes, timeout):
    """In dom0: the same as host_receives(), through our own host's end."""
    with XenStore(timeout=LONG, role="host") as store:
        return _receive(HostEnd(store, domid), sizes, timeout)


def _send(end, sizes):
    for start in range(0, len(sizes), TOGETHER):
        messages = [Message(b"%d" % size, value_of(size)) for size in sizes[start : start + TOGETHER]]
        try:
            end._outbox.send_together(messages, LONG)
        except QuotaExceeded:
            for message in messages:
                end.send(message, LONG)


def _receive(end, sizes, timeout):
    deadline = time.monotonic() + timeout
    came, wrong = 0, []
    end.inbox.watch(b"news")
    while came < len(sizes) and time.monotonic() < deadline:
        if end.store.wait(1.0) is None:
            continue
        while end.store.wait(0) is not None:
            pass  # one look for all that has happened
        for arrival in end.inbox.pending():
            if arrival.fault or arrival.message.key != b"%d" % sizes[came]:
                wrong.append("message %d instead of one of %d bytes: %r" % (arrival.number, sizes[came], arrival))
            elif difference(arrival.message.value, sizes[came]):
                wrong.append(difference(arrival.message.value, sizes[came]))
            came += 1
            end.inbox.discard(arrival)
    return came, wrong[:20]
