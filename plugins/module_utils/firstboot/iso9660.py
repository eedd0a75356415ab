# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reading one file from the top folder of an ISO 9660 disc, or of its image, without mounting it.

Knows the names that Rock Ridge and Joliet give, and the bare ones in capitals with a version.
A disc comes from outside: whatever it says is checked against what is there, only so much
is read, and nothing is followed without an end.
"""

import os
import stat
import struct

from .errors import SourceError

_SECTOR = 2048
# Volume descriptors start here; there are three or four of them.
_FIRST, _MOST = 16, 32
_MARK = b"CD001"
_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_JOLIET = (b"%/@", b"%/C", b"%/E")
# A disc with one document has a small top folder; and names take few continuations.
_FOLDER_LIMIT = 1 << 18
_CONTINUATIONS = 16
_HIDDEN_FOLDER, _ASSOCIATED, _CONTINUES = 0x02, 0x04, 0x80


class NoDisc(SourceError):
    """There is no disc, or nothing that is an ISO 9660 one."""


def read(path: str, name: str, limit: int) -> "bytes | None":
    """The content of a file in the top folder.

    :param str path: of a device or an image; or of a folder, where a disc is mounted.
    :param str name: the file's name; capitals or not does not matter.
    :param int limit: bytes that it may have.
    :returns: None where there is no such file.
    :raises NoDisc: there is no disc at that path.
    :raises SourceError: the disc, or the file on it, is not as it should be.
    """
    try:
        # Neither waits for a drive's tray nor for the other end of a pipe.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise NoDisc("there is no disc in %s (%s)" % (path, problem.strerror)) from problem
    try:
        kind = os.fstat(file).st_mode
        if stat.S_ISDIR(kind):
            return _from_folder(path, file, name, limit)
        if not stat.S_ISREG(kind) and not stat.S_ISBLK(kind):
            raise NoDisc("there is no disc in %s: it is neither a device, nor an image, nor a folder" % path)
        return _Disc(path, file).read(name, limit)
    except OSError as problem:
        raise NoDisc("no disc can be read in %s (%s)" % (path, problem.strerror)) from problem
    finally:
        os.close(file)


def _from_folder(path, folder, name, limit):
    for entry in sorted(os.listdir(folder)):
        if _plain(entry) == _plain(name):
            # A link on a disc could lead to any file of this machine.
            if not stat.S_ISREG(os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode):
                raise SourceError("%s in %s is no file" % (name, path), "see what made this disc")
            file = os.open(entry, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(file, "rb") as source:
                data = source.read(limit + 1)
            _check_size(len(data), path, name, limit)
            return data
    return None


def _check_size(size, path, name, limit):
    if size > limit:
        raise SourceError("%s in %s has more than %d bytes" % (name, path, limit), "see what made this disc")


class _Disc:
    """An open disc or image."""

    def __init__(self, path, file):
        self._path, self._file = path, file
        self._size = os.lseek(file, 0, os.SEEK_END)
        self._continued = 0  # bytes of all names' continuations

    def read(self, name, limit):
        for descriptor in self._descriptors():
            joliet = descriptor[0] == _SUPPLEMENTARY
            if joliet and descriptor[88:91] not in _JOLIET:
                continue
            block = struct.unpack_from("<H", descriptor, 128)[0]
            if block not in (512, 1024, 2048):
                raise self._bad("blocks of %d bytes" % block)
            found = self._find(descriptor[156:190], block, joliet, _plain(name))
            if found:
                start, size = found
                _check_size(size, self._path, name, limit)
                return self._bytes(start * block, size)
        return None

    def _descriptors(self):
        """The volume descriptors that describe a tree of files."""
        for number in range(_MOST):
            at = (_FIRST + number) * _SECTOR
            if at + _SECTOR > self._size and not number:
                raise NoDisc("there is no ISO 9660 disc in %s" % self._path)
            descriptor = self._bytes(at, _SECTOR)
            if descriptor[1:6] != _MARK:
                if not number:
                    raise NoDisc("there is no ISO 9660 disc in %s" % self._path)
                return
            if descriptor[0] == _END:
                return
            if descriptor[0] in (_PRIMARY, _SUPPLEMENTARY):
                yield descriptor

    def _find(self, root, block, joliet, wanted):
        """Where a file of the top folder is: block and size; None where it is not."""
        start, size = struct.unpack_from("<I", root, 2)[0], struct.unpack_from("<I", root, 10)[0]
        if size > _FOLDER_LIMIT:
            raise self._bad("a top folder of %d bytes" % size)
        folder = self._bytes(start * block, size)
        at = skip = 0
        while at < len(folder):
            length = folder[at]
            if not length:  # records do not cross sectors
                at = (at // _SECTOR + 1) * _SECTOR
                continue
            record = folder[at : at + length]
            if length < 34 or len(record) < length or 33 + record[32] > length:
                raise self._bad("a folder's record of %d bytes" % length)
            raw, flags = record[33 : 33 + record[32]], record[25]
            # What follows the name, which is padded to an even length.
            more = record[33 + record[32] + (record[32] + 1) % 2 :]
            if not at and more[:2] == b"SP" and len(more) >= 7:
                skip = more[6]  # of what another standard keeps there
            at += length
            if flags & (_HIDDEN_FOLDER | _ASSOCIATED):
                continue
            if joliet:
                name = raw.decode("utf-16-be", "replace")
            else:
                name = (self._long_name(more[skip:], block) or raw).decode("utf-8", "replace")
            if _plain(name) == wanted:
                if flags & _CONTINUES or record[26]:
                    raise self._bad("a document in several pieces")
                # Blocks of extended attributes come before the content.
                return struct.unpack_from("<I", record, 2)[0] + record[1], struct.unpack_from("<I", record, 10)[0]
        return None

    def _long_name(self, area, block):
        """The name that Rock Ridge gives, or nothing."""
        name = b""
        for _unused in range(_CONTINUATIONS):
            following = None
            while len(area) >= 4:
                signature, length = area[:2], area[2]
                if length < 4 or length > len(area) or signature == b"ST":
                    break
                entry, area = area[:length], area[length:]
                if signature == b"NM" and length > 5 and not entry[4] & 0x06:
                    name += entry[5:]
                elif signature == b"CE" and length >= 28:
                    following = [struct.unpack_from("<I", entry, offset)[0] for offset in (4, 12, 20)]
            if following is None:
                break
            where, offset, size = following
            self._continued += size
            if size > _SECTOR or self._continued > _FOLDER_LIMIT:
                raise self._bad("a name's continuation of %d bytes, %d in all" % (size, self._continued))
            area = self._bytes(where * block + offset, size)
        return name

    def _bytes(self, at, size):
        """Exactly these bytes; what lies behind the end is an error."""
        if at + size > self._size:
            raise self._bad("something at byte %d, with %d bytes in all" % (at + size, self._size))
        pieces = []
        while size:
            piece = os.pread(self._file, size, at)
            if not piece:
                raise self._bad("nothing at byte %d" % at)
            pieces.append(piece)
            at, size = at + len(piece), size - len(piece)
        return b"".join(pieces)

    def _bad(self, what):
        return SourceError("the disc in %s is damaged: it has %s" % (self._path, what), "make it again")


def _plain(name):
    """A name as the barest disc has it: ISO 9660 knows neither small letters nor hyphens, and adds a version."""
    base, semicolon, version = name.rpartition(";")
    if semicolon and version.isdigit():
        name = base
    return name.rstrip(".").upper().replace("-", "_")
