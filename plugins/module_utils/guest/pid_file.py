# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The pid file: which process is the daemon, and that there is only one.

The file is locked for as long as the daemon lives, whatever ends it. So a file that a
dead one left is told from that of a living one without guessing by numbers.
"""

import os
from errno import EISDIR, ELOOP, ENXIO
from fcntl import LOCK_EX, LOCK_NB, flock
from stat import S_ISREG

from ..channel.errors import ChannelError
from .errors import AlreadyListening

# Bytes looked at: more than any number has.
_ENOUGH = 64


class PidFileError(ChannelError):
    """The pid file cannot be had."""


class AlreadyRunning(AlreadyListening):
    """There is such a process already."""


class PidFile:
    """A file with the number of this process, locked by it.

    :param str path: where.
    :param str name: the program. A living process of that name counts as running even
        where it holds no lock, as the vendor's daemon does not.
    """

    def __init__(self, path: str, name: str = "ovmd") -> None:
        self.path, self._name = os.path.abspath(path), name
        self._fd = -1

    def acquire(self) -> None:
        """Take the file: a new one, or one that a dead process left.

        :raises AlreadyRunning: naming the process that has it.
        :raises PidFileError: it cannot be written, or is not a pid file.
        """
        try:
            while not self._open():
                pass  # the one before removed it in that very moment
            self._check()
            os.fchmod(self._fd, 0o644)  # whatever the umask: people want to know
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except OSError as problem:
            self.forget()
            raise PidFileError(
                "the pid file %s cannot be written (%s)" % (self.path, problem.strerror), _remedy(problem)
            ) from problem
        except BaseException:
            self.forget()
            raise

    def release(self) -> None:
        """Remove the file where it is still this process's, and unlock it."""
        try:
            if self._fd >= 0 and self._is_there():
                os.unlink(self.path)
        except OSError:
            pass  # what stays says who has died, as after a SIGKILL
        self.forget()

    def forget(self) -> None:
        """Leave the file as it is. In a forked child: the lock stays its parent's."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self):
        """:returns: whether the file is ours now; else it was removed meanwhile."""
        # Not through a link: root writes here.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._fd = os.open(self.path, flags, 0o644)
        try:
            flock(self._fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise self._running(self._content()) from None
        if self._is_there():
            return True
        self.forget()
        return False

    def _is_there(self):
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._fd))

    def _content(self):
        return os.pread(self._fd, _ENOUGH, 0).strip()

    def _check(self):
        """Refuse a file that is not a dead process's."""
        content = self._content() if S_ISREG(os.fstat(self._fd).st_mode) else b"no file"
        if content and not content.isdigit():
            raise PidFileError(
                "%s is not a pid file: there is something else in it" % self.path, "name another one by --pid-file"
            )
        if content and int(content) != os.getpid() and self._lives(int(content)):
            raise self._running(content)

    def _lives(self, pid):
        """Whether a process of that number runs the program; others may have got its number since."""
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as source:
                words = source.read().split(b"\0")
        except OSError:
            return False
        # An interpreter is in the first place, and its options.
        return any(os.path.basename(word) == self._name.encode("ascii") for word in words[:4])

    def _running(self, content):
        who = " as process " + content.decode("ascii") if content.isdigit() else ""
        return AlreadyRunning(
            "%s is running already%s, says %s" % (self._name, who, self.path),
            "end that one first, or have it look again by SIGHUP",
        )


def _remedy(problem):
    if isinstance(problem, PermissionError):
        return "run this as root, or name another one by --pid-file"
    if problem.errno in (ELOOP, ENXIO, EISDIR):
        return "remove it: it is not a plain file"
    return "see that its directory exists and has room, or name another one by --pid-file"
