# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon: how soon it acts, and what it costs while nothing happens."""

import os
import re
import signal
import socket
import subprocess
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.daemon import PERIOD

from .measure import percentiles
from .script_side import PYTHON, ScriptSide

ROUNDS = 100
#: Seconds that the idle daemon is watched.
WATCHED = 60
#: A period as long as there is: nothing is found by polling.
NEVER = "86400"

# In place of ovm-template-config: what is left is ovmd's own part.
_PROGRAM = """#!/bin/sh
echo > %s
cat > /dev/null
"""
# The least that can be between an event and its script: a Python that starts, and starts a shell.
_BARE = "import os; os.execv('/bin/sh', ['sh', '-c', 'echo > %s'])"


class DaemonSide(ScriptSide):
    """The benchmarks, each a method of one letter."""

    letters = "gi"
    target = "suspend"

    def ovmd(self, program, *options, **more):
        """Start the daemon; it works when this returns."""
        notify = os.path.join(self.place, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(notify)
            supervisor.settimeout(60)
            environment = dict(self.environment, NOTIFY_SOCKET=notify, OVM_TEMPLATE_CONFIG=program)
            process = subprocess.Popen([self.program("ovmd"), *options], env=environment, **more)
            while not supervisor.recv(4096).startswith(b"READY=1"):
                pass
        os.unlink(notify)
        return process

    def latencies(self, program, beside=None):
        """From before the host writes an event to the moment when something runs for it.

        :param str program: what the daemon takes for ovm-template-config.
        :param beside: a command that is run in turns with that and writes to the same pipe.
        :returns: percentiles; with ``beside``, those of that as well.
        """
        process = self.ovmd(program, "-d", "0", "-t", NEVER)
        found, others = [], []
        try:
            for _unused in range(ROUNDS):
                began = time.perf_counter()
                self.end.send(Message(b"VMAPIEvent", b"suspend"), 10)
                self.wait_for_start()
                found.append(time.perf_counter() - began)
                while process.poll() is None and children(process.pid):
                    time.sleep(0.005)
                self.collect()
                if beside:
                    began = time.perf_counter()
                    with subprocess.Popen(beside):
                        self.wait_for_start()
                        others.append(time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait()
        return (percentiles(found), percentiles(others)) if beside else percentiles(found)

    def g(self):
        """An event of the host, until something runs for it in the guest."""
        own = self.latencies(self.write("program", _PROGRAM % self.started))
        self.report.add(
            "(g) event written by the host, until the daemon has started ovm-template-config; ratio: p50 in ms",
            "ms",
            own,
            own["p50"],
            25,
            at_most=True,
        )
        bare = [PYTHON, "-IS", "-c", _BARE % self.started]
        script, least = self.latencies(self.program("ovm-template-config"), bare)
        # The program asks the script first what it wants: one start of it more.
        figures = dict(script, **{"bare python3 and sh, " + name: least[name] for name in least})
        self.report.add(
            "(g) event written by the host, until its script is started; ratio: p50 in ms",
            "ms",
            figures,
            script["p50"],
            25,
            at_most=True,
        )

    def i(self):
        """What the daemon costs while nothing happens, after some work."""
        program = self.write("program", _PROGRAM % self.started)
        process = self.ovmd(program, "-d", "1", stderr=subprocess.PIPE)
        try:
            for number in range(100):
                self.end.send(Message(b"key-%d" % number, b"v" * 100), 10)
                self.collect()
            self.end.send(Message(b"VMAPIEvent", b"suspend"), 10)
            self.wait_for_start()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                self.collect()
                time.sleep(0.1)
            wakeups = self.idle_wakeups(process)
            memory = resident(process.pid)
        finally:
            process.terminate()
            process.communicate()
        self.report.add("(i) resident memory of the idle daemon", "MiB", {"ovmd": memory}, memory, 20, at_most=True)
        self.report.add(
            "(i) wake-ups of the idle daemon; target: one each period of %d s" % PERIOD,
            "/min",
            {"ovmd": wakeups},
            wakeups,
            60 / PERIOD,
            at_most=True,
        )

    def idle_wakeups(self, process):
        """How often a minute the daemon wakes up by itself."""
        # Right after one, so that none more than there are periods can be in the time to come.
        last = told(process)
        while True:
            time.sleep(0.5)
            last, before = told(process), last
            if last > before + 1:
                break
        time.sleep(WATCHED)
        # Being asked is one, too.
        return (told(process) - last - 1) * 60 / WATCHED


def told(process):
    """Ask the daemon how often it has woken up."""
    process.send_signal(signal.SIGUSR1)
    while True:
        line = process.stderr.readline()
        if not line:
            raise SystemExit("bench: the daemon has ended, with the exit code %d" % process.wait())
        found = re.search(rb"([0-9]+) wake-ups", line)
        if found:
            return int(found.group(1))


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as source:
        return source.read().split()


def resident(pid):
    """The resident memory of a process, in MiB."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as source:
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", source.read(), re.MULTILINE).group(1)) / 1024
