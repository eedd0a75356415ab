# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Parameters out of the OVF environment: the document ``ovf-env.xml`` on a disc.

OVF (DMTF DSP0243, "ISO image transport") has the deploying side write the properties of a
machine's product sections into that document. A property's key there is the section's class,
the key and the instance with dots between; for the class ``com.oracle.linux`` that makes the
keys of messages. Where a document keeps class or instance in attributes of their own, they are
put together here.
"""

import glob
from xml.parsers import expat

from . import iso9660
from .errors import SourceError

#: The document's name.
DOCUMENT = "ovf-env.xml"
#: Where a disc may be: patterns of drives, and of disks, as which Xen shows a disc to some guests.
DEVICES = ("/dev/cdrom", "/dev/sr[0-9]*", "/dev/xvd[a-z]", "/dev/hd[a-z]")
#: Bytes that the document may have.
LIMIT = 1 << 20

_DEPTH = 32
_REMEDY = "see what made this disc"


def find(devices=None) -> "dict[str, str] | None":
    """The parameters of the first disc that has an OVF environment.

    :param devices: paths or patterns of devices, of images of discs, or of folders where a
        disc is mounted; None for the usual devices. Those without a disc are passed over.
    :rtype: dict of str to str, in the order of the document; None where there is none.
    :raises SourceError: there is one, and it cannot be read.
    """
    seen = set()
    problem = None
    for pattern in DEVICES if devices is None else devices:
        for path in sorted(glob.glob(pattern)) or [pattern]:
            if path in seen:
                continue
            seen.add(path)
            try:
                data = iso9660.read(path, DOCUMENT, LIMIT)
                if data is not None:
                    return parse(data, "%s in %s" % (DOCUMENT, path))
            except iso9660.NoDisc:
                continue
            except SourceError as found:
                problem = problem or found  # another disc may have it
    if problem:
        raise problem
    return None


def parse(data: bytes, what: str = DOCUMENT) -> "dict[str, str]":
    """The properties in the document.

    :param bytes data: the document.
    :param str what: what an error calls it.
    :raises SourceError: it is no OVF environment, or has declarations, which could make much of little.
    """
    reader = _Reader(what)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.declared
    try:
        parser.Parse(data, True)
    except expat.ExpatError as problem:
        # Not its text: it may quote the document, which has secrets.
        raise SourceError(
            "%s is no XML (line %d: %s)" % (what, problem.lineno, expat.ErrorString(problem.code)), _REMEDY
        ) from None
    except (LookupError, ValueError):
        raise SourceError("%s is in an encoding that is not known here" % what, "write it in UTF-8") from None
    return reader.found


class _Reader:
    """Collects the properties of this machine; those of its siblings are not for it."""

    def __init__(self, what):
        self.found = {}  # type: dict
        self._what, self._path, self._class = what, [], ""

    def declared(self, *_declaration):
        raise SourceError("%s has a document type declaration" % self._what, "an OVF environment needs none")

    def start(self, name, attributes):
        local = _local(name)
        if not self._path and local != "Environment":
            raise SourceError("%s is no OVF environment, it is about '%s'" % (self._what, ascii(local)[1:-1]), _REMEDY)
        self._path.append(local)
        if len(self._path) > _DEPTH:
            raise SourceError("%s is nested too deeply" % self._what, _REMEDY)
        given = {_local(key): value for key, value in attributes.items()}
        if len(self._path) == 2:
            self._class = given.get("class", "")
        elif len(self._path) == 3 and local == "Property" and self._path[1] in ("PropertySection", "ProductSection"):
            self._property(given)

    def end(self, _name):
        self._path.pop()

    def _property(self, given):
        key = given.get("key", "")
        if not key:
            raise SourceError("%s has a property without a key" % self._what, _REMEDY)
        prefix = given.get("class", self._class)
        if prefix and not key.startswith(prefix + "."):
            key = prefix + "." + key
        if given.get("instance"):
            key += "." + given["instance"]
        self.found[key] = given.get("value", "")


def _local(name):
    return name.rpartition(" ")[2]
