# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd as the daemon, and its ``-s``: options into calls of the guest core.

All that the daemon ever imports is imported here, at its start: its file may be replaced while
it runs.
"""

import os
import syslog
from collections import namedtuple

from ovmd import STDERR, SYSLOG, Log, explained, opened
from ovmd_options import BadUsage

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display
from ansible_collections.ovm.messaging.plugins.module_utils.guest.background import Background
from ansible_collections.ovm.messaging.plugins.module_utils.guest.daemon import PERIOD, Daemon
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import DIRECTORY
from ansible_collections.ovm.messaging.plugins.module_utils.guest.pid_file import PidFile
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import EVERYTHING, Reporter
from ansible_collections.ovm.messaging.plugins.module_utils.guest.target_run import ProgramRunner, UnitRunner
from ansible_collections.ovm.messaging.plugins.module_utils.readiness import Readiness
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

#: Of a daemon that nobody watches.
PID_FILE = "/run/ovmd.pid"
_SHORTEST, _LONGEST = 1, 86400

Settings = namedtuple("Settings", ("period", "pid_file", "foreground", "reports", "units"))


class DaemonLog(Log):
    """Where the daemon tells of what it does. An error is not its end, nor is there anybody at its terminal."""

    def __init__(self, level):
        super().__init__()
        self.level = level

    def error(self, text):
        if self.level == STDERR:
            super().error(text)
        elif self.level == SYSLOG:
            self._system(text, "LOG_ERR")

    def reopen(self):
        """Find the system's log anew."""
        syslog.closelog()


def settings(options, environ, level):
    """What the daemon is to do.

    :param options: see ovmd_options.parse; those of the daemon only. Of one given twice, the last holds.
    :raises BadUsage: saying what is wrong with which.
    """
    given = dict(options)
    foreground = "foreground" in given or level == STDERR or bool(environ.get("NOTIFY_SOCKET"))
    pid_file = os.fsdecode(given.get("pid-file", b"")) or ("" if foreground else PID_FILE)
    text = given.get("time-period", b"%d" % PERIOD)
    if not text.isdigit() or len(text) > 9 or not _SHORTEST <= int(text) <= _LONGEST:
        raise BadUsage(
            "the period '%s' is not a number of seconds from %d to %d" % (display(text), _SHORTEST, _LONGEST),
            "give one, for example -t 10",
        )
    if "reports" in given:
        reports = _reports(given["reports"], "--reports")
    else:
        reports = _reports_of_environment(environ)
    return Settings(float(int(text)), pid_file and os.path.abspath(pid_file), foreground, reports, "units" in given)


def work(wanted, environ, level):
    """Be the daemon, or start it.

    :param Settings wanted: see settings().
    :returns: the exit code.
    :raises ChannelError: it does not work.
    """
    if wanted.foreground:
        _serve(wanted, environ, DaemonLog(level), lambda: None)
        return 0
    background = Background()
    if not background.here:
        code, text = background.outcome()
        if text:
            Log().error(text)
        return code
    log = DaemonLog(level)
    try:
        _serve(wanted, environ, log, background.ready)
        return 0
    except Exception as problem:
        code, text = explained(problem)
        log.error(text)
        background.failed(code, text)
        return code


def run_target(backend, target, environ, log):
    """Run a target with the parameters held.

    :returns: the exit code of ovm-template-config.
    """
    reporter = Reporter(backend, backend.state, VERSION, _reports_of_environment(environ))
    return ProgramRunner(environ, _beside()).run(target, backend, reporter, log)


def _serve(wanted, environ, log, started):
    readiness = Readiness(environ)
    runner = UnitRunner(environ) if wanted.units else ProgramRunner(environ, _beside())
    directory = environ.get("OVM_STATE_DIR") or DIRECTORY
    pid_file = PidFile(wanted.pid_file) if wanted.pid_file else None
    if pid_file:
        pid_file.acquire()
    daemon = Daemon(lambda: opened(environ), directory, runner, log, readiness, VERSION, wanted.reports, wanted.period)
    try:
        daemon.start()
        started()
        readiness.ready()
        log.change("started, version " + VERSION)
        daemon.run()
        readiness.stopping()
        log.change("ended")
    finally:
        daemon.close()
        if pid_file:
            pid_file.release()


def _reports_of_environment(environ):
    text = environ.get("OVM_REPORTS")
    return _reports(os.fsencode(text), "OVM_REPORTS") if text else EVERYTHING


def _reports(text, where):
    names = [name.strip() for name in os.fsdecode(text).split(",")]
    if names == ["none"]:
        return ()
    for name in names:
        if name not in EVERYTHING:
            raise BadUsage(
                "%s: there is no report '%s'" % (where, display(os.fsencode(name))),
                "use none, or some of " + ",".join(EVERYTHING),
            )
    return tuple(names)


def _beside():
    """The directory that this program's file is in."""
    path = os.path.abspath(__file__)
    while not os.path.isfile(path):  # within the archive
        path = os.path.dirname(path)
    return os.path.dirname(path)
