# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m bench [LETTER ...]: measure, print ratios, leave a report in the cache folder."""

import os
import sys
import time

from .daemon_side import DaemonSide
from .first_boot_side import FirstBootSide
from .guest_side import GuestSide
from .manager_side import ManagerSide
from .measure import Report
from .role_side import RoleSide

SIDES = (GuestSide, ManagerSide, FirstBootSide, DaemonSide, RoleSide)


def main(letters):
    cache = os.environ["OVM_CACHE"]
    folder = os.path.join(cache, "bench")
    os.makedirs(folder, exist_ok=True)
    letters = letters or [letter for side in SIDES if not getattr(side, "needs_root", False) for letter in side.letters]
    unknown = [letter for letter in letters if not any(letter in side.letters for side in SIDES)]
    if unknown:
        sys.exit("bench: there is no %s; there are: %s" % (unknown[0], "".join(side.letters for side in SIDES)))
    report, start = Report(), time.perf_counter()
    for side in SIDES:
        wanted = [letter for letter in letters if letter in side.letters]
        if wanted:
            with side(folder, report) as bench:
                for letter in wanted:
                    getattr(bench, letter)()
    report.write(os.path.join(cache, "bench.json"))
    missed = [row["name"] for row in report.rows if not row["met"]]
    print(
        "%d measured in %d s, %d missed; report in %s"
        % (len(report.rows), time.perf_counter() - start, len(missed), os.path.join(cache, "bench.json"))
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
