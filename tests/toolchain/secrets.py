# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send secrets all ways that there are, and look for them in everything that shows or stays; print what came of it.

usage: tests/bootstrap python -m toolchain.secrets [ARGUMENT...]

The arguments are pytest's. It needs strace, which is fetched where it is missing, and mount namespaces: an ordinary
user's where the system lets users have them, else it has to be run as root.
"""

import subprocess
import sys

from faults.disk import namespace
from faults.injector import tracer
from lab import LabError, parts
from tests.secrets import figures
from toolchain import CACHE, ROOT

FOLDER = "tests/secrets"


def main():
    arguments = sys.argv[1:]
    try:
        parts.get()
        tracer()
        namespace()
    except LabError as problem:
        sys.exit("make secrets: %s" % problem)
    # A choice of tests takes the place of all.
    if not any(argument.startswith(FOLDER + "/") for argument in arguments):
        arguments = [FOLDER, *arguments]
    figures.clear()
    command = ["pytest", "--numprocesses=2", "-p", "no:cov", "--durations=10", *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    table = figures.table()
    if table:
        report = CACHE / figures.REPORT
        figures.write(str(report))
        print("\n%s\n\nas JSON: %s" % (table, report), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
