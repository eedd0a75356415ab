# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that tell their number and their size, so that half of one, or two mixed up, do not pass for a whole one."""

_FILLING = bytes(range(32, 127))


def value_of(number, size):
    """A value of so many bytes behind its head, which has 16."""
    start = number % len(_FILLING)
    filling = _FILLING[start:] + _FILLING * (size // len(_FILLING) + 1)
    return b"%08d %06d " % (number, size) + filling[:size]


def number_of(value):
    """A value's number; None where it is not what value_of() has made."""
    head = value[:16].split()
    if len(head) != 2 or not all(part.isdigit() for part in head):
        return None
    number, size = map(int, head)
    return number if value == value_of(number, size) else None
