# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs as guests have them, built for each Python that a guest might have and this machine has."""

import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from ansible_collections.ovm.messaging.programs import build

_VERSIONS = ["3.%d" % minor for minor in range(6, 15)]
_PYENV = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))


def _find(version, needs):
    """The path of a working Python of one version, or None."""
    # pyenv's own come first, since its shims on PATH exist for versions that they then refuse to run.
    folders = sorted(glob.glob(_PYENV + "/versions/*/bin")) + os.environ["PATH"].split(os.pathsep)
    for folder in folders:
        path = os.path.join(folder, "python" + version)
        runs = [path, "-c", "import " + needs]
        if os.path.exists(path) and not subprocess.run(runs, capture_output=True, check=False).returncode:
            return path
    return None


def _target_pythons():
    named = [path for path in os.environ.get("OVM_TARGET_PYTHONS", "").split(os.pathsep) if path]
    if named:
        return {os.path.basename(path): path for path in named}
    found = {"python" + version: _find(version, "sqlite3") for version in _VERSIONS}
    return {name: path for name, path in found.items() if path} or {os.path.basename(sys.executable): sys.executable}


#: The Pythons to run programs with, oldest first, name -> path: those that the toolchain found, else what is here.
PYTHONS = _target_pythons()


def python2():
    """The path of a Python 2, or None where this machine has none. Scripts of old guests are for that."""
    return _find("2.7", "json")


class Built:
    """One program, built for each Python that it is asked for. A context manager, which removes it all.

    :param str name: which program.
    """

    def __init__(self, name):
        self._name = name
        # A first line is short, so the paths in it have to be. Programs must be readable by other users, too.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="ovm-"))
        self._folder.chmod(0o755)
        self._files = {}

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        shutil.rmtree(self._folder)

    def __call__(self, python):
        """The program for a Python.

        :param str python: one of PYTHONS' names, or a path.
        :rtype: pathlib.Path
        """
        if python not in self._files:
            path = PYTHONS.get(python, python)
            link = self._folder / ("python-%d" % len(self._files))
            link.symlink_to(path)
            place = self._folder / ("for-%d" % len(self._files))
            self._files[python] = build.build(self._name, place, str(link), [path])[0]
        return self._files[python]
