# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's loop: it sleeps until something happens, then looks at everything once.

What can happen: the host sends a message, another process of the guest knocks (see wake), an
address changes, a target's run ends, a signal comes, the period is over. It makes no difference
which: what there is to do is found in XenStore and beside the parameter list, never remembered
in here alone. So whatever kills the daemon, the next one goes on where it was.

Targets run one at a time, in the order of their events, each in a child of its own. A child
takes its event out of the list itself and holds a lock while it lives: it may outlive the daemon,
and the next one waits for it.

All modules are imported before start() has ended, so that the program's file can be replaced.
"""

import os
import time
from fcntl import LOCK_EX, LOCK_NB, flock
from select import POLLIN, poll

from ..channel.errors import ChannelError
from . import events
from .addresses import Addresses
from .errors import AddressesUnavailable
from .reporter import ADDRESSES, Reporter
from .signals import SIGHUP, SIGUSR1, Ended, Signals, fork
from .wake import Listener, knock

#: Seconds between two looks at everything, where nothing happens.
PERIOD = 10.0
#: How often a target is begun for one event, where each time the daemon and the run are killed over it.
ATTEMPTS = 3

_LOCK = "target.lock"
# Seconds before the first new attempt after a failure; each further one waits twice as long, up to the period.
_PAUSE = 0.1
# Seconds that a target's child tries to reach XenStore.
_PATIENCE = 30.0


class Daemon:
    """Receives, reports, and runs targets.

    :param open_backend: gives a new backend, see backend.open_backend.
    :param str directory: where the parameter list is.
    :param runner: runs targets, see target_run.
    :param log: has ``change(text, message=None)``, ``detail(text)``, ``error(text)`` and ``reopen()``.
    :param Readiness readiness: who wants to know how the daemon is.
    :param str version: of this program.
    :param reports: what to report, of reporter.EVERYTHING.
    :param float period: seconds.
    """

    def __init__(self, open_backend, directory, runner, log, readiness, version, reports, period=PERIOD):
        self._open, self._directory, self._runner, self._log = open_backend, directory, runner, log
        self._readiness, self._version, self._reports, self._period = readiness, version, tuple(reports), period
        self._backend = self._listener = self._addresses = None
        self._child = None  # type: _Child | None
        self._over = []  # type: list[int]  # events whose children have ended
        self._faults = frozenset()  # type: frozenset
        self._again = False  # report everything anew
        self._untold = ""  # why not everything could be reported
        self._trouble = None  # type: _Trouble | None
        self._began = time.time()
        self._last = 0.0  # when a message was received
        self._received = self._wakeups = self._targets = 0
        self._due = time.monotonic() + period
        self._signals = Signals()

    def start(self):
        """Open everything and look for the first time: after this it works.

        :raises ChannelError: it cannot; close() is the caller's.
        """
        self._look(self._connect())

    def run(self):
        """Work until SIGTERM or SIGINT."""
        while not self._signals.ending:
            try:
                with self._signals.interruptible():
                    again = self._attempt()
            except Ended:
                break
            self._readiness.alive()
            if not again:
                self._sleep()
        if self._child:
            self._log.change("the target %s goes on as process %d" % (self._child.target, self._child.number))

    def close(self):
        """Give everything up."""
        for thing in (self._listener, self._addresses, self._backend, self._signals):
            if thing is not None:
                thing.close()

    # One look at everything

    def _attempt(self):
        """Look, whatever comes of it.

        :returns: whether to look again at once.
        """
        signals = self._signals.take()
        if SIGHUP in signals:
            self._readiness.reloading()
            self._log.reopen()
            self._log.change("looking at everything anew")
            self._again, self._faults, self._untold = True, frozenset(), ""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._period
        try:
            again = self._look(self._backend or self._connect())
        except ChannelError as problem:
            self._fail(problem)
            again = False
        else:
            self._recover()
        if SIGHUP in signals:
            self._readiness.ready()
        if SIGUSR1 in signals:
            self._tell_status()
        return again

    def _look(self, backend):
        """:returns: whether something happened meanwhile."""
        if backend.state.replaced():
            # Somebody has removed the list: the others work on a new one by now.
            self._log.error(
                "the parameter list %s was replaced by another one: going on with that" % backend.state.path
            )
            backend = self._connect()
        self._listen()
        self._hear_addresses()
        self._attend(backend)
        self._receive(backend)
        self._collect(backend.state)
        self._begin(backend.state)
        self._report()
        return self._attend(backend)

    def _connect(self):
        """Open all that belongs to the list and to XenStore.

        :returns: the backend.
        """
        self._disconnect()
        self._backend = backend = self._open()
        try:
            backend.knocking = False
            state = backend.state
            if self._addresses is None and ADDRESSES in self._reports:
                self._addresses = self._open_addresses()
            interfaces = self._addresses.interfaces if self._addresses else None
            self._reporter = Reporter(backend, state, self._version, self._reports, interfaces)
        except BaseException:
            self._disconnect()
            raise
        return backend

    def _disconnect(self):
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _open_addresses(self):
        try:
            return Addresses()
        except AddressesUnavailable as problem:
            self._log.error(str(problem))
            return None

    def _listen(self):
        """Take the knocks; what they are about is found in the list."""
        if self._listener and not os.path.exists(self._listener.path):
            self._listener.close()  # somebody has removed it
            self._listener = None
        if self._listener is None:
            self._listener = Listener(self._directory)
        self._listener.drain()

    def _hear_addresses(self):
        """Take the news of addresses: the report looks for itself what they are."""
        if self._addresses:
            try:
                self._addresses.drain()
            except AddressesUnavailable as problem:
                self._log.error(str(problem))
                self._addresses.close()
                self._addresses = self._open_addresses()

    def _attend(self, backend):
        happened = backend.attend()
        self._tell_faults(backend)
        return happened

    def _receive(self, backend):
        for message in backend.receive():
            self._log.change("received", message)
            self._received += 1
            self._last = time.time()
        self._tell_faults(backend)

    def _tell_faults(self, backend):
        """Log what could not be read; once, though XenStore's stays there."""
        faults = frozenset(backend.faults)
        for number, fault in sorted(faults - self._faults):
            self._log.change("message %d from the host was passed over: %s" % (number, fault))
        self._faults = faults

    def _report(self):
        again, self._again = self._again, False
        try:
            self._reporter.report(again)
        except BaseException:
            self._again = again
            raise
        problem = self._reporter.problem
        untold = str(problem) if problem else ""
        if untold and untold != self._untold:
            self._log.error("not everything could be reported: %s" % untold)
        self._untold = untold

    # Targets

    def _begin(self, state):
        """Go through the events that wait, up to one that has something to run."""
        while self._child is None:
            found = state.next_event()
            if found is None:
                return
            position, event, begun = found
            target = events.target(event)
            what = "the event %s (%d bytes)" % (event, len(event.payload))
            if target is None:
                self._log.change(what)
            elif begun >= ATTEMPTS:
                self._log.error(
                    "%s is dropped, as %d runs of the target %s were cut off: see what ends them"
                    % (what, begun, target)
                )
            else:
                reason = self._runner.ready(target)
                if not reason:
                    if self._start(position, what, target):
                        continue
                    return
                self._log.change("%s: the target %s is not run: %s" % (what, target, reason))
            with state.writing():
                state.end_event(position)

    def _start(self, position, what, target):
        """:returns: whether it runs; else that of an earlier daemon still does, or it has to wait."""
        try:
            path = os.path.join(self._directory, _LOCK)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                if not _locked(lock):
                    return False
                number = fork()
                if not number:  # pragma: no cover - not seen by the measurement
                    self._be_child(lock, position, target)
            finally:
                os.close(lock)  # the child has it
        except OSError as problem:
            self._log.error("the target %s cannot be run now (%s): trying again" % (target, problem.strerror))
            return False
        self._log.change("%s: running the target %s" % (what, target))
        self._child = _Child(number, position, target)
        self._targets += 1
        self._readiness.status("running the target %s" % target)
        return True

    def _collect(self, state):
        """See whether the target's child has ended, and forget its event where it did not do so itself."""
        child = self._child
        if child and os.waitpid(child.number, os.WNOHANG)[0]:
            self._child = None
            self._over.append(child.position)
        if self._over:
            with state.writing():
                for position in self._over:
                    state.end_event(position)
            self._over = []

    def _be_child(self, lock, position, target):  # pragma: no cover - not seen by the measurement
        """Run a target and end."""
        try:
            self._log.reopen()
            os.setsid()  # what ends the daemon from a terminal is not meant for this
            _close_all_but(lock)
            run_for_event(self._open, self._runner, self._version, self._reports, position, target, self._log)
        except ChannelError as problem:
            self._log.error("the target %s was not run: %s" % (target, problem))
        except BaseException as problem:
            self._log.error("the target %s was not run: %s" % (target, type(problem).__name__))
        finally:
            os.close(lock)
            knock(self._directory)
            os._exit(0)

    # Trouble

    def _fail(self, problem):
        """Start anew later. One outage is told once."""
        self._disconnect()
        if self._trouble is None:
            self._trouble = _Trouble()
            self._log.error(str(problem))
            self._readiness.status("trying again: %s" % problem.text)
        self._trouble.wait_longer(self._period)

    def _recover(self):
        if self._trouble is not None:
            self._log.change("it works again after %.1f s" % (time.monotonic() - self._trouble.since))
            self._trouble = None
        if self._child is None and self._backend:
            self._readiness.status("waiting for messages (backend %s)" % self._backend.name)

    # Sleeping

    def _sleep(self):
        """Wait for something to happen."""
        sleeper = poll()
        for thing in (self._signals, self._listener, self._addresses, self._backend):
            if thing is not None:
                sleeper.register(thing.fileno(), POLLIN)
        now = time.monotonic()
        until = [self._due]
        if self._trouble:
            until.append(self._trouble.again)
        if self._readiness.watchdog:
            until.append(now + self._readiness.watchdog)
        # Rounded up, else it would wake a moment too early and find nothing to do.
        sleeper.poll(max(0, int((min(until) - now) * 1000) + 1))
        self._wakeups += 1

    def _tell_status(self):
        """What SIGUSR1 asks for: figures, never a value."""
        lines = [
            "version %s, running since %s, period %g s, %d wake-ups, %d messages received%s"
            % (
                self._version,
                _when(self._began),
                self._period,
                self._wakeups,
                self._received,
                ", the last at " + _when(self._last) if self._last else "",
            ),
            "%d targets run%s"
            % (
                self._targets,
                ", %s as process %d now" % (self._child.target, self._child.number) if self._child else "",
            ),
        ]
        if self._trouble or self._backend is None:
            lines.append("out of order, trying again")
        else:
            try:
                found = self._backend.state.next_event()
                uncollected = self._backend.uncollected()
                lines.append(
                    "backend %s, %d parameters, %s, %s"
                    % (
                        self._backend.name,
                        len(self._backend.entries()),
                        "the event %s is next" % (found[1],) if found else "no event waits",
                        "no telling what the host has not collected"
                        if uncollected is None
                        else "%d messages not collected by the host" % uncollected,
                    )
                )
            except ChannelError as problem:
                lines.append(str(problem))
        if self._untold:
            lines.append("not everything could be reported: " + self._untold)
        for line in lines:
            self._log.change("status: " + line)


def run_for_event(open_backend, runner, version, reports, position, target, log):
    """What the child of an event does: run the target, tell how it went, forget the event.

    :returns: the exit code.
    """
    with _patiently(open_backend) as backend:
        with backend.state.writing():
            backend.state.begin_event(position)
        try:
            code = runner.run(target, backend, Reporter(backend, backend.state, version, reports), log)
        finally:
            with backend.state.writing():
                backend.state.end_event(position)
    log.change("the target %s %s" % (target, "failed with the exit code %d" % code if code else "was run"))
    return code


def _locked(file):
    try:
        flock(file, LOCK_EX | LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _patiently(open_backend):
    """A new backend; XenStore may be gone for a moment."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return open_backend()
        except ChannelError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.2)


def _close_all_but(kept):  # pragma: no cover - only a forked child may do it
    """Close what the child has of its parent beyond the standard descriptors.

    Locks would last as long as it otherwise. Whatever used them is never touched again.
    """
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number != kept:
            try:
                os.close(number)
            except OSError:
                pass  # that of the listing


class _Child:
    """A target's run."""

    def __init__(self, number, position, target):
        self.number, self.position, self.target = number, position, target


class _Trouble:
    """Something does not work, and when to try again."""

    def __init__(self):
        self.since = time.monotonic()
        self._pause = _PAUSE / 2
        self.again = self.since

    def wait_longer(self, longest):
        self._pause = min(self._pause * 2, longest)
        self.again = time.monotonic() + self._pause


def _when(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
