# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have processes killed, and calls fail, wherever that can happen; print what came of it.

usage: tests/bootstrap python -m toolchain.faults [ARGUMENT...]

The arguments are pytest's, and two more: ``--each N`` tries only N calls of each name and place, ``--every N`` only
each Nth of those. Without them, all are tried, and that takes its time. What breaks a promise is written to the cache
at once, into faults/broken.txt. It needs strace, which is fetched where it is missing, and mount namespaces: an
ordinary user's where the system lets users have them, else it has to be run as root.
"""

import subprocess
import sys

from faults import figures, injector
from faults.disk import namespace
from lab import LabError, parts
from toolchain import CACHE, ROOT

FOLDER = "tests/faults"
#: Side by side: most of a run is waiting for others, but two processors are soon busy.
PROCESSES = "2"


def main():
    arguments = sys.argv[1:]
    try:
        parts.get()
        injector.tracer()
        namespace()
    except LabError as problem:
        sys.exit("make faults: %s" % problem)
    # A choice of tests takes the place of all.
    if not any(argument.startswith(FOLDER + "/") for argument in arguments):
        arguments = [FOLDER, *arguments]
    figures.clear()
    code = subprocess.run(
        ["pytest", "--numprocesses=" + PROCESSES, "-p", "no:cov", "--durations=10", *arguments], cwd=ROOT, check=False
    ).returncode
    table = figures.table()
    if table:
        report = CACHE / figures.REPORT
        figures.write(str(report))
        print("\n%s\n\nas JSON: %s" % (table, report), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
