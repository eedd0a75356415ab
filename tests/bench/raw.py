# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lower bound of everything that talks to XenStore: one request made beforehand, exchanged again and again."""

import socket
import struct

# Of xs_wire.h: type, request, transaction, length; and two of the types.
_HEADER = struct.Struct("=IIII")
_READ, _WRITE = 2, 11


class RawXenStore:
    """A connection that checks nothing but the length of the first answer.

    :param str path: the socket.
    """

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)

    def close(self):
        self._socket.close()

    def read(self, path, count):
        """Read a node so many times."""
        self._repeat(_READ, path + b"\0", count)

    def write(self, path, value, count):
        """Write a node so many times."""
        self._repeat(_WRITE, path + b"\0" + value, count)

    def _repeat(self, kind, payload, count):
        request = _HEADER.pack(kind, 0, 0, len(payload)) + payload
        send, receive = self._socket.sendall, self._socket.recv
        send(request)
        answered, _request, _transaction, length = _HEADER.unpack(receive(_HEADER.size, socket.MSG_WAITALL))
        body = receive(length, socket.MSG_WAITALL)
        if answered != kind:
            raise SystemExit("bench: XenStore answers %r" % body)
        for _unused in range(count - 1):
            send(request)
            receive(_HEADER.size + length, socket.MSG_WAITALL)
