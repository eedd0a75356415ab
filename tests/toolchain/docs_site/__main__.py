# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the site and the man pages into build/, and look at all of it as a reader does.

A warning is an error. With --build-only nothing is looked at.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from toolchain import ROOT

from . import source

BUILT = {"site": ROOT / "build" / "docs", "man pages": ROOT / "build" / "man"}
#: What looks at it.
CHECKS = ROOT / "tests" / "docs_site"


def sphinx(builder, folder, target):
    """Build, anew: Sphinx is silent about what it found wrong with a page the last time.

    :raises Broken: there was a warning.
    """
    fresh = source.WORK / builder
    shutil.rmtree(fresh, ignore_errors=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", "-E", "-j", "auto"),
            *("-d", str(source.WORK / (builder + "-trees")), "-c", str(pathlib.Path(__file__).parent)),
            *(str(folder), str(fresh)),
        ],
        env=dict(os.environ, NO_COLOR="1"),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise source.Broken("Sphinx warns of what stands above; paths there are of copies of docs/")
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    os.rename(fresh, target)


def tidy(folder):
    """Take blank lines out of man pages that stand behind headings: the programs that show these add their own."""
    for page in folder.glob("*/*"):
        page.write_text(re.sub(r"^(\.S[HS] .*\n)\.sp\n", r"\1", page.read_text("utf-8"), flags=re.M), "utf-8")


def main():
    parser = argparse.ArgumentParser(prog="make docs", description=__doc__)
    parser.add_argument("--build-only", action="store_true", help="do not look at what was built")
    options, arguments = parser.parse_known_args()
    start = time.monotonic()
    try:
        source.make_site()
        source.make_man()
        sphinx("html", source.SITE, BUILT["site"])
        sphinx("man", source.MAN, BUILT["man pages"])
        tidy(BUILT["man pages"])
    except source.Broken as problem:
        print(problem, file=sys.stderr)
        return 1
    for what, folder in BUILT.items():
        print(f"{what}: {folder}")
    print(f"built in {time.monotonic() - start:.0f} s", flush=True)
    if options.build_only:
        return 0
    return subprocess.run(["pytest", "-n0", str(CHECKS), *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
