# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What command lines share: reading options, writing output, and how a program ends. Private to this collection.

Errors are one line on standard error that starts with the program's name.
"""

import os
import sys

from .problem import Problem, one_line

#: Exit codes that mean the same in every program; documented, so they never change.
DONE, BAD_USAGE, CANNOT, NO_OUTPUT, DEFECT = 0, 2, 3, 5, 70


class BadUsage(Problem):
    """A command line that cannot be followed; nothing was done."""


class OutputFailed(Problem):
    """Standard output does not take what was asked for."""


class ReaderGone(Exception):
    """Whoever read the output has ended, as ``head`` does. Nothing to complain of."""


def run(program: str, work, codes=()) -> int:
    """Do a program's work; whatever goes wrong becomes a line on standard error and an exit code.

    :param str program: its name, for errors.
    :param work: a function of the list of arguments; what it returns is the exit code, None means DONE.
    :param codes: pairs of a Problem's type, or several, and its exit code. The first that fits holds. Without
        any, a BadUsage is BAD_USAGE, an OutputFailed NO_OUTPUT, every other Problem CANNOT.
    :returns: the exit code.
    """
    open_standard_descriptors()
    try:
        return work(sys.argv[1:]) or DONE
    except Problem as problem:
        say(program, str(problem))
        known = tuple(codes) + ((BadUsage, BAD_USAGE), (OutputFailed, NO_OUTPUT))
        return next((code for kinds, code in known if isinstance(problem, kinds)), CANNOT)
    except ReaderGone:
        return die("SIGPIPE")
    except KeyboardInterrupt:
        return die("SIGINT")
    except ImportError as problem:
        # Some systems package parts of the standard library on their own.
        say(program, "this Python has no module %s: install its whole standard library" % problem.name)
        return CANNOT
    except Exception as problem:
        # Not its text, nor a traceback: they may quote a value.
        where = problem.__traceback__
        while where is not None and where.tb_next:
            where = where.tb_next
        place = "%s, line %d" % (where.tb_frame.f_code.co_filename, where.tb_lineno) if where else "an unknown place"
        say(program, "this is a defect of %s (%s in %s): please report it" % (program, type(problem).__name__, place))
        return DEFECT


def parse(program: str, arguments: "list[str]", short: str, long: "list[str]"):
    """Read options as GNU getopt_long does: abbreviated, ``--name=value`` or ``--name value``, between operands too.

    :param str short: the letters, each with ``:`` behind it where it takes an argument.
    :param list long: the names, each with ``=`` behind it where it takes an argument.
    :returns: pairs of an option (``-x`` or ``--name``, in full) and its argument, and the operands.
    :raises BadUsage: saying what is wrong.
    """
    import getopt

    try:
        return getopt.gnu_getopt(arguments, short, long)
    except getopt.GetoptError as problem:
        raise BadUsage(problem.msg, "try '%s --help'" % program) from None


def say(program: str, text: str) -> None:
    """One line to standard error, in one piece; where that fails there is nobody left to tell."""
    try:
        os.write(2, ("%s: %s\n" % (program, one_line(text))).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def write(data: bytes, descriptor: int = 1) -> None:
    """Write to a descriptor, all of it, before the next thing is done.

    :raises ReaderGone: there is nobody left who reads.
    :raises OutputFailed: for any other reason.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError:
        raise ReaderGone() from None
    except OSError as problem:
        what = "standard output" if descriptor == 1 else "descriptor %d" % descriptor
        raise OutputFailed("%s cannot be written (%s)" % (what, problem.strerror), "see where it leads") from problem


def open_standard_descriptors() -> None:
    """Occupy descriptors 0 to 2 where a caller closed them.

    Else a file would get one of these numbers, and what is written to "standard output" would end up there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. What cannot be written to stays an error.
            os.open(os.devnull, os.O_WRONLY if descriptor == 0 else os.O_RDONLY)


def die(name: str) -> int:
    """End by a signal, as a program that knows nothing of it would: callers then see why."""
    import signal

    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # where the signal is blocked
