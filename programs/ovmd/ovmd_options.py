# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ovmd: what there are, and how a command line is read.

Read as GNU getopt_long does, so that scripts written for the vendor's ovmd go on
working. The standard library's getopt and argparse are not used: they import re and
gettext, which alone cost as much as all the rest of a run, they want text where a
command line is bytes, and argparse also differs (``-p -x`` takes ``-x`` for an option).
"""

from collections import namedtuple

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display


class BadUsage(ChannelError):
    """A command line that cannot be followed; nothing was done."""


#: ``letter`` may be empty; ``takes`` is what the help calls the argument, empty where there is none.
Option = namedtuple("Option", ("letter", "name", "takes", "help"))

#: The vendor's options, word for word.
VENDOR = (
    Option("p", "set-param", "PARAM", "Set param in format: key=value."),
    Option("g", "get-param", "KEY", "Get param value."),
    Option("r", "delete-param", "KEY", "Delete param by key name."),
    Option("x", "delete-params", "", "Delete all params."),
    Option("l", "list-params", "", "List all params."),
    Option("e", "event", "EVENT", "Inject event."),
    Option("s", "script", "SCRIPT", "Run script."),
    Option(
        "d",
        "debug",
        "LEVEL",
        "Set debug level: 0(DEBUG_OFF), 1(DEBUG_STDERR) or 2(DEBUG_SYSLOG).\nDefault: 2.",
    ),
    Option("f", "pid-file", "FILENAME", "Set the pathname of the process ID (PID) file."),
    Option("t", "time-period", "secs", "Set the period for daemon mode(default=10 seconds)."),
    Option("v", "version", "", "Show version number and exit."),
    Option("h", "help", "", "Show this help information."),
)
#: Ours. Their names may share beginnings with the vendor's; see _named.
OWN = (
    Option("", "set-secret", "KEY", "Set param KEY to the value read from standard input."),
    Option("", "foreground", "", "Daemon: stay in the foreground."),
    Option(
        "",
        "reports",
        "LIST",
        "Daemon: what to report to the host, of guest,held,configuration,\naddresses; or none (default=all).",
    ),
    Option("", "units", "", "Daemon: run scripts by ovm-template-config@.service."),
)

_ADVICE = "try 'ovmd --help'"
_COLUMN = 32


def parse(arguments):
    """Read a command line.

    :param arguments: list of bytes, without the program's name.
    :returns: list of pairs, in the order given: the option's long name, and its argument
        as bytes, or None where it takes none.
    :raises BadUsage: saying what is wrong with it.
    """
    found, rest = [], iter(arguments)
    for argument in rest:
        if argument == b"--":
            for operand in rest:
                _refuse(operand)
        elif argument.startswith(b"--"):
            found.append(_long(argument[2:], rest))
        elif argument.startswith(b"-") and argument != b"-":
            found.extend(_bundle(argument[1:], rest))
        else:
            _refuse(argument)
    return found


def usage():
    """The help text.

    :rtype: str
    """
    lines = ["usage: ovmd [options]", "options:"]
    for option in VENDOR:
        lines += _lines(option)
    lines += ["", "options of this ovmd only:"]
    for option in OWN:
        lines += _lines(option)
    return "\n".join(lines) + "\n"


def _long(text, rest):
    """One long option, with its argument behind ``=`` or as the next word."""
    name, given, argument = text.partition(b"=")
    option = _named(name)
    if not option.takes:
        if given:
            raise BadUsage("the option --%s takes no argument" % option.name, _ADVICE)
        return option.name, None
    if not given:
        argument = _next(rest, "--" + option.name)
    return option.name, argument


def _bundle(letters, rest):
    """Short options in one word; what follows one that takes an argument is its argument."""
    found = []
    while letters:
        letter, letters = letters[:1], letters[1:]
        option = _LETTERS.get(letter)
        if option is None:
            raise BadUsage("there is no option -%s" % display(letter), _ADVICE)
        if option.takes:
            found.append((option.name, letters or _next(rest, "-" + option.letter)))
            break
        found.append((option.name, None))
    return found


def _named(name):
    """The option with a name, or with the only name that begins so.

    The vendor's names come first: what abbreviates one of them must not turn ambiguous
    by an option of ours, as ``--set`` would.
    """
    text = name.decode("ascii", "replace")
    for options in (VENDOR, OWN):
        for option in options:
            if option.name == text:
                return option
    for options in (VENDOR, OWN):
        fitting = [option for option in options if option.name.startswith(text)]
        if len(fitting) > 1:
            raise BadUsage(
                "the option --%s is ambiguous" % text, "it could be --" + " or --".join(o.name for o in fitting)
            )
        if fitting:
            return fitting[0]
    raise BadUsage("there is no option --%s" % display(name), _ADVICE)


def _next(rest, name):
    argument = next(rest, None)
    if argument is None:
        raise BadUsage("the option %s needs an argument" % name, _ADVICE)
    return argument


def _refuse(operand):
    raise BadUsage("unexpected argument '%s'" % display(operand), "quote a value that has blanks in it; " + _ADVICE)


def _lines(option):
    """An option's lines in the help text."""
    left = "  -%s, " % option.letter if option.letter else "      "
    left += "--" + option.name + ("=" + option.takes if option.takes else "")
    first, *more = option.help.split("\n")
    return [left.ljust(_COLUMN) + first] + [" " * _COLUMN + line for line in more]


_LETTERS = {option.letter.encode("ascii"): option for option in VENDOR + OWN if option.letter}
