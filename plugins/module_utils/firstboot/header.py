# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The header of a script: comments that say what it is called, and for which targets it is there.

    ### BEGIN PLUGIN INFO
    # name: network
    # configure: 50
    # cleanup: 50
    # description: Host name, addresses and name servers;
    #              what is indented deeper goes on with the description.
    ### END PLUGIN INFO

The markers, ``name``, ``description`` and the targets are the vendor's. Everything else in a header is left alone.
"""

import os
import re
import stat
from collections import namedtuple

from .errors import BadScript
from .targets import TARGETS

#: Bytes. The header has to be within so many from the start; what follows may be of any size.
LIMIT = 65536

_BEGIN, _END = "### BEGIN PLUGIN INFO", "### END PLUGIN INFO"
# Group 1 is the indentation of what follows the sign.
_MEMBER = re.compile(r"#([ \t]*)([A-Za-z][A-Za-z0-9_-]*)[ \t]*:[ \t]*(.*)")
_MORE = re.compile(r"#([ \t]*)(.*)")
_PRIORITY = re.compile(r"[0-9]{1,2}\Z")
# Letters and digits first: no hidden file, no option, no other folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}\Z")
# What package managers and editors leave beside a file.
_LEFTOVERS = (".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-new", ".dpkg-old", ".dpkg-dist", ".dpkg-tmp", ".bak", ".orig")


class Header(namedtuple("Header", ("name", "description", "targets"))):
    """What a script says of itself.

    :ivar str name: what it is called.
    :ivar str description: for people, in one line; may be empty.
    :ivar dict targets: what it can be run for: target to priority, in the order of targets.TARGETS.
    """

    __slots__ = ()

    def supported(self, targets) -> None:
        """Refuse what the script is not there for.

        :param targets: names of targets.
        :raises BadScript: naming those that it does not support, and those that it does.
        """
        others = [target for target in targets if target not in self.targets]
        if others:
            raise BadScript(
                "the script '%s' does not support %s" % (self.name, " and ".join(others)),
                "by its header, it supports " + ", ".join(self.targets),
            )


def is_name(name: str) -> bool:
    """:returns: whether a script may be called so."""
    return bool(_NAME.match(name)) and not name.endswith(_LEFTOVERS)


def check_name(name: str) -> str:
    """:returns: the name itself.

    :raises BadScript: a script cannot be called so.
    """
    if not is_name(name):
        raise BadScript(
            "'%s' cannot be a script's name" % name,
            "use at most 100 letters, digits, '-', '_', '+' and '.', with a letter or digit first, and not the ending "
            "of a backup",
        )
    return name


def read_header(path: str) -> Header:
    """Read a script's header.

    :raises BadScript: there is no such file, it cannot be read, or has no complete header; with file and line.
    """
    try:
        # A named pipe would block.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise BadScript("the script %s is no regular file" % path, "replace it by one, or by a link to one")
            data = os.read(file, LIMIT)
        finally:
            os.close(file)
    except OSError as problem:
        raise BadScript("the script %s cannot be read (%s)" % (path, problem.strerror), _reading(problem)) from problem
    return parse_header(data, path)


def parse_header(data: bytes, what: str) -> Header:
    """Find the header in a script's content.

    Text that is not UTF-8 may be anywhere. Lines may end as in DOS. Only the first header counts.

    :param bytes data: the script, or its beginning.
    :param str what: what an error calls the script.
    :raises BadScript: there is none, or it is not complete.
    """
    found = {}  # type: dict[str, str]
    priorities = {}  # type: dict[str, int]
    description = []  # type: list[str]
    deeper = None  # how far the description is indented, as long as it may go on
    for number, line in _block(data[:LIMIT], what):
        where = "line %d of %s" % (number, what)
        more = _MORE.match(line)
        if not more:
            if not line:
                continue
            raise BadScript(
                "%s is within the header, but no comment" % where, "end the header with the line '%s'" % _END
            )
        if deeper is not None and more.group(2) and _width(more.group(1)) > deeper:
            description.append(more.group(2))
            continue
        deeper = None
        member = _MEMBER.match(line)
        if not member:
            continue
        key, value = member.group(2), member.group(3)
        if key == "description":
            description.append(value)
            deeper = _width(member.group(1))
        elif key == "name" or key in TARGETS:
            if key in found:
                raise BadScript("%s gives '%s' a second time" % (where, key), "leave one of the two")
            found[key] = value
            if key == "name" and not is_name(value):
                raise BadScript(
                    "%s gives a name that cannot be one" % where, "use letters, digits, '-', '_', '+' and '.'"
                )
            if key != "name":
                priorities[key] = _priority(key, value, where)
    if "name" not in found:
        raise BadScript("the header of %s has no name" % what, "add the line '# name: NAME'")
    if not priorities:
        raise BadScript(
            "the header of %s has no target" % what,
            "add a line such as '# configure: 50'; the targets are " + ", ".join(TARGETS),
        )
    targets = {target: priorities[target] for target in TARGETS if target in priorities}
    return Header(found["name"], " ".join(description).strip(), targets)


def _block(data, what):
    """The lines of the header, with their numbers, without the markers.

    :returns: list of pairs.
    """
    lines = [
        (number, line.decode("utf-8", "backslashreplace").rstrip(" \t\r"))
        for number, line in enumerate(data.split(b"\n"), 1)
    ]
    begin = next((n for n, line in lines if _marks(line, _BEGIN)), None)
    if begin is None:
        raise BadScript(
            "the script %s has no header" % what,
            "add one among its first comments, between the lines '%s' and '%s'" % (_BEGIN, _END),
        )
    end = next((n for n, line in lines[begin:] if _marks(line, _END)), None)
    if end is None:
        raise BadScript(
            "the header of %s, which begins in line %d, has no end" % (what, begin),
            "end it with the line '%s', within the first %d bytes" % (_END, LIMIT),
        )
    return lines[begin : end - 1]


def _marks(line, marker):
    return line.split() == marker.split()


def _priority(target, value, where):
    if not _PRIORITY.match(value):
        raise BadScript("%s gives no usable priority for '%s'" % (where, target), "give a number from 0 to 99")
    return int(value)


def _width(indentation):
    return len(indentation.expandtabs(8))


def _reading(problem):
    if isinstance(problem, FileNotFoundError):
        return "there is no such file"
    return "run this as root" if isinstance(problem, PermissionError) else "see what is there"
