# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search for secrets has come to: kept in the cache, so that several processes can add to it."""

import collections
import glob
import hashlib
import json
import os

from lab.making import cache

from . import places

_PART = "secrets"
#: All of it together.
REPORT = "secrets.json"


def clear():
    """Forget all."""
    for path in glob.glob(os.path.join(cache(_PART), "*.json")):
        os.unlink(path)


def add(name, watch):
    """Keep what was looked at.

    :param str name: the test's.
    :param Watch watch: the run's.
    """
    row = {
        "secrets": len(watch.searcher.secrets),
        "paths": watch.paths,
        "places": dict(watch.places),
        "bytes": dict(watch.looked),
        "allowed": dict(watch.allowed),
        "found": len(watch.leaks),
    }
    path = os.path.join(cache(_PART), hashlib.sha256(name.encode()).hexdigest()[:16] + ".json")
    with open(path + ".new", "w", encoding="utf-8") as target:
        json.dump(row, target)
    os.rename(path + ".new", path)


def summed():
    """All that was added, as one; or None where there is nothing."""
    total = {"secrets": 0, "paths": [], "found": 0}
    total.update((name, collections.Counter()) for name in ("places", "bytes", "allowed"))
    read = sorted(glob.glob(os.path.join(cache(_PART), "*.json")))
    for path in read:
        with open(path, encoding="utf-8") as source:
            row = json.load(source)
        total["secrets"] += row["secrets"]
        total["found"] += row["found"]
        total["paths"] += row["paths"]
        for name in ("places", "bytes", "allowed"):
            total[name].update(row[name])
    return total if read else None


def write(path):
    """Write it all as JSON."""
    with open(path + ".new", "w", encoding="utf-8") as target:
        json.dump(summed(), target, indent=2, sort_keys=True)
        target.write("\n")
    os.rename(path + ".new", path)


def table():
    """The same for people; empty where there is nothing."""
    total = summed()
    if not total:
        return ""
    lines = ["%-24s %10s %14s" % ("kind of place", "places", "bytes")]
    for kind in places.KINDS:
        if total["places"][kind]:
            lines.append("%-24s %10d %14d" % (kind, total["places"][kind], total["bytes"][kind]))
    lines.append("%-24s %10d %14d" % ("all", sum(total["places"].values()), sum(total["bytes"].values())))
    lines += ["", "seen where they may be:"]
    lines += [
        "%8d  %s" % (total["allowed"][each.name], each.name) for each in places.ALLOWED if total["allowed"][each.name]
    ]
    numbers = (total["secrets"], len(set(total["paths"])), total["found"])
    return "\n".join([*lines, "", "%d secrets on %d paths; found where they may not be: %d" % numbers])
