# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Running scripts, each as a process of its own: they may be of another Python than this, crash, or hang.

The other side of templateconfig/cli.py, which describes what is said between the two.
"""

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections import namedtuple

from . import log as logs
from .errors import BadParameters, BadScript
from .parameters import parse_enumeration, parse_object
from .redaction import Redactor

#: Seconds that a script may take.
TIMEOUT = 300.0
#: Bytes of what a script prints that are kept, of both its outputs together.
PRINTED_LIMIT = 1 << 20
#: Bytes of parameters that a script may return.
ANSWER_LIMIT = 1 << 24
#: Characters of a message about a failure.
MESSAGE_LIMIT = 400

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Seconds that a script has to end by itself once it is told to.
_GRACE = 5.0
# Seconds between two looks at whether a script has ended although something holds its pipes.
_LOOK, _LOOK_SOON = 0.05, 0.001
_PIECE = 65536
# What of this process's environment scripts get to see: settings of this program, and of what comes with it.
_OURS = "OVM_TEMPLATE_"
_RESULT = "TEMPLATECONFIG_RESULT_FD"
_PR_SET_PDEATHSIG = 1
# Those that somebody may make an end with, or an exception.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
# A script that asks for just some Python gets ours where the guest has none of that name.
_ANY_PYTHON = ("python", "python3")

Question = namedtuple("Question", ("name", "path", "target"))


class Outcome(namedtuple("Outcome", ("parameters", "changed", "skipped", "message", "seconds", "password_keys"))):
    """How a script's run for a target went.

    :ivar parameters: what it passes on; None where it has failed.
    :ivar changed: whether it has changed anything; None where it does not say.
    :ivar bool skipped: it was not run, as it cannot do without changing anything.
    :ivar str message: why it failed, in one line, without secrets.
    :ivar float seconds: how long it took.
    :ivar list password_keys: the keys whose values it says are secrets.
    """

    __slots__ = ()

    def __repr__(self):
        # Parameters may be secrets.
        return "Outcome(%r, %r)" % (self.message, self.seconds)


class Runner:
    """Runs scripts.

    :param str library: the folder, maybe within a zip archive, that has the package templateconfig.
    :param float timeout: seconds that each script may take.
    :param logs.Log log: gets what they print.
    :param dict environment: more for their environment.
    """

    def __init__(self, library: str, timeout: float = TIMEOUT, log: "logs.Log | None" = None, environment=None) -> None:
        self.timeout = timeout
        self.log = log or logs.Log("")
        #: Seconds between the polite and the other way to end a script.
        self.grace = _GRACE
        self._environment = _environment(library)
        self._environment.update(environment or {})

    def enumerate(self, name: str, path: str, target: str) -> list:
        """Ask a script which parameters it knows.

        :returns: list of Parameter.
        :raises BadScript: it cannot be asked, or gives no proper answer.
        """
        answer = self.enumerate_all([Question(name, path, target)])[0]
        if isinstance(answer, BadScript):
            raise answer
        return answer

    def enumerate_all(self, questions: "list[Question]") -> list:
        """Ask many scripts at once: most of it is the start of their Pythons.

        :returns: for each a list of Parameter, or the BadScript that enumerate() would raise.
        """
        children = []  # type: list[_Child]
        answers = []  # type: list
        try:
            for name, path, target in questions:
                try:
                    self._start(children, name, path, ["--enumerate"], target)
                    answers.append(children[-1])
                except BadScript as problem:
                    answers.append(problem)
            self._finish(children)
        except BaseException:
            self._end(children)
            raise
        redactor = Redactor()
        for number, child in enumerate(answers):
            if isinstance(child, BadScript):
                continue
            try:
                self._tell(child, redactor, logs.DEBUG)
                if child.problem():
                    raise BadScript(
                        "the script '%s' does not describe its parameters: %s"
                        % (child.name, self._message(child, redactor, child.told().get("message")))
                    )
                answers[number] = parse_enumeration(child.answered(), child.name)
            except BadScript as problem:
                answers[number] = problem
        return answers

    def run(
        self, name: str, path: str, target: str, parameters: "dict[str, str]", redactor, check=False, running=None
    ) -> Outcome:
        """Run a script for a target, and wait for its end.

        :param parameters: what it gets.
        :param Redactor redactor: knows the secrets.
        :param bool check: have it change nothing.
        :param running: called, with its name, while it runs.
        """
        started = time.monotonic()
        options = ["--check"] if check else []
        children = []  # type: list[_Child]
        try:
            self._start(children, name, path, options, target, json.dumps(parameters).encode("ascii"))
            if running:
                running(name)
            self._finish(children)
        except BadScript as problem:
            self.log.write(logs.ERROR, str(problem), name)
            return Outcome(None, False, False, str(problem), 0.0, [])
        except BaseException:
            self._end(children)
            for child in children:
                self._tell(child, redactor, logs.ERROR)
                self.log.write(logs.ERROR, "ended as the run was", name)
            raise
        child = children[0]
        seconds = round(time.monotonic() - started, 3)
        told = child.told()
        keys = [key for key in told.get("password_keys") or () if isinstance(key, str)]
        redactor.add_all(parameters, keys)
        answer, message = None, ""
        if child.problem():
            message = self._message(child, redactor, told.get("message"))
        else:
            try:
                answer = parse_object(child.answered(), "what the script '%s' returned" % name)
            except (BadScript, BadParameters) as problem:
                message = str(problem)
        self._tell(child, redactor, logs.ERROR if message else logs.INFO)
        changed = told.get("changed")
        if not isinstance(changed, bool):
            changed = None
        skipped = check and not message and told.get("check") is False
        if message:
            self.log.write(logs.ERROR, "failed after %.1f seconds: %s" % (seconds, message), name)
        else:
            said = {True: "changed", False: "nothing changed", None: "done"}[changed]
            self.log.write(logs.INFO, "%s in %.1f seconds" % ("skipped" if skipped else said, seconds), name)
        return Outcome(answer, changed, skipped, message, seconds, keys)

    def _start(self, children, name, path, options, target, given=None):
        """Start a script, and note it among the children.

        Signals wait until that is done, else one could end this process's work while nobody knows of the script.
        """
        command = _command(path)
        if command[0] != path and given is not None:
            self.log.write(logs.INFO, "run by %s, as there is no %s" % (command[0], _interpreter(path)[0]), name)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            children.append(_Child(name, command, options, target, given, self._environment, before))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _finish(self, children):
        """Serve some children until they have ended, of themselves or as their time is over."""
        until = time.monotonic() + self.timeout
        _serve(children, until)
        late = [child for child in children if not child.ended]
        for child in late:
            child.late = self.timeout
        self._end(late)
        for child in children:
            child.close()

    def _end(self, children):
        """Have some children end, and all that they have started within their process groups."""
        try:
            for child in children:
                child.signal(signal.SIGTERM)
            _serve(children, time.monotonic() + self.grace)
        finally:
            for child in children:
                child.signal(signal.SIGKILL)
            for child in children:
                child.close()

    def _tell(self, child, redactor, level):
        """Log what a script has printed."""
        text = child.printed.text()
        text = redactor.cut(text) if child.printed.more else redactor.text(text)
        if text.strip():
            self.log.write(level, text, child.name)
        if child.printed.more:
            self.log.write(level, "(%d more bytes of its output were dropped)" % child.printed.more, child.name)

    def _message(self, child, redactor, said=None):
        """Why a script has failed, in one line: how it ended and what it said, if anything."""
        how = child.problem()
        if said and isinstance(said, str) and not child.late:
            how = said
        elif child.code or child.late:
            printed = redactor.cut(child.printed.text()) if child.printed.more else redactor.text(child.printed.text())
            lines = [line.strip() for line in printed.split("\n") if line.strip()]
            how += "; last it said: " + lines[-1] if lines else ""
        how = " ".join(redactor.text(how).translate(logs.CONTROLS).split())
        return how if len(how) <= MESSAGE_LIMIT else how[: MESSAGE_LIMIT - 3] + "..."


class _Buffer:
    """What was read of a pipe: so many bytes of it, and how many more there were."""

    def __init__(self, limit):
        self._pieces, self._room, self.more = [], limit, 0

    def add(self, piece):
        kept = piece[: self._room]
        self._pieces.append(kept)
        self._room -= len(kept)
        self.more += len(piece) - len(kept)

    def text(self):
        return b"".join(self._pieces).decode("utf-8", "surrogateescape")


class _Child:
    """A script that was started.

    :param mask: the signals that it has blocked.
    :ivar bool ended: it has ended. (Not: its pipes have, as something it started may hold them.)
    :ivar code: its exit code as of subprocess, once it was waited for.
    :ivar late: the seconds that it had, if it did not end in time.
    """

    def __init__(self, name, command, options, target, given, environment, mask):
        self.name, self.ended, self.late = name, False, 0.0
        self.code = None  # type: int | None
        self.printed, self._answer, self._told = _Buffer(PRINTED_LIMIT), _Buffer(ANSWER_LIMIT), _Buffer(ANSWER_LIMIT)
        self._rest = memoryview(given or b"")
        theirs, self._readers, self._writer = [], {}, -1

        def pipe():
            ends = os.pipe()
            theirs.append(ends[1])
            os.set_blocking(ends[0], False)
            return ends

        try:
            for buffer in (self.printed, self._answer, self._told):
                self._readers[pipe()[0]] = buffer
            out, answer, told = theirs
            arguments = command + options
            if given is not None:
                source, self._writer = os.pipe()
                theirs.append(source)
                os.set_blocking(self._writer, False)
                arguments += ["--input", str(source)]
            arguments += ["--output", str(answer), target]
            parent = os.getpid()
            # Not only for modules, so there is no run_command.
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=dict(environment, **{_RESULT: str(told)}),
                pass_fds=theirs[1:],
                start_new_session=True,
                # We are of one thread only, and it calls nothing that needs a lock.
                preexec_fn=lambda: _prepare(mask, parent),
            )
        except OSError as problem:
            self._close_ends()
            raise BadScript(*_cannot_start(name, command[-1], problem)) from problem
        except BaseException:
            self._close_ends()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def descriptors(self):
        """:returns: what to read, and what to write."""
        return list(self._readers), [self._writer] if self._writer >= 0 else []

    def look(self):
        """Find out whether it has ended. It stays a zombie until close(), so that its number stays its own."""
        if not self.ended:
            self.ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def read(self, descriptor):
        """:returns: whether anything was there."""
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return False
        if piece:
            self._readers[descriptor].add(piece)
        else:
            os.close(descriptor)
            del self._readers[descriptor]
        return bool(piece)

    def write(self):
        """Give it some more of its parameters."""
        try:
            self._rest = self._rest[os.write(self._writer, self._rest[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            self._rest = self._rest[:0]  # it does not want them
        if not self._rest:
            os.close(self._writer)
            self._writer = -1

    def drain(self):
        """Take what is in its pipes now; no more than they hold, as something may go on filling them."""
        for descriptor in list(self._readers):
            for _again in range(1 + (1 << 20) // _PIECE):
                if not self.read(descriptor):
                    break

    def signal(self, number):
        """Send a signal to all of its process group, as long as its number is its own."""
        try:
            if self.code is None:
                os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self):
        """Wait for its end, and let go of all."""
        if self.code is None:
            self.code = self._process.wait()
            self.ended = True
            self.drain()
            self._close_ends()

    def _close_ends(self):
        for descriptor in list(self._readers):
            os.close(descriptor)
        self._readers = {}
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def problem(self):
        """:returns: what is wrong with how it ended, or an empty string."""
        if self.late:
            return "it took longer than %g seconds and was ended" % self.late
        if self.code is None or self.code < 0:
            return "it was killed by " + _signal_name(-(self.code or 0))
        if self.code:
            return "it ended with exit code %d" % self.code
        if self._answer.more:
            return "it returned more than %d bytes" % ANSWER_LIMIT
        if not self._answer.text().strip():
            return "it returned nothing"
        return ""

    def answered(self):
        """:returns: what it wrote to the descriptor for that."""
        return self._answer.text()

    def told(self):
        """:returns: what it said about its run; empty where it said nothing, or nothing of sense."""
        try:
            found = json.loads(self._told.text())
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _serve(children, until):
    """Read and write for some children, until all have ended or a moment has come."""
    while True:
        for child in children:
            child.look()
        active = [child for child in children if not child.ended]
        seconds = until - time.monotonic()
        if not active or seconds <= 0:
            return
        owners, readers, writers = {}, [], []
        for child in active:
            reads, writes = child.descriptors()
            readers += reads
            writers += writes
            owners.update(dict.fromkeys(reads + writes, child))
        # Whoever has closed its pipes is about to end.
        pause = _LOOK if readers or writers else _LOOK_SOON
        readable, writable, _errors = select.select(readers, writers, [], min(seconds, pause))
        for descriptor in writable:
            owners[descriptor].write()
        for descriptor in readable:
            owners[descriptor].read(descriptor)


def _environment(library):
    """The whole environment of scripts: nothing of the caller's, and what their Python needs."""
    result = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    result.update(
        PATH=_PATH,
        HOME="/root",
        PYTHONPATH=library,
        PYTHONIOENCODING="utf-8",  # Python 2 would take ASCII, as it writes to a pipe
        PYTHONUNBUFFERED="1",  # what it prints is in order, and not lost when it is killed
        PYTHONDONTWRITEBYTECODE="1",
        **_locale(),
    )
    return result


def _locale():
    """What tools write is in no special language, and in UTF-8 wherever there is a locale with it."""
    import locale

    choices = (
        ("C.UTF-8", dict(LC_ALL="C.UTF-8")),
        ("en_US.UTF-8", dict(LANG="C", LC_CTYPE="en_US.UTF-8")),  # the RHEL family, version 7
    )
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name, variables in choices:
            try:
                locale.setlocale(locale.LC_CTYPE, name)
                return variables
            except locale.Error:
                pass
        return dict(LC_ALL="C")
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _interpreter(path):
    """The words of a script's first line; none where it has no such line or cannot be read."""
    try:
        with open(path, "rb") as source:
            first = source.readline(256)
    except OSError:
        return []
    if not first.startswith(b"#!"):
        return []
    # Not at every white space: a line's end of Windows is part of the name for the kernel, too.
    return [word for word in os.fsdecode(first[2:]).strip("\n").replace("\t", " ").split(" ") if word]


def _command(path):
    """What to start for a script: itself, or our Python with it where it wants some Python that is not there."""
    words = _interpreter(path)
    if words and os.path.basename(words[0]) == "env" and len(words) == 2:
        import shutil  # takes its time, for a few scripts only

        words = [shutil.which(words[1], path=_PATH) or words[1]]
    if (
        words
        and os.path.basename(words[0]) in _ANY_PYTHON
        and not os.path.exists(words[0])
        and os.access(path, os.X_OK)
    ):
        return [sys.executable, path]
    return [path]


def _cannot_start(name, path, problem):
    """A text and a remedy for a script that the kernel does not start."""
    if not os.path.exists(path):
        return "the script '%s' is missing" % name, "there is no " + path
    words = _interpreter(path)
    if isinstance(problem, FileNotFoundError) and words:
        text = "the script '%s' needs %s, which is not there" % (name, words[0].rstrip("\r"))
        if words[0].endswith("\r"):
            return "the first line of the script '%s' ends as on Windows" % name, "convert its line ends"
        return text, "install it, or have the script's first line name another"
    if isinstance(problem, PermissionError):
        return "the script '%s' is not executable" % name, "run 'chmod 0755 %s'" % shlex.quote(path)
    if not words:
        return "the script '%s' has no first line that names its interpreter" % name, "begin it with #!/usr/bin/python3"
    return "the script '%s' cannot be started (%s)" % (name, problem.strerror), ""


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def _prctl():
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


_PRCTL = _prctl()


def _prepare(mask, parent):
    """In a child that is about to become a script: end when we are killed, as nobody would wait for it then."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if _PRCTL:
        _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # too late for that
        os._exit(1)
