# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that nobody else has, and the search for them in whatever form they may appear.

A secret is letters and digits with a few characters between that every encoding has to treat in its own way. So
text in JSON, in a shell's quotes, in HTML or in a URL shows its pieces as they are. The search looks for each part
of a piece that has eight characters or more, also backwards, and does so in what it gets by taking the text apart:
base64, hexadecimal, UTF-16 and 32, escapes, and compressed members of gzip, zlib, zip, bzip2 and xz, in each other.
"""

import base64
import binascii
import bz2
import contextlib
import hashlib
import lzma
import random
import re
import string
import zlib
from collections import namedtuple

#: Characters of a secret that may not appear one after the other anywhere.
LEAST = 8
_PIECE = 12
#: Has quotes, what URLs, HTML and base64 treat, and nothing that a key or a line could not have.
MIXED = "+/\"&<'%"
_STEP, _BLOCK = LEAST // 2, LEAST - LEAST // 2 + 1
#: Deeper than this nothing is packed into each other.
_DEPTH = 3
#: So that a bomb among the data stays small.
_LARGEST = 64 << 20

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")
_LINES = (
    re.compile(rb"\n(?<=[A-Za-z0-9+/_-]{24}\n)\s*[A-Za-z0-9+/_-]{2}"),
    re.compile(rb"\\n(?<=[A-Za-z0-9+/_-]{24}\\n)[A-Za-z0-9+/_-]{2}"),
)
_ENDS = re.compile(rb"\s*(?:\n|\\n)\s*")
_ESCAPE = re.compile(rb"(?:%|\\+x|\\+u00|\\+U000000|&#[xX]0*)([0-9a-fA-F]{2});?|\\+([0-7]{3})|&#0*([0-9]{1,3});")
#: Words in which there are several: where a whole secret is written so, it is in such a one.
_ESCAPED = re.compile(
    rb"(?:(?:%|\\+(?:x|u00|U000000|(?=[0-7]{3}))|&#[xX]?0*)[0-9a-fA-F]{2,3};?[A-Za-z0-9+/_.:,=-]{0,12}){3,}"
)
_SEVERAL = (
    re.compile(rb"\x00[^\x00]\x00[^\x00]\x00[^\x00]"),
    re.compile(rb"\x00{3}[^\x00]\x00{3}[^\x00]"),
)
_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_PACKED = (
    (b"\x1f\x8b\x08", lambda: zlib.decompressobj(31)),
    (b"\x78\x01", lambda: zlib.decompressobj(15)),
    (b"\x78\x5e", lambda: zlib.decompressobj(15)),
    (b"\x78\x9c", lambda: zlib.decompressobj(15)),
    (b"\x78\xda", lambda: zlib.decompressobj(15)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
)
_ZIP = b"PK\x03\x04"


class Secret(namedtuple("Secret", ("name", "value"))):
    """A value that is nowhere else.

    :ivar str name: what it is, for reports: the value itself is in none.
    :ivar str value: it.
    """

    __slots__ = ()

    def __repr__(self):
        return "Secret(%r)" % self.name


def make(name, between=MIXED):
    """A Secret of its own.

    :param str between: what stands between its pieces.
    """
    letters = random.SystemRandom()
    first, second = ("".join(letters.choices(string.ascii_letters + string.digits, k=_PIECE)) for _piece in "12")
    return Secret(name, first + between + second)


class Searcher:
    """Finds secrets.

    :ivar int searched: how many bytes were given to it.
    """

    def __init__(self):
        self.secrets, self.searched = [], 0
        self._pieces = []  # (Secret, how, piece)
        self._known = {}  # digest of bytes that were looked at -> what was found in them

    def add(self, *secrets):
        """Look for these, too. A text of which no part has LEAST letters and digits cannot be looked for.

        :raises ValueError: there is no such part.
        """
        self._known.clear()
        for secret in secrets:
            pieces = {piece.encode() for piece in re.findall("[A-Za-z0-9]{%d,}" % LEAST, secret.value)}
            if not pieces:
                raise ValueError("%s has too short pieces" % secret.name)
            self.secrets.append(secret)
            for piece in pieces:
                self._pieces += [(secret, "", piece), (secret, "backwards", piece[::-1])]

    def find(self, data):
        """What of the secrets is in some bytes.

        :returns: names, and in which form, such as ``password (base64, gzip)``: sorted.
        """
        self.searched += len(data)
        found = self._find(data, _DEPTH)
        return sorted(name + (" (%s)" % ", ".join(way) if way else "") for name, way in found.items())

    def _find(self, text, depth):
        """:returns: name -> the forms around it, outermost first."""
        mark = hashlib.blake2b(text, digest_size=16).digest(), depth
        if mark not in self._known:
            found = {name: (how,) if how else () for name, how in self._plain(text)}
            for step, inner, further in _inside(text) if depth else ():
                if len(inner) < LEAST:
                    continue
                for name, way in self._find(inner, depth - 1 if further else 0).items():
                    if name not in found or len(way) + 1 < len(found[name]):
                        found[name] = (step, *way)
            self._known[mark] = found
        return self._known[mark]

    def _plain(self, text):
        """The secrets of which LEAST characters are there just so."""
        for secret, how, piece in self._pieces:
            for start in range(0, len(piece) - _BLOCK + 1, _STEP):
                block, at = piece[start : start + _BLOCK], -1
                hit = False
                while (at := text.find(block, at + 1)) >= 0 and not hit:
                    hit = _length(text, at, piece, start) >= LEAST
                if hit:
                    yield secret.name, how
                    break


def _length(text, at, piece, start):
    """How much of a piece is there around a part of it."""
    left = right = 0
    while start - left > 0 and at - left > 0 and piece[start - left - 1] == text[at - left - 1]:
        left += 1
    while start + right < len(piece) and at + right < len(text) and piece[start + right] == text[at + right]:
        right += 1
    return left + right


def _inside(text):
    """What some bytes may hold in another form: its name, what it is decoded, and whether there may be more in that."""
    if any(each.search(text) for each in _SEVERAL):
        yield "UTF-16 or 32", text.replace(b"\0", b""), True
    escaped = b"".join(each + b"\0" for each in _ESCAPED.findall(text))
    if escaped:
        yield "escapes", _ESCAPE.sub(_unescape, escaped), True
    # Runs of one text go together: a form of its own for each would take for ever.
    for name, pattern, decode, phases in (("base64", _BASE64, _from_base64, 4), ("hexadecimal", _HEX, _from_hex, 2)):
        runs = pattern.findall(text)
        if any(each.search(text) for each in _LINES):
            runs += pattern.findall(_ENDS.sub(b"", text))
        for phase in range(phases if runs else 0):
            decoded = [decode(run[phase:]) for run in runs]
            yield name, b"\0".join(decoded), False
            # Of most it is noise: words that only look like it.
            yield name, b"\0".join(filter(_is_something, decoded)), True
    view = memoryview(text)
    for magic, decompressor in _PACKED:
        for at in _places(text, magic):
            inner = _unpack(decompressor(), view[at:])
            if inner:
                yield "compressed", inner, True
    for at in _places(text, _ZIP):
        head = text[at : at + 30]
        if len(head) == 30 and head[8:10] == b"\x08\x00":
            begin = at + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            inner = _unpack(zlib.decompressobj(-15), view[begin:])
            if inner:
                yield "compressed", inner, True


def _is_something(data):
    """Whether bytes look like text, or have something packed in them."""
    if len(data.translate(None, _PRINTABLE)) * 4 <= len(data):
        return True
    return _ZIP in data or any(magic in data[:64] for magic, _decompressor in _PACKED)


def _places(text, magic):
    at = -1
    while (at := text.find(magic, at + 1)) >= 0:
        yield at


def _unpack(decompressor, data):
    """As much as can be had of it."""
    parts, size = [], 0
    with contextlib.suppress(Exception):
        for at in range(0, len(data), 1024):
            parts.append(decompressor.decompress(data[at : at + 1024]))
            size += len(parts[-1])
            if getattr(decompressor, "eof", False) or size > _LARGEST:
                break
    return b"".join(parts)


def _unescape(match):
    if match[1]:
        return bytes([int(match[1], 16)])
    number = int(match[2], 8) if match[2] else int(match[3])
    return bytes([number]) if number < 256 else match[0]


def _from_base64(run):
    run = run[: len(run) // 4 * 4]
    try:
        return base64.b64decode(run.translate(_TO_STANDARD))
    except binascii.Error:
        return b""


def _from_hex(run):
    return binascii.unhexlify(run[: len(run) // 2 * 2])
