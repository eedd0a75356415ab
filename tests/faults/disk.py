# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small file system that can be full, or read-only, for real."""

import errno
import functools
import os
import subprocess

from lab import LabError

# Mounts it where nobody else sees it, and remounts it as it is told.
_HOLDER = """
mount -t tmpfs -o "size=$1,mode=0700" faults "$2" && echo done || exit
while read -r options; do
    mount -o "remount,$options" "$2" && echo done || echo failed
done
"""


@functools.lru_cache
def namespace():
    """What runs a command in a mount namespace of its own: a tuple of words.

    :raises LabError: this user can have none; with a remedy.
    """
    words = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    if subprocess.run([*words, "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False).returncode:
        raise LabError("this user can have no mount namespace, of which the tests need some: run this as root")
    return words


class Disk:
    """A file system that only some processes see: those that command() starts. A context manager.

    Others find it by ``seen``, through /proc; but not SQLite, which goes astray there.

    :param str path: an empty folder, where it is for them.
    :param int size: bytes.
    :ivar str path: the same.
    :ivar str seen: where it is for all others.
    """

    def __init__(self, path, size=1 << 20):
        self.path, self._size = str(path), size

    def __enter__(self):
        self._holder = subprocess.Popen(
            [*namespace(), "sh", "-c", _HOLDER, "sh", str(self._size), self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._heed("it cannot be mounted")
        self.seen = "/proc/%d/root%s" % (self._holder.pid, self.path)
        self._filler = os.path.join(self.seen, "filler")
        return self

    def __exit__(self, *_exc):
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()

    def command(self, *words):
        """A command that runs another one where the file system is."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self._holder.pid), "--mount", *user, "--", *words]

    def fill(self):
        """There is no room from now on."""
        with open(self._filler, "ab", buffering=0) as target:
            try:
                while True:
                    target.write(bytes(4096))
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise

    def make_room(self):
        """There is some again."""
        os.unlink(self._filler)

    def remount(self, options):
        """Such as ``ro``, which needs nobody to have a file open for writing."""
        self._holder.stdin.write(options + "\n")
        self._holder.stdin.flush()
        self._heed("it cannot be remounted")

    def _heed(self, problem):
        if self._holder.stdout.readline() != "done\n":
            raise LabError("a file system for the tests: " + problem)
