# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab is made of: Xen's daemons and Chromium, out of this system's packages, and the compiled shim.

All of it is kept in the cache folder. Nothing needs root, nothing is installed, and the
system's own apt state is neither needed nor touched.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple

from . import LabError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

#: What is taken of all that Xen's tools depend on: their own libraries, and those that a
#: minimal system lacks. The C library and what every system has stay the system's.
WANTED = re.compile(r"(libxen|xen-utils-|xenstore-utils|libbz2|liblzma|liblzo|libzstd|zlib1g)")

#: The browser, what drives it, and letters for it to draw.
CHROMIUM = ("chromium", "chromium-driver", "fonts-liberation")

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


def cache():
    """:returns: the lab's part of the cache folder, which is made if need be."""
    path = os.path.join(os.path.abspath(os.environ.get("OVM_CACHE") or os.path.join(ROOT, ".cache")), "lab")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as problem:
        raise LabError(
            "cannot make the folder %s (%s): set OVM_CACHE to a folder of your own" % (path, problem.strerror)
        ) from problem
    return path


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
    if not os.path.exists(path):
        with _lock("compiling %s" % name):
            if not os.path.exists(path):
                with _workplace() as place:
                    _compile(source, options, place)
                    os.rename(os.path.join(place, "made.so"), path)
    return path


# --- packages ---------------------------------------------------------------------------


def _unpacked(name, fetch):
    """The folder of unpacked packages of that name.

    :param fetch: a function that has them in <place>/root, given a place.
    """
    path = os.path.join(cache(), "%s-%s" % (name, _platform()))
    if not os.path.isdir(path):
        with _lock("fetching %s" % name.capitalize()):
            if not os.path.isdir(path):
                with _workplace() as place:
                    fetch(place)
                    os.rename(os.path.join(place, "root"), path)
    return path


def _fetch_xen(place):
    # As if nothing were installed: what is wanted is the same on every machine.
    apt = _Apt(place, "/dev/null")
    newest = max(
        re.findall(r"^xen-utils-(\d+)\.(\d+)$", apt.run("apt-cache", "pkgnames", "xen-utils-").stdout, re.M),
        key=lambda version: (int(version[0]), int(version[1])),
        default=None,
    )
    if newest is None:
        raise LabError(
            "apt offers no package xen-utils-4.x%s: have /etc/apt name a mirror of Debian 12 or newer, or of "
            "Ubuntu's universe, that this machine reaches" % _last_error(apt.updated)
        )
    utilities = "xen-utils-%s.%s" % newest
    names = [name for name in apt.needed(utilities, "xenstore-utils") if WANTED.match(name)]
    apt.unpack(names)


def _fetch_chromium(place):
    try:
        # Only what is missing here: a browser needs nearly all that a desktop has.
        apt = _Apt(place, "/var/lib/dpkg/status")
        apt.unpack(apt.needed(*CHROMIUM))
    except LabError as problem:
        raise LabError(
            "there is no Chromium, and it cannot be fetched: %s; or have the programs chromium and chromedriver "
            "on the PATH (on Debian as root: apt-get install chromium chromium-driver)" % problem
        ) from problem


def _fetch_command(place, package):
    apt = _Apt(place, "/var/lib/dpkg/status")
    apt.unpack(apt.needed(package))


class _Apt:
    """apt with the system's sources and keys but a state of its own; nothing is ever installed.

    :param str place: folder for all that it makes.
    :param str status: file that says what counts as installed.
    :ivar updated: how reading the package lists went.
    """

    def __init__(self, place, status):
        for command in ("apt-get", "apt-cache", "dpkg"):
            if not shutil.which(command):
                raise LabError("there is no %s: use Debian 12 or newer, or Ubuntu; a container will do" % command)
        self._place = place
        architecture = _run(["dpkg", "--print-architecture"]).stdout.strip()
        for folder in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(place, folder))
        self._configuration = os.path.join(place, "apt.conf")
        lines = [
            'Dir::State "%s/state";' % place,
            'Dir::State::status "%s";' % status,
            'Dir::Cache "%s/cache";' % place,
            # As root, apt would become another user, who may not write here.
            'APT::Sandbox::User "root";',
            "#clear APT::Architectures;",
            'APT::Architectures { "%s"; };' % architecture,
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
        ]
        # Hooks of the system would touch the system.
        lines += ["#clear APT::Update::%s;" % hook for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")]
        with open(self._configuration, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        _say("reading this system's package lists (into the cache; the system's own stay as they are)")
        self.updated = self.run("apt-get", "update")

    def needed(self, *names):
        """The names of packages and of all that they depend on, without what is installed.

        :rtype: list of str
        """
        plan = self.run("apt-get", "--simulate", "--no-install-recommends", "install", *names)
        # An upgrade has the installed version in square brackets.
        found = re.findall(r"^Inst (\S+) \(", plan.stdout, re.M)
        if plan.returncode or not found:
            raise LabError(
                "apt cannot resolve %s%s: see that /etc/apt is whole"
                % (" ".join(names), _last_error(plan if self.updated.returncode == 0 else self.updated))
            )
        return found

    def unpack(self, names):
        """Have these packages in <place>/root."""
        _say("fetching %d packages: %s" % (len(names), " ".join(names)))
        debs = os.path.join(self._place, "debs")
        os.mkdir(debs)
        fetched = self.run("apt-get", "download", *names, cwd=debs)
        if fetched.returncode:
            raise LabError(
                "apt could not fetch packages%s: see the mirrors in /etc/apt, and try again" % _last_error(fetched)
            )
        for deb in sorted(os.listdir(debs)):
            unpacked = _run(["dpkg", "--extract", os.path.join(debs, deb), os.path.join(self._place, "root")])
            if unpacked.returncode:
                raise LabError("cannot unpack %s%s: see that there is space left" % (deb, _last_error(unpacked)))

    def run(self, command, *arguments, cwd=None):
        return _run([command, "--quiet", "--config-file", self._configuration, *arguments], cwd=cwd)


def _platform():
    """What the packages and libraries depend on, as part of a file name."""
    release = {}
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as stream:
        release = dict(line.rstrip().split("=", 1) for line in stream if "=" in line)
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
            done = _run([compiler, *arguments])
            if not done.returncode:
                return
            failed = failed or done
    # A compiler without the headers of the C library, as in many containers, is none either.
    done = _run([_zig(failed), "cc", *arguments], ZIG_GLOBAL_CACHE_DIR=os.path.join(place, "zig-cache"))
    if done.returncode:
        raise LabError(
            "cannot compile %s%s: install the packages gcc and libc6-dev"
            % (os.path.basename(source), _last_error(done))
        )


def _zig(failed):
    """The path of zig, installed into the cache if need be.

    :param failed: what a compiler that is there said, or None.
    """
    path = os.path.join(cache(), "zig-" + hashlib.sha256(ZIG.encode()).hexdigest()[:8])
    if not os.path.isdir(path):
        why = "the C compiler does not work%s" % _last_error(failed) if failed else "there is no C compiler"
        _say("%s: fetching one with pip: %s" % (why, ZIG))
        with _workplace() as place:
            target = os.path.join(place, "zig")
            done = _run([sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", target, ZIG])
            if done.returncode:
                raise LabError(
                    "%s, and pip gets none%s: install the packages gcc and libc6-dev" % (why, _last_error(done))
                )
            os.rename(target, path)
    return os.path.join(path, "ziglang", "zig")


# --- common -----------------------------------------------------------------------------


def _say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def _run(command, cwd=None, **environment):
    """Run a command to its end; standard output and error are kept as text."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=dict(os.environ, LC_ALL="C.UTF-8", **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _last_error(done):
    """What a command said went wrong, in brackets, for the middle of a sentence; at most one line."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|^E:", line, re.I)]
    return " (%s)" % (errors or lines)[-1] if lines else ""


@contextlib.contextmanager
def _lock(what):
    """One process at a time makes parts; the others wait and then find them."""
    with open(os.path.join(cache(), "lock"), "a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that makes the lab (%s)" % what)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _workplace():
    """A folder in the cache, removed afterwards: what is done moves out of it as a whole."""
    with tempfile.TemporaryDirectory(prefix="making-", dir=cache()) as place:
        os.chmod(place, 0o755)  # apt's methods may run as another user
        yield place
