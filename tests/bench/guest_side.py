# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's side: modules, adapter and ovmd, beside their alternatives."""

import itertools
import os
import shlex

import pyxs

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab import parts

from .measure import run, side_by_side
from .module_side import PYTHON, ModuleSide
from .raw import RawXenStore

KEYS = 100


class GuestSide(ModuleSide):
    """The benchmarks, each a method of one letter."""

    letters = "abcd"

    def a(self):
        """A task that has nothing to do, beside ping."""
        ours = self.playbook("unchanged", {"ovm.messaging.ovm_guest_param": {"params": self.params("same", KEYS)}})
        ours()
        found = side_by_side(
            7, ping=self.playbook("ping", {"ansible.builtin.ping": {}}), unchanged=ours, empty=self.playbook("empty")
        )
        self.report.add(
            "(a) one task with %d parameters that are already set, against ping" % KEYS,
            "s",
            found,
            found["unchanged"] / found["ping"],
            1.15,
            at_most=True,
        )

    def b(self):
        """One task for many parameters, beside what a shell would do."""
        rounds = itertools.count()

        def fresh():
            return self.params("round%d" % next(rounds), KEYS)

        def bulk():
            self.playbook("bulk", {"ovm.messaging.ovm_guest_param": {"params": fresh()}})()

        def loop():
            self.playbook(
                "loop",
                {
                    "ansible.builtin.command": {"argv": [self.ovmd, "-p", "{{ item }}"]},
                    "loop": ["%s=%s" % pair for pair in fresh().items()],
                },
            )()

        def script():
            lines = [shlex.join([self.ovmd, "-p", "%s=%s" % pair]) for pair in fresh().items()]
            self.playbook("script", {"ansible.builtin.shell": {"cmd": " && ".join(lines)}})()

        def command():
            argv = [self.ovmd]
            for pair in fresh().items():
                argv += ["-p", "%s=%s" % pair]
            self.playbook("command", {"ansible.builtin.command": {"argv": argv}})()

        works = {"bulk": bulk, "loop": loop, "shell, %d times ovmd" % KEYS: script, "one long ovmd": command}
        found = side_by_side(3, **works, empty=self.playbook("empty"))
        self.report.add(
            "(b) %d parameters that change: one task against a loop of commands, both less an empty playbook" % KEYS,
            "s",
            found,
            (found["loop"] - found["empty"]) / (found["bulk"] - found["empty"]),
            50,
            at_most=False,
        )

    def c(self):
        """The adapter's rates, beside those of pyxs, of XenStore's own commands, and of the socket itself."""
        count, path, value = 2000, b"/bench/node", b"v" * 20
        peer, raw = pyxs.Client(unix_socket_path=self.daemon.path), RawXenStore(self.daemon.path)
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
                    raw=lambda: raw.read(path, count),
                ),
                write=dict(
                    ours=lambda: [store.write(path, value) for _unused in range(count)],
                    pyxs=lambda: [peer.write(path, value) for _unused in range(count)],
                    command=lambda: command("xenstore-write", path.decode(), value.decode()),
                    raw=lambda: raw.write(path, value, count),
                ),
            )
            store.write(path, value)
            for name, work in works.items():
                found = side_by_side(7, **work)
                rates = {each: (count // 100 if each == "command" else count) / time for each, time in found.items()}
                self.report.add(
                    "(c) %ss a second on one connection, against pyxs.Client; also xenstore-%s, and a raw exchange"
                    % (name, name),
                    "/s",
                    rates,
                    rates["ours"] / rates["pyxs"],
                    1.0,
                    at_most=False,
                )
        peer.close()
        raw.close()

    def d(self):
        """The start of a one-shot command, beside that of its interpreter."""
        with self.backend() as backend:
            backend.set([Message(b"bench.key", b"value")])
        # ovmd's first line has -I and -S, which leave out what site does: a start of the same kind is quicker.
        found = side_by_side(
            60,
            **{
                "ovmd -g": lambda: run([self.ovmd, "-g", "bench.key"], env=self.environment),
                "python3 -c pass": lambda: run([PYTHON, "-c", "pass"]),
                "python3 -IS -c pass": lambda: run([PYTHON, "-IS", "-c", "pass"]),
                "python3 -IS, import sqlite3": lambda: run([PYTHON, "-IS", "-c", "import sqlite3"]),
            },
        )
        self.report.add(
            "(d) ovmd -g, against python3 -c pass of the same interpreter",
            "s",
            found,
            found["ovmd -g"] / found["python3 -c pass"],
            2.0,
            at_most=True,
        )
