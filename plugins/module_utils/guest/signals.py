# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Signals for a loop: something to poll for, and none that comes between two steps is missed."""

import os
from signal import (
    ITIMER_REAL,
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIGALRM,
    SIGCHLD,
    SIGHUP,
    SIGINT,
    SIGPIPE,
    SIGTERM,
    SIGUSR1,
    SIGXFSZ,
    pthread_sigmask,
    set_wakeup_fd,
    setitimer,
    signal,
)

#: What the daemon listens to.
HEARD = (SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD)
_ENDING = (SIGTERM, SIGINT)
# Seconds after which to try again to cut something off.
_SOON = 0.01
# What may be cut off, by the beginning of its modules' names.
_OURS = __name__.rpartition("guest.")[0]


class Ended(BaseException):
    """It is time to end, in the middle of a thing that may take long."""


class Signals:
    """The signals of HEARD, for the main thread.

    :ivar bool ending: whether SIGTERM or SIGINT came.
    """

    def __init__(self) -> None:
        self.ending = False
        self._seen = set()  # type: set[int]
        self._raising = False
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = set_wakeup_fd(self._writing)
        self._before = {number: signal(number, self._note) for number in HEARD}
        self._before[SIGALRM] = signal(SIGALRM, self._cut_off)

    def close(self) -> None:
        """As it was before."""
        setitimer(ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal(number, handler)
        set_wakeup_fd(self._wakeup_before)
        os.close(self._reading)
        os.close(self._writing)

    def fileno(self) -> int:
        """:returns: a descriptor that is readable when take() has something."""
        return self._reading

    def take(self) -> "set[int]":
        """:returns: the signals that came since last time."""
        try:
            while os.read(self._reading, 4096):
                pass
        except BlockingIOError:
            pass
        seen, self._seen = self._seen, set()
        return seen

    def interruptible(self) -> "_Interruptible":
        """A block, as a context manager, that SIGTERM and SIGINT cut off wherever it is in code of ours.

        Only for what may as well be cut off by SIGKILL. Other code may hold a lock just then,
        without which this process could not end in good order: it is let go on for a moment.

        :raises Ended: one came.
        """
        return _Interruptible(self)

    def _note(self, number, frame):
        self._seen.add(number)
        if number in _ENDING:
            self.ending = True
            self._cut_off(number, frame)

    def _cut_off(self, _number, frame):
        if not self._raising:
            return
        if frame is None or not str(frame.f_globals.get("__name__")).startswith(_OURS):
            setitimer(ITIMER_REAL, _SOON)
            return
        self._raising = False
        raise Ended()


class _Interruptible:
    def __init__(self, signals):
        self._signals = signals

    def __enter__(self):
        self._signals._raising = True
        if self._signals.ending:
            self._signals._raising = False
            raise Ended()

    def __exit__(self, *_exc):
        self._signals._raising = False


def fork() -> int:
    """Fork; the child has no handlers, and no signal reaches the parent's in it.

    :returns: the child's number, and 0 in the child.
    """
    before = pthread_sigmask(SIG_BLOCK, HEARD)
    try:
        child = os.fork()
        if not child:  # pragma: no cover - not seen by the measurement
            set_wakeup_fd(-1)
            # Python ignores the last two of these; programs do not expect that.
            for number in HEARD + (SIGALRM, SIGPIPE, SIGXFSZ):
                signal(number, SIG_DFL)
            before = set(before) - set(HEARD)
        return child
    finally:
        pthread_sigmask(SIG_SETMASK, before)
