# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of guests as text that does a reader no harm. Pure."""


def pieces(raw):
    """What to show for bytes: everything printable as it is, all else as escapes.

    Escaped are control characters, those that change the direction or are not seen, lone surrogates, and
    bytes that are no UTF-8 (``\\xff``). A line break stays one, behind its escape.

    :param raw: bytes, or text that may hold lone surrogates.
    :returns: pairs of a text and whether it is an escape; a page tells the two apart.
    """
    text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    result = []
    for character in text:
        odd = not character.isprintable()
        if odd:
            character = _escape(ord(character))
        if result and result[-1][1] == odd:
            result[-1][0].append(character)
        else:
            result.append(([character], odd))
    return [("".join(characters), odd) for characters, odd in result]


def _escape(code):
    if code == 0x0A:
        return "\\n\n"
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape's, for a byte
        code -= 0xDC00
        return "\\x%02x" % code
    if code < 0x80:
        return "\\x%02x" % code
    return "\\u%04x" % code if code < 0x10000 else "\\U%08x" % code
