# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that tell their size and whatever happened to them, of every byte that the channel carries."""

_BYTES = bytes(range(1, 256)) * 34


def value_of(size):
    """:returns: so many bytes; those of neighbouring sizes begin differently."""
    start = size * 7 % 255
    return _BYTES[start : start + size]


def difference(found, size):
    """How a value is other than value_of() made it; empty where it is not."""
    wanted = value_of(size)
    if found == wanted:
        return ""
    for at, pair in enumerate(zip(found, wanted)):
        if pair[0] != pair[1]:
            return "%d: %d bytes came, byte %d is %d instead of %d" % (size, len(found), at, pair[0], pair[1])
    return "%d: %d bytes came" % (size, len(found))


def text(raw):
    """Bytes as what JSON carries: one character a byte."""
    return raw.decode("latin-1")
