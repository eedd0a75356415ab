# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ovm-template-config: options into runs of scripts, errors into exit codes.

docs/reference/ovm-template-config.md is its manual.
"""

import json
import os
import signal

from ovm_template_config_options import PROGRAM, USAGE, parse

from ansible_collections.ovm.messaging.plugins.module_utils import command_line, core_dumps
from ansible_collections.ovm.messaging.plugins.module_utils.command_line import BAD_USAGE, DONE, say, write
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import log as logs
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.chain import Chain
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import (
    BadParameters,
    BadScript,
    SourceError,
    UnknownTarget,
)
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.lock import PATH, Lock
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import parse_lines
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import Runner
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import DIRECTORY, Scripts
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

#: Some script has failed, or cannot describe its parameters. The other exit codes are those of all programs.
SCRIPT_FAILED = 1

# Bytes of parameters that are read; a guest's list has far fewer.
_ENOUGH = 1 << 26


class Ended(BaseException):
    """A signal ends this process: whatever is going on is put right first."""


def main():
    """Run the command line of this process.

    :returns: the exit code.
    """
    core_dumps.forbid()
    try:
        return command_line.run(
            PROGRAM, _work, (((BadParameters, BadScript, UnknownTarget, logs.BadSetting), BAD_USAGE),)
        )
    except Ended as end:
        return command_line.die(str(end))


def library():
    """The folder that scripts find the package templateconfig in: within this program's file, or beside this one."""
    archive = getattr(globals().get("__loader__"), "archive", None)
    return os.path.join(os.path.abspath(archive or os.path.dirname(__file__)), "lib")


class Session:
    """What a run works with.

    :ivar Options options: the command line.
    :ivar logs.Log log: its log.
    :ivar Scripts scripts: those of this guest.
    :ivar Runner runner: runs them.
    """

    def __init__(self, options, environ):
        self.options = options
        log_file = options.log_file
        if log_file is None:
            log_file = environ.get("OVM_TEMPLATE_LOG") or logs.PATH
        self.log = logs.Log(log_file, options.log_level, options.log_format, lambda text: say(PROGRAM, text))
        self.scripts = Scripts(directory=environ.get("OVM_TEMPLATE_DIR") or DIRECTORY)
        self.runner = Runner(library(), options.timeout, self.log)
        self._lock_path = environ.get("OVM_TEMPLATE_LOCK") or PATH

    def chain(self):
        """The scripts that the command line asks for.

        :raises BadScript: the one that it names is not enabled.
        :raises LayoutError: there is no directory of scripts.
        """
        return Chain(self.scripts.chain(self.options.target, self.options.script), self.runner)

    def lock(self):
        """To be held while scripts run, by ``with``."""
        return Lock(self._lock_path, self.options.lock_timeout, self._wait)

    def warn(self, text):
        """Tell of what ends nothing."""
        say(PROGRAM, text)
        self.log.write(logs.WARNING, text)

    def end(self, result):
        """Report how a run went.

        :returns: the exit code.
        """
        for script in result.failed:
            say(PROGRAM, "the script '%s' failed: %s" % (script.name, script.message))
        if self.options.report is not None:
            write(json.dumps(result.as_dict()).encode("ascii") + b"\n", self.options.report)
        if self.options.output is not None:
            write(json.dumps(result.parameters).encode("ascii") + b"\n", self.options.output)
        return SCRIPT_FAILED if result.failed else DONE

    def _wait(self, process):
        self.warn(
            "waiting up to %g seconds for another run%s"
            % (self.options.lock_timeout, " (process %d)" % process if process else "")
        )


def _work(arguments):
    options = parse(arguments)
    if options.help:
        write(USAGE.encode("ascii"))
        return DONE
    if options.version:
        from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

        write(("%s %s\n" % (PROGRAM, VERSION)).encode("ascii"))
        return DONE
    _catch_signals()
    session = Session(options, os.environ)
    try:
        if options.enumerate:
            return _enumerate(session)
        if options.initial_config:
            from ovm_template_config_first_boot import initial_config

            return initial_config(session)
        return _run(session)
    except Problem as problem:
        session.log.write(logs.ERROR, str(problem))
        raise
    except Ended as end:
        session.log.write(logs.ERROR, "ended by " + str(end))
        raise
    finally:
        session.log.close()


def _enumerate(session):
    """Print what the scripts describe."""
    described = session.chain().describe(session.options.target)
    found = [
        (str(one.priority), one.name, [parameter.as_dict() for parameter in one.parameters])
        for one in described
        if not one.problem
    ]
    if session.options.human_readable:
        import pprint

        text = pprint.pformat(found, width=100)
    else:
        text = json.dumps(found)
    write(text.encode("ascii", "backslashreplace") + b"\n")
    problems = [one.problem for one in described if one.problem]
    for problem in problems:
        say(PROGRAM, problem)
    return SCRIPT_FAILED if problems else DONE


def _run(session):
    """Run the scripts of a target."""
    options = session.options
    chain = session.chain()
    # What is asked for on the console depends on it.
    described = chain.describe(options.target) if options.source == "console-input" else None
    parameters = _parameters(session, described)
    with session.lock():
        result = chain.run(options.target, parameters, options.secret_keys, options.check, described)
    return session.end(result)


def _parameters(session, described):
    """The parameters, from wherever they come.

    :raises BadParameters: they cannot be understood.
    :raises SourceError: they cannot be had.
    """
    source = session.options.source
    if source is None:
        return {}
    if source == "console-input":
        from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import console

        return console.ask([parameter for one in described for parameter in one.parameters])
    if source == "ovf-transport-iso":
        from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import ovf

        devices = os.environ.get("OVM_OVF_DEVICES")
        found = ovf.find(devices.split(":") if devices else None)
        if found is None:
            raise SourceError("no disc with an OVF environment (%s) is there" % ovf.DOCUMENT, "insert it")
        return found
    found, repeated = parse_lines(_read(0 if source == "stdin" else session.options.input))
    for key in sorted(set(repeated)):
        session.warn("the parameter '%s' was given more than once; the last value holds" % key)
    return found


def _read(descriptor):
    pieces, size = [], 0
    while size <= _ENOUGH:
        try:
            piece = os.read(descriptor, 1 << 16)
        except OSError as problem:
            raise SourceError(
                "descriptor %d cannot be read (%s)" % (descriptor, problem.strerror), "see what the caller has opened"
            ) from problem
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
    raise BadParameters("these are more than %d bytes of parameters" % _ENOUGH, "give fewer")


def _catch_signals():
    """Have signals that end this process raise Ended, once: what ends a script must not be cut short in turn."""
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]

    def end(number, _frame):
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Ended(signal.Signals(number).name)

    for number in numbers:
        signal.signal(number, end)
