# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ovm_venv has Pythons do: make an environment, look at it, install into it."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest

from toolchain import ROOT

CODE = pathlib.Path(ROOT, "roles", "ovm_venv", "files", "environment.py").read_text()
PYTHON = os.path.realpath(sys.executable)
WANTED = "tiny >= 1.0\n"


def run(python, *words, text=WANTED, code=0):
    done = subprocess.run(
        [python, "-Ic", CODE, *map(str, words)], input=text, capture_output=True, text=True, check=False, umask=0o077
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def archive(tmp_path):
    """A wheelhouse as the role carries it: one library, and something else."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a wheel\n")
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "WORD = 'tiny'\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    with tarfile.open(tmp_path / "wheels.tar", "w") as target:
        target.add(folder, arcname=".")
    return tmp_path / "wheels.tar"


def test_the_life_of_an_environment(tmp_path, archive):
    place = tmp_path / "venv"
    python = place / "bin" / "python3"
    run(PYTHON, "make", place)
    run(python, "look", "/usr/bin/env", code=1)  # it is of another Python
    assert run(python, "look", PYTHON) == "libraries=no\nindex=no\n"
    kept = shutil.copy(archive, tmp_path / "kept")

    run(python, "wheels", archive, "--quiet", "--disable-pip-version-check")
    assert not archive.exists()
    assert run(python, "look", PYTHON) == "libraries=yes\nindex=no\n"
    (library,) = place.glob("lib/*/site-packages/tiny.py")
    assert stat.S_IMODE(library.stat().st_mode) == 0o644  # for all, whatever root's umask is
    (place / "pip.conf").write_text("[global]\n")
    assert run(python, "look", PYTHON, text=WANTED + "other\n") == "libraries=no\nindex=yes\n"

    # Something of it was removed by hand.
    shutil.rmtree(*place.glob("lib/*/site-packages/tiny-1.0.dist-info"))
    assert run(python, "look", PYTHON) == "libraries=no\nindex=yes\n"
    run(python, "wheels", kept, "--quiet", text="missing\n", code=1)
    assert not os.path.exists(kept) and run(python, "look", PYTHON) == "libraries=no\nindex=yes\n"

    run(PYTHON, "make", place)
    assert run(python, "look", PYTHON) == "libraries=no\nindex=no\n"
