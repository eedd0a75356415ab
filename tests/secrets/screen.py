# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal, for programs that ask there."""

import os
import pty
import select
import time

from tests.secrets.watch import PATIENCE


class Screen:
    """A console at which somebody sits.

    :ivar str path: programs open it.
    :ivar int terminal: the same, opened.
    :ivar bytes seen: all that it has shown.
    """

    def __init__(self):
        self._master, self.terminal = pty.openpty()
        self.path, self.seen, self._expected = os.ttyname(self.terminal), b"", 0

    def answer(self, question, text):
        """Wait until it asks, and type."""
        self.expect(question)
        self.type(text.encode() + b"\n")

    def expect(self, text):
        """Wait until it has shown that, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen[self._expected :]:
            assert select.select([self._master], [], [], max(0, deadline - time.monotonic()))[0], self.seen
            self.seen += os.read(self._master, 4096)
        self._expected = self.seen.index(text, self._expected) + len(text)

    def type(self, keys):
        """Type without looking: bytes."""
        os.write(self._master, keys)

    def close(self):
        """See what there is yet, and go."""
        while select.select([self._master], [], [], 0)[0]:
            self.seen += os.read(self._master, 4096)
        os.close(self._master)
        os.close(self.terminal)
