# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon: how soon it acts, and what it costs while nothing happens."""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.daemon import Daemon
from lab.guest import Guest

from .measure import run

ROUNDS = 100
# Seconds that the idle daemon is watched.
WATCHED = 60
#: A period as long as there is: nothing is found by polling.
NEVER = "86400"

# Tells that it has started, before anything else. With the interface of a script.
SCRIPT = """#!/bin/sh
### BEGIN PLUGIN INFO
# name: first
# suspend: 10
# description: of the benchmark
### END PLUGIN INFO
if [ "$1" = --enumerate ]; then
    echo '[]' > "/dev/fd/$3"
    exit
fi
echo > %s
cat "/dev/fd/$2" > "/dev/fd/$4"
"""
# The same in place of ovm-template-config: what is left is ovmd's own part.
PROGRAM = """#!/bin/sh
echo > %s
cat > /dev/null
"""
# ovm-template-config with a log elsewhere than in this machine's.
WRAPPER = """#!/bin/sh
exec %s --logfile %s "$@"
"""


class DaemonSide:
    """The benchmarks, each a method of one letter."""

    letters = "gi"

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        source = os.path.join(os.path.dirname(__file__), "..", "..", "programs", "build.py")
        python = os.path.realpath(sys.executable)
        run([sys.executable, source, "--output", self.folder, "--python", python, "ovm-template-config", "ovmd"])
        self.daemon = Daemon().start()
        self.guest = Guest(self.daemon, 5)
        self.host = XenStore(self.daemon.path)
        self.end = HostEnd(self.host, 5)
        self.place = tempfile.mkdtemp(prefix="ovmd-")
        for folder in "scripts", "suspend.d":
            os.makedirs(os.path.join(self.place, "template.d", folder))
        self.started = os.path.join(self.place, "started")
        os.mkfifo(self.started)
        self.write("template.d/scripts/first", SCRIPT % self.started)
        os.symlink("../scripts/first", os.path.join(self.place, "template.d", "suspend.d", "10first"))
        self.write("program", PROGRAM % self.started)
        log = os.path.join(self.place, "log")
        self.write("wrapper", WRAPPER % (os.path.join(self.folder, "ovm-template-config"), log))
        self.environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_DEVICE="/no/device",
            OVM_STATE_DIR=os.path.join(self.place, "state"),
            OVM_TEMPLATE_DIR=os.path.join(self.place, "template.d"),
            OVM_TEMPLATE_LOCK=os.path.join(self.place, "lock"),
        )
        return self

    def __exit__(self, *_exc):
        shutil.rmtree(self.place)
        self.host.close()
        self.daemon.close()

    def write(self, name, text):
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="ascii") as target:
            target.write(text)
        os.chmod(path, 0o755)

    def ovmd(self, program, *options):
        """Start the daemon; it works when this returns."""
        notify = os.path.join(self.place, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(notify)
            supervisor.settimeout(60)
            environment = dict(self.environment, NOTIFY_SOCKET=notify, OVM_TEMPLATE_CONFIG=program)
            process = subprocess.Popen([os.path.join(self.folder, "ovmd"), "-d", "0", *options], env=environment)
            while not supervisor.recv(4096).startswith(b"READY=1"):
                pass
        os.unlink(notify)
        return process

    def collect(self):
        for _arrival in self.end.inbox.receive():
            pass

    def latencies(self, program):
        """From before the host writes an event to the moment when something runs for it, sorted."""
        reader = os.open(self.started, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        keeper = os.open(self.started, os.O_WRONLY)  # or reading would not wait
        process = self.ovmd(program, "-t", NEVER)
        found = []
        try:
            for _unused in range(ROUNDS):
                began = time.perf_counter()
                self.end.send(Message(b"VMAPIEvent", b"suspend"), 10)
                os.read(reader, 1)
                found.append(time.perf_counter() - began)
                while os.path.exists(os.path.join("/proc", str(process.pid))) and children(process.pid):
                    time.sleep(0.005)
                self.collect()
        finally:
            process.terminate()
            process.wait()
            os.close(reader)
            os.close(keeper)
        return sorted(found)

    def g(self):
        """An event of the host, until something runs for it in the guest."""
        own = percentiles(self.latencies(os.path.join(self.place, "program")))
        self.report.add(
            "(g) event written by the host, until the daemon has started ovm-template-config; ratio: p50 in ms",
            "ms",
            own,
            own["p50"],
            25,
            at_most=True,
        )
        script = percentiles(self.latencies(os.path.join(self.place, "wrapper")))
        # Most of it are the starts of ovm-template-config and of the script, which it asks first what it wants.
        self.report.add(
            "(g) event written by the host, until its script is started; against polling each 10 s",
            "ms",
            dict(script, polling=5000.0),
            5000.0 / script["p50"],
            20,
            at_most=False,
        )

    def i(self):
        """What the daemon costs while nothing happens, after some work."""
        process = self.ovmd(os.path.join(self.place, "program"))
        try:
            for number in range(100):
                self.end.send(Message(b"key-%d" % number, b"v" * 100), 10)
                self.collect()
            self.end.send(Message(b"VMAPIEvent", b"suspend"), 10)
            with open(self.started, "rb") as source:
                source.read()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                self.collect()
                time.sleep(0.1)
            before = status(process.pid)
            time.sleep(WATCHED)
            after = status(process.pid)
        finally:
            process.terminate()
            process.wait()
        memory = after["VmRSS"] / 1024
        self.report.add("(i) resident memory of the idle daemon", "MiB", {"ovmd": memory}, memory, 20, at_most=True)
        switches = (after["voluntary_ctxt_switches"] - before["voluntary_ctxt_switches"]) * 60.0 / WATCHED
        # Each look asks XenStore some things, and sleeps until it answers.
        self.report.add(
            "(i) idle daemon with the default period: times a minute that it gave up the processor",
            "/min",
            {"ovmd": switches},
            switches,
            120,
            at_most=True,
        )


def percentiles(found):
    """:param found: sorted seconds."""
    return {"p50": statistics.median(found) * 1000, "p99": found[int(len(found) * 0.99)] * 1000}


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as source:
        return source.read().split()


def status(pid):
    """The figures in a process's status."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as source:
        return {
            name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)(?: kB)?$", source.read(), re.MULTILINE)
        }
