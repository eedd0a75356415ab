# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what must not stand on a command line, where every user of the system can see it."""

import os

from ovm_vmmessage_options import BadUsage, utf8

from ansible_collections.ovm.messaging.plugins.module_utils.problem import one_line

_INPUT = 0
_TERMINAL = "/dev/tty"
# Far more than any message may have. Reading an endless input to its end would be worse than refusing it.
_ENOUGH = 1 << 20


def read_password(user, host):
    """Ask for a password on the terminal, wherever standard input comes from.

    :param str user: whose; and on which host.
    :rtype: str
    :raises BadUsage: there is no terminal, or no answer.
    """
    remedy = "set OVM_PASSWORD, or use a client certificate"
    try:
        descriptor = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise BadUsage("no password was given, and there is no terminal to ask for it", remedy) from None
    try:
        line = _ask(descriptor, "Password of %s at %s: " % (user, host))
    except OSError as problem:
        raise BadUsage("the password cannot be read from the terminal (%s)" % problem.strerror, remedy) from None
    finally:
        os.close(descriptor)
    if not line:
        raise BadUsage("no password was given", remedy)
    return utf8("password", line)


def read_value(key):
    """Read a message's value from standard input; from a terminal, ask for it without showing it.

    :param bytes key: the message's key.
    :returns: all bytes up to the end, less one newline at the end; of a terminal, one line.
    :raises BadUsage: there is none, or far more than any message may have.
    """
    name = os.fsdecode(key)
    try:
        if os.isatty(_INPUT):
            value = _ask(_INPUT, "Value of '%s': " % name)
            if value is None:
                raise BadUsage("no value was given for '%s'" % name, "an empty value is an empty line")
        else:
            value = _without_newline(_read(_INPUT))
    except OSError as problem:
        raise BadUsage(
            "the value of '%s' cannot be read from standard input (%s)" % (name, problem.strerror), "send it there"
        ) from None
    if len(value) > _ENOUGH:
        raise BadUsage("the value of '%s' has more than %d bytes" % (name, _ENOUGH), "send less")
    return value


def _ask(descriptor, prompt):
    """A line from a terminal, which is not shown, without its end; None where the terminal ends instead.

    Not by getpass: it fails on what the locale's encoding has no characters for, and without a
    terminal it reads on in the open.
    """
    import termios

    try:
        before = termios.tcgetattr(descriptor)
        silent = before[:]
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)  # forgets what was typed too early, and so was shown
    except termios.error as problem:  # which is no OSError
        raise OSError(*problem.args) from None
    # Standard input may be open for reading only; the prompt is no output either.
    output = descriptor if descriptor != _INPUT else 2
    try:
        os.write(output, one_line(prompt).encode("utf-8"))
        line = _read(descriptor, whole_line=True)
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        os.write(output, b"\n")  # which was not shown either
    return _without_newline(line) if line else None


def _without_newline(data):
    return data[:-1] if data.endswith(b"\n") else data


def _read(descriptor, whole_line=False):
    """Bytes up to the end of input or of a line, or more than enough of them."""
    pieces, size = [], 0
    while size <= _ENOUGH + 1:
        piece = os.read(descriptor, 65536)
        pieces.append(piece)
        size += len(piece)
        if not piece or (whole_line and piece.endswith(b"\n")):
            break
    return b"".join(pieces)
