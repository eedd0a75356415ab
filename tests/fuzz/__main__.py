# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeat inputs, without atheris.

usage: tests/bootstrap python -m fuzz NAME FILE...
"""

import pathlib
import sys
import time

from fuzz import load, names


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in names():
        sys.exit("%s\ntargets: %s" % (__doc__.strip(), ", ".join(names())))
    target = load(sys.argv[1])
    for path in map(pathlib.Path, sys.argv[2:]):
        began = time.monotonic()
        target.run(path.read_bytes())
        print("%s: nothing is wrong, after %.3f s" % (path, time.monotonic() - began))


if __name__ == "__main__":
    main()
