# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a process fail at a chosen system call: killed at it, or told that the call has failed.

strace counts the calls of an undisturbed run; ``points()`` gives those that matter. In a later run it kills the
process as it makes one of them, before the kernel has done it, or has that call fail without being done. Between two
calls only the process's own memory changes. So to die at each call is to die at every moment that shows::

    with Traced(command, log, within=[folder], env=environment) as run:
        run.wait()
    for point in run.points():
        with Traced(command, log, within=[folder], fault=kill(point), env=environment) as run:
            run.wait()
        ...  # run.hit says where it was; None where it was not come to
"""

import collections
import contextlib
import os
import re
import signal
import subprocess
import time

from lab import LabError, parts
from lab.making import cache

#: Seconds after which a process counts as hanging.
PATIENCE = 180

#: Calls that change what others see, by the name of a file. Of those that open one, only where it is written or made.
NAMING = (
    "open", "openat", "creat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink",
    "unlinkat", "rmdir", "mkdir", "mkdirat", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat",
    "truncate", "utimensat",
)  # fmt: skip
#: The same, by a descriptor.
DESCRIBED = (
    "write", "writev", "pwrite64", "pwritev", "fsync", "fdatasync", "ftruncate", "fallocate", "fchmod", "fchown",
    "fsetxattr", "flock", "fcntl", "close",
)  # fmt: skip
#: Talking to others. ``read`` only of what is no file.
TALKING = (
    "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "recvfrom", "recvmsg", "shutdown", "read",
)  # fmt: skip
#: What changes nothing, but can fail.
READING = ("pread64",)
#: Having children, and ending others.
BREEDING = ("fork", "vfork", "clone", "clone3", "kill")
CALLS = NAMING + DESCRIBED + TALKING + BREEDING + READING

_OPENING = ("open", "openat", "creat")
_WRITING = ("write", "writev", "pwrite64", "pwritev")
# "1234 openat(AT_FDCWD</>, ...": the process only where several are traced.
_CALL = re.compile(r"(?:(?P<process>\d+) +)?(?P<name>\w+)\((?P<arguments>.*)")
_END = re.compile(r"(?:\d+ +)?\+\+\+ (?:exited with|killed by) ")
_NOT_A_FILE = re.compile(r"\d+<(?:socket|pipe|anon_inode|UNIX|TCP|/dev/(?:pts|ptmx|xen))")
_RELATIVE = re.compile(r'"[^/"]')
_OUTPUT = re.compile(r"[12]<")


class Point(collections.namedtuple("Point", ("call", "nth", "place", "again"))):
    """A system call of a run.

    :ivar str call: its name.
    :ivar int nth: how many of that name its thread has made by then, with this one.
    :ivar str place: what it is done to, without what differs between runs.
    :ivar int again: how many there were before it of the same name and place.
    """

    __slots__ = ()

    def __str__(self):
        return "%s number %d, on %s, the %d. there" % (self.call, self.nth, self.place, self.again + 1)


def kill(point):
    """What has a process killed (SIGKILL) as it comes to a point, before the call is done."""
    return "%s:signal=KILL:when=%d" % (point.call, point.nth)


def fail(point, error, onwards=False):
    """What has a call fail without being done.

    :param str error: such as ``ENOSPC``.
    :param bool onwards: all further calls of that name, too, whatever they are done to.
    """
    return "%s:error=%s:when=%d%s" % (point.call, error, point.nth, "+" if onwards else "")


def slow(point, seconds):
    """What has a call begin so much later."""
    return "%s:delay_enter=%d:when=%d" % (point.call, seconds * 1000000, point.nth)


_LIBRARIES = ("LD_LIBRARY_PATH",)
_tracer = []  # type: list[tuple]


def tracer():
    """What traces: a command to which arguments are added, and its environment.

    :raises LabError: there is no strace, or it is not let; with a remedy.
    """
    if not _tracer:
        command, environment = parts.strace()
        environment = {name: environment[name] for name in _LIBRARIES if name in environment and not _here(command)}
        done = subprocess.run(
            [*command, "-D", "-q", "-o", os.devnull, "-e", "trace=getpid", "true"],
            env=dict(os.environ, **environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["exit code %d" % done.returncode])[-1]
            raise LabError(
                "strace cannot trace here (%s): in a container allow it with --cap-add SYS_PTRACE, and see "
                "/proc/sys/kernel/yama/ptrace_scope, which must not be 3" % said
            )
        _tracer.append((command, environment))
    return _tracer[0]


def _here(command):
    """Whether a command is this system's own."""
    return not command[0].startswith(cache())


class Traced:
    """A process that is traced, and may have a fault. A context manager, which leaves no process behind.

    The tracer is no parent of it: ``process`` is the process itself, and takes signals as ever.

    :param command: what to run.
    :param log: a path for what is traced. No data is in it, but the names of files.
    :param within: folders. Calls on files elsewhere do not matter.
    :param fault: kill(), fail() or slow(); or several.
    :param bool follow: trace threads and children, too. Then calls are counted for each of them on its own.
    :param calls: what to trace besides the faults' calls.
    :param options: of subprocess.Popen.
    :ivar subprocess.Popen process: the process.
    :ivar Point hit: once it has ended, where the fault was; None: it did not come to it.
    :ivar list hits: all calls that failed by it, as Points: with threads one of each at most, which count on their own.
    """

    def __init__(self, command, log, within=(), fault=(), follow=False, calls=CALLS, env=None, **options):
        self._log, self._within = str(log), tuple(str(folder) for folder in within)
        self.hit, self.hits = None, []  # type: tuple[Point | None, list[Point]]
        self._faults = [fault] if isinstance(fault, str) else list(fault)
        tracing, environment = tracer()
        names = sorted(set(calls) | {each.split(":")[0] for each in self._faults})
        options.setdefault("stdin", subprocess.DEVNULL)
        env = dict(os.environ if env is None else env)
        # A strace that was fetched has libraries of its own, which are not meant for what it traces.
        more = []
        for name in _LIBRARIES:
            if name in environment:
                more = ["-E", "%s=%s" % (name, env[name]) if name in env else name]
                env[name] = environment[name]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._log)
        self.process = subprocess.Popen(
            [
                *tracing, "-D", "-q", "-y", "-s", "0", "-o", self._log,
                *(["-f"] if follow else []),
                # It is quicker, but loses injected signals.
                *(["--seccomp-bpf"] if follow and not any(":signal=" in each for each in self._faults) else []),
                "-e", "trace=" + ",".join("?" + name for name in names),
                *(word for each in self._faults for word in ("-e", "inject=" + each)),
                *more, "--", *map(str, command),
            ],
            env=env,
            **options,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def wait(self, timeout=PATIENCE):
        """Wait for the end of the process, and of what is traced.

        :returns: its exit code; negative for a signal.
        :raises AssertionError: it hangs. It is killed.
        """
        return self.communicate(timeout=timeout)[0]

    def communicate(self, given=None, timeout=PATIENCE):
        """The same, with what it is given and what it says.

        :returns: exit code, standard output, standard error: None where they are no pipes.
        """
        try:
            out, err = self.process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            last = (self._lines() or ["nothing"])[-1]
            self.process.kill()
            self.process.communicate()
            raise AssertionError("it hangs after %d seconds; the last it did was %s" % (timeout, last)) from None
        self._settle()
        return self.process.returncode, out, err

    def _settle(self):
        """Wait until the tracer has written all."""
        deadline = time.monotonic() + PATIENCE
        while not any(_END.match(line) for line in self._lines()[-50:]):
            assert time.monotonic() < deadline, "strace says nothing of the process's end: %s" % self._lines()[-3:]
            time.sleep(0.002)
        # Now: the next run may use the same file.
        self.hit = self._struck()
        self.hits = [point for point, line in self._found(reading=True) if "(INJECTED)" in line]

    def _lines(self):
        try:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                return log.read().splitlines()
        except FileNotFoundError:
            return []

    def points(self, reading=False):
        """The calls that matter, in the order in which they began: a list of Point.

        :param bool reading: those that only read files, too.
        """
        return [point for point, _line in self._found(reading)]

    def _found(self, reading=False):
        counted, seen = collections.Counter(), collections.Counter()
        for line in self._lines():
            call = _CALL.match(line)
            if not call:
                continue
            name, arguments = call["name"], call["arguments"]
            counted[call["process"], name] += 1
            if not self._matters(name, arguments, reading):
                continue
            place = self._place(name, arguments)
            point = Point(name, counted[call["process"], name], place, seen[call["process"], name, place])
            seen[call["process"], name, place] += 1
            yield point, line

    def _struck(self):
        if not self._faults:
            return None
        name, last = self._faults[0].split(":")[0], None
        for point, line in self._found(reading=True):
            if point.call != name:
                continue
            if "(INJECTED)" in line or "(DELAYED)" in line:
                return point
            if line.rstrip().endswith(("= ?", "<unfinished ...>")):
                last = point
        return last if "signal=" in self._faults[0] and self.process.returncode == -signal.SIGKILL else None

    def _matters(self, name, arguments, reading):
        if name in BREEDING:
            return "CLONE_THREAD" not in arguments
        if name in TALKING and name != "read":
            return True
        if name == "read" and _NOT_A_FILE.match(arguments):
            return True
        if name == "fcntl" and "F_SETLK" not in arguments and "F_OFD_SETLK" not in arguments:
            return False
        if name in _WRITING and (_NOT_A_FILE.match(arguments) or _OUTPUT.match(arguments)):
            return True
        # Names may be relative, and then nobody knows of which folder.
        if not any(folder in arguments for folder in self._within) and not _RELATIVE.match(arguments):
            return False
        if name in ("read", *READING):
            return reading
        if name in _OPENING and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", arguments) and name != "creat":
            return reading
        return True

    def _place(self, name, arguments):
        """What a call is done to, alike in each run."""
        if name in BREEDING:
            return "a process"
        found = re.match(r"(\d+)<([^>]*)>", arguments)
        text = found[2] if found else " ".join(re.findall(r'"([^"]*)"', arguments)) or arguments
        for folder in sorted(self._within, key=len, reverse=True):
            text = text.replace(folder, "")
        if found and found[1] in ("0", "1", "2") and not text.startswith("/"):
            return "standard " + ("input", "output", "error")[int(found[1])]
        # Numbers, and what tempfile makes up.
        text = re.sub(r"(?<=\.)\w{8}(?=\.new)|[0-9a-f]{8,}|\d+", "N", text).split(":[")[0] or "."
        if name == "fcntl":
            text += " " + "".join(re.findall(r"F_\w+LCK", arguments)[-1:])
        return text


def chosen(points, each=0):
    """Some of many points: of each place the first, the last and some between.

    :param list points: of Point.
    :param int each: how many of a place at most, from 2; 0 for all.
    """
    if not each:
        return list(points)
    places = collections.defaultdict(list)
    for point in points:
        places[point.call, point.place].append(point)
    wanted = set()
    for found in places.values():
        count = min(each, len(found))
        wanted.update(found[round(n * (len(found) - 1) / max(count - 1, 1))] for n in range(count))
    return [point for point in points if point in wanted]
