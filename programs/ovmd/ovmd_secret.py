# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a value that must not stand on a command line, where every user of the system can see it."""

import os

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import VALUE_LIMIT
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display

_INPUT, _PROMPT = 0, 2
# Reading an endless input to its end would be worse than not knowing how long it is.
_ENOUGH = 1 << 20


def read_secret(key):
    """Read a value from standard input; from a terminal, ask for it without showing it.

    :param bytes key: whose value it is.
    :returns: all bytes up to the end, less one newline at the end; of a terminal, one line.
    :raises InvalidMessage: there is none, or far more than the channel carries.
    """
    name = display(key)
    try:
        value = _ask(name) if os.isatty(_INPUT) else _read(_ENOUGH)
    except OSError as problem:
        raise InvalidMessage(
            "the value of '%s' cannot be read from standard input (%s)" % (name, problem.strerror), "send it there"
        ) from problem
    if value.endswith(b"\n"):
        value = value[:-1]
    if len(value) > _ENOUGH:
        raise InvalidMessage(
            "the value of '%s' has more than %d bytes, the limit is %d" % (name, _ENOUGH, VALUE_LIMIT),
            "split the value over several keys",
        )
    return value


def _ask(name):
    """One line from the terminal. Not by getpass, which fails on what the locale's encoding has no characters for."""
    import termios

    before = termios.tcgetattr(_INPUT)
    silent = before[:]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(_INPUT, termios.TCSAFLUSH, silent)  # forgets what was typed too early, and so was shown
    try:
        os.write(_PROMPT, ("Value of '%s': " % name).encode("utf-8"))
        line = _read(_ENOUGH, whole_line=True)
    finally:
        termios.tcsetattr(_INPUT, termios.TCSAFLUSH, before)
        os.write(_PROMPT, b"\n")  # which was not shown either
    if not line:
        raise InvalidMessage("no value was given for '%s'" % name, "an empty value is an empty line")
    return line


def _read(enough, whole_line=False):
    """Bytes up to the end of input or of a line, or more than enough of them."""
    pieces, size = [], 0
    while size <= enough:
        piece = os.read(_INPUT, 65536)
        pieces.append(piece)
        size += len(piece)
        if not piece or (whole_line and piece.endswith(b"\n")):
            break
    return b"".join(pieces)
