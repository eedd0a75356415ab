# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's side as there is more to do: one to two thousand machines, one to 480 messages that wait."""

import json
import os
import socket
import statistics
import struct
import time
import uuid

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id
from lab import hypervisor
from lab.daemon import Daemon
from lab.guest import Guest

from .manager_side import ManagerSide
from .measure import grown, playbook, run, slope
from .raw import RawXenStore
from .rest import Rest

VMS = (1, 500, 1000, 1500, 2000)
#: What a stock quota has room for, with numbers of up to three digits.
MESSAGES = (1, 60, 120, 240, 360, 480)
_FROM = layout.child(layout.home(5), layout.FROM_GUEST)
# Of xs_wire.h: type, request, transaction, length; and three of the types.
_HEADER = struct.Struct("=IIII")
_DIRECTORY, _READ, _RM = 1, 2, 13
# Lines for comparison: what cannot be had for less.
_LISTED, _ASKED = "XenStore's part of it", "the same requests, bare"
#: How much more than reading and removing it alone a collected message may cost.
TARGET = 1.3


class ManagerGrowthSide(ManagerSide):
    """The benchmarks, each a method of one letter."""

    # With all those machines the gateway has more to do than to collect.
    letters = "rq"

    def q(self):
        """One to two thousand virtual machines, none of which does anything."""
        lines, there = {}, []
        raw = RawXenStore(self.daemon.path)
        inventory = os.path.join(self.folder, "vms.ovm.yml")
        with open(inventory, "w", encoding="utf-8") as target:
            json.dump({"plugin": "ovm.messaging.ovm", "cache": False}, target)
        empty = playbook(self.folder, "empty", [], self.environment)

        def info(size):
            names = ["silent-%d" % (1000 + n) for n in range(size)]
            task = {"ovm.messaging.ovm_vm_message_info": {"vms": names, "direction": "received"}}
            playbook(self.folder, "info", [task], self.environment)()

        def bare(_size):
            """What the task has to ask for; the inventory asks only for half of it."""
            rest = self._rest
            rest.ask("GET", "/Vm")
            for vm in there:
                rest.received(vm)
                rest.ask("GET", "/Vm/" + vm)

        def lower(size):
            raw.read(b"/local/domain/%d/name" % (1000 + size - 1), size)
            raw.read(b"/local/domain/%d/vm" % (1000 + size - 1), size)

        works = {
            "GET /Vm": lambda _size: self._rest.ask("GET", "/Vm"),
            _LISTED: lower,
            _ASKED: bare,
            "ovm_vm_message_info": info,
            "inventory": lambda _size: run(["ansible-inventory", "-i", inventory, "--list"], env=self.environment),
            "empty playbook": lambda _size: empty(),
        }
        for size in VMS:
            # It would look at all of them each time that one comes.
            self.gateway.stop()
            self._silent(there, size)
            self.gateway.start()
            self._rest = Rest(self.gateway)
            while len(self._rest.ask("GET", "/Vm")[1]) < size:
                time.sleep(0.1)
            self._wait_until_idle()
            for name, line in grown(2, [size], **works).items():
                lines.setdefault(name, []).extend(line)
            self._rest.close()
        raw.close()
        # Beside tasks these cannot be seen.
        small = {name: lines.pop(name) for name in ("GET /Vm", _LISTED)}
        for_all = {name: lines[name] for name in ("ovm_vm_message_info", "inventory", _ASKED)}
        for what, found, peer in (("listing", small, _LISTED), ("reading the messages of", for_all, _ASKED)):
            self.report.growth(
                "growth-vms",
                "(q) %s n virtual machines" % what,
                "virtual machines",
                "s",
                found,
                peers=[peer],
                beside=peer,
            )
        least = min(seconds for _size, seconds in lines["empty playbook"])
        top = {name: line[-1][1] for name, line in for_all.items()}
        self.report.add(
            "(q) reading the messages of %d virtual machines in one task, less an empty playbook, against its requests"
            % VMS[-1],
            "s",
            dict(top, **{"empty playbook": least}),
            (top["ovm_vm_message_info"] - least) / top[_ASKED],
            2.0,
            at_most=True,
        )

    def _wait_until_idle(self):
        """Each domain that the gateway has just come to know is looked into first."""
        used = None
        while used is None or _used(self.gateway.process.pid) - used > 0.05:
            used = _used(self.gateway.process.pid)
            time.sleep(0.5)

    def _silent(self, there, size):
        """Have so many domains that say nothing, with those of a toolstack's nodes that matter here."""
        with XenStore(self.daemon.path, timeout=60) as host:
            while len(there) < size:
                domid, identity = 1000 + len(there), str(uuid.uuid4())
                hypervisor.create(self.daemon.directory, domid)
                home, owner = layout.home(domid), [b"n%d" % domid]
                host.write(home + b"/vm", b"/vm/" + identity.encode())
                host.write(home + b"/name", b"silent-%d" % domid)
                for path in (layout.TO_GUEST, layout.FROM_GUEST, layout.ROOT):
                    host.mkdir(layout.child(home, path))
                    host.set_permissions(layout.child(home, path), owner)
                host.introduce(domid, 1, 1)
                there.append(canonical_id(identity))

    def r(self):
        """One to 480 messages that wait in XenStore, until the gateway has stored and removed them all."""
        lines = {name: {} for name in ("gateway", "adapter: read and removed", "raw: read and removed")}
        processor = {}
        with Daemon() as elsewhere, XenStore(self.daemon.path) as here, XenStore(elsewhere.path) as there:
            raw = _RawCollector(elsewhere.path)

            def gateway(size):
                guest = Guest(self.daemon, 5)
                # Known to the gateway, which then knows nothing of what comes.
                while not here.exists(_FROM) or guest.name not in self._names():
                    time.sleep(0.01)
                self.gateway.process.stop()
                fill(guest, size)
                last = layout.child(_FROM, size)
                here.watch(last, b"bench")
                while here.wait(0.05, b"bench"):
                    pass
                used = _used(self.gateway.process.pid, self.daemon.process.pid)
                start = time.perf_counter()
                self.gateway.process.go_on()
                while here.exists(last):
                    here.wait(10, b"bench")
                took = time.perf_counter() - start
                used = _used(self.gateway.process.pid, self.daemon.process.pid) - used
                here.unwatch(last, b"bench")
                guest.destroy()
                return took, used

            def alone(collect):
                def timed(size):
                    guest = Guest(elsewhere, 5)
                    fill(guest, size)
                    used = _used(os.getpid(), elsewhere.process.pid)
                    start = time.perf_counter()
                    collect()
                    took = time.perf_counter() - start
                    used = _used(os.getpid(), elsewhere.process.pid) - used
                    if layout.numbers(there.directory(_FROM)):
                        raise SystemExit("bench: not all messages were removed")
                    guest.destroy()
                    return took, used

                return timed

            def adapter():
                for _arrival in HostEnd(there, 5).inbox.receive():
                    pass

            works = dict(zip(lines, (gateway, alone(adapter), alone(raw.collect))))
            for _unused in range(9):
                for size in MESSAGES:
                    for name, work in works.items():
                        took, used = work(size)
                        if size == MESSAGES[-1]:
                            processor.setdefault(name, []).append(1e6 * used / size)
                        lines[name][size] = min(took, lines[name].get(size, took))
            raw.close()
        lines = {name: sorted(line.items()) for name, line in lines.items()}
        in_ms = {name: [(size, 1000 * took) for size, took in line] for name, line in lines.items()}
        self.report.growth(
            "growth-queue", "(r) collecting n messages of a guest", "messages", "ms", in_ms, peers=list(in_ms)[1:]
        )
        each = {name: 1e6 * slope(line) for name, line in lines.items()}
        names = list(each)
        for peer in names[1:]:
            # The second does not depend on what else the machine does.
            for what, figures in (
                ("in time", each),
                ("in processor time, xenstored's too", {name: statistics.median(processor[name]) for name in names}),
            ):
                self.report.add(
                    "(r) a collected message, stored and told, against XenStore's part of it alone (%s), %s"
                    % (peer, what),
                    "us",
                    {name: figures[name] for name in (names[0], peer)},
                    figures[names[0]] / figures[peer],
                    TARGET,
                    at_most=True,
                )

    def _names(self):
        rest = Rest(self.gateway)
        try:
            return [vm["name"] for vm in rest.ask("GET", "/Vm")[1]]
        finally:
            rest.close()


def _used(*pids):
    """Seconds of processor time that some processes have taken so far."""
    taken = 0
    for pid in pids:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="ascii") as source:
                taken += int(source.read().split()[0])
    return taken / 1e9


def fill(guest, size):
    """Have a guest send so many messages."""
    with XenStore(guest.path) as store:
        end = GuestEnd(store)
        for at in range(0, size, 10):
            end.send_together([Message(b"key-%d" % n, b"value-%d" % n) for n in range(at, min(size, at + 10))], 30)


class _RawCollector(RawXenStore):
    """Reads and removes messages by bare exchanges, each after the other's answer."""

    def collect(self):
        for number in layout.numbers(self._ask(_DIRECTORY, _FROM)[:-1].split(b"\0")):
            node = layout.child(_FROM, number)
            for kind, path in ((_READ, node), (_DIRECTORY, node), (_READ, node + b"/0"), (_RM, node)):
                self._ask(kind, path)

    def _ask(self, kind, path):
        self._socket.sendall(_HEADER.pack(kind, 0, 0, len(path) + 1) + path + b"\0")
        answered, _request, _transaction, length = _HEADER.unpack(self._socket.recv(_HEADER.size, socket.MSG_WAITALL))
        body = self._socket.recv(length, socket.MSG_WAITALL)
        if answered != kind:
            raise SystemExit("bench: XenStore answers %r" % body)
        return body
