# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Running ovm-template-config for a target, with the parameters that the guest holds.

They go through a pipe, never through arguments or files. Of those that are marked as secrets
the keys are arguments: ovm-template-config blanks their values in what it logs.
"""

import json
import os
from signal import SIG_DFL, SIGCHLD, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ, signal

from .. import report
from ..channel.errors import ChannelError

PROGRAM = "ovm-template-config"
#: Of whose runs the host is told: those that configure the guest.
REPORTED = ("configure", "reconfigure")
#: Exit code where the program could not be started, as a shell has it.
NOT_STARTED = 127

_SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SCRIPTS = "/etc/template.d"
_UNIT = "ovm-template-config@%s.service"


class ProgramMissing(ChannelError):
    """ovm-template-config is not installed."""


class TargetNotRun(ChannelError):
    """The system does not let a target be run: it lacks processes, memory, or room for the result."""


class ProgramRunner:
    """Runs the program itself.

    :param environ: the environment: ``OVM_TEMPLATE_CONFIG`` names the program, ``OVM_TEMPLATE_DIR``
        the directory of its scripts.
    :param str beside: a directory to look in first.
    """

    def __init__(self, environ, beside: str = "") -> None:
        self._named = environ.get("OVM_TEMPLATE_CONFIG")
        self._places = [beside] if beside else []
        self._places += (environ.get("PATH") or _SEARCH).split(os.pathsep)
        self._scripts = environ.get("OVM_TEMPLATE_DIR") or _SCRIPTS

    def ready(self, target: str) -> str:
        """:returns: why nothing can or need be run for a target; an empty string where it can."""
        try:
            self._path()
        except ProgramMissing as problem:
            return problem.text
        return "" if has_scripts(self._scripts, target) else "no script is enabled for it"

    def run(self, target: str, backend, reporter, log) -> int:
        """Run the target and wait for its end; SIGTERM and SIGINT are passed on to it meanwhile.

        :param backend: the guest's; see backend.
        :param Reporter reporter: tells the host of a target of REPORTED.
        :param log: as of Daemon.
        :returns: the program's exit code; 128 and more where a signal ended it.
        :raises ProgramMissing: there is no such program.
        :raises TargetNotRun: the system does not let it run.
        """
        with _Translated(target):
            return self._run(target, backend, reporter, log)

    def _run(self, target, backend, reporter, log):
        command = [self._path(), "--stdin"]
        entries = backend.entries()
        for entry in entries:
            if entry.secret:
                command += ["--secret", entry.key]
        with _Scratch(os.path.dirname(backend.state.path)) as result:
            child = _Child(command + ["--report", "%d" % result.fd, target], result.fd)
            try:
                child.feed(b"".join(_line(entry) for entry in entries))
                if target in REPORTED:
                    _tell(reporter, log, report.RUNNING, target=target)
            finally:
                code = child.wait()
            found = result.content()
        if target in REPORTED:
            state = report.FAILED if code else report.DONE
            _tell(reporter, log, state, target=target, **_details(found, code))
        return code

    def _path(self):
        if self._named:
            if os.access(self._named, os.X_OK) and os.path.isfile(self._named):
                return os.path.abspath(self._named)
            raise ProgramMissing(
                "the program %s cannot be run" % self._named, "let OVM_TEMPLATE_CONFIG name the file, or unset it"
            )
        for place in self._places:
            path = os.path.join(place, PROGRAM)
            if place and os.access(path, os.X_OK) and os.path.isfile(path):
                return path
        raise ProgramMissing(
            "the program %s is not installed" % PROGRAM, "install it beside ovmd, or let OVM_TEMPLATE_CONFIG name it"
        )


class UnitRunner:
    """Has systemd run the target, as a unit of its own: ``ovm-template-config@TARGET.service``."""

    def __init__(self, environ) -> None:
        self._places = (environ.get("PATH") or _SEARCH).split(os.pathsep)
        self._scripts = environ.get("OVM_TEMPLATE_DIR") or _SCRIPTS

    def ready(self, target: str) -> str:
        """See ProgramRunner."""
        if not self._systemctl():
            return "there is no systemctl"
        return "" if has_scripts(self._scripts, target) else "no script is enabled for it"

    def run(self, target: str, _backend, _reporter, _log) -> int:
        """Start the unit and wait for its end, or for that of a start under way. The unit reports.

        :raises ProgramMissing: there is no systemctl.
        """
        systemctl = self._systemctl()
        if systemctl is None:
            raise ProgramMissing("there is no systemctl", "start ovmd without --units")
        with _Translated(target):
            child = _Child([systemctl, "start", _UNIT % target])
            child.feed(b"")
            return child.wait()

    def _systemctl(self):
        for place in self._places:
            path = os.path.join(place, "systemctl")
            if place and os.access(path, os.X_OK):
                return path
        return None


def has_scripts(directory: str, target: str) -> bool:
    """Whether a script is enabled for a target."""
    try:
        return bool(os.listdir(os.path.join(directory, target + ".d")))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # the program says why it cannot read them


class _Translated:
    """A context manager that turns the system's errors into ours."""

    def __init__(self, target):
        self._target = target

    def __enter__(self):
        return self

    def __exit__(self, _kind, problem, _traceback):
        if isinstance(problem, OSError):
            raise TargetNotRun(
                "%s cannot be run for the target %s (%s)" % (PROGRAM, self._target, problem.strerror),
                "see that the system has processes, memory, and room beside the parameter list",
            ) from problem


class _Child:
    """A program that gets bytes on its standard input.

    :param command: an absolute path, and arguments.
    :param int keep: a descriptor that it has, too.
    """

    def __init__(self, command, keep=-1):
        reading, self._writing = os.pipe2(os.O_CLOEXEC)
        self._pid = 0
        self._before = {number: signal(number, self._pass_on) for number in (SIGTERM, SIGINT)}
        # Where the caller had it ignored, nobody would be told how the program ended.
        self._before[SIGCHLD] = signal(SIGCHLD, SIG_DFL)
        self._pid = os.fork()
        if not self._pid:  # pragma: no cover - not seen by the measurement
            try:
                # Python ignores the last two; programs do not expect that.
                for number in (SIGTERM, SIGINT, SIGPIPE, SIGXFSZ):
                    signal(number, SIG_DFL)
                os.dup2(reading, 0)
                if keep >= 0:
                    os.set_inheritable(keep, True)
                os.execv(command[0], command)  # noqa: S606 - there is no shell to want
            finally:
                os._exit(NOT_STARTED)
        os.close(reading)

    def feed(self, data):
        """Give it its input, to the end."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._writing, rest) :]
        except BrokenPipeError:
            pass  # it has ended; its exit code says more
        finally:
            os.close(self._writing)

    def wait(self):
        """:returns: its exit code, as a shell has it."""
        status = os.waitpid(self._pid, 0)[1]
        self._pid = 0
        for number, handler in self._before.items():
            signal(number, handler)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _pass_on(self, number, _frame):
        if self._pid:
            os.kill(self._pid, number)


class _Scratch:
    """A file without a name. A pipe would have to be emptied while the program runs, and does not end as
    long as any process that a script left behind has it.
    """

    def __init__(self, directory):
        path = os.path.join(directory, ".result-%d" % os.getpid())
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.unlink(path)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        os.close(self.fd)

    def content(self):
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0)


def _line(entry):
    """A parameter as ``ovmd -l`` has it: bytes that are not UTF-8 as lone surrogates."""
    pair = {entry.key.decode("utf-8", "surrogateescape"): entry.value.decode("utf-8", "surrogateescape")}
    return json.dumps(pair).encode("ascii") + b"\n"


def _details(result, code):
    """What there is to report of a run, out of what the program wrote."""
    try:
        found = json.loads(result.decode("utf-8"))
        return {"failed": list(found["failed"]), "scripts": list(found["scripts"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"failed": [], "scripts": [], "message": "%s ended with the exit code %d" % (PROGRAM, code)}


def _tell(reporter, log, state, **details):
    try:
        reporter.configuration(state, **details)
    except ChannelError as problem:
        # The target matters more than the news of it.
        log.change("the host cannot be told how the configuration stands: %s" % problem)
