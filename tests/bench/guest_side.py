# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's side: modules, adapter and ovmd, beside their alternatives."""

import os
import sys
import threading

import pyxs

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab import parts
from lab.daemon import Daemon
from lab.guest import Guest

from .measure import playbook, run, side_by_side

KEYS = 100


class Collector:
    """The host's side: takes messages as they come, so that the guest never runs into its quota."""

    def __init__(self, path, domid):
        self.store = XenStore(path)
        self.inbox = HostEnd(self.store, domid).inbox
        self.over = False
        self.thread = threading.Thread(target=self.collect)
        self.thread.start()

    def collect(self):
        self.inbox.watch(b"bench")
        while not self.over:
            if self.store.wait(0.2):
                for _arrival in self.inbox.receive():
                    pass

    def close(self):
        self.over = True
        self.thread.join()
        self.store.close()


class GuestSide:
    """The benchmarks, each a method of one letter."""

    letters = "abcd"

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        self.daemon = daemon = Daemon().start()
        self.guest = Guest(daemon, 5)
        self.state = os.path.join(daemon.directory, "state")
        self.environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_STATE_DIR=self.state,
            ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        )
        self.ovmd = os.path.join(self.folder, "ovmd")
        source = os.path.join(os.path.dirname(__file__), "..", "..", "programs", "build.py")
        run([sys.executable, source, "--output", self.folder, "--python", os.path.realpath(sys.executable), "ovmd"])
        self.collector = Collector(daemon.path, 5)
        return self

    def __exit__(self, *_exc):
        self.collector.close()
        self.daemon.close()

    def playbook(self, name, *tasks):
        """Write a playbook; returns a function that runs it."""
        return playbook(self.folder, name, tasks, self.environment)

    def params(self, prefix):
        return {"bench.key-%03d" % n: "%s-%d" % (prefix, n) for n in range(KEYS)}

    def a(self):
        """A task that has nothing to do, beside ping."""
        ours = self.playbook("unchanged", {"ovm.messaging.ovm_guest_param": {"params": self.params("same")}})
        ours()
        found = side_by_side(
            7, ping=self.playbook("ping", {"ansible.builtin.ping": {}}), unchanged=ours, empty=self.playbook("empty")
        )
        self.report.add(
            "(a) one task with %d parameters that are already set, against ping" % KEYS,
            "s",
            found,
            found["unchanged"] / found["ping"],
            1.2,
            at_most=True,
        )

    def b(self):
        """One task for many parameters, beside a loop of commands."""
        rounds = iter(range(1000))

        def bulk():
            self.playbook("bulk", {"ovm.messaging.ovm_guest_param": {"params": self.params("bulk%d" % next(rounds))}})()

        def loop():
            params = self.params("loop%d" % next(rounds))
            self.playbook(
                "loop",
                {
                    "ansible.builtin.command": {"argv": [self.ovmd, "-p", "{{ item }}"]},
                    "loop": ["%s=%s" % pair for pair in params.items()],
                },
            )()

        found = side_by_side(3, bulk=bulk, loop=loop, empty=self.playbook("empty"))
        self.report.add(
            "(b) %d parameters that change: one task against a loop of commands, both less an empty playbook" % KEYS,
            "s",
            found,
            (found["loop"] - found["empty"]) / (found["bulk"] - found["empty"]),
            50,
            at_most=False,
        )

    def c(self):
        """The adapter's rates, beside those of pyxs and of XenStore's own commands."""
        count, path, value = 2000, b"/bench/node", b"v" * 20
        peer = pyxs.Client(unix_socket_path=self.daemon.path)
        made = parts.get()
        environment = dict(os.environ, XENSTORED_PATH=self.daemon.path, LD_LIBRARY_PATH=made.library_path())

        def command(*words):
            for _unused in range(count // 100):
                run([made.program(words[0]), *words[1:]], env=environment)

        peer.connect()
        with XenStore(self.daemon.path) as store:
            works = dict(
                read=dict(
                    ours=lambda: [store.read(path) for _unused in range(count)],
                    pyxs=lambda: [peer.read(path) for _unused in range(count)],
                    command=lambda: command("xenstore-read", path.decode()),
                ),
                write=dict(
                    ours=lambda: [store.write(path, value) for _unused in range(count)],
                    pyxs=lambda: [peer.write(path, value) for _unused in range(count)],
                    command=lambda: command("xenstore-write", path.decode(), value.decode()),
                ),
            )
            store.write(path, value)
            for name, work in works.items():
                found = side_by_side(7, **work)
                rates = {each: (count // 100 if each == "command" else count) / time for each, time in found.items()}
                self.report.add(
                    "(c) %ss a second on one connection, against pyxs.Client and xenstore-%s" % (name, name),
                    "/s",
                    rates,
                    rates["ours"] / rates["pyxs"],
                    1.0,
                    at_most=False,
                )
        peer.close()

    def d(self):
        """The start of a one-shot command, beside that of its interpreter."""
        python = os.path.realpath(sys.executable)
        with XenStoreBackend(self.guest.path, self.state) as backend:
            backend.set([Message(b"bench.key", b"value")])
        found = side_by_side(
            60,
            ovmd=lambda: run([self.ovmd, "-g", "bench.key"], env=self.environment),
            python=lambda: run([python, "-c", "pass"]),
        )
        self.report.add(
            "(d) ovmd -g, against python3 -c pass of the same interpreter",
            "s",
            found,
            found["ovmd"] / found["python"],
            2.5,
            at_most=True,
        )
