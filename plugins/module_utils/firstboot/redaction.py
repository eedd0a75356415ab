# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Keeping secrets out of what people get to read of a run. Pure.

A script may print its parameters in many a form. Blanked are those that Python programs
and shells print by themselves; a script that encodes a secret on purpose gets it past this.
"""

import json
import re
import shlex

from ..secret_names import secret_by_name

#: What stands for a secret.
MASK = "********"
#: Shorter secrets occur in many a word, and the words around would tell them: whole lines are withheld.
SHORT = 4
WITHHELD = "(a line with a secret was withheld)"


def is_secret(key: str) -> bool:
    """Whether a key's very name says that its value is a secret."""
    return secret_by_name(key.encode("utf-8", "surrogateescape"))


def stem(key: str) -> str:
    """What all keys that differ only in the number at their end have in common."""
    beginning, dot, end = key.rpartition(".")
    return beginning + ".N" if dot and end.isdigit() else key


class Redactor:
    """Knows the secrets of a run."""

    def __init__(self) -> None:
        self._forms = set()  # type: set[str]
        self._short = set()  # type: set[str]
        self._pattern = None  # type: re.Pattern[str] | None  # of all forms; None where it is not made yet

    def add(self, value: str) -> None:
        """A value that must not be seen from now on, nor any line of it."""
        lines = [line.strip() for line in value.splitlines()]
        texts = [value, value.strip()] + [line for line in lines if len(line) >= SHORT]
        for text in texts:
            if text:
                (self._forms if len(text) >= SHORT else self._short).update(_forms(text))
        self._pattern = None

    def add_all(self, parameters: "dict[str, str]", keys=(), known=None) -> None:
        """The secrets among some parameters.

        :param keys: those that are secrets besides those whose names say so. One with a number, as ``KEY.0``,
            stands for all ``KEY.N``.
        :param known: keys that have been described; where given, all others count as secrets.
        """
        keys = set(map(stem, keys))
        known = None if known is None else set(map(stem, known))
        for key, value in parameters.items():
            if stem(key) in keys or is_secret(key) or (known is not None and stem(key) not in known):
                self.add(value)

    def text(self, text: str) -> str:
        """Some text, over several lines or not, without any secret."""
        if self._forms:
            if self._pattern is None:
                # The longest first: one secret may be the beginning of another.
                forms = sorted(self._forms, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, forms)))
            text = self._pattern.sub(MASK, text)
        if self._short:
            text = "\n".join(WITHHELD if self._gives_away(line) else line for line in text.split("\n"))
        return text

    def cut(self, text: str) -> str:
        """The same of a text that was cut off at its end, maybe within a secret."""
        longest = max(map(len, self._forms | self._short), default=0)
        return self.text(text)[: -longest or None]

    def _gives_away(self, line):
        return any(form in line for form in self._short)


def _forms(text):
    """How a value may appear: as it is, in JSON, in what repr() gives in Python 3 and 2, and quoted for a shell."""
    octets = text.encode("utf-8", "surrogateescape")
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        repr(octets)[2:-1],
        text.encode("unicode_escape").decode("ascii"),
        shlex.quote(text)[1:-1] if shlex.quote(text) != text else text,
    }
