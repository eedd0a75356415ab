# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Asking a person for parameters, on a terminal.

What is asked comes from the scripts' descriptions:

* what is hidden, or depends on what was not given, is not asked;
* what is required, or required by what was given, is asked until there is an answer;
* what has choices is asked until it is one of them;
* a password is asked twice and not shown;
* a key that ends in ``.0`` (or ``.N``) is the first of many: with those that depend on it, it
  is asked for again with the next number until there is no answer.

An empty answer is none. The terminal is left as it was found, however this ends.
"""

import os
import select
import signal
import termios

from .errors import SourceError

_INDEXES = (".0", ".N")
_MOST = 256
# Terminals cut a line at 4095 bytes; what is not a terminal should not be endless either.
_ENOUGH = 1 << 16


class Cancelled(SourceError):
    """The person, or whoever started this, does not want to go on."""


class InputEnded(Cancelled):
    """The input ended (Ctrl-D) before all was answered."""


def ask(described, terminal_in: int = 0, terminal_out: int = 2, stop: "int | None" = None) -> "dict[str, str]":
    """Ask for what scripts describe.

    :param described: of Parameter, in the order in which they shall be asked.
    :param int terminal_in: a descriptor to read from.
    :param int terminal_out: one to write to.
    :param stop: a descriptor that gets readable when nobody wants the answers any more; None for none.
    :returns: what was answered, in order.
    :raises Cancelled: the end of input (Ctrl-D), SIGTERM or SIGHUP, or ``stop``.
    :raises SourceError: the terminal cannot be used.
    """
    with Terminal(terminal_in, terminal_out, stop) as terminal:
        return Questions(described, terminal).ask()


class Questions:
    """What is to be asked, and what was answered.

    :param described: of Parameter.
    :param terminal: has ``line(prompt, hidden=False)`` and ``say(text)``.
    """

    def __init__(self, described, terminal) -> None:
        self._described = [parameter for parameter in _once(described) if not parameter.hidden]
        self._terminal = terminal
        self._answers = {}  # type: dict
        self._required = set()  # type: set

    def ask(self) -> "dict[str, str]":
        """Ask for all of it."""
        done = set()  # type: set
        for parameter in self._described:
            if parameter.key in done:
                continue
            group = self._group(parameter)
            done.update(member.key for member in group)
            if _indexed(parameter.key):
                self._ask_numbered(group)
            else:
                self._ask_one(parameter)
        self._ask_required()
        return self._answers

    def _group(self, leader):
        """A parameter, and those with a number that depend on it."""
        group = [leader]
        if _indexed(leader.key):
            keys = {leader.key}
            for parameter in self._described:
                follows = any(_key(condition) in keys for condition in parameter.depends)
                if parameter is not leader and _indexed(parameter.key) and follows:
                    keys.add(parameter.key)
                    group.append(parameter)
        return group

    def _ask_numbered(self, group):
        for number in range(_MOST):
            if not self._ask_one(group[0], number, last=number > 0):
                return
            for parameter in group[1:]:
                self._ask_one(parameter, number)

    def _ask_required(self):
        """Ask for what later answers made required; their answers may require more."""
        for parameter in self._described:
            key = _numbered(parameter.key, 0)
            if key in self._required and not self._answers.get(key):
                self._ask_one(parameter)

    def _ask_one(self, parameter, number=0, last=False):
        """:param bool last: an empty answer says that there are no more of them.
        :returns: the answer, which may be empty.
        """
        if not self._wanted(parameter, number):
            return ""
        key = _numbered(parameter.key, number)
        required = (parameter.required and not last) or key in self._required
        prompt = _prompt(parameter, key, required, last)
        while True:
            answer = self._terminal.line(prompt, parameter.secret)
            fault = _fault(parameter, answer, required)
            if not fault and answer and parameter.secret and self._terminal.line("The same again: ", True) != answer:
                fault = "These were not the same."
            if not fault:
                break
            self._terminal.say(fault)
        if answer:
            text = answer.decode("utf-8")
            self._answers[key] = text
            self._required.update(_numbered(_key(needed), number) for needed in parameter.requires)
            return text
        return ""

    def _wanted(self, parameter, number):
        """Whether all that a parameter depends on holds. Of several values for one key one is enough."""
        allowed = {}  # type: dict
        for condition in parameter.depends:
            key, equals, value = condition.partition("=")
            values = allowed.setdefault(_numbered(key, number), set())
            if equals:
                values.add(value)
        for key, values in allowed.items():
            answer = self._answers.get(key, "")
            if not answer or (values and answer not in values):
                return False
        return True


class Terminal:
    """A terminal, or what stands in for one, as a context manager.

    SIGTERM and SIGHUP cancel what is going on, so that the terminal is put right.

    :param int source: a descriptor to read from.
    :param int target: one to write to.
    :param stop: see ask().
    """

    def __init__(self, source: int, target: int, stop: "int | None" = None) -> None:
        self._source, self._target, self._stop = source, target, stop
        self._before = None  # type: list | None
        self._read = b""
        self._handlers = {}  # type: dict

    def __enter__(self):
        try:
            if os.isatty(self._source):
                self._before = termios.tcgetattr(self._source)
            for name in ("SIGTERM", "SIGHUP"):
                number = getattr(signal, name)
                self._handlers[number] = signal.signal(number, _cancel)
            if self._before:
                self._set(echo=True)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_exc):
        # A second signal has to wait until the terminal is right.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._handlers)
        try:
            self._restore()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def say(self, text: str) -> None:
        """Show a line."""
        self._write(text + "\n")

    def line(self, prompt: str, hidden: bool = False) -> bytes:
        """One line, without its end.

        :param bool hidden: do not show what is typed.
        :raises Cancelled: there is none to come.
        """
        # Also forgets what was typed before anybody asked, which was shown.
        self._set(echo=not hidden)
        self._write(prompt)
        try:
            return self._line()
        finally:
            if hidden and self._before:
                self._write("\n")  # that one was not shown either
                self._set(echo=True)

    def _line(self):
        while True:
            line, found, rest = self._read.partition(b"\n")
            if found:
                self._read = rest
                return line[:-1] if line.endswith(b"\r") else line
            if len(self._read) > _ENOUGH:
                raise SourceError(
                    "the console sends more than %d bytes without an end of line" % _ENOUGH,
                    "see what is connected to it",
                )
            self._wait()
            try:
                piece = os.read(self._source, 4096)
            except OSError as problem:
                raise SourceError(
                    "the console cannot be read (%s)" % problem.strerror, "see that it is still there"
                ) from problem
            if not piece:
                raise InputEnded("the console's input ended before all was answered", "answer every question")
            self._read += piece

    def _wait(self):
        """Until there is something to read.

        :raises Cancelled: nobody wants the answers any more.
        """
        if self._stop is not None:
            poll = select.poll()
            poll.register(self._source, select.POLLIN)
            poll.register(self._stop, select.POLLIN)
            if any(file == self._stop for file, _events in poll.poll()):
                raise Cancelled("the questions are over")

    def _set(self, echo):
        if self._before:
            now = self._before[:]
            # Whatever a program before us left: whole lines, edited by the kernel.
            now[0] = now[0] | termios.ICRNL
            now[3] = (now[3] | termios.ICANON | termios.ISIG | termios.ECHO) & ~(0 if echo else termios.ECHO)
            self._attributes(termios.TCSAFLUSH if not echo else termios.TCSANOW, now)

    def _restore(self):
        if self._before:
            self._attributes(termios.TCSANOW, self._before)

    def _attributes(self, when, attributes):
        try:
            termios.tcsetattr(self._source, when, attributes)
        except termios.error:
            pass  # gone; reading it will tell

    def _write(self, text):
        rest = memoryview(_harmless(text).encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[os.write(self._target, rest) :]
        except OSError as problem:
            raise SourceError(
                "the console cannot be written to (%s)" % problem.strerror, "see that it is still there"
            ) from problem


def _cancel(_number, _frame):
    raise Cancelled("a signal ended the questions")


def _once(described):
    seen = set()  # type: set
    for parameter in described:
        if parameter.key not in seen:
            seen.add(parameter.key)
            yield parameter


def _key(condition):
    return condition.partition("=")[0]


def _indexed(key):
    return key.endswith(_INDEXES)


def _numbered(key, number):
    """The key with that number, if it is one of many."""
    return "%s.%d" % (key.rpartition(".")[0], number) if _indexed(key) else key


def _prompt(parameter, key, required, last):
    text = parameter.description.strip() or key
    notes = []
    if text != key:
        notes.append(key)
    if parameter.choices:
        notes.append("one of " + ", ".join(parameter.choices))
    if required:
        notes.append("required")
    elif last:
        notes.append("empty if there are no more")
    return text + (" (%s)" % "; ".join(notes) if notes else "") + ": "


def _fault(parameter, answer, required):
    """What is wrong with an answer, or nothing."""
    if not answer:
        return "This is required." if required else ""
    try:
        text = answer.decode("utf-8")
    except UnicodeDecodeError:
        return "This is not UTF-8: see the terminal's settings."
    if text != _harmless(text) or "\n" in text:
        return "This has control characters."
    if parameter.choices and text not in parameter.choices:
        return "This is not one of " + ", ".join(parameter.choices) + "."
    return ""


def _harmless(text):
    """A text that cannot steer a terminal: of control characters only the ends of lines are left."""
    return "".join("\\x%02x" % ord(c) if (c < " " and c != "\n") or "\x7f" <= c < "\xa0" else c for c in text)
