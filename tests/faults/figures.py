# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a campaign of faults has come to: kept in the cache, so that several processes can add to it."""

import glob
import hashlib
import json
import os
from collections import namedtuple

from lab.making import cache

_PART = "faults"
#: All of them together.
REPORT = "faults.json"
#: In the cache's folder for this: what broke a promise, as it happened.
BROKEN = "broken.txt"


class Row(namedtuple("Row", ("program", "fault", "store", "calls", "places", "runs", "struck", "failures", "seconds"))):
    """One campaign.

    :ivar str program: what was to suffer.
    :ivar str fault: from what.
    :ivar str store: the kind of XenStore, or an empty string.
    :ivar int calls: system calls that matter, of an undisturbed run.
    :ivar int places: different ones of them.
    :ivar int runs: with a fault.
    :ivar int struck: how many of them came to it.
    :ivar int failures: how many broke a promise.
    :ivar float seconds: all of it.
    """

    __slots__ = ()


def clear():
    """Forget all."""
    for path in glob.glob(os.path.join(cache(_PART), "*.*")):
        os.unlink(path)


def add(name, row):
    """Keep a row.

    :param str name: the test's.
    """
    path = os.path.join(cache(_PART), hashlib.sha256(name.encode()).hexdigest()[:16] + ".json")
    with open(path + ".new", "w", encoding="utf-8") as target:
        json.dump(row._asdict(), target)
    os.rename(path + ".new", path)


def broken(program, text):
    """Keep what broke a promise, for whoever cannot wait for the end."""
    with open(os.path.join(cache(_PART), BROKEN), "a", encoding="utf-8") as target:
        target.write("%s: %s\n" % (program, text))


def rows():
    """All that was added: a list of Row, sorted; parts of one campaign together."""
    found = {}
    for path in glob.glob(os.path.join(cache(_PART), "*.json")):
        with open(path, encoding="utf-8") as source:
            row = Row(**json.load(source))
        before = found.get(row[:3])
        if before:
            sums = {name: getattr(before, name) + getattr(row, name) for name in Row._fields[5:]}
            row = row._replace(calls=max(row.calls, before.calls), places=max(row.places, before.places), **sums)
        found[row[:3]] = row
    return sorted(found.values())


def write(path):
    """Write them all as JSON."""
    with open(path + ".new", "w", encoding="utf-8") as target:
        json.dump([row._asdict() for row in rows()], target, indent=2)
        target.write("\n")
    os.rename(path + ".new", path)


def table():
    """The same for people; empty where there is nothing."""
    found = rows()
    if not found:
        return ""
    lines = [("program", "fault", "XenStore", "calls", "places", "runs", "struck", "failures", "seconds")]
    lines += [(*map(str, row[:-1]), "%.0f" % row.seconds) for row in found]
    sums = ["%.0f" % sum(row[n] for row in found) for n in range(5, 9)]
    lines.append(("all", "", "", "", "", *sums))
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    # Text to the left, numbers to the right.
    cells = ["%%%s%ds" % ("-" if n < 3 else "", width) for n, width in enumerate(widths)]
    return "\n".join(("  ".join(cells) % line).rstrip() for line in lines)
