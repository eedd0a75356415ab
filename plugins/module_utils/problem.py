# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The base of every error that the cores raise on purpose."""


class Problem(Exception):
    """What went wrong, in one line, and what to do about it. ``str()`` gives both.

    No Problem ever carries the value of a message, because values may be secrets.

    :param str text: what happened, naming the thing it happened to.
    :param str remedy: what the reader can do about it, or an empty string.
    """

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy

    def __str__(self) -> str:
        return self.text + (": " + self.remedy if self.remedy else "")


class OutcomeUnknown(Problem):
    """Something was asked for, and nobody can say whether it was done.

    Whoever would repeat it has to find out first, or must be sure that twice does no harm.
    """


def one_line(text: str) -> str:
    """Text with everything escaped that would break a line, steer a terminal, or is not to be seen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
