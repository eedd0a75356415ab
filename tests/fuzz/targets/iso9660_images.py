# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of ISO 9660 discs with bytes changed: folders that lead round in circles, sizes that are not there."""

import os
import struct
import tempfile

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import iso9660, ovf
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from fuzz.checks import only
from fuzz.draw import Draw

_SECTOR = 2048
_CONTENT = b'<Environment><PropertySection><Property key="a" value="b"/></PropertySection></Environment>'
# Sectors: of both folders, what continues a name, and the file. Descriptors are in 16 to 18.
_PRIMARY, _JOLIET, _MORE, _FILE, _END = 20, 21, 22, 23, 24
_LIMIT = 1 << 16
# Reads and bytes that a disc may make us do: a first boot waits for it.
_READS, _BYTES = 3000, 4 << 20


def _both(value):
    return struct.pack("<I", value) + struct.pack(">I", value)


def _record(name, start, size, flags=0, more=b""):
    padding = b"" if len(name) % 2 else b"\0"
    length = 33 + len(name) + len(padding) + len(more)
    length += length % 2
    head = bytes([length, 0]) + _both(start) + _both(size) + bytes(7) + bytes([flags, 0, 0]) + b"\1\0\0\1"
    return (head + bytes([len(name)]) + name + padding + more).ljust(length, b"\0")


def _descriptor(kind, root, escape=b""):
    found = bytearray(_SECTOR)
    found[:7] = bytes([kind]) + b"CD001\1"
    found[88 : 88 + len(escape)] = escape
    found[128:132] = struct.pack("<H", _SECTOR) + struct.pack(">H", _SECTOR)
    found[156:190] = _record(b"\0", root, _SECTOR, 2)
    return bytes(found)


def _entry(signature, body):
    return signature + bytes([len(body) + 4, 1]) + body


def _image():
    """An image with Rock Ridge, a name that goes on elsewhere, and Joliet."""
    continuation = _entry(b"NM", b"\0f-env.xml")
    elsewhere = _entry(b"CE", _both(_MORE) + _both(0) + _both(len(continuation)))
    sharing = _entry(b"SP", b"\xbe\xef\0")
    size = len(_CONTENT)
    primary = _record(b"\0", _PRIMARY, _SECTOR, 2, sharing) + _record(b"\1", _PRIMARY, _SECTOR, 2)
    primary += _record(b"A.TXT;1", _FILE, 3, 0, _entry(b"NM", b"\0a.txt"))
    primary += _record(b"X.XML;1", _FILE, size, 0, _entry(b"NM", b"\1ov") + elsewhere)
    joliet = _record(b"\0", _JOLIET, _SECTOR, 2) + _record(b"\1", _JOLIET, _SECTOR, 2)
    joliet += _record("ovf-env.xml;1".encode("utf-16-be"), _FILE, size)
    sectors = {
        16: _descriptor(1, _PRIMARY), 17: _descriptor(2, _JOLIET, b"%/E"), 18: bytes([255]) + b"CD001\1",
        _PRIMARY: primary, _JOLIET: joliet, _MORE: continuation, _FILE: _CONTENT,
    }  # fmt: skip
    return b"".join(sectors.get(number, b"").ljust(_SECTOR, b"\0") for number in range(_END))


IMAGE = _image()
# Where something is: descriptors, folders, the continuation, the file.
_PLACES = (16, 17, 18, _PRIMARY, _JOLIET, _MORE, _FILE)
TOKENS = [b"CD001", b"NM", b"CE", b"SP", b"ST", b"\xff\xff\xff\xff", b"OVF_ENV.XML;1", struct.pack("<I", _MORE)]
SEEDS = [b"", bytes([1, 0, 0, 0, 1, 0]), bytes([3, 3, 0, 10, 4, 255]) * 3, bytes(range(120)), b"\x04" * 50]
LONGEST = 2048


class _Counting:
    """Counts what is read of a disc."""

    def __init__(self):
        self.reads = self.bytes = 0
        self._pread = os.pread

    def __enter__(self):
        iso9660.os.pread = self._counted
        return self

    def __exit__(self, *_exc):
        iso9660.os.pread = self._pread

    def _counted(self, file, size, at):
        self.reads, self.bytes = self.reads + 1, self.bytes + size
        if self.reads > _READS or self.bytes > _BYTES:
            raise AssertionError("a disc of %d bytes takes %d reads, %d bytes" % (len(IMAGE), self.reads, self.bytes))
        return self._pread(file, size, at)


def run(data):
    draw, image = Draw(data), bytearray(IMAGE)
    for _number in draw.some(30):
        at = draw.one_of(_PLACES) * _SECTOR + draw.one_of((draw.below(64), 120 + draw.below(128), draw.below(_SECTOR)))
        change = draw.one_of((b"", b"\xff\xff\xff\xff", b"\0\0\0\0", draw.bytes(40), draw.bytes(8) * 40))
        image[at : at + len(change)] = change
    if draw.below(8) == 1:
        del image[draw.below(len(image)) :]
    with tempfile.NamedTemporaryFile(prefix="fuzz-", suffix=".iso", dir=_memory()) as file:
        file.write(image)
        file.flush()
        with _Counting():
            with only(SourceError):
                found = iso9660.read(file.name, "ovf-env.xml", _LIMIT)
                if found is not None and len(found) > _LIMIT:
                    raise AssertionError("a file of %d bytes" % len(found))
                if found is not None and found not in bytes(image):
                    raise AssertionError("what is not on the disc")
        with only(SourceError):
            ovf.find([file.name])
    if not data and found != _CONTENT:
        raise AssertionError("the file on a good disc is not found")


def _memory():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
