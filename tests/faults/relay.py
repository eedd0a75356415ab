# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A XenStore socket that passes requests on to the real daemon, until at the nth of them something happens."""

import contextlib
import os
import socket
import struct
import threading

_HEADER = struct.Struct("=IIII")
#: When: the daemon never gets that request; or does it, and nobody hears its answer; or it is said to refuse it.
BEFORE, AFTER, REFUSED = "before", "after", "refused"
# Of xs_wire.h. What takes room is refused for want of it, everything else for want of memory.
_ERROR, _WATCH_EVENT = 16, 15
_TAKING_ROOM = (6, 7, 11, 12, 14)  # TRANSACTION_START, TRANSACTION_END, WRITE, MKDIR, SET_PERMS


class Relay:
    """Between programs of the host and a XenStore daemon. A context manager.

    :param str daemon: the daemon's socket.
    :param str path: the socket to listen at.
    :ivar int requests: how many have come since plan().
    :ivar int struck: how often something has happened since then.
    """

    def __init__(self, daemon, path):
        self._daemon, self.path = daemon, path
        self._lock, self._open = threading.Lock(), set()
        self.plan()

    def __enter__(self):
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        os.unlink(self.path)

    def plan(self, nth=None, when=BEFORE, what=None):
        """Have something happen at a request.

        :param nth: which one from now on, from 1; None: at none.
        :param when: BEFORE, AFTER, or REFUSED: then nothing else happens.
        :param what: called for it; the connections are cut if None.
        """
        with self._lock:
            self._nth, self._when, self._what = nth, when, what or self.cut
            self.requests = self.struck = 0

    def cut(self):
        """End all connections."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._daemon)
            except OSError:
                server.close()
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            # What is struck after a request waits for its answer.
            awaited = []
            telling = threading.Lock()
            for pump in (self._up, self._down):
                threading.Thread(
                    target=self._guarded, args=(pump, client, server, awaited, telling), daemon=True
                ).start()

    def _guarded(self, pump, client, server, awaited, telling):
        with contextlib.suppress(OSError):
            pump(client, server, awaited, telling)
        with self._lock:
            self._open -= {client, server}
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _up(self, client, server, awaited, telling):
        while True:
            packet = _packet(client)
            if packet is None:
                return
            with self._lock:
                self.requests += 1
                strikes = self.requests == self._nth
                self.struck += strikes
            if strikes and self._when == REFUSED:
                with telling:
                    client.sendall(_refusal(packet))
                continue
            if strikes and self._when == BEFORE:
                self._what()
            elif strikes:
                awaited.append(_HEADER.unpack(packet[: _HEADER.size])[1])
            server.sendall(packet)

    def _down(self, client, server, awaited, telling):
        while True:
            packet = _packet(server)
            if packet is None:
                return
            kind, request = _HEADER.unpack(packet[: _HEADER.size])[:2]
            if awaited and request == awaited[0] and kind != _WATCH_EVENT:
                awaited.clear()
                self._what()
            with telling:
                client.sendall(packet)


def _refusal(packet):
    kind, request, transaction, _length = _HEADER.unpack(packet[: _HEADER.size])
    error = b"ENOSPC\0" if kind in _TAKING_ROOM else b"ENOMEM\0"
    return _HEADER.pack(_ERROR, request, transaction, len(error)) + error


def _packet(end):
    """A whole packet, or None at the end."""
    head = _exactly(end, _HEADER.size)
    if head is None:
        return None
    body = _exactly(end, _HEADER.unpack(head)[3])
    return None if body is None else head + body


def _exactly(end, size):
    found = b""
    while len(found) < size:
        more = end.recv(size - len(found))
        if not more:
            return None
        found += more
    return found
