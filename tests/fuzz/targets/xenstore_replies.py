# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""XenStore's replies: a daemon that answers what it likes, over a real socket."""

import os
import shutil
import socket
import struct
import tempfile

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ConnectionLost,
    DeadlineExceeded,
    ProtocolError,
    XenStoreError,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from fuzz.checks import only
from fuzz.draw import Draw

DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH, TRANSACTION_START, TRANSACTION_END = 1, 2, 3, 4, 5, 6, 7
WRITE, MKDIR, RM, SET_PERMS, WATCH_EVENT, ERROR, DIRECTORY_PART = 11, 12, 13, 14, 15, 16, 22
ERRORS = [b"ENOENT", b"EACCES", b"EINVAL", b"E2BIG", b"EAGAIN", b"EQUOTA", b"ENOSYS", b"EIO", b"ENOSPC", b"\xff\n"]
TOKENS = [*ERRORS, b"OK\0", b"last-write", b"name\0", b"token\0", struct.pack("IIII", READ, 1, 0, 4)]
SEEDS = [
    b"",
    bytes([0, 0, 0, 3]) + b"abc",
    bytes(range(64)),
    bytes([4, 1, 0, 0, 1, 5]) + b"a\0b\0c\0" * 9,
    b"\x05\x03" * 60,
    b"\x08\x00\x02\x31\x32" * 20,
]
# Requests that are made before the first of them is answered.
_MANY = {"read together": (READ, DIRECTORY, READ), "remove together": (RM, RM)}
# Short, as nobody comes back once this daemon has ended; what it has to say is there from the start.
_PATIENCE = 0.008
_MOST = 60000


class _Daemon:
    """What a connection of ours is to. All answers are sent before anything is asked."""

    def __init__(self, said):
        self._folder = tempfile.mkdtemp(prefix="fuzz-")
        self.path = os.path.join(self._folder, "socket")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen(1)
            self.store = XenStore(self.path, timeout=_PATIENCE)
            self._socket = listening.accept()[0]
        os.unlink(self.path)  # a second connection is not to be had
        self._socket.setblocking(False)
        try:
            self._socket.send(said)
        except BlockingIOError:
            pass
        self._socket.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self.store

    def __exit__(self, *_exc):
        self.store.close()
        self._socket.close()
        shutil.rmtree(self._folder)


def run(data):
    draw = Draw(data)
    asked, said, expected = [], b"", []
    identity = 0
    for _number in draw.some(12):
        op = draw.one_of(
            (READ, DIRECTORY, GET_PERMS, WRITE, MKDIR, RM, SET_PERMS, WATCH, UNWATCH, "transaction", *_MANY)
        )
        asked.append(op)
        if op in _MANY:
            payloads = []
            for each in _MANY[op]:
                identity += 1
                packet, payload = _answer(draw, each, identity)
                said += packet
                payloads.append(payload)
            expected.append(payloads)
            continue
        if op == "transaction":
            identity += 1
            said += _packet(draw, TRANSACTION_START, identity)
            op = READ
        identity += 1
        packet, payload = _answer(draw, op, identity)
        said += packet
        expected.append(payload)
    said = said[:_MOST]
    with _Daemon(said) as store:
        well = True
        for op, payload in zip(asked, expected):
            before = store._fd
            with only(XenStoreError):
                try:
                    found = _ask(store, op)
                except (ConnectionLost, DeadlineExceeded, ProtocolError):
                    # Of a directory in parts each part may have come in time, and yet not all of them.
                    if before >= 0 and store._fd == before and op not in ("transaction", DIRECTORY, *_MANY):
                        raise AssertionError("a connection that is of no use goes on") from None
                    raise
                if op == "read together" and well and None not in payload and found[::2] != payload[::2]:
                    raise AssertionError("read %r instead of %r" % (found, payload))
                if op == READ and well and payload is not None and found != payload:
                    raise AssertionError("read %r instead of %r" % (found, payload))
                continue
            well = False
        with only(XenStoreError):
            event = store.wait(0)
            if event is not None and event[1] != b"t":
                raise AssertionError("an event of nobody's: %r" % (event,))


def _ask(store, op):
    if op == READ:
        return store.read(b"a")
    if op == DIRECTORY:
        names = store.directory(b"a")
        if not all(isinstance(name, bytes) and b"\0" not in name for name in names):
            raise AssertionError("a name with NUL")
        return names
    if op == GET_PERMS:
        return store.get_permissions(b"a")
    if op == "read together":
        return store.read_together([(b"a", False), (b"b", True), (b"c", False)])
    if op == "remove together":
        return store.remove_together([b"a", b"b"])
    if op == "transaction":
        return store.transact(lambda transaction: transaction.read(b"a"), attempts=2)
    calls = {
        WRITE: lambda: store.write(b"a", b"b"),
        MKDIR: lambda: store.mkdir(b"a"),
        RM: lambda: store.remove(b"a"),
        SET_PERMS: lambda: store.set_permissions(b"a", [b"n0"]),
        WATCH: lambda: store.watch(b"a", b"t"),
        UNWATCH: lambda: store.unwatch(b"a", b"t"),
    }
    return calls[op]()


def _answer(draw, op, identity):
    """Bytes, and what they tell to whoever reads; None where that is not certain."""
    kind = draw.below(8)
    if kind == 0:
        return draw.bytes(40), None
    if kind == 1:
        return _packet(draw, draw.below(32), draw.below(16)), None
    if kind == 2:
        return _pack(ERROR, identity, draw.one_of(ERRORS) + b"\0"), None
    if kind == 3:
        return _pack(WATCH_EVENT, 0, draw.bytes(8) + b"\0" + draw.one_of((b"t", b"u", b"")) + b"\0") + _packet(
            draw, op, identity
        ), None
    if kind == 4 and op == DIRECTORY:
        # In parts, as many as there are bytes.
        said = _pack(ERROR, identity, b"E2BIG\0")
        for number in range(1, 1 + draw.below(6)):
            said += _pack(DIRECTORY_PART, identity + number, draw.one_of((b"1", b"2", b"")) + b"\0" + draw.bytes(12))
        return said, None
    payload = draw.bytes(200)
    return _pack(op, identity, payload), payload


def _packet(draw, op, identity):
    payload = draw.one_of((b"1\0", b"", b"9" * 5000 + b"\0", b"4294967296\0", b"-1\0", draw.bytes(24)))
    return _pack(op, identity, payload)


def _pack(op, identity, payload):
    return struct.pack("IIII", op, identity, 0, len(payload)) + payload
