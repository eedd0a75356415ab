# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes as decisions: which piece of input comes next, how long it is, what is in it.

The same bytes always lead to the same input, whatever tries them. At their end there is nothing but zeros, so every
input has an end.
"""

import json

#: Texts that somebody may give a meaning to: terminals, templates, markup, paths, numbers, what is no Unicode.
ODD = (
    "\x1b[2J\x1b]0;x\x07", "\u202egnp.exe", "\u2066x\u2069", "\u200b", "\ufeff", "\u2028", "\x85", "\x00", "\x7f",
    "\r\n", "{{ 7*7 }}", "{% raw %}", "{# #}", "#jinja2: variable_start_string: '['", "<script>alert(1)</script>",
    "&lt;", "'\"", "../../etc/passwd", "/etc/shadow", "-rf", "--help", "$(reboot)", "`id`", ";id", "|id", "\\", "%s%n",
    "~root", "\ud800", "\udcff", "\udfff\ud800", "\U0010ffff", "\u00b2", "\u0661", "9" * 5000, "-1", "1e999", "NaN",
    "Infinity", "0x10", "1_0", " 1 ", "true", "null", "localhost", "all", "ovmd.report.held.",
    "com.oracle.linux.root-password",
)  # fmt: skip


class Draw:
    """Decisions out of bytes.

    :param bytes data: the bytes.
    """

    def __init__(self, data):
        self._data, self._at = data, 0

    def __bool__(self):
        """Whether any are left."""
        return self._at < len(self._data)

    def byte(self):
        """The next one; 0 at the end."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, limit):
        """A number from 0 on."""
        number, room = self.byte(), 256
        while room < limit:
            number, room = number << 8 | self.byte(), room << 8
        return number % limit

    def between(self, lowest, highest):
        return lowest + self.below(highest - lowest + 1)

    def flag(self):
        return bool(self.byte() & 1)

    def one_of(self, choices):
        return choices[self.below(len(choices))]

    def some(self, most):
        """Counts: so often, but only while there are bytes left."""
        for number in range(self.below(most + 1)):
            if not self:
                return
            yield number

    def bytes(self, most=64):
        """Some of the bytes, as they are."""
        size = self.below(most + 1)
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def rest(self):
        """All that are left."""
        found, self._at = self._data[self._at :], len(self._data)
        return found

    def text(self, most=64, words=()):
        """A text: a word, something odd, or bytes, with lone surrogates for what is no UTF-8."""
        kind = self.byte()
        if kind < 96 and words:
            return self.one_of(words)
        if kind < 140:
            return self.one_of(ODD)
        if kind < 160:
            return self.one_of(ODD) + self.text(most, words)
        return self.bytes(most).decode("utf-8", "surrogateescape")

    def raw(self, most=64, words=()):
        """Likewise, as bytes."""
        return self.text(most, words).encode("utf-8", "surrogatepass")

    def tree(self, names=(), words=(), depth=4):
        """A value as JSON has them.

        :param names: of members.
        :param words: what texts may be.
        """
        kind = self.below(16)
        if depth and kind < 5:
            return {self.text(16, names): self.tree(names, words, depth - 1) for _number in self.some(8)}
        if depth and kind < 8:
            return [self.tree(names, words, depth - 1) for _number in self.some(6)]
        if kind < 12:
            return self.text(64, words)
        if kind == 12:
            return self.one_of((None, True, False))
        if kind == 13:
            return self.one_of((0, -1, 1, 7, 1e308, -0.0, float("inf"), float("nan"), 10**30, 1767225600000, 2**63))
        return self.below(1 << 32) if kind == 14 else self.below(1 << 16) / 8

    def json(self, names=(), words=()):
        """JSON as bytes: of a tree, spoilt or not, nested deeply, or no JSON at all."""
        kind = self.below(16)
        if kind == 0:
            return self.bytes(256)
        if kind == 1:
            depth = self.one_of((10, 100, 900, 960, 980, 990, 1500, 9000, 100000))
            inner = b"[" * depth + b"]" * depth
            return self.one_of((b"%s", b'{"a": %s}', b'{"boot": %s}', b"[%s]", b'{"id": %s}')) % inner
        data = json.dumps(self.tree(names, words)).encode("ascii")
        if kind == 2:
            at = self.below(len(data) + 1)
            data = data[:at] + self.bytes(8) + data[at + self.below(4) :]
        return data
