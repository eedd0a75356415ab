# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network between a client and a server that passes bytes on as they are, and is cut or hangs after so many.

It is no end of TLS: what it cuts may be a handshake, a record, a head or a body.
"""

import contextlib
import ctypes
import socket
import struct
import threading

#: To the server, and to the client.
UP, DOWN = "up", "down"
#: How a connection ends: as if a host was switched off and on, in good order, or never.
RESET, CLOSED, SILENT = "reset", "closed", "silent"


class Wire:
    """Listens, and connects through to a server. A context manager.

    :param host: of the server.
    :param port: likewise.
    :ivar str host: where it listens.
    :ivar int port: likewise.
    :ivar dict passed: direction -> bytes that have passed in the connection before all others of late.
    :ivar int connections: how many there were.
    """

    host = "127.0.0.1"

    def __init__(self, host, port):
        self._server = host, port
        self._listening = socket.create_server((self.host, 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self._lock, self._open = threading.Lock(), set()
        self.plan()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop()

    def plan(self, direction=UP, after=None, how=RESET, times=1, piece=65536, pause=0.0):
        """Have something happen to the connections that come from now on.

        :param after: bytes in that direction after which it happens; None: nothing does.
        :param how: RESET, CLOSED or SILENT.
        :param times: to how many connections; None: to all.
        :param int piece: bytes that pass at once.
        :param float pause: seconds between two pieces.
        """
        self._plan, self._times, self.struck = (direction, after, how), times, 0
        self._piece, self._pause = piece, pause
        self.passed, self.connections = {UP: 0, DOWN: 0}, 0

    def drop(self):
        """End all connections."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                _reset(client)
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
                self.connections += 1
                doomed = self._times is None or self.connections <= self._times
                counted = self.passed = {UP: 0, DOWN: 0}
            left = [2]
            for direction, ends in ((UP, (client, server)), (DOWN, (server, client))):
                chosen, after, how = self._plan
                limit = after if doomed and chosen == direction else None
                arguments = direction, *ends, limit, how, counted, left
                threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, direction, source, target, limit, how, counted, left):
        try:
            while True:
                if limit is not None and counted[direction] >= limit:
                    self._strike(how, source, target)
                    return
                piece = self._piece if limit is None else min(self._piece, limit - counted[direction])
                data = source.recv(piece)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
                counted[direction] += len(data)
                if self._pause:
                    threading.Event().wait(self._pause)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        finally:
            with self._lock:
                left[0] -= 1
                if not left[0]:
                    self._open -= {source, target}
                    source.close()
                    target.close()

    def _strike(self, how, source, target):
        with self._lock:
            self.struck += 1
        if how == SILENT:
            while source.recv(65536):
                pass  # it goes nowhere
        for end in (source, target):
            if how == RESET:
                _reset(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _reset(end):
    """Reset a connection at once, whoever waits for it: a close would wait for them."""
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    ctypes.CDLL(None).connect(end.fileno(), nowhere, len(nowhere))
