# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's side as its parameters grow: tasks, the library under them, and the least that XenStore takes."""

import itertools

import pyxs

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message

from .measure import grown
from .module_side import ModuleSide
from .raw import RawXenStore

SIZES = (1, 10, 100, 1000, 2500, 5000, 7500, 10000)
#: For what takes most of a second before the first parameter.
TASK_SIZES = (1, 1000, 2500, 5000, 7500, 10000)
PICTURE = "growth-parameters"


class GrowthSide(ModuleSide):
    """The benchmark, a method of one letter."""

    letters = "t"

    def t(self):
        """One to ten thousand parameters."""
        self._tasks()
        self._library()

    def _tasks(self):
        rounds = itertools.count()

        def run(name, size, module="ovm_guest_param", **options):
            self.playbook("growth-%s-%d" % (name, size), {"ovm.messaging." + module: options})()

        lines = grown(
            2,
            TASK_SIZES,
            # In this order: each finds what the one before it has left.
            set=lambda size: run("set", size, params=self.params("set%d" % next(rounds), size)),
            unchanged=lambda size: run("same", size, params=self.params("set%d" % (next(rounds) - 1), size)),
            read=lambda size: run("read", size, module="ovm_guest_param_info"),
            delete=lambda size: run("delete", size, state="absent", keys=list(self.params("", size))),
        )
        # To read ten thousand takes too little beside Ansible's own time, and its moods, for a slope.
        self.report.growth(PICTURE, "(t) one task for n parameters", "parameters", "s", lines, peers=("read",))

    def _library(self):
        value = b"v" * 20
        raw, client = RawXenStore(self.guest.path), pyxs.Client(unix_socket_path=self.guest.path)
        client.connect()

        def keys(size):
            return [b"bench.key-%05d" % n for n in range(size)]

        with self.backend() as backend:
            lines = grown(
                3,
                SIZES,
                **{
                    "set": lambda size: backend.set([Message(key, value) for key in keys(size)]),
                    "list": lambda _size: backend.entries(),
                    "get each": lambda size: [backend.get(key) for key in keys(size)],
                    "delete": lambda size: backend.delete(keys(size)),
                    # What a message is in XenStore: three nodes. No transaction, no list, nobody who collects.
                    "pyxs.Client": lambda size: [client.write(b"data/bench", value) for _unused in range(3 * size)],
                    "raw exchange": lambda size: raw.write(b"data/bench", value, 3 * size),
                },
            )
        client.close()
        raw.close()
        peers = ("pyxs.Client", "raw exchange")
        for title, names in (
            ("(t) setting n parameters, beside 3 n bare writes to XenStore", ("set", *peers)),
            ("(t) n parameters in the guest's list", ("list", "get each", "delete")),
        ):
            chosen = {name: lines[name] for name in names}
            self.report.growth(PICTURE, title, "parameters", "s", chosen, peers=peers)
