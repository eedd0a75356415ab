# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's processes: started, waited for until they are ready, found again by later commands.

They learn from two environment variables: ``LAB_READY`` is a descriptor on which to write one
byte when ready; ``LAB_TIED``, if set, says that standard input is a pipe and its end is theirs.
"""

import os
import select
import signal
import subprocess
import time

from . import LabError

#: Seconds that a process may take to get ready, or to end, on a machine under load.
PATIENCE = 30.0


def spawn(command, log, detached, environment=None):
    """Start a process and wait until it is ready.

    :param list command: program and arguments.
    :param str log: file that its output is appended to.
    :param bool detached: it shall outlive this process and its terminal; otherwise it ends
        with this process, and its standard input is a pipe from here.
    :param dict environment: its variables; this process's if None.
    :rtype: subprocess.Popen
    :raises LabError: it ended, or was not ready in time; with the end of the log.
    """
    environment = dict(os.environ if environment is None else environment)
    environment.pop("LAB_TIED", None)
    if not detached:
        environment["LAB_TIED"] = "yes"
    reading, writing = os.pipe()
    try:
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment, LAB_READY=str(writing)),
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[writing],
                start_new_session=detached,
                cwd="/",
            )
        os.close(writing)
        writing = None
        in_time = bool(select.select([reading], [], [], PATIENCE)[0])
        if in_time and os.read(reading, 1):
            return process
    finally:
        os.close(reading)
        if writing is not None:
            os.close(writing)
    Process.of(process).kill()
    raise LabError(
        "%s %s; %s says: %s"
        % (os.path.basename(command[0]), "ended at once" if in_time else "was not ready in time", log, last_words(log))
    )


def gone(pid):
    """Whether a process has ended, or does within PATIENCE. One that nobody has asked how counts as well.

    Where init is a shell, as in a container, orphans stay like that.
    """
    deadline = time.monotonic() + PATIENCE
    while _state(int(pid))[0] not in "XZ":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def last_words(log):
    """:returns: the last line of a log, or a remark that there is none."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        lines = stream.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


class Process:
    """A process that this one or an earlier one has started.

    :param int pid: its number.
    :param str started: when it was started, as the kernel counts: tells it from a later
        process of the same number.
    :param Popen child: where it is a child of this process.
    """

    def __init__(self, pid, started, child=None):
        self.pid, self.started, self._child = pid, started, child

    @classmethod
    def of(cls, child):
        """:param Popen child: a process that was just started."""
        return cls(child.pid, _state(child.pid)[1], child)

    def alive(self):
        if self._child and self._child.poll() is not None:
            return False
        state, started = _state(self.pid)
        return started == self.started and state not in "ZX"

    def signal(self, number):
        """Send a signal, unless the process has ended."""
        if self.alive():
            os.kill(self.pid, number)

    def stop(self):
        """Have the process do nothing; returns when it has come to a halt."""
        self.signal(signal.SIGSTOP)
        self._until(lambda: _state(self.pid)[0] in "Tt" or not self.alive(), "to stop")

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """End the process, at once; returns when it has ended."""
        self.signal(signal.SIGKILL)
        if self._child:
            self._child.wait(PATIENCE)
            if self._child.stdin:
                self._child.stdin.close()
        else:
            self._until(lambda: not self.alive(), "to end")

    def _until(self, condition, what):
        # The kernel tells only a parent of these changes, and only by way of SIGCHLD.
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise LabError("process %d took too long %s: see what keeps it busy" % (self.pid, what))
            time.sleep(0.001)


def _state(pid):
    """A process's state letter and start time; ``("X", "")`` where there is none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            # The name of the program, in brackets, may contain anything.
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return "X", ""
    return fields[0], fields[19]
