# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The file that says whether this is a first boot, and how to go about it.

Shell assignments, as files in ``/etc/sysconfig`` have them. The first is the vendor's, the
others are ours:

=============================  =====================================  =======================
name                           values                                 without it
=============================  =====================================  =======================
``INITIAL_CONFIG``             yes, no                                no
``INITIAL_CONFIG_SOURCES``     any of messages, console, ovf          all of them
``INITIAL_CONFIG_TIMEOUT``     seconds; 0 is no limit                 0
``INITIAL_CONFIG_ON_TIMEOUT``  continue, poweroff, disable            continue
``INITIAL_CONFIG_ON_FAILURE``  retry (at the next boot), finish       retry
=============================  =====================================  =======================

A file that is not there says no. One with a bad value is an error, so nobody waits for
what was not asked for.
"""

import os
import re
import tempfile
from collections import namedtuple

from .errors import SourceError

#: The vendor's place on systems with systemd; ``/etc/sysconfig/ovmd`` where SysV init is all there is.
FLAG_FILE = "/etc/sysconfig/ovm-template-initial-config"

#: Where parameters may come from.
MESSAGES, CONSOLE, OVF = "messages", "console", "ovf"
SOURCES = (MESSAGES, CONSOLE, OVF)
#: What happens when nothing complete has come in time.
CONTINUE, POWEROFF, DISABLE = "continue", "poweroff", "disable"
#: What happens to the flag when a script has failed.
RETRY, FINISH = "retry", "finish"

_FLAG = "INITIAL_CONFIG"
_NEW = b"# Whether this machine waits for its first configuration when it boots: yes or no.\n"
_ASSIGNMENT = re.compile(rb"[ \t]*(?:export[ \t]+)?(INITIAL_CONFIG\w*)=(.*)", re.DOTALL)
_QUOTED = re.compile(rb"""(?:"([^"\\`$]*)"|'([^']*)'|([^\s"'\\`$;&|<>()]*))(?:\s+#.*)?$""", re.DOTALL)
# Nobody writes more; what is not a file of settings is not read to its end.
_ENOUGH = 1 << 16


class Settings(namedtuple("Settings", ("enabled", "sources", "timeout", "on_timeout", "on_failure"))):
    """What the file says.

    :ivar bool enabled: whether this is a first boot.
    :ivar tuple sources: some of SOURCES.
    :ivar float timeout: seconds to wait for parameters; None for no limit.
    :ivar str on_timeout: CONTINUE, POWEROFF or DISABLE.
    :ivar str on_failure: RETRY or FINISH.
    """

    __slots__ = ()


def read(path: str = FLAG_FILE) -> Settings:
    """Read the file.

    :raises SourceError: it cannot be read; or naming a value that is none, and those that are.
    """
    found = {}  # type: dict
    for number, line in enumerate(_lines(path), 1):
        name, raw = _assignment(line)
        if name:
            found[name] = (number, raw)  # the last one holds, as for a shell

    def value(name, without, check, allowed):
        number, raw = found.get(name, (0, None))
        if not number:
            return without
        text = _unquoted(raw)
        result = None if text is None else check(text)
        if result is None:
            raise SourceError(
                "%s, line %d: %s has a value that it cannot have" % (path, number, name), "use " + allowed
            )
        return result

    def one_of(*allowed):
        return (lambda text: text.lower() if text.lower() in allowed else None), " or ".join(allowed)

    return Settings(
        enabled=value(_FLAG, "no", *one_of("yes", "no")) == "yes",
        sources=value(_FLAG + "_SOURCES", SOURCES, _sources, "one or more of " + " ".join(SOURCES)),
        timeout=value(_FLAG + "_TIMEOUT", 0, _seconds, "whole seconds, 0 for no limit") or None,
        on_timeout=value(_FLAG + "_ON_TIMEOUT", CONTINUE, *one_of(CONTINUE, POWEROFF, DISABLE)),
        on_failure=value(_FLAG + "_ON_FAILURE", RETRY, *one_of(RETRY, FINISH)),
    )


def switch(on: bool, path: str = FLAG_FILE) -> bool:
    """Set ``INITIAL_CONFIG``. All else in the file stays as it is, byte for byte.

    Once this returns the file survives a power cut; at any moment it is the old or the new one.

    :returns: whether that was a change.
    :raises SourceError: the file is as it was; or, as the text says, it may be so again after a power cut.
    """
    lines = _lines(path)
    wanted = b"yes" if on else b"no"
    ours = [at for at, line in enumerate(lines) if _assignment(line)[0] == _FLAG]
    if ours and _unquoted(_assignment(lines[ours[-1]])[1]) == wanted.decode("ascii"):
        return False
    if ours:
        line = lines[ours[-1]]
        start, _equals, _value = line.partition(b"=")
        lines[ours[-1]] = start + b"=" + wanted + (b"\r" if line.endswith(b"\r") else b"")
    else:
        if not lines:
            lines = _NEW.split(b"\n")
        # What follows the last newline is the last line, usually an empty one.
        lines[-1:] = (
            [lines[-1], _FLAG.encode("ascii") + b"=" + wanted, b""]
            if lines[-1]
            else [
                _FLAG.encode("ascii") + b"=" + wanted,
                b"",
            ]
        )
    place = os.path.realpath(path)
    try:
        _replace(place, b"\n".join(lines))
    except OSError as problem:
        raise SourceError(
            "%s cannot be written (%s)" % (path, problem.strerror),
            "it still says what it said: see that root may write there and that there is room",
        ) from problem
    try:
        _keep_name(os.path.dirname(place))
    except OSError as problem:
        raise SourceError(
            "%s says %s by now, but may not do so after a power cut (%s)"
            % (path, wanted.decode("ascii"), problem.strerror),
            "see that its disk is well",
        ) from problem
    return True


def identity(path: str = FLAG_FILE) -> str:
    """What tells the file from any that was there before or will be there after a switch()."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return "%d-%d-%d" % (status.st_dev, status.st_ino, status.st_mtime_ns)


def _lines(path):
    """The lines without their ends; none where there is no file."""
    try:
        with open(path, "rb") as source:
            data = source.read(_ENOUGH + 1)
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise SourceError("%s cannot be read (%s)" % (path, problem.strerror), "see that it is a file") from problem
    if len(data) > _ENOUGH:
        raise SourceError("%s has more than %d bytes" % (path, _ENOUGH), "see that it is a file of settings")
    return data.split(b"\n") if data else []


def _assignment(line):
    """The name that a line sets, and the value as it is written; empty for any other line."""
    found = _ASSIGNMENT.match(line)
    return (found.group(1).decode("ascii", "replace"), found.group(2).rstrip(b" \t\r")) if found else ("", b"")


def _unquoted(raw):
    """The value as a shell would have it, or None where that takes a shell."""
    found = _QUOTED.match(raw)
    if not found:
        return None
    return b"".join(part or b"" for part in found.groups()).decode("utf-8", "replace").strip()


def _sources(text):
    words = text.lower().replace(",", " ").split()
    return tuple(name for name in SOURCES if name in words) if words and set(words) <= set(SOURCES) else None


def _seconds(text):
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _replace(path, data):
    """Put a file in the place of another, with its owner, mode and labels."""
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=directory)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(data)
            target.flush()
            _take_after(path, target.fileno())
            os.fsync(target.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _keep_name(directory):
    """Have the names in a directory on the disk."""
    place = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _take_after(path, file):
    try:
        before = os.stat(path)
    except FileNotFoundError:
        os.fchmod(file, 0o644)
        return
    os.fchmod(file, before.st_mode & 0o7777)
    try:
        os.fchown(file, before.st_uid, before.st_gid)
    except PermissionError:
        pass  # not root: then it is our own
    # Above all the SELinux label. File systems and containers need not have any of them.
    try:
        for name in os.listxattr(path):
            os.setxattr(file, name, os.getxattr(path, name))
    except OSError:
        pass
