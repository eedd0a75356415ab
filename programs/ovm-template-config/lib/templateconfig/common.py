# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for the scripts of ovm-template-config. For Python 2.6, 2.7, and 3.6 and later.

The names ``run_cmd`` and ``shell_cmd`` are the vendor's; what they return is recalled. The
rest is ours.
"""

import errno
import json
import os
import sys

#: What stands for a secret in whatever people get to read.
MASK = "********"
#: Shorter ones would be found in many a word, so whole lines are withheld instead.
SHORT = 4

_WITHHELD = "(a line with a secret was withheld)"
# Seconds between two looks at whether a command has ended while its output goes on.
_LOOK = 0.05
_PIECE = 65536

_TEXT = type("")  # of Python 2, too
_ESCAPED = "strict" if sys.version_info[0] == 2 else "surrogateescape"


class Failed(Exception):
    """A script cannot do its part. The text says why to people: one line, without any secret."""


class CommandFailed(Failed):
    """A command cannot be run, or says that it has failed.

    :ivar returncode: its exit code, below zero the signal that killed it; None where it could not be run.
    :ivar str output: its standard output.
    """

    def __init__(self, text, returncode=None, output=""):
        Failed.__init__(self, text)
        self.returncode = returncode
        self.output = output


class _State(object):
    """What a run of a script is about; one a process."""

    checking = False
    changed = None
    forms = ()  # of secrets: byte strings, longest first
    short = ()


def checking():
    """Whether nothing may be changed: a function then only finds out what it would do, and tells by changed()."""
    return _State.checking


def changed(value=True):
    """Tell whether anything was changed; in check mode, would be. Once true, it stays so.

    A script that never tells counts as one that may have changed something.
    """
    _State.changed = bool(value) or bool(_State.changed)


def run_cmd(args, input=None, ok=(0,)):
    """Run a command, and wait for it.

    It is logged with its arguments, secrets blanked. But every user of the system can see
    the arguments of a running command, so give secrets as input.

    :param list args: the command and its arguments.
    :param input: text or bytes for its standard input, which is empty otherwise.
    :param ok: the exit codes that are no failure.
    :returns: what it wrote to standard output, as text (Python 2: str). Its standard error is logged.
    :raises CommandFailed: it cannot be run, or has ended otherwise.
    """
    if isinstance(args, (_TEXT, str, bytes)):
        raise TypeError("run_cmd takes a list, shell_cmd a line")
    args = [_native(arg) for arg in args]
    return _run(args, " ".join(args), os.path.basename(args[0]), input, ok)


def shell_cmd(cmd, input=None, ok=(0,)):
    """Run a line by the shell; otherwise like run_cmd().

    :param str cmd: the line.
    """
    cmd = _native(cmd)
    words = cmd.split()
    return _run(["/bin/sh", "-c", cmd], cmd, words[0] if words else "sh", input, ok)


def keep_secret(values):
    """Blank some values from now on in what redacted() gives, which is what is logged.

    :param values: of text.
    """
    forms, short = set(_State.forms), set(_State.short)
    for value in values:
        lines = value.splitlines() if "\n" in value else []
        for text in [value, value.strip()] + [line.strip() for line in lines if len(line.strip()) >= SHORT]:
            for form in _forms(text):
                (forms if len(text) >= SHORT else short).add(form)
    short.discard(b"")
    _State.forms, _State.short = sorted(forms, key=len, reverse=True), short


def redacted(data):
    """Some text or bytes without any secret, as bytes."""
    data = _octets(data)
    for form in _State.forms:
        data = data.replace(form, MASK.encode("ascii"))
    lines = data.split(b"\n")
    return b"\n".join(
        _WITHHELD.encode("ascii") if any(form in line for form in _State.short) else line for line in lines
    )


def say(data):
    """Write to standard error, which is logged; without secrets, and not in vain where nobody reads it."""
    data = redacted(data)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        while data:
            data = data[os.write(2, data) :]
    except (OSError, IOError):
        pass


def _forms(text):
    """How a value may appear: as it is, within JSON and within repr()."""
    shown = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    quoted = repr(text).lstrip("u")[1:-1], repr(_octets(text)).lstrip("b")[1:-1]
    return [_octets(form) for form in (text,) + shown + quoted]


def _native(text):
    """Text as this Python's str."""
    if isinstance(text, str):
        return text
    return text.decode("utf-8", _ESCAPED) if isinstance(text, bytes) else text.encode("utf-8")


def _octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", _ESCAPED)


def _run(args, shown, name, input, ok):
    import subprocess  # takes as long as all the rest, and many a script runs no command

    say("+ %s\n" % shown)
    # Python 3.6 would take the locale's encoding, which may be ASCII.
    args = [_octets(arg) for arg in args]
    input = None if input is None else _octets(input)
    with open(os.devnull, "rb") as nothing:
        try:
            process = subprocess.Popen(
                args,
                stdin=nothing if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                close_fds=True,
            )
        except (OSError, IOError) as problem:
            raise CommandFailed("%s cannot be run (%s)" % (name, os.strerror(problem.errno or errno.ENOENT)))
    out, err = _talk(process, input)
    say(err)
    output = out.decode("utf-8", _ESCAPED) if str is not bytes else out
    code = process.returncode
    if code not in ok:
        how = "exit code %d" % code if code >= 0 else "signal %d" % -code
        lines = [line.strip() for line in redacted(err).splitlines() if line.strip()]
        why = ": " + _native(lines[0]) if lines else ""
        raise CommandFailed("%s failed with %s%s" % (name, how, why), code, output)
    return output


def _talk(process, input):
    """Give a command its input and take its output until it ends.

    Not until the pipes end: a service that a command starts may hold them for as long as it runs.

    :returns: standard output and standard error, as bytes.
    """
    out, err = process.stdout.fileno(), process.stderr.fileno()
    pieces = {out: [], err: []}
    readers = [out, err]
    rest = input or b""
    if process.stdin and not rest:
        process.stdin.close()
    ended = False
    while readers:
        writers = [process.stdin.fileno()] if rest else []
        readable, writable, _errors = _select(readers, writers, 0 if ended else _LOOK)
        if writable:
            try:
                # A pipe that is ready takes this much at once.
                rest = rest[os.write(writable[0], rest[:512]) :]
            except OSError:
                rest = b""  # it does not want it
            if not rest:
                process.stdin.close()
        for descriptor in readable:
            piece = os.read(descriptor, _PIECE)
            if piece:
                pieces[descriptor].append(piece)
            else:
                readers.remove(descriptor)
        if ended and not readable:
            break
        ended = ended or process.poll() is not None
    if rest:
        process.stdin.close()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    return b"".join(pieces[out]), b"".join(pieces[err])


def _select(readers, writers, seconds):
    import select

    while True:
        try:
            return select.select(readers, writers, [], seconds)
        except select.error as problem:  # Python 2 does not go on by itself after a signal
            if problem.args[0] != errno.EINTR:
                raise
