# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every checker, side by side, and show only what the failing ones said."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time

from toolchain import CACHE, ROOT

CHECKS = {
    "ruff": "ruff check .",
    "format": "ruff format --check .",
    "mypy": "mypy",
    "ansible-lint": "ansible-lint --offline --strict",
    "yamllint": "yamllint --strict .",
    "changelog": "antsibull-changelog lint",
    "docs": "python -m toolchain.docs .",
    "headers": "python -m toolchain.headers",
    # by what they are, as most have no extension; files of other languages may have scripts in them
    "shellcheck": "git grep --untracked -lzE '^#!(/bin/|/usr/bin/env )(ba)?sh' ':!*.py' ':!*.md' ':!*.yml'"
    " | xargs -0 shellcheck",
}


def run(name):
    """Run one check.

    :param str name: key of CHECKS.
    :returns: name, exit code, seconds, output.
    """
    environment = dict(
        os.environ,
        # the modules are only importable through the link there
        MYPYPATH=str(CACHE / "collections"),
        NO_COLOR="1",
    )
    start = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", CHECKS[name]],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    return name, done.returncode, time.monotonic() - start, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", nargs="*", help="one of " + ", ".join(CHECKS) + "; all if none is given")
    names = parser.parse_args().check
    unknown = set(names) - set(CHECKS)
    if unknown:
        parser.error("no such check: " + ", ".join(sorted(unknown)))
    failed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, name) for name in names or CHECKS]):
            name, code, seconds, output = done.result()
            print(f"{'FAILED' if code else 'ok':6} {name} ({seconds:.1f} s)", flush=True)
            if code:
                failed.append(name)
                print(output, flush=True)
    if failed:
        print("lint failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
