# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m bench [LETTER ...]: measure, print ratios, leave a report and its pictures in the cache folder.

python -m bench --docs: measure nothing; put the last report, which has to be whole, into the documentation.
"""

import json
import os
import sys
import time

from lab import LabError
from toolchain import ROOT

from . import pictures
from .daemon_side import DaemonSide
from .first_boot_side import FirstBootSide
from .growth_side import GrowthSide
from .guest_side import GuestSide
from .manager_growth_side import ManagerGrowthSide
from .manager_side import ManagerSide
from .measure import Report
from .program_side import ProgramSide
from .role_side import RoleSide
from .task_side import TaskSide

SIDES = (
    *(GuestSide, GrowthSide, TaskSide, ProgramSide, ManagerSide, ManagerGrowthSide),
    *(FirstBootSide, DaemonSide, RoleSide),
)
#: Where the documentation has figures.
PAGE = ROOT / "docs" / "explanation" / "performance.md"


def main(arguments):
    cache = os.environ["OVM_CACHE"]
    folder, path = os.path.join(cache, "bench"), os.path.join(cache, "bench.json")
    os.makedirs(folder, exist_ok=True)
    every = [letter for side in SIDES if not getattr(side, "needs_root", False) for letter in side.letters]
    if arguments == ["--docs"]:
        return document(path, every)
    letters = arguments or every
    unknown = [letter for letter in letters if not any(letter in side.letters for side in SIDES)]
    if unknown:
        sys.exit("bench: there is no %s; there are: %s" % (unknown[0], "".join(side.letters for side in SIDES)))
    report, start = Report(), time.perf_counter()
    for side in SIDES:
        wanted = [letter for letter in side.letters if letter in letters]
        if wanted:
            with side(folder, report) as bench:
                for letter in wanted:
                    getattr(bench, letter)()
                    report.letters.append(letter)
                    report.write(path)
    with open(path, encoding="utf-8") as source:
        drawn = pictures.draw(json.load(source), os.path.join(folder, "pictures"))
    missed = [row["name"] for row in report.rows if not row["met"]]
    print(
        "%d measured in %d s, %d missed; report in %s, %d pictures in %s"
        % (
            *(len(report.rows), time.perf_counter() - start, len(missed), path),
            *(len(drawn), os.path.join(folder, "pictures")),
        )
    )
    for name in missed:
        print("missed: " + name)
    return 1 if missed else 0


def document(path, every):
    """Put the last report into the documentation."""
    try:
        with open(path, encoding="utf-8") as source:
            report = json.load(source)
    except FileNotFoundError:
        sys.exit("bench: there is no report yet: run make bench first")
    missing = [letter for letter in every if letter not in report["letters"]]
    if missing:
        sys.exit("bench: the last run had no %s: run make bench without letters first" % " ".join(missing))
    try:
        pictures.document(report, str(PAGE))
    except LabError as problem:
        sys.exit("bench: %s" % problem)
    print("bench: %s and its pictures are made anew; see git diff" % PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
