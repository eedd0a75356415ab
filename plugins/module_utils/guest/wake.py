# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""How the other processes of a guest wake the daemon: a socket beside the parameter list.

What they have to say is in the list; a knock only says "look". So none is ever waited for,
and none is missed: one that finds the socket full has others before it.
"""

import errno
import fcntl
import os
from _socket import AF_UNIX, SOCK_DGRAM, socket  # the socket module would cost a command 7 ms

from .errors import AlreadyListening, ParameterListError

FILE = "wake"
# Bytes of a path that fits into a socket's address, with its NUL.
_ADDRESS = 108


class Listener:
    """The daemon's end. There is one for each directory.

    :param str directory: of the parameter list, which has to exist.
    :raises AlreadyListening: another process is that.
    :raises ParameterListError: the directory does not take a socket.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, FILE)
        self._bound, self._directory = False, -1
        self._socket = socket(AF_UNIX, SOCK_DGRAM)
        try:
            self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._listen()
        except OSError as problem:
            self.close()
            if problem.errno == errno.EWOULDBLOCK:
                raise AlreadyListening(
                    "another ovmd runs already on the parameter list in %s" % directory,
                    "stop it first, or use another directory",
                ) from problem
            raise self._cannot(problem) from problem

    def _listen(self):
        # The lock goes with the process, however it ends; the socket's file stays behind.
        fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.unlink(FILE, dir_fd=self._directory)
        except FileNotFoundError:
            pass
        self._socket.setblocking(False)
        os.fchmod(self._socket.fileno(), 0o600)  # the file takes after it
        self._socket.bind(_address(self.path, self._directory))
        self._bound = True

    def _cannot(self, problem):
        return ParameterListError(
            "the daemon cannot listen on %s (%s)" % (self.path, problem.strerror), "see that root may write there"
        )

    def fileno(self) -> int:
        """:returns: a descriptor that is readable after a knock."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take all knocks.

        :returns: whether there was one.
        """
        knocked = False
        while True:
            try:
                self._socket.recv(1)
                knocked = True
            except BlockingIOError:
                return knocked
            except OSError:
                return True  # whatever was lost, looking around once more does no harm

    def close(self) -> None:
        """Listen no more. A second call does nothing."""
        if self._bound:
            self._bound = False
            try:
                os.unlink(FILE, dir_fd=self._directory)
            except OSError:
                pass  # gone with its directory, for example; a socket that nobody listens on does no harm
        self._socket.close()
        if self._directory >= 0:
            os.close(self._directory)  # and with it the lock
            self._directory = -1


def knock(directory: str) -> bool:
    """Wake the daemon. Takes no time, and nothing goes wrong.

    :returns: whether there is one.
    """
    handle, path = -1, os.path.join(directory, FILE)
    sender = socket(AF_UNIX, SOCK_DGRAM)
    try:
        sender.setblocking(False)
        if not _fits(path):
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        sender.sendto(b"!", _address(path, handle))
        return True
    except OSError as problem:
        # Full: it is awake, or will be.
        return problem.errno in (errno.EAGAIN, errno.ENOBUFS)
    finally:
        sender.close()
        if handle >= 0:
            os.close(handle)


def _fits(path):
    return len(os.fsencode(path)) < _ADDRESS


def _address(path, directory):
    """The address of the socket: its path, or where that is too long, a way around."""
    return path if _fits(path) else "/proc/self/fd/%d/%s" % (directory, FILE)
