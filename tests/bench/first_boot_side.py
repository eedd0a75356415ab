# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first boot: how soon a guest acts on the last of its messages."""

import json
import os
import shutil
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

ROUNDS = 60
ROOT_PASSWORD = b"com.oracle.linux.root-password"
# Says at once that it has started. Started is all that counts here.
SCRIPT = """#!/bin/sh
### BEGIN PLUGIN INFO
# name: first
# configure: 10
# description: of the benchmark
### END PLUGIN INFO
if [ "$1" = --enumerate ]; then
    echo '%s' > "/dev/fd/$3"
    exit
fi
echo > %s
cat "/dev/fd/$2" > "/dev/fd/$4"
"""


class FirstBootSide:
    """The benchmark, a method of one letter."""

    letters = "h"

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
        self.place = tempfile.mkdtemp(prefix="first-boot-", dir=self.folder)
        for folder in "scripts", "configure.d":
            os.makedirs(os.path.join(self.place, "template.d", folder))
        self.started = os.path.join(self.place, "started")
        os.mkfifo(self.started)
        described = [{"key": ROOT_PASSWORD.decode(), "description": "Root password", "required": True}]
        path = os.path.join(self.place, "template.d", "scripts", "first")
        with open(path, "w", encoding="ascii") as target:
            target.write(SCRIPT % (json.dumps(described), self.started))
        os.chmod(path, 0o755)
        os.symlink("../scripts/first", os.path.join(self.place, "template.d", "configure.d", "10first"))
        self.environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_DEVICE="/no/device",
            OVM_STATE_DIR=os.path.join(self.place, "state"),
            OVM_TEMPLATE_DIR=os.path.join(self.place, "template.d"),
            OVM_TEMPLATE_LOCK=os.path.join(self.place, "lock"),
            OVM_INITIAL_CONFIG=os.path.join(self.place, "flag"),
            OVM_CONSOLE="/no/console",
            OVM_OVF_DEVICES="/no/disc",
            PATH=self.folder + os.pathsep + os.environ["PATH"],
        )
        return self

    def __exit__(self, *_exc):
        shutil.rmtree(self.place)
        self.host.close()
        self.daemon.close()

    def program(self, name, *arguments):
        return subprocess.Popen([os.path.join(self.folder, name), *arguments], env=self.environment)

    def first_boot(self):
        """One of them; returns the seconds from before the last message is written to the first script's start."""
        with open(self.environment["OVM_INITIAL_CONFIG"], "w", encoding="ascii") as flag:
            flag.write("INITIAL_CONFIG=yes\n")
        log = os.path.join(self.place, "log")
        command = [os.path.join(self.folder, "ovm-template-config"), "--initial-config", "--logfile", log]
        with subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE) as program:
            while b"waiting for parameters" not in program.stderr.readline():
                pass
            # It has everything but the last one, and has gone to sleep.
            self.end.send(Message(b"com.oracle.linux.network.hostname", b"web1"), 10)
            while len(self.host.directory(b"/local/domain/5/control/oracle-vmapi/to-guest")) > 1:
                time.sleep(0.01)
            time.sleep(0.05)
            reader = os.open(self.started, os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(reader, True)
            keeper = os.open(self.started, os.O_WRONLY)  # or reading would not wait for the script
            began = time.perf_counter()
            self.end.send(Message(ROOT_PASSWORD, b"s3cr3t"), 10)
            os.read(reader, 1)
            took = time.perf_counter() - began
            os.close(reader)
            os.close(keeper)
            program.stderr.read()
            if program.wait():
                raise SystemExit("bench: the first boot failed, see %s" % log)
        for _arrival in self.end.inbox.receive():
            pass
        return took

    def h(self):
        """From the last message to the first script, with the daemon running beside it as in a guest."""
        ovmd = self.program("ovmd", "--foreground", "-d", "0")
        try:
            times = sorted(self.first_boot() for _unused in range(ROUNDS))
        finally:
            ovmd.terminate()
            ovmd.wait()
        figures = {
            "p50": times[len(times) // 2],
            "p99": times[min(len(times) - 1, int(len(times) * 0.99))],
        }
        self.report.add(
            "(h) last message written by the host until the first script runs in the guest, p50 against 25 ms",
            "s",
            figures,
            figures["p50"] / 0.025,
            1.0,
            at_most=True,
        )
