# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on a real Xen host: noted by tests as they go, told when all have ended.

The tests of one run may be several processes, even at the same time. So the figures are in a file.
"""

import contextlib
import fcntl
import json
import os
from collections import namedtuple

from ..making import cache

FILE = "figures.jsonl"


class Figure(namedtuple("Figure", ("name", "value", "unit"))):
    """One figure.

    :ivar str name: what was measured.
    :ivar value: a number, or a text.
    :ivar str unit: such as "ms" or "messages/s".
    """

    __slots__ = ()


class Figures:
    """The figures of one run.

    :param path: the file; None is the usual one in the cache folder.
    """

    def __init__(self, path=None):
        self.path = os.fspath(path) if path else os.path.join(cache("xen"), FILE)

    def clear(self):
        """Begin a run: forget those of the one before."""
        with self._locked("a") as stream:
            stream.truncate(0)

    def add(self, name, value, unit=""):
        """Note one. The same name again replaces what was noted before, in its place."""
        line = json.dumps([name, value, unit, os.getpid()]) + "\n"
        with self._locked("a") as stream:
            stream.write(line)

    def read(self):
        """:returns: what was noted, in the order in which the names first came, those of one process together.
        :rtype: list of Figure
        """
        found, places = {}, {}
        with contextlib.suppress(FileNotFoundError), self._locked("r") as stream:
            for line in stream:
                *figure, process = json.loads(line)
                places.setdefault(process, len(places))
                first = found[figure[0]][0] if figure[0] in found else places[process]
                found[figure[0]] = first, Figure(*figure)
        return [figure for _place, figure in sorted(found.values(), key=lambda noted: noted[0])]

    @contextlib.contextmanager
    def _locked(self, mode):
        """The file, while no other process has it."""
        with open(self.path, mode, encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream
            # Before the lock goes.
            stream.flush()

    def table(self):
        """:returns: all of them as lines of text, without an end of line; empty where there are none."""
        rows = [(figure.name, _text(figure.value), figure.unit) for figure in self.read()]
        if not rows:
            return ""
        names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{name:<{names}}  {value:>{values}} {unit}".rstrip() for name, value, unit in rows)


def record(name, value, unit=""):
    """Note a figure of this run; see Figures.add."""
    Figures().add(name, value, unit)


def share(samples, percent):
    """The value that so many per cent of the samples do not exceed: 50 is the median, 100 the greatest.

    :param samples: numbers, at least one.
    :param float percent: more than 0.
    """
    ordered = sorted(samples)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def _text(value):
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
