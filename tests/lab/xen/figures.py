# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on a real Xen host: noted by tests as they go, told when all have ended.

The tests of one run may be several processes, one after the other. So the figures are in a file.
"""

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
        with open(self.path, "w", encoding="utf-8"):
            pass

    def add(self, name, value, unit=""):
        """Note one. The same name again replaces what was noted before, in its place."""
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps([name, value, unit]) + "\n")

    def read(self):
        """:returns: what was noted, in the order in which the names first came; a list of Figure."""
        found = {}
        try:
            with open(self.path, encoding="utf-8") as stream:
                for line in stream:
                    figure = Figure(*json.loads(line))
                    found[figure.name] = figure
        except FileNotFoundError:
            pass
        return list(found.values())

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
