# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first boot: how soon a guest acts on the last of its messages."""

import os
import subprocess
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message

from .measure import percentiles
from .script_side import DOMID, ScriptSide

ROUNDS = 60
ROOT_PASSWORD = b"com.oracle.linux.root-password"


class FirstBootSide(ScriptSide):
    """The benchmark, a method of one letter."""

    letters = "h"
    target = "configure"
    described = ({"key": ROOT_PASSWORD.decode(), "description": "Root password", "required": True},)

    def __enter__(self):
        super().__enter__()
        self.environment.update(
            OVM_INITIAL_CONFIG=os.path.join(self.place, "flag"),
            OVM_CONSOLE="/no/console",
            OVM_OVF_DEVICES="/no/disc",
            PATH=self.folder + os.pathsep + os.environ["PATH"],
        )
        return self

    def start(self, name, *arguments, **options):
        return subprocess.Popen([self.program(name), *arguments], env=self.environment, **options)

    def first_boot(self):
        """One of them; returns the seconds from before the last message is written to the first script's start."""
        with open(self.environment["OVM_INITIAL_CONFIG"], "w", encoding="ascii") as flag:
            flag.write("INITIAL_CONFIG=yes\n")
        with self.start("ovm-template-config", "--initial-config", stderr=subprocess.PIPE) as program:
            while b"waiting for parameters" not in program.stderr.readline():
                pass
            # It has everything but the last one, and has gone to sleep.
            self.end.send(Message(b"com.oracle.linux.network.hostname", b"web1"), 10)
            while len(self.host.directory(b"/local/domain/%d/control/oracle-vmapi/to-guest" % DOMID)) > 1:
                time.sleep(0.01)
            time.sleep(0.05)
            began = time.perf_counter()
            self.end.send(Message(ROOT_PASSWORD, b"s3cr3t"), 10)
            self.wait_for_start()
            took = time.perf_counter() - began
            program.stderr.read()
            if program.wait():
                raise SystemExit("bench: the first boot failed, see %s" % self.environment["OVM_TEMPLATE_LOG"])
        self.collect()
        return took

    def h(self):
        """From the last message to the first script, with the daemon running beside it as in a guest."""
        ovmd = self.start("ovmd", "--foreground", "-d", "0")
        try:
            figures = percentiles(self.first_boot() for _unused in range(ROUNDS))
        finally:
            ovmd.terminate()
            ovmd.wait()
        self.report.add(
            "(h) last message written by the host until the first script runs in the guest; ratio: p50 in ms",
            "ms",
            figures,
            figures["p50"],
            25,
            at_most=True,
        )
