# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes do that others can see: their command lines and environments, the files that they write, what they
send. strace tells of every call, so nothing depends on being there at the right moment."""

import codecs
import collections
import os
import re
import stat
import subprocess

from faults.injector import tracer

_CALLS = (
    "execve", "execveat", "open", "openat", "creat", "mknod", "mknodat", "mkdir", "mkdirat", "chmod", "fchmod",
    "fchmodat", "umask", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "write",
    "pwrite64", "writev", "pwritev", "sendto", "sendmsg", "sendmmsg", "clone", "clone3", "fork", "vfork", "unlink",
    "unlinkat", "rmdir",
)  # fmt: skip
#: What ends processes here. strace tells of no end by others.
_DEADLY = "KILL,TERM,ABRT,SEGV"
#: Longer texts of one call are cut.
_LENGTH = 1 << 20
_LINE = re.compile(rb"(\d+) +(<\.\.\. )?(\w+)(?:\(| resumed>)(.*)", re.S)
_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.S)
_TARGET = re.compile(rb"(\d+)<((?:[^<>\"]|<[^>]*>|\"[^\"]*\")*)>")
_FOLDER = re.compile(rb"(?:AT_FDCWD|\d+)<([^>]*)>, ")
_NEW_CHILD = re.compile(rb"= (\d+)")
_BREEDING = {b"clone", b"clone3", b"fork", b"vfork"}
_MAKES = {b"open", b"openat", b"creat", b"mknod", b"mknodat", b"mkdir", b"mkdirat"}
_WRITES = {b"write", b"pwrite64", b"writev", b"pwritev", b"sendto", b"sendmsg", b"sendmmsg"}

#: Done by one process: its command line and environment, each a list of bytes.
Started = collections.namedtuple("Started", "process program arguments environment")
#: What went to one target: a path, or what strace calls a pipe or socket.
Written = collections.namedtuple("Written", "process target data")


def traced(command, log, daemon=False):
    """A command that traces another one, with all that it starts.

    :param command: to trace: a list.
    :param str log: where to.
    :param bool daemon: strace shall not come between the process and who started it.
    :returns: the command, and variables that it needs.
    """
    tracing, environment = tracer()
    more = []
    for name in environment:
        more += ["-E", "%s=%s" % (name, os.environ[name]) if name in os.environ else name]
    words = [
        *tracing, *(["-D"] if daemon else []), "-f", "--seccomp-bpf", "-q", "-yy", "-v", "-s", str(_LENGTH),
        "-o", log, "-e", "trace=" + ",".join("?" + name for name in _CALLS), "-e", "signal=" + _DEADLY, *more, "--",
    ]  # fmt: skip
    return [*words, *map(str, command)], environment


class Trace:
    """What a log of strace tells.

    :param str log: its path.
    :param dict modes: path -> all modes that it has had, as far as earlier traces tell; gets more.
    :ivar list started: a Started for each program.
    :ivar list written: a Written for each target of each process.
    :ivar list cut: names of calls whose text was longer than what is traced.
    """

    def __init__(self, log, modes=None):
        with open(log, "rb") as source:
            lines = source.read().split(b"\n")
        self.started, self.cut = [], []
        self.modes = {} if modes is None else modes
        self._data, self._masks, self._parents, self._gone = {}, {}, {}, set()
        calls = [match for match in map(_LINE.match, lines) if match]
        # A child may be seen at work before its parent is seen to have got it.
        for call in calls:
            child = _NEW_CHILD.search(call[4]) if call[3] in _BREEDING else None
            if child:
                self._parents[int(child[1])] = int(call[1])
        for call in calls:
            if not call[2]:
                self._call(int(call[1]), call[3], call[4])
        self.written = [Written(*where, b"".join(data)) for where, data in self._data.items()]

    def _call(self, process, name, rest):
        texts = [(codecs.escape_decode(text)[0], bool(cut)) for text, cut in _TEXT.findall(rest)]
        if any(cut for _text, cut in texts):
            self.cut.append(name.decode())
        words = [text for text, _cut in texts]
        if name in (b"execve", b"execveat"):
            self._execute(process, rest)
        elif name in _WRITES:
            target = _TARGET.match(rest)
            if target and words:
                self._data.setdefault((process, os.fsdecode(target[2])), []).extend(words)
        elif b" = -1 " in rest:
            pass
        elif name in _MAKES:
            mode = re.findall(rb"\b(0[0-7]*)\b", rest.rsplit(b'"', 1)[-1].split(b" = ")[0])
            path = self._path(rest, words[0])
            makes = mode and (name not in (b"open", b"openat") or b"O_CREAT" in rest)
            if makes and (path not in self.modes or path in self._gone):
                self._gone.discard(path)
                self.modes.setdefault(path, []).append(int(mode[0], 8) & ~self._mask(process) & 0o777)
        elif name in (b"chmod", b"fchmodat", b"fchmod"):
            mode = re.search(rb", (0[0-7]*)\b", rest)
            path = self._path(rest, words[0]) if words else os.fsdecode(_TARGET.match(rest)[2])
            self.modes.setdefault(path, []).append(int(mode[1], 8) & 0o777)
        elif name in (b"rename", b"renameat", b"renameat2"):
            first, second = self._path(rest, words[0]), self._path(rest.split(b'"', 2)[2], words[1])
            self.modes[second] = self.modes.get(second, []) + self.modes.get(first, [])
            self._gone.discard(second)
            self._gone.add(first)
        elif name in (b"unlink", b"unlinkat", b"rmdir"):
            self._gone.add(self._path(rest, words[0]))
        elif name == b"umask":
            self._masks[process] = int(re.match(rb"(0[0-7]*)", rest)[1], 8)

    def _mask(self, process):
        while process is not None:
            if process in self._masks:
                return self._masks[process]
            process = self._parents.get(process)
        return 0o022

    @staticmethod
    def _path(rest, name):
        folder = _FOLDER.match(rest.lstrip(b", "))
        joined = os.path.join(os.fsdecode(folder[1]) if folder else "/", os.fsdecode(name))
        return os.path.normpath(joined)

    def _execute(self, process, rest):
        lists = re.findall(rb"\[((?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")*)\]", rest, re.S)
        if len(lists) < 2:
            return
        arguments, environment = (
            [codecs.escape_decode(text)[0] for text, _cut in _TEXT.findall(each)] for each in lists[:2]
        )
        program = os.fsdecode(codecs.escape_decode(_TEXT.search(rest)[1])[0])
        self.started.append(Started(process, program, arguments, environment))


def private(path, modes, place):
    """Whether nobody but a file's owner can ever have read it: by its own mode, or by that of a folder that it is in.

    :param str path: the file.
    :param dict modes: of a Trace.
    :param str place: above this nothing protects.
    """
    known = modes.get(path) or _there(path)
    if known and not any(mode & 0o077 for mode in known):
        return True
    folder = os.path.dirname(path)
    while folder.startswith(place + os.sep):
        known = modes.get(folder) or _there(folder)
        if known and not any(mode & 0o077 for mode in known):
            return True
        folder = os.path.dirname(folder)
    return False


def _there(path):
    try:
        return [stat.S_IMODE(os.stat(path).st_mode)]
    except OSError:
        return []


def complete(log):
    """Whether a log tells of the end of the process that came first."""
    done = subprocess.run(["head", "-c", "20", log], capture_output=True, check=False)
    first = done.stdout.split(b" ")[0]
    if not first:
        return False
    with open(log, "rb") as source:
        text = source.read()
    return re.search(rb"^" + first + rb" +\+\+\+ (?:exited with|killed by)", text, re.M) is not None
