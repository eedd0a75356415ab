# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ovmd: options into calls of the guest core, errors into exit codes.

docs/reference/ovmd.md is its manual. A run costs little more than the interpreter's start, so
whatever not every run needs is imported where it is needed.
"""

import os
import sys

from ovmd_options import BadUsage, parse, usage

from ansible_collections.ovm.messaging.plugins.module_utils import core_dumps
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import KEY_LIMIT_FROM_GUEST
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message, display
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import (
    AlreadyListening,
    EventNotHeard,
    SendFailed,
    UnknownBackend,
    UnknownEvent,
)

#: Exit codes; documented, so they never change their meaning.
DONE, NO_SUCH_PARAMETER, BAD_INPUT, NO_CHANNEL, NOT_SENT, NO_OUTPUT, NOT_HEARD, RUNS_ALREADY, DEFECT = (
    0, 1, 2, 3, 4, 5, 6, 7, 70,
)  # fmt: skip

OFF, STDERR, SYSLOG = b"0", b"1", b"2"
#: What only the daemon knows; without any action, ovmd is the daemon.
DAEMON = frozenset(("pid-file", "time-period", "foreground", "reports", "units"))


class NoSuchParameter(ChannelError):
    """There is no parameter of that key."""


class OutputFailed(ChannelError):
    """Standard output does not take what was asked for."""


class ReaderGone(Exception):
    """Whoever read standard output has ended, as ``head`` does. Nothing to complain of."""


#: The first that fits gives the exit code.
_CODES = (
    (NoSuchParameter, NO_SUCH_PARAMETER),
    ((BadUsage, InvalidMessage, UnknownBackend, UnknownEvent), BAD_INPUT),
    (SendFailed, NOT_SENT),
    (OutputFailed, NO_OUTPUT),
    (EventNotHeard, NOT_HEARD),
    (AlreadyListening, RUNS_ALREADY),
    (ChannelError, NO_CHANNEL),
)


def main():
    """Run the command line of this process.

    :returns: the exit code.
    """
    core_dumps.forbid()
    _open_standard_descriptors()
    log = Log()
    try:
        return _run([os.fsencode(argument) for argument in sys.argv[1:]], os.environ, log)
    except ReaderGone:
        return _die("SIGPIPE")
    except KeyboardInterrupt:
        return _die("SIGINT")
    except Exception as problem:
        code, text = explained(problem)
        log.error(text)
        return code


def explained(problem):
    """What to say of an exception, and the exit code.

    :rtype: tuple of int and str
    """
    if isinstance(problem, ChannelError):
        return next(code for kinds, code in _CODES if isinstance(problem, kinds)), str(problem)
    if isinstance(problem, ImportError):
        # Some systems package parts of the standard library, above all sqlite3, on their own.
        return NO_CHANNEL, "this Python has no module %s: install its whole standard library" % problem.name
    # Python's own exit code would read as "no such parameter". Not its text: it may quote a value.
    where = problem.__traceback__
    while where.tb_next:
        where = where.tb_next
    place = "%s, line %d" % (where.tb_frame.f_code.co_filename, where.tb_lineno)
    return DEFECT, "this is a defect of ovmd (%s in %s): please report it" % (type(problem).__name__, place)


class Log:
    """Tells of what was done: never a value, only keys and sizes, and of a secret not even that.

    :ivar bytes level: nowhere, to standard error or to syslog.
    """

    def __init__(self):
        self.level = OFF

    def change(self, text, message=None, secret=False):
        """Something is not as it was before.

        :param Message message: what it happened to, if it was one.
        :param bool secret: its value is a secret, whatever its key.
        """
        if self.level == STDERR:
            _say(_line(text, message, secret))
        elif self.level == SYSLOG:
            self._system(_line(text, message, secret), "LOG_INFO")

    def detail(self, text, message=None):
        """For a person who looks closely; scripts that only read would flood the system's log."""
        if self.level == STDERR:
            _say(_line(text, message, secret=False))

    def error(self, text):
        """The run ends here."""
        _say(text)
        if self.level == SYSLOG:
            self._system(text, "LOG_ERR")

    def _system(self, text, priority):
        import syslog

        syslog.openlog("ovmd", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(getattr(syslog, priority), text)


def _line(text, message, secret):
    if message is None:
        return text
    from ansible_collections.ovm.messaging.plugins.module_utils.secret_names import secret_by_name

    size = "a secret" if secret or secret_by_name(message.key) else "%d bytes" % len(message.value)
    return "%s '%s' (%s)" % (text, display(message.key), size)


def _run(arguments, environ, log):
    """Do what a command line asks for.

    :returns: the exit code.
    :raises ChannelError: for everything that can go wrong.
    """
    options = parse(arguments)
    for name, _argument in options:
        if name == "help":
            _write(usage().encode("ascii"))
            return DONE
        if name == "version":
            from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

            _write(b"ovmd %s\n" % VERSION.encode("ascii"))
            return DONE
    level = _level(options)
    options = [option for option in options if option[0] != "debug"]
    if all(name in DAEMON for name, _argument in options):
        from ovmd_daemon import settings, work

        found = settings(options, environ, level)
        log.level = level
        return work(found, environ, level)
    actions = _actions(options)
    # From here on it is worth a line in the system's log; a slip of the fingers is not.
    log.level = level
    with opened(environ) as backend:
        log.detail("using the backend " + backend.name)
        for message in backend.receive():
            log.change("received", message)
        for number, fault in backend.faults:
            log.change("message %d from the host cannot be read and was passed over: %s" % (number, fault))
        for perform, subject in actions:
            code = perform(backend, subject, log)
            if code:
                return code
    return DONE


def opened(environ):
    """A new backend, as the environment says.

    :raises ChannelError: there is none.
    """
    from ansible_collections.ovm.messaging.plugins.module_utils.guest import backend as backends

    return backends.open_backend(
        environ.get("OVM_BACKEND") or backends.AUTO,
        environ.get("XENSTORED_PATH"),
        environ.get("OVM_DEVICE") or backends.DEVICE,
        environ.get("OVM_STATE_DIR") or backends.DIRECTORY,
    )


def _level(options):
    level = ([SYSLOG] + [argument for name, argument in options if name == "debug"])[-1]
    if level not in (OFF, STDERR, SYSLOG):
        raise BadUsage("there is no debug level '%s'" % display(level), "use 0, 1 or 2")
    return level


def _actions(options):
    """What there is to do, all of it checked.

    :returns: list of pairs: a function of backend, subject and log, and its subject.
    :raises BadUsage: for options that cannot be followed.
    :raises InvalidMessage: for a parameter that cannot be sent.
    """
    names = [name for name, _argument in options]
    for name in names:
        if name in DAEMON:
            other = next(other for other in names if other not in DAEMON)
            raise BadUsage(
                "--%s is for the daemon, --%s is not" % (name, other),
                "run ovmd twice, once as the daemon",
            )
    if names.count("set-secret") > 1:
        raise BadUsage("--set-secret was given more than once", "one run reads one value from standard input")
    actions = []
    for name, argument in options:
        check, perform = _ACTIONS[name]
        actions.append((perform, check(argument)))
    # Only now, so that nobody is asked for a secret in vain.
    return [(perform, _with_value(subject) if perform is _set_secret else subject) for perform, subject in actions]


def _pair(argument):
    key, found, value = argument.partition(b"=")
    if not found:
        raise BadUsage("the parameter '%s' has no '='" % display(argument), "give it in the format key=value")
    return Message(key, value).check(KEY_LIMIT_FROM_GUEST)


def _without_value(key):
    return Message(key, b"").check(KEY_LIMIT_FROM_GUEST)


def _event(text):
    from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse as parse_event

    return parse_event(text)


def _target(name):
    from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS

    if os.fsdecode(name) not in TARGETS:
        raise BadUsage("there is no target '%s'" % display(name), "use one of " + ", ".join(TARGETS))
    return os.fsdecode(name)


def _with_value(message):
    from ovmd_secret import read_secret

    return Message(message.key, read_secret(message.key)).check(KEY_LIMIT_FROM_GUEST)


def _as_given(argument):
    # Also what could not be set: a list may hold an empty key that the host sent.
    return argument


def _set(backend, message, log):
    backend.set([message])
    log.change("set", message)


def _set_secret(backend, message, log):
    backend.set([message], secret=[message.key])
    log.change("set", message, secret=True)


def _get(backend, key, log):
    value = backend.get(key)
    if value is None:
        raise _missing(key)
    log.detail("read", Message(key, value))
    _write(value + b"\n")


def _delete(backend, key, log):
    if not backend.delete([key]):
        raise _missing(key)
    log.change("deleted '%s'" % display(key))


def _delete_all(backend, _subject, log):
    log.change("deleted all parameters (%d)" % backend.delete_all())


def _list(backend, _subject, log):
    from ovmd_text import line

    entries = backend.entries()
    log.detail("listed %d parameters" % len(entries))
    _write(b"".join(line(entry.key, entry.value) + b"\n" for entry in entries))


def _post(backend, event, log):
    backend.post(event)
    log.change("passed on the event %s (%d bytes)" % (event, len(event.payload)))


def _run_target(backend, target, log):
    from ovmd_daemon import run_target

    return run_target(backend, target, os.environ, log)


#: Option -> what makes its argument the action's subject, or refuses it, and the action.
_ACTIONS = {
    "set-param": (_pair, _set),
    "set-secret": (_without_value, _set_secret),
    "get-param": (_as_given, _get),
    "delete-param": (_as_given, _delete),
    "delete-params": (_as_given, _delete_all),
    "list-params": (_as_given, _list),
    "event": (_event, _post),
    "script": (_target, _run_target),
}


def _missing(key):
    return NoSuchParameter("there is no parameter '%s'" % display(key), "see 'ovmd --list' for those that there are")


def _write(data):
    """Write to standard output, all of it, before the next thing is done.

    :raises ReaderGone: there is nobody left who reads.
    :raises OutputFailed: for any other reason.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        raise ReaderGone() from None
    except OSError as problem:
        raise OutputFailed(
            "standard output cannot be written (%s)" % problem.strerror, "see where it leads"
        ) from problem


def _say(text):
    """One line to standard error, in one piece; where that fails there is nobody left to tell."""
    try:
        os.write(2, ("ovmd: %s\n" % text).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _open_standard_descriptors():
    """Occupy descriptors 0 to 2 where a caller closed them.

    Else the parameter list or XenStore's connection would get one of these numbers, and
    what is written to "standard output" would end up there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. What cannot be written to stays an error.
            os.open(os.devnull, os.O_WRONLY if descriptor == 0 else os.O_RDONLY)


def _die(name):
    """End by a signal, as a program that knows nothing of it would: callers then see why."""
    import signal

    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # where the signal is blocked
