# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Connections that several threads use, each by one thread at a time."""

import contextlib


class Pool:
    """Connections that are made when none is free, and kept for whoever comes next.

    :param make: makes one; it must have a ``close()``.
    """

    def __init__(self, make) -> None:
        self._make = make
        self._free = []  # type: list  # its pop() and append() are atomic
        self._closed = False

    @contextlib.contextmanager
    def borrowed(self):
        """A connection, as a context manager: for this thread alone until the end of the block."""
        try:
            connection = self._free.pop()
        except IndexError:
            connection = self._make()
        try:
            yield connection
        finally:
            self._free.append(connection)
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close all connections; those that are in use, when their block ends."""
        self._closed = True
        while self._free:
            try:
                self._free.pop().close()
            except IndexError:  # pragma: no cover - another thread that closes was faster
                pass
