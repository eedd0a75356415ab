# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests on real Xen, and print what they have measured.

usage: tests/bootstrap python -m toolchain.xen [--boot] [ARGUMENT...]

With --boot only those of tests/xen/test_boot.py. The arguments are pytest's. All tests share one
machine, so they run in one process.
"""

import subprocess
import sys

from lab.xen.figures import Figures
from toolchain import ROOT


def main():
    arguments = sys.argv[1:]
    tests = "tests/xen"
    if arguments[:1] == ["--boot"]:
        tests, arguments = "tests/xen/test_boot.py", arguments[1:]
    figures = Figures()
    figures.clear()
    # A choice of tests takes the place of all.
    if not any(argument.startswith("tests/xen/") for argument in arguments):
        arguments = [tests, *arguments]
    command = ["pytest", "-p", "no:xdist", "-p", "no:cov", "--durations=10", *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    table = figures.table()
    if table:
        print("measured, in a machine that QEMU computes:", table, sep="\n", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
