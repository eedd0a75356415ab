# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The log of runs: what was run, and what scripts have printed. Whoever writes to it takes secrets out first.

Its levels and formats are those of Python's logging. That itself is imported only for a format other than
the usual one: an event waits for the start of ovm-template-config, of which it would be the largest part.
"""

import os
import stat
import time

from .errors import FirstBootError

PATH = "/var/log/ovm-template-config.log"
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
LEVEL = "INFO"
DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": ERROR, "CRITICAL": CRITICAL}
_NAMES = {level: name for name, level in LEVELS.items()}
#: What lines that are of no script have for ``%(name)s``.
NAME = "ovm-template-config"

#: Control characters: they could break lines or steer a terminal.
CONTROLS = {code: "\\x%02x" % code for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 9}


class BadSetting(FirstBootError, ValueError):
    """A level or format that there is not."""


def parse_level(text: str) -> int:
    """A level's name, in whatever case, or its number.

    :raises BadSetting: there is none such.
    """
    if text.upper() in LEVELS:
        return LEVELS[text.upper()]
    if text.isdecimal() and len(text) < 10 and int(text) <= CRITICAL:
        return int(text)
    raise BadSetting("there is no log level '%s'" % text, "use one of %s, or a number" % ", ".join(LEVELS))


def check_format(text: str) -> str:
    """A format of Python's logging.

    :returns: the format itself.
    :raises BadSetting: it is none.
    """
    try:
        _formatter(text)(NAME, INFO, "text")
    except (ValueError, TypeError, KeyError):
        raise BadSetting(
            "'%s' is no log format" % text, "write it as Python's logging does, as in '%s'" % FORMAT
        ) from None
    return text


class Log:
    """The log's file, for its owner only; others may rotate it in any way between runs, or cut it at any time.

    That it cannot be written ends no run: it is said once, on standard error.

    :param str path: the file; an empty one for no log at all.
    :param int level: what is less is left out.
    :param str format: how a line looks; see check_format().
    :param complain: called with a text when the log cannot be written.
    """

    def __init__(self, path: str = PATH, level: int = INFO, format: str = FORMAT, complain=None) -> None:
        self._path, self._level, self._complain = path, level, complain
        self._format = _formatter(format)
        self._descriptor = -1
        if path:
            try:
                self._descriptor = _open(path)
            except OSError as problem:
                self._failed(problem)

    def write(self, level: int, text: str, name: str = NAME) -> None:
        """Log a text, each line of it on its own.

        :param str name: the script that it is about.
        """
        if self._descriptor < 0 or level < self._level:
            return
        lines = []
        for line in text.rstrip("\n").split("\n"):
            lines.append(self._format(name, level, line.rstrip("\r").translate(CONTROLS)) + "\n")
        rest = "".join(lines).encode("utf-8", "backslashreplace")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as problem:
            self._failed(problem)

    def close(self) -> None:
        """Close the file. What comes later is dropped."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _failed(self, problem):
        complain, self._complain = self._complain, None
        if complain:
            complain("the log %s cannot be written (%s); going on without" % (self._path, problem.strerror))


def _formatter(format):
    """:returns: a function of name, level and text that gives a line."""
    if format == FORMAT:
        return _usual
    import logging

    formatter = logging.Formatter(format)
    return lambda name, level, text: formatter.format(logging.LogRecord(name, level, "", 0, text, None, None))


def _usual(name, level, text):
    """A line in the usual format, as logging would make it."""
    now = time.time()
    moment = "%s,%03d" % (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)), now % 1 * 1000)
    return FORMAT % {"asctime": moment, "levelname": _NAMES[level], "name": name, "message": text}


def _open(path):
    """The file, whatever its mode was before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
