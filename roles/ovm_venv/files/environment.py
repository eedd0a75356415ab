# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role does with Pythons, 3.6 or later: each is given this text with -Ic, and words that say what to do.

make FOLDER: make a virtual environment anew, by the Python that it is to be of.

The others are done by the environment's own, with the requirements on standard input:

look PYTHON: tell what there is, as lines of NAME=VALUE; fails where the environment is none of that Python.
pip OPTION...: have pip install the requirements, and note that it has.
wheels ARCHIVE OPTION...: the same with nothing but the wheels in a tar file, which is removed.

To ask pip itself whether all is there takes seconds.
"""

import importlib.util
import json
import os
import runpy
import shutil
import sys
import sysconfig
import tarfile
import tempfile

NOTE = os.path.join(sys.prefix, "requirements.json")


def state(requirements):
    """What is wanted, and what there is."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = {name for folder in folders for name in os.listdir(folder) if name.endswith(".dist-info")}
    # What may be changed without a loss.
    return [requirements, sorted(name for name in found if not name.startswith(("pip-", "setuptools-", "wheel-")))]


def noted():
    try:
        with open(NOTE, encoding="utf-8") as note:
            return json.load(note)
    except (OSError, ValueError):
        return None


def look(python):
    if os.path.realpath(sys.executable) != os.path.realpath(python) or not importlib.util.find_spec("pip"):
        sys.exit(1)
    print("libraries=" + ("yes" if noted() == state(sys.stdin.read()) else "no"))
    print("index=" + ("yes" if os.path.exists(os.path.join(sys.prefix, "pip.conf")) else "no"))


def run(module, *arguments):
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise


def pip(*options):
    requirements = sys.stdin.read()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as source:
        source.write(requirements)
        source.flush()
        run("pip", "install", *options, "--requirement", source.name)
    with open(NOTE, "w", encoding="utf-8") as note:
        json.dump(state(requirements), note)


def wheels(archive, *options):
    try:
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(archive) as source:
                for member in source:
                    if member.isfile():
                        with open(os.path.join(folder, os.path.basename(member.name)), "wb") as target:
                            shutil.copyfileobj(source.extractfile(member), target)
            pip("--no-index", "--find-links", folder, *options)
    finally:
        os.unlink(archive)


# Others may read what it makes, whatever root's umask is.
os.umask(0o022)
command, *words = sys.argv[1:]
if command == "make":
    run("venv", "--clear", *words)
else:
    {"look": look, "pip": pip, "wheels": wheels}[command](*words)
