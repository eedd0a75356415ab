# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every program's start and memory, beside those of a bare interpreter."""

import json
import os
import statistics
import sys
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab.gateway import Gateway

from .daemon_side import NEVER, DaemonSide, resident
from .measure import run, side_by_side
from .script_side import PYTHON

# Runs a command, and says how it ended and how much memory it has had at most.
_PEAK = """
import json, os, sys
pid = os.fork()
if not pid:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execve(sys.argv[1], sys.argv[1:], os.environ)
_pid, status, usage = os.wait4(pid, 0)
print(json.dumps([status, usage.ru_maxrss]))
"""
_BARE = "python3 -IS -c pass"


class ProgramSide(DaemonSide):
    """The benchmark, a method of one letter."""

    letters = "o"
    target = "configure"
    _daemon = None

    def __enter__(self):
        super().__enter__()
        source = os.path.join(os.path.dirname(__file__), "..", "..", "programs", "build.py")
        run([PYTHON, source, "--output", self.folder, "--python", PYTHON, "ovm-chkconfig"])
        # This one wants a library, which the environment of the tests has.
        run([PYTHON, source, "--output", self.folder, "--python", sys.executable, "ovm_vmmessage"])
        with XenStoreBackend(self.guest.path, self.environment["OVM_STATE_DIR"], 60) as backend:
            backend.set([Message(b"bench.key", b"value")])
        self.gateway = Gateway(self.daemon).start()
        return self

    def __exit__(self, *exc):
        self.gateway.close()
        super().__exit__(*exc)

    def _start_daemon(self):
        self._daemon = self.ovmd(self.program("ovm-template-config"), "-d", "0", "-t", NEVER)

    def _stop_daemon(self):
        if self._daemon:
            self._daemon.terminate()
            self._daemon.wait()
            self._daemon = None

    def o(self):
        """What they take for the least of their work."""
        commands = {
            _BARE: [PYTHON, "-IS", "-c", "pass"],
            "python3 -c pass": [PYTHON, "-c", "pass"],
            "ovmd -g": [self.program("ovmd"), "-g", "bench.key"],
            "ovm-template-config": [self.program("ovm-template-config"), "--enumerate", self.target],
            "ovm-chkconfig": [self.program("ovm-chkconfig"), "--list"],
            "ovm_vmmessage -q": [
                self.program("ovm_vmmessage"), "--quiet", "-E", "-v", self.guest.name, "-q", "bench.key",
            ],
            "import requests": [sys.executable, "-I", "-c", "import requests"],
            "ovm-gateway --version": [sys.executable, *self.gateway.command()[1:2], "--version"],
        }  # fmt: skip
        environment = dict(self.environment, **self.gateway.environment())
        for command in commands.values():
            run(command, env=environment)
        times = side_by_side(
            15, **{name: lambda command=command: run(command, env=environment) for name, command in commands.items()}
        )
        memory = {name: _peak(command, environment) for name, command in commands.items()}
        for name, start, pid, stop in (
            ("ovmd, until ready", self._start_daemon, lambda: self._daemon.pid, self._stop_daemon),
            ("ovm-gateway, until ready", self.gateway.start, lambda: self.gateway.process.pid, self.gateway.stop),
        ):
            stop()
            took = []
            for _unused in range(5):
                took.append(timed(start))
                memory[name] = resident(pid())
                stop()
            times[name] = statistics.median(took)
        for what, unit, figures in (("start and work", "s", times), ("memory at most", "MiB", memory)):
            bars = {
                name: {"interpreter": figures[_BARE], "the program": max(0.0, figure - figures[_BARE])}
                for name, figure in figures.items()
            }
            self.report.share("programs", "(o) every program: " + what, unit, bars)
        for name, limit in (("ovmd -g", 2.0), ("ovm-template-config", 3.0), ("ovm-chkconfig", 3.0)):
            self.report.add(
                "(o) memory of %s, against a bare interpreter" % name,
                "MiB",
                {each: memory[each] for each in (name, _BARE)},
                memory[name] / memory[_BARE],
                limit,
                at_most=True,
            )


def _peak(command, environment):
    """The most resident memory that a command has had, in MiB."""
    # By a small process between: what starts a program counts for its memory, too.
    status, kib = json.loads(run([PYTHON, "-IS", "-c", _PEAK, *command], env=environment))
    if status:
        raise SystemExit("bench: %s failed" % " ".join(command))
    return kib / 1024


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
