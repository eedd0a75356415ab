# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A carrier that carries nowhere: managers and guests in memory, with a clock of their own.

It can be as poor as the vendor's Manager may be: without history, without times, without
telling what a guest has taken.
"""

import threading

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Event, Record, Vm


class Memory:
    """See delivery.carrier. ``calls`` is all that was asked of it, as pairs of a name and a VM's name or None.

    :param names: of the virtual machines.
    """

    name = "memory"

    def __init__(self, *names, history=True, times=True, tells_waiting=False):
        self.machines = {name: Vm("%032x" % n, name, RUNNING) for n, name in enumerate(names or ("web1",), 1)}
        self.history, self.times, self.tells_waiting = history, times, tells_waiting
        self.clock, self.calls, self.requests = 1000.0, [], []
        self.from_guest = {name: [] for name in self.machines}
        self.log = {name: [] for name in self.machines}
        self.queue = {name: [] for name in self.machines}
        self.guests, self.faults, self.happen = {}, {}, []
        self.busy, self.most, self._lock = 0, 0, threading.Lock()

    # What tests do

    def say(self, key, value, vm="web1"):
        """The guest sends."""
        self.clock += 1
        self.from_guest[vm].append(Record(key, value, self.clock))

    def at(self, seconds, do):
        """Do something when so many seconds were spent waiting from now on."""
        self.happen.append((self.clock + seconds, do))

    def pause(self, seconds):
        assert seconds > 0
        until = self.clock + seconds
        for moment, do in sorted(self.happen, key=lambda pair: pair[0]):
            if moment <= until:
                self.happen.remove((moment, do))
                self.clock = max(self.clock, moment)
                do()
        self.clock = max(self.clock, until)

    @property
    def timing(self):
        return dict(clock=lambda: self.clock, pause=self.pause)

    def pairs(self, vm="web1"):
        """All that was sent to a guest."""
        return [pair for name, pairs, _log in self.requests if name == vm for pair in pairs]

    # The carrier

    def _ask(self, call, vm=None):
        self.calls.append((call, vm and vm.name))
        fault = self.faults.get((call, vm and vm.name))
        if fault:
            raise fault

    def connect(self):
        self._ask("connect")

    def vms(self):
        self._ask("vms")
        return list(self.machines.values())

    def current(self, vm):
        self._ask("current", vm)
        return self.machines[vm.name]

    def check(self, messages, log):
        self._ask("check")
        if any(key == b"unheard-of" for key, _value in messages):
            raise Problem("this carrier takes no such message")
        return messages

    def send(self, vm, messages, log):
        with self._lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        try:
            self._ask("send", vm)
            self.clock += 1
            self.requests.append((vm.name, list(messages), log))
            if log:
                self.log[vm.name] += [Record(key, value, self.clock) for key, value in messages]
            self.queue[vm.name] += messages
            self.clock += 1
            for key, value in messages:
                self.guests.get(vm.name, lambda key, value: None)(key, value)
        finally:
            with self._lock:
                self.busy -= 1

    def _records(self, records):
        if not self.history:
            records = list({record.key: record for record in records}.values())
        return [record if self.times else record._replace(time=None) for record in records]

    def received(self, vm):
        self._ask("received", vm)
        return self._records(self.from_guest[vm.name])

    def sent(self, vm):
        self._ask("sent", vm)
        return self._records(self.log[vm.name])

    def dated(self, vm, records):
        self._ask("dated", vm)
        return records

    def events(self, vm=None):
        self._ask("events", vm)
        return [Event("1", vm.id, self.clock, "INFORMATIONAL", "T", "S", "D")]

    def waiting(self, vm):
        self._ask("waiting", vm)
        return len(self.queue[vm.name]) if self.tells_waiting else None

    def now(self):
        self.clock += 0.001  # no two things happen at the same time
        return self.clock


class Guest:
    """A guest with our ovmd: holds what it is sent, and reports.

    :param Memory world: where it lives.
    """

    def __init__(self, world, vm="web1", boot="b1"):
        self.world, self.vm, self.boot = world, vm, boot
        world.guests[vm] = self.take
        world.say(*report.guest(boot, "1"), vm)

    def take(self, key, value):
        self.world.queue[self.vm].remove((key, value))
        self.tell(key, value)

    def tell(self, key, value):
        """Report that it holds this, or with None that it no longer does."""
        self.world.say(*report.held(self.boot, key, value), self.vm)

    def sleep(self):
        """Take nothing from now on."""
        self.world.guests[self.vm] = lambda key, value: None

    def wake(self):
        self.world.guests[self.vm] = self.take
        for key, value in list(self.world.queue[self.vm]):
            self.take(key, value)

    def reboot(self, boot="b2"):
        """Lose everything, and say so."""
        self.boot = boot
        self.world.queue[self.vm].clear()
        self.world.say(*report.guest(boot, "1"), self.vm)
