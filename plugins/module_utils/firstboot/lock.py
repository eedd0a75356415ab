# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""One run of scripts at a time on a guest."""

import fcntl
import os
import time

from .errors import Busy, FirstBootError

#: On a tmpfs, as it means nothing after a boot.
PATH = "/run/ovm-template-config.lock"
# Seconds between two tries. A run takes seconds, so this is no delay to speak of.
_PAUSE = 0.1


class Lock:
    """Held within ``with``; let go of by the kernel, however the process ends. Scripts do not inherit it.

    :param str path: the lock's file; it stays.
    :param float timeout: seconds to wait for another run.
    :param waiting: called once, with the process number of the other run or 0, before waiting for it.
    :raises Busy: on entry, when the other run has not ended in time.
    :raises FirstBootError: on entry, when the file cannot be had.
    """

    def __init__(self, path: str = PATH, timeout: float = 0, waiting=None) -> None:
        self._path, self._timeout, self._waiting = path, timeout, waiting
        self._descriptor = -1

    def __enter__(self) -> "Lock":
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise FirstBootError(
                "the lock %s cannot be had (%s)" % (self._path, problem.strerror), "run it as root"
            ) from problem
        try:
            self._acquire()
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException as problem:
            os.close(self._descriptor)
            if isinstance(problem, OSError):
                raise FirstBootError(
                    "the lock %s cannot be had (%s)" % (self._path, problem.strerror), "see that it is a plain file"
                ) from problem
            raise
        return self

    def __exit__(self, *_exception) -> None:
        os.close(self._descriptor)

    def _acquire(self):
        until = time.monotonic() + self._timeout
        told = False
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
            if not told and self._waiting:
                self._waiting(self._holder())
            told = True
            if time.monotonic() >= until:
                break
            time.sleep(_PAUSE)
        holder = self._holder()
        raise Busy(
            "another run%s is going on, and did not end within %g seconds"
            % (" (process %d)" % holder if holder else "", self._timeout),
            "see in its log what it does, or wait longer for it",
        )

    def _holder(self):
        text = os.pread(self._descriptor, 20, 0).strip()
        return int(text) if text.isdigit() else 0
