# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests on real Xen, and print what they have measured.

usage: tests/bootstrap python -m toolchain.xen [--boot] [ARGUMENT...]

With --boot only those of tests/xen/test_boot.py. The arguments are pytest's. A machine serves all tests of a
process. There are three such parts, two of them side by side where this computer has room for that.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple

from lab import LabError
from lab.making import cache
from lab.xen import light, packages
from lab.xen.figures import Figures
from toolchain import ROOT

STORY = "tests/xen/test_story.py"
# About half of what the light system runs.
_SECOND = ["tests/xen/test_%s.py" % name for name in ("quotas", "restarts", "sizes", "store")]
#: Name of a part -> its tests, as pytest's arguments. They begin in this order.
PARTS = {
    "full": [STORY],
    "light": ["tests/xen", *("--ignore=" + path for path in (STORY, *_SECOND))],
    "light-2": _SECOND,
}
#: Megabytes that must be available for two machines at once.
ROOM = 6000
#: pytest's exit code where no test was chosen.
NONE_CHOSEN = 5
_PYTEST = ("pytest", "-p", "no:xdist", "-p", "no:cov", "--durations=10")
# What pytest -v says of a test that has ended.
_RESULT = re.compile(r"(?:\S*/)?(test_\w+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")
_TAIL = 15


class Ended(namedtuple("Ended", ("name", "code", "lines"))):
    """How a part went.

    :ivar str name: the part's.
    :ivar int code: pytest's exit code.
    :ivar lines: all that it has printed: a list of str.
    """

    __slots__ = ()


class Part(threading.Thread):
    """A pytest that runs beside others. It tells of each test that has ended, and keeps what it prints.

    :param str name: what to call it.
    :param command: the command.
    :param done: is called at its end.
    """

    _telling = threading.Lock()

    def __init__(self, name, command, done):
        super().__init__(name=name)
        self._done = done
        self._began, self._lines = time.monotonic(), []
        # In a session of its own it is interrupted once, by us.
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(os.environ, PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.start()

    def run(self):
        try:
            self._listen()
        finally:
            self._done()

    def _listen(self):
        for line in self._process.stdout:
            self._lines.append(line.rstrip("\n"))
            result = _RESULT.match(line)
            if result:
                self._tell("%s: %s" % (result[2].lower(), result[1]))
        self._process.wait()
        if self._process.returncode != NONE_CHOSEN:
            summary = self._lines[-1].strip("= ") if self._lines else ""
            self._tell("exit code %d; %s" % (self._process.returncode, summary))

    def _tell(self, text):
        with self._telling:
            print("%5.0f s  %-7s  %s" % (time.monotonic() - self._began, self.name, text), flush=True)

    def interrupt(self):
        """Have it end, and clean up."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def ended(self):
        """Wait for its end.

        :rtype: Ended
        """
        self.join()
        return Ended(self.name, self._process.returncode, self._lines)


def in_parts(commands, at_once):
    """Run all parts.

    :param dict commands: by name.
    :param int at_once: how many side by side.
    :returns: how they went, in the order of their names: a list of Ended.
    """
    parts, free = [], threading.Semaphore(at_once)
    try:
        for name, command in commands.items():
            free.acquire()
            parts.append(Part(name, command, free.release))
        return [part.ended() for part in parts]
    except KeyboardInterrupt:
        for part in parts:
            part.interrupt()
        for part in parts:
            part.join()
        raise


def report(ended):
    """Print what the parts have said besides how each test went; and of those that have failed, how, at last.

    :param ended: a list of Ended.
    :returns: an exit code for all.
    """
    some = any(part.code != NONE_CHOSEN for part in ended)
    failed = [part for part in ended if part.code and not (part.code == NONE_CHOSEN and some)]
    for part in ended:
        if part.code != NONE_CHOSEN or part in failed:
            print("\n--- %s\n" % part.name)
            print("\n".join(line for line in part.lines if not _RESULT.match(line)), flush=True)
    told()
    for part in failed:
        place = os.path.join(cache(packages.CACHE), "logs", time.strftime("%Y-%m-%d-%H%M%S-") + part.name + ".txt")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as stream:
            stream.write("\n".join(part.lines) + "\n")
        print("\n%s has failed with exit code %d. Its output is in %s and ends with:\n" % (part.name, part.code, place))
        print("\n".join("  " + line for line in part.lines[-_TAIL:]), flush=True)
    return failed[0].code if failed else 0


def told():
    """Print what was measured."""
    table = Figures().table()
    if table:
        print("\nmeasured, in a machine that QEMU computes:", table, sep="\n", flush=True)


def room():
    """Megabytes of memory that are available here."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        return int(re.search(r"MemAvailable:\s+(\d+) kB", stream.read())[1]) >> 10


def main():
    arguments = sys.argv[1:]
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    alone = []
    if arguments[:1] == ["--boot"]:
        alone, arguments = ["tests/xen/test_boot.py"], arguments[1:]
    try:
        # Both want these, and here it can be seen how far they are.
        light.base()
        packages.qemu()
    except LabError as problem:
        sys.exit("xen: %s" % problem)
    Figures().clear()
    # A choice of tests takes the place of all.
    if alone or any(argument.startswith("tests/xen/") for argument in arguments):
        code = subprocess.run([*_PYTEST, *alone, *arguments], cwd=ROOT, check=False).returncode
        told()
        return code
    at_once = 2 if (os.cpu_count() or 1) > 1 and room() >= ROOM else 1
    if at_once == 1:
        print("xen: one machine after the other: two at once want two processors, and %d MB of memory" % ROOM)
    try:
        commands = {name: [*_PYTEST, "-v", *tests, *arguments] for name, tests in PARTS.items()}
        return report(in_parts(commands, at_once))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
