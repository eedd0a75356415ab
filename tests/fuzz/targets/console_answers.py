# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody types at the console of a first boot, and what scripts have asked there."""

import os

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import console
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadScript, SourceError
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import Parameter
from fuzz.draw import Draw

KEYS = ("a", "b.0", "b.N", "c.0", "com.oracle.linux.root-password", "d", "e")
WORDS = ("yes", "no", "a=yes", "b.N", "a", "d=no", "Name of it", "\x1b[31m")
TOKENS = [b"\r\n", b"\n", b"yes\n", b"no\n", b"\x04", b"\x03", b"\x1b[A", b"\xff\n"]
SEEDS = [b"", b"\x03\x01\x02yes\nno\n\n\n", bytes(range(180)), b"\x07\x05\x01\x00" * 20 + b"yes\nno\n" * 20]
# More than a person types; a pipe takes it at once.
_MOST = 60000


class _Pipes:
    """A terminal whose input is there from the start."""

    def __init__(self, typed):
        self.source, sink = os.pipe()
        os.write(sink, typed[:_MOST])
        os.close(sink)
        self.written = os.memfd_create("terminal")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        os.close(self.source)
        os.close(self.written)

    def shown(self):
        return os.pread(self.written, 1 << 24, 0)


def run(data):
    draw = Draw(data)
    described = []
    for _number in draw.some(6):
        about = {
            "key": draw.text(20, KEYS), "description": draw.text(30, WORDS), "required": draw.flag(),
            "hidden": draw.below(8) == 1, "password": draw.below(4) == 1,
            "choices": [draw.text(5, WORDS) for _each in draw.some(3)],
            "depends": [draw.text(8, (*WORDS, *KEYS)) for _each in draw.some(3)],
            "requires": [draw.text(8, KEYS) for _each in draw.some(2)],
        }  # fmt: skip
        try:
            described.append(Parameter.parse(about, "script"))
        except BadScript:
            pass
    typed = draw.rest()
    with _Pipes(typed * (1 + len(typed) % 3)) as pipes:
        answers = {}
        try:
            answers = console.ask(described, pipes.source, pipes.written)
        except SourceError:
            pass
        shown = pipes.shown()
    # The end of a line is all of control that a terminal gets; nothing that it does not show.
    odd = {c for c in shown.decode("utf-8") if (c < " " and c != "\n") or "\x7f" <= c < "\xa0"}
    if odd:
        raise AssertionError("the terminal is sent %a" % sorted(odd))
    _check(answers, described)


def _check(answers, described):
    known = {_stem(parameter.key): parameter for parameter in reversed(described)}
    for key, value in answers.items():
        parameter = known.get(key) or known.get(_stem(key))
        if (
            parameter is None
            or parameter.hidden
            and _stem(key) not in {_stem(p.key) for p in described if not p.hidden}
        ):
            raise AssertionError("an answer to what nobody has asked: %a" % key)
        if not value or "\n" in value or any(c < " " or "\x7f" <= c < "\xa0" for c in value):
            raise AssertionError("an answer that cannot be one: %a" % value)
        same = [p for p in described if _stem(p.key) == _stem(key) and not p.hidden]
        if all(p.choices and value not in p.choices for p in same):
            raise AssertionError("an answer that was not to be had: %a" % value)


def _stem(key):
    base, dot, end = key.rpartition(".")
    return base + ".N" if dot and (end == "N" or end.isdigit()) else key
