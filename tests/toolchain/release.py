# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the changelog of a release out of the fragments, which go.

usage: tests/bootstrap --lint python -m toolchain.release [ARGUMENT...]

The arguments are those of `antsibull-changelog release`, such as --date. It runs on a copy: in
a clone it would have ansible-doc copy all that the cache has.
"""

import shutil
import subprocess
import sys

from toolchain import ROOT
from toolchain.ansible_test import copy_tree

CHANGELOG = "changelogs/changelog.yaml"
MADE = ("CHANGELOG.md", "CHANGELOG.rst", CHANGELOG)


def main():
    tree = copy_tree("release")
    (tree / ".cache").unlink()
    code = subprocess.run(["antsibull-changelog", "release", *sys.argv[1:]], cwd=tree, check=False).returncode
    if code:
        return code
    for name in MADE:
        shutil.copy(tree / name, ROOT / name)
    for fragment in (ROOT / "changelogs" / "fragments").glob("*.yml"):
        if not (tree / fragment.relative_to(ROOT)).exists():
            fragment.unlink()
    print("made: " + ", ".join(MADE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
