# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A parameter as a line of JSON. The json module is not used: it imports re, which costs milliseconds."""


def line(key, value):
    """One parameter as ``ovmd --list`` prints it, without the end of the line.

    Valid JSON in UTF-8, whatever the bytes: text stands as it is, what would break a line
    or steer a terminal is escaped, and each byte that is not UTF-8 appears as the lone
    surrogate that Python's ``surrogateescape`` makes of it (``\\udc80`` to ``\\udcff``).
    ``json.loads(line)`` and then ``.encode("utf-8", "surrogateescape")`` give the bytes back.

    :param bytes key: the parameter's key.
    :param bytes value: its value.
    :rtype: bytes
    """
    return ('{"%s":"%s"}' % (_escaped(key), _escaped(value))).encode("utf-8")


def _escaped(raw):
    return raw.decode("utf-8", "surrogateescape").translate(_ESCAPES)


# All control characters (C0, DEL and C1), the two line separators that some readers split
# at, and the surrogates of surrogateescape.
_CODES = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xDC80, 0xDD00))
_ESCAPES = {code: "\\u%04x" % code for code in _CODES}
_ESCAPES.update({8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"})
