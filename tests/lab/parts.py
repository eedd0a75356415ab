# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab is made of: Xen's daemons and Chromium, out of this system's packages, and the compiled shim.

All of it is kept in the cache folder. Nothing needs root, nothing is installed, and the
system's own apt state is neither needed nor touched.
"""

import glob
import hashlib
import os
import re
import shutil
import sys
from collections import namedtuple

from . import LabError
from .apt import Apt, os_release
from .making import cache, last_error, made, run, say, workplace

HERE = os.path.dirname(os.path.abspath(__file__))

#: What is taken of all that Xen's tools depend on: their own libraries, and those that a
#: minimal system lacks. The C library and what every system has stay the system's.
WANTED = re.compile(r"(libxen|xen-utils-|xenstore-utils|libbz2|liblzma|liblzo|libzstd|zlib1g)")

#: The browser, what drives it, and letters for it to draw.
CHROMIUM = ("chromium", "chromium-driver", "fonts-liberation")

#: Javas that run ansible-rulebook, the best one first.
JAVAS = tuple("openjdk-%d-jre-headless" % version for version in (17, 21, 25))

#: Shells, and what completes words in bash.
SHELLS = ("bash-completion", "fish", "zsh")

#: What makes images of discs.
DISCS = "genisoimage"

COMPILERS = ("cc", "gcc", "clang")
#: A C compiler that pip can install, for whoever has none.
ZIG = "ziglang>=0.13,<0.17"
# Fortified headers define some of the functions that the shims stand in front of.
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-U_FORTIFY_SOURCE", "-fvisibility=hidden", "-fPIC", "-shared")


class Parts(namedtuple("Parts", ("root", "shim"))):
    """The parts of a lab.

    :ivar str root: folder with the unpacked packages.
    :ivar str shim: the compiled fakexen.c.
    """

    __slots__ = ()

    def program(self, name):
        """:returns: the path of one of Xen's programs, such as ``oxenstored`` or ``xenstore-ls``."""
        folders = "usr/lib/xen-*/bin", "usr/bin"
        found = [path for folder in folders for path in glob.glob(os.path.join(self.root, folder, name))]
        if not found:
            raise LabError("this system's Xen packages have no %s: use Debian 12 or newer, or Ubuntu" % name)
        return found[0]

    def library_path(self):
        """:returns: value of LD_LIBRARY_PATH for those programs."""
        folders = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/xen-*/lib/*-linux-gnu*")
        return ":".join(found for folder in folders for found in sorted(glob.glob(os.path.join(self.root, folder))))


def get():
    """All parts, fetched and compiled where they are not there yet.

    :rtype: Parts
    :raises LabError: naming what cannot be had, and a remedy.
    """
    return Parts(_unpacked("xen", _fetch_xen), compiled(os.path.join(HERE, "fakexen.c"), "-ldl"))


def chromium():
    """The folder with Chromium's packages and those that they need and this system has not; fetched if need be.

    :rtype: str
    :raises LabError: it cannot be had; with a remedy.
    """
    return _unpacked("chromium", _fetch_chromium)


def genisoimage():
    """What makes images of discs: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command(DISCS, DISCS)


def ssh_keygen():
    """What makes and reads keys of OpenSSH: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command("ssh-keygen", "openssh-client")


def ssh():
    """The client of OpenSSH: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command("ssh", "openssh-client")


def mmdebstrap():
    """What makes Debian systems: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command("mmdebstrap", "mmdebstrap")


def mandoc():
    """What shows and checks man pages: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command("mandoc", "mandoc")


def strace():
    """What traces system calls: a command to which arguments are added, and its environment.

    :rtype: tuple of list and dict
    :raises LabError: it cannot be had; with a remedy.
    """
    return _command("strace", "strace")


def java():
    """The home of a Java 17 or newer: this system's, or one that is fetched.

    :rtype: str
    :raises LabError: it cannot be had; with a remedy.
    """
    for home in (os.environ.get("JAVA_HOME"), shutil.which("java")):
        program = home if home and os.path.basename(home) == "java" else os.path.join(home or "", "bin", "java")
        if os.access(program, os.X_OK):
            asked = run([program, "-XshowSettings:properties", "-version"])
            found = dict(re.findall(r"^ *(java[.\w]*) = (.+)$", asked.stderr, re.M))
            if float(found.get("java.specification.version", 0)) >= 17:
                return found["java.home"]
    (home,) = glob.glob(os.path.join(_unpacked("java", _fetch_java), "usr/lib/jvm/java-*-openjdk-*/lib/server"))
    return os.path.dirname(os.path.dirname(home))


def shells():
    """The folder with zsh, fish, bash-completion and the libraries that they need; fetched if need be.

    :rtype: str
    :raises LabError: they cannot be had; with a remedy.
    """
    return _unpacked("shells", _fetch_shells)


def _command(name, package):
    installed = shutil.which(name)
    if installed:
        return [installed], dict(os.environ)
    parts = Parts(_unpacked(package, lambda place: _fetch_command(place, package)), None)
    return [parts.program(name)], dict(os.environ, LD_LIBRARY_PATH=parts.library_path())


def compiled(source, *options):
    """A shared library made of one C file.

    :param str source: path of the file.
    :param options: more for the compiler.
    :returns: the path of the library, which is named after the contents of its source.
    :raises LabError: there is no working compiler, or it refuses the source.
    """
    with open(source, "rb") as stream:
        key = hashlib.sha256(repr((FLAGS, options, _platform())).encode() + stream.read()).hexdigest()
    name = os.path.splitext(os.path.basename(source))[0]
    path = os.path.join(cache(), "%s-%s.so" % (name, key[:16]))

    def make(place):
        _compile(source, options, place)
        return os.path.join(place, "made.so")

    return made(path, "compiling %s" % name, make)


# --- packages ---------------------------------------------------------------------------


def _unpacked(name, fetch):
    """The folder of unpacked packages of that name.

    :param fetch: a function that has them in <place>/root, given a place.
    """
    path = os.path.join(cache(), "%s-%s" % (name, _platform()))

    def make(place):
        fetch(place)
        return os.path.join(place, "root")

    return made(path, "fetching %s" % name.capitalize(), make)


def _fetch_xen(place):
    # As if nothing were installed: what is wanted is the same on every machine.
    apt = Apt(place, "/dev/null")
    newest = max(
        re.findall(r"^xen-utils-(\d+)\.(\d+)$", apt.run("apt-cache", "pkgnames", "xen-utils-").stdout, re.M),
        key=lambda version: (int(version[0]), int(version[1])),
        default=None,
    )
    if newest is None:
        raise LabError(
            "apt offers no package xen-utils-4.x%s: have /etc/apt name a mirror of Debian 12 or newer, or of "
            "Ubuntu's universe, that this machine reaches" % last_error(apt.updated)
        )
    utilities = "xen-utils-%s.%s" % newest
    names = [name for name in apt.needed(utilities, "xenstore-utils") if WANTED.match(name)]
    apt.unpack(names)


def _fetch_chromium(place):
    try:
        # Only what is missing here: a browser needs nearly all that a desktop has.
        apt = Apt(place, "/var/lib/dpkg/status")
        apt.unpack(apt.needed(*CHROMIUM))
    except LabError as problem:
        raise LabError(
            "there is no Chromium, and it cannot be fetched: %s; or have the programs chromium and chromedriver "
            "on the PATH (on Debian as root: apt-get install chromium chromium-driver)" % problem
        ) from problem


def _fetch_java(place):
    try:
        apt = Apt(place, "/var/lib/dpkg/status")
        offered = set(apt.run("apt-cache", "pkgnames", "openjdk-").stdout.split())
        names = [name for name in JAVAS if name in offered]
        if not names:
            raise LabError("apt offers none of the packages %s%s" % (" ".join(JAVAS), last_error(apt.updated)))
        apt.unpack([name for name in apt.needed(names[0]) if name.startswith("openjdk-")])
    except LabError as problem:
        raise LabError(
            "there is no Java 17, and it cannot be fetched: %s; or install one, and name it in JAVA_HOME" % problem
        ) from problem
    # Its settings are links into /etc.
    root = os.path.join(place, "root")
    for folder, folders, files in os.walk(os.path.join(root, "usr/lib/jvm")):
        for name in folders + files:
            path = os.path.join(folder, name)
            target = os.readlink(path) if os.path.islink(path) else ""
            if target.startswith("/") and os.path.lexists(root + target):
                os.unlink(path)
                os.symlink(os.path.relpath(root + target, folder), path)


def _fetch_shells(place):
    # As if nothing were installed: bash-completion counts as missing where it is not, so that all is in one folder.
    apt = Apt(place, "/dev/null")
    wanted = re.compile(r"(bash-completion|fish|zsh|libpcre|libtinfo|libncurses|libcap|libgdbm)")
    apt.unpack([name for name in apt.needed(*SHELLS) if wanted.match(name)])


def _fetch_command(place, package):
    apt = Apt(place, "/var/lib/dpkg/status")
    apt.unpack(apt.needed(package))


def _platform():
    """What the packages and libraries depend on, as part of a file name."""
    release = os_release()
    version = release.get("VERSION_ID") or release.get("VERSION_CODENAME", "")
    parts = release.get("ID", "linux"), version, os.uname().machine
    return "-".join(re.sub(r"[^\w.]", "", part) for part in parts)


# --- compiler ---------------------------------------------------------------------------


def _compile(source, options, place):
    """Make <place>/made.so with the first compiler that works."""
    arguments = [*FLAGS, "-o", os.path.join(place, "made.so"), source, *options]
    failed = None
    for name in COMPILERS:
        compiler = shutil.which(name)
        if compiler:
            done = run([compiler, *arguments])
            if not done.returncode:
                return
            failed = failed or done
    # A compiler without the headers of the C library, as in many containers, is none either.
    done = run([_zig(failed), "cc", *arguments], ZIG_GLOBAL_CACHE_DIR=os.path.join(place, "zig-cache"))
    if done.returncode:
        raise LabError(
            "cannot compile %s%s: install the packages gcc and libc6-dev" % (os.path.basename(source), last_error(done))
        )


def _zig(failed):
    """The path of zig, installed into the cache if need be.

    :param failed: what a compiler that is there said, or None.
    """
    path = os.path.join(cache(), "zig-" + hashlib.sha256(ZIG.encode()).hexdigest()[:8])
    if not os.path.isdir(path):
        why = "the C compiler does not work%s" % last_error(failed) if failed else "there is no C compiler"
        say("%s: fetching one with pip: %s" % (why, ZIG))
        with workplace() as place:
            target = os.path.join(place, "zig")
            done = run([sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", target, ZIG])
            if done.returncode:
                raise LabError(
                    "%s, and pip gets none%s: install the packages gcc and libc6-dev" % (why, last_error(done))
                )
            os.rename(target, path)
    return os.path.join(path, "ziglang", "zig")
