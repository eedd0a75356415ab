# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ovm-template-config: what there are, and how a command line is read."""

import os

from ansible_collections.ovm.messaging.plugins.module_utils import command_line
from ansible_collections.ovm.messaging.plugins.module_utils.command_line import BadUsage
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import log as logs
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import TIMEOUT
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import CONFIGURE, TARGETS, check_target

PROGRAM = "ovm-template-config"
#: Seconds to wait for another run.
LOCK_TIMEOUT = 600.0
USAGE = """\
usage: ovm-template-config [options] TARGET
targets: %s
options:
  -e, --enumerate           list the parameters of the target, as JSON
      --human-readable      with --enumerate: as a structure to read instead of JSON
  -s, --script NAME         only this script
      --stdin               read the parameters from standard input, as 'ovmd -l' prints them
  -c, --console-input       ask for the parameters on the console
      --ovf-transport-iso   take the parameters from the OVF environment on the CD
  -i, --input FD            read the parameters from this descriptor
  -o, --output FD           write the resulting parameters to this descriptor, as JSON
      --logfile FILE        log to this file; default %s
      --loglevel LEVEL      log from this level on: %s, or a number;
                            default %s
      --logformat FORMAT    how a line of the log looks, as in Python's logging
      --version             show the version and exit
  -h, --help                show this help and exit
options of this ovm-template-config only:
      --check               have the scripts change nothing; those that cannot are skipped
      --report FD           write to this descriptor how each script went, as JSON
      --secret KEY          the value of KEY is a secret; may be given several times
      --timeout SECONDS     how long each script may take; default %g
      --lock-timeout SECONDS
                            how long to wait for another run; default %g
      --initial-config      configure the guest at its first boot, if that was asked for; without TARGET
""" % (", ".join(TARGETS), logs.PATH, ", ".join(logs.LEVELS), logs.LEVEL, TIMEOUT, LOCK_TIMEOUT)

_SHORT = {"-e": "enumerate", "-s": "script", "-c": "console-input", "-i": "input", "-o": "output", "-h": "help"}
_PLAIN = ("enumerate", "human-readable", "stdin", "console-input", "ovf-transport-iso", "version", "help", "check")
_PLAIN += ("initial-config",)
_VALUED = ("script", "input", "output", "logfile", "loglevel", "logformat", "report", "secret", "timeout")
_VALUED += ("lock-timeout",)
_SOURCES = ("stdin", "console-input", "ovf-transport-iso", "input")
# What means nothing with --enumerate, and what with --initial-config.
_NOT_TO_LIST = (*_SOURCES, "output", "report", "check")
_NOT_AT_FIRST = (*_NOT_TO_LIST, "enumerate", "human-readable", "script")
# Seconds: ten days, which is for ever.
_LONGEST = 864000


class Options:
    """A command line that was understood.

    :ivar str target: the target; ``configure`` with ``initial_config``.
    :ivar source: where parameters come from: None, or the option's name.
    :ivar log_file: the path of the log, or None where none was named.
    """

    def __init__(self, given, operands):
        self.help, self.version = "help" in given, "version" in given
        if self.help or self.version:
            return
        self.enumerate, self.human_readable = "enumerate" in given, "human-readable" in given
        self.initial_config, self.check = "initial-config" in given, "check" in given
        self.script = given.get("script")
        self.source = _only_one(given)
        self.input, self.output = _descriptor(given, "input"), _descriptor(given, "output")
        self.report = _descriptor(given, "report")
        if self.report is not None and self.report == self.output:
            raise BadUsage("--report and --output cannot share a descriptor", "give each its own")
        self.secret_keys = given.get("secret", [])
        self.timeout = _seconds(given, "timeout", TIMEOUT, 0.001)
        self.lock_timeout = _seconds(given, "lock-timeout", LOCK_TIMEOUT, 0)
        self.log_file = given.get("logfile")
        self.log_level = logs.parse_level(given.get("loglevel", logs.LEVEL))
        self.log_format = logs.check_format(given.get("logformat", logs.FORMAT))
        if self.human_readable and not self.enumerate:
            raise BadUsage("--human-readable means nothing without --enumerate", "give both, or neither")
        if self.enumerate:
            _refuse(given, _NOT_TO_LIST, "--enumerate")
        self.target = _target(given, operands)


def parse(arguments):
    """Read a command line.

    :param arguments: list of str, without the program's name.
    :rtype: Options
    :raises BadUsage: saying what is wrong with it.
    :raises UnknownTarget: there is no such target.
    """
    letters = "".join(letter[1] + (":" if name in _VALUED else "") for letter, name in _SHORT.items())
    found, operands = command_line.parse(PROGRAM, arguments, letters, [*_PLAIN, *(name + "=" for name in _VALUED)])
    given = {}
    for option, argument in found:
        name = _SHORT.get(option, option[2:])
        if name == "secret":
            given.setdefault(name, []).append(argument)
        else:
            given[name] = argument
    return Options(given, operands)


def _target(given, operands):
    if "initial-config" in given:
        _refuse(given, _NOT_AT_FIRST, "--initial-config")
        if operands:
            raise BadUsage("--initial-config goes without a target", "leave out '%s'" % operands[0])
        return CONFIGURE
    if len(operands) != 1:
        text = "unexpected argument '%s'" % operands[1] if operands else "no target is given"
        raise BadUsage(text, "try '%s --help'" % PROGRAM)
    return check_target(operands[0])


def _only_one(given):
    sources = [name for name in _SOURCES if name in given]
    if len(sources) > 1:
        raise BadUsage("parameters come from one source only, not from --" + " and --".join(sources), "choose one")
    return sources[0] if sources else None


def _refuse(given, names, with_what):
    for name in names:
        if name in given:
            raise BadUsage("--%s means nothing with %s" % (name, with_what), "leave out one of them")


def _descriptor(given, name):
    text = given.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise BadUsage("'%s' is no descriptor for --%s" % (text, name), "give the number of an open one")
    try:
        os.fstat(int(text))
    except OSError:
        raise BadUsage("the descriptor %s for --%s is not open" % (text, name), "have the caller open it") from None
    return int(text)


def _seconds(given, name, default, least):
    try:
        seconds = float(given.get(name, default))
    except ValueError:
        seconds = -1
    if not least <= seconds <= _LONGEST:
        raise BadUsage(
            "'%s' is no number of seconds for --%s" % (given[name], name), "give %g to %d" % (least, _LONGEST)
        )
    return seconds
