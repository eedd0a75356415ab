# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wall clock that jumps, for some real processes only: see fakeclock.c."""

import os
import struct

from lab import parts

HOUR, DAY, YEAR = 3600, 86400, 31557600
#: Seconds: back to before 1970, to and fro, and beyond 32 bits.
JUMPS = (-80 * YEAR, -YEAR, -HOUR, HOUR, DAY, 80 * YEAR)
_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fakeclock.c")


class Clock:
    """The time of day, as processes with this environment see it.

    :param str folder: for its file.
    :ivar dict environment: for the processes.
    """

    def __init__(self, folder):
        self._path = os.path.join(folder, "clock")
        self.environment = {"LD_PRELOAD": parts.compiled(_SOURCE), "FAKECLOCK": self._path}
        with open(self._path, "wb") as target:
            target.write(struct.pack("q", 0))

    def jump(self, seconds):
        """From now on it is so much later, or earlier, than it really is."""
        with open(self._path, "r+b", buffering=0) as target:
            target.write(struct.pack("q", seconds))
