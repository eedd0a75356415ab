# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What benchmarks of the guest's modules share: a guest in the lab, a host that collects, and playbooks."""

import multiprocessing
import os
import sys

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab.daemon import Daemon
from lab.guest import Guest

from .measure import playbook, run

DOMID = 5
#: That of the programs and of the modules.
PYTHON = os.path.realpath(sys.executable)


class Collector:
    """The host's side: a process that takes messages as they come, so that the guest never runs into its quota."""

    def __init__(self, path, domid):
        context = multiprocessing.get_context("spawn")
        begun, self._over = context.Event(), context.Event()
        self._process = context.Process(target=_collect, args=(path, domid, begun, self._over), daemon=True)
        self._process.start()
        while not begun.wait(1):
            if not self._process.is_alive():
                raise SystemExit("bench: the process that collects for the host has ended")

    def close(self):
        self._over.set()
        self._process.join()


def _collect(path, domid, begun, over):
    with XenStore(path) as store:
        inbox = HostEnd(store, domid).inbox
        inbox.watch(b"bench")
        begun.set()
        while not over.is_set():
            if store.wait(0.2):
                for _arrival in inbox.receive():
                    pass


class ModuleSide:
    """A guest whose modules are run by playbooks.

    :ivar dict environment: that of the playbooks and of the guest's programs.
    :ivar str state: the folder of the guest's parameter list.
    :ivar str ovmd: the built program.
    """

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        self.daemon = daemon = Daemon().start()
        self.guest = Guest(daemon, DOMID)
        self.state = os.path.join(daemon.directory, "state")
        self.environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_STATE_DIR=self.state,
            ANSIBLE_PYTHON_INTERPRETER=PYTHON,
        )
        self.ovmd = self.build("ovmd")
        self.collector = Collector(daemon.path, DOMID)
        return self

    def __exit__(self, *_exc):
        self.collector.close()
        self.daemon.close()

    def build(self, name):
        """Build a program; returns its path."""
        source = os.path.join(os.path.dirname(__file__), "..", "..", "programs", "build.py")
        run([PYTHON, source, "--output", self.folder, "--python", PYTHON, name])
        return os.path.join(self.folder, name)

    def playbook(self, name, *tasks):
        """Write a playbook; returns a function that runs it."""
        return playbook(self.folder, name, tasks, self.environment)

    def backend(self):
        """A new backend of the guest."""
        return XenStoreBackend(self.guest.path, self.state, 60)

    @staticmethod
    def params(prefix, count):
        """So many parameters with values of their own."""
        return {"bench.key-%05d" % n: "%s-%d" % (prefix, n) for n in range(count)}
