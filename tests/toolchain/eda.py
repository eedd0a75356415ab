# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests with a real ansible-rulebook, which needs a Java: both are fetched where they are missing.

usage: tests/bootstrap python -m toolchain.eda [ARGUMENT...]

The arguments are pytest's.
"""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys

from lab import LabError, parts
from toolchain import CACHE, ROOT

PLACE = CACHE / "eda"


def fail(text):
    sys.exit("make eda: " + text)


def rulebook():
    """The path of ansible-rulebook, installed where it is not there yet."""
    core = "ansible-core==" + importlib.metadata.version("ansible-core")
    path = ROOT / "tests" / "requirements-eda.txt"
    wanted = [sys.version, core, path.read_text(), (ROOT / "programs/ovm_vmmessage/requirements.txt").read_text()]
    mark, state = PLACE / "ready", hashlib.sha256(repr(wanted).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != state:
        print(f"make eda: installing {path.relative_to(ROOT)} into {PLACE}", file=sys.stderr, flush=True)
        shutil.rmtree(PLACE, ignore_errors=True)
        python = str(PLACE / "bin" / "python")
        install = [sys.executable, "-m", "pip", "--no-input", "--quiet", "--python", python, "install"]
        for command in ([sys.executable, "-m", "venv", "--without-pip", PLACE], [*install, "-r", path, core]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.stderr.write(done.stderr)
                fail("ansible-rulebook cannot be installed: see above, and that pip reaches a package index")
        mark.write_text(state)
    return PLACE / "bin" / "ansible-rulebook"


def main():
    program = rulebook()
    try:
        java = parts.java()
    except LabError as problem:
        fail(str(problem))
    arguments = sys.argv[1:]
    # A choice of tests takes the place of all.
    if not any(argument.startswith("tests/eda/") for argument in arguments):
        arguments = ["tests/eda", *arguments]
    return subprocess.run(
        ["pytest", "-p", "no:xdist", "-p", "no:cov", "--durations=5", *arguments],
        cwd=ROOT,
        env=dict(os.environ, OVM_RULEBOOK=str(program), JAVA_HOME=java),
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
