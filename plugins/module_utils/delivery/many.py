# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Many virtual machines at a time, and waiting for all of them together."""

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

from .. import vms as machines
from ..channel.message import display
from ..problem import Problem
from .errors import TimeIsUp
from .last import LastKnown

#: Seconds between two looks: at first, and how much longer each time.
_SHORTEST, _GROWTH = 0.1, 1.5
# Machines that are named where somebody is told how things stand.
_NAMED = 5


class Machine(ABC):
    """One virtual machine of a run, and how it fares: what both kinds of runs have in common.

    :ivar str asked: what it was called in the request.
    :ivar vm: the Vm as it was last seen, or None where there is none.
    :ivar problem: why it failed, or None.
    :ivar float waited: seconds.
    :ivar list known: what its guest had sent when it was last looked at, of Record.
    :ivar last: how it was when time was up, a LastKnown; None where it never was.
    """

    def __init__(self, asked: str, vm, problem: "Problem | None", carrier) -> None:
        self.asked, self.vm, self.problem = asked, vm, problem
        self.waited = 0.0
        self.known = []  # type: list
        self.last = None  # type: LastKnown | None
        self._carrier = carrier

    @property
    @abstractmethod
    def awaited(self) -> "list[bytes]":
        """The keys that the guest has to send."""

    @abstractmethod
    def unmet(self) -> "list[str]":
        """Look anew: what is still missing of what is waited for, in words."""

    def late(self, missing: "list[str]", timeout: float) -> Problem:
        """What to say when time is up: what is missing, how things stand, and what to do."""
        self.last = last = LastKnown(self._carrier, self.vm, self.known, self.awaited)
        self.vm = last.vm
        return TimeIsUp(
            "after %g second%s '%s' still lacks %s; %s"
            % (timeout, "" if timeout == 1 else "s", self.vm.name, "; ".join(missing), last.text()),
            last.remedy(),
        )


def nobody(_text: str) -> None:
    """To be told how things stand, where nobody wants to know."""


def select(carrier, names: "list[str]", kind) -> list:
    """The virtual machines that are meant, each once, in the order in which they were named.

    :param kind: a function of a name, a Vm and a Problem that makes a Machine.
    """
    there = carrier.vms() if names else []
    result = {}  # type: dict
    for name in names:
        try:
            vm = machines.find(there, name)
            result.setdefault(vm, kind(name, vm, None))
        except Problem as problem:
            result.setdefault(name, kind(name, None, problem))
    return list(result.values())


def each(step, running: list, concurrency: int) -> None:
    """Take a step with every machine, some at a time. One's Problem is its own, and ends only its run."""

    def guarded(machine):
        try:
            step(machine)
        except Problem as problem:
            machine.problem = problem

    if len(running) < 2 or concurrency < 2:
        for machine in running:
            guarded(machine)
        return
    with ThreadPoolExecutor(min(concurrency, len(running))) as pool:
        list(pool.map(guarded, running))


def wait(
    carrier,
    waiting: list,
    timeout: float,
    interval: float,
    concurrency: int,
    told=nobody,
    clock=time.monotonic,
    pause=time.sleep,
) -> None:
    """Look at machines until none misses anything, or time is up; those that do have a Problem then.

    :param waiting: of Machine.
    :param float timeout: seconds.
    :param float interval: the longest time between two looks, in seconds.
    :param told: called after each look with what is still waited for, in words without any value.
    """
    started = clock()
    deadline, patience = started + timeout, min(_SHORTEST, interval)
    changed = getattr(carrier, "wait_for_change", None) or pause
    missing = {}  # type: dict

    def look(machine):
        missing[machine] = machine.unmet()
        machine.waited = clock() - started

    while waiting:
        each(look, waiting, concurrency)
        waiting = [machine for machine in waiting if machine.problem is None and missing[machine]]
        left = deadline - clock()
        if left <= 0:
            break
        if waiting:
            told(_standing([(machine.vm.name, missing[machine]) for machine in waiting]))
            changed(min(left, interval if changed is not pause else patience))
            patience = min(patience * _GROWTH, interval)

    def expire(machine):
        machine.problem = machine.late(missing[machine], timeout)

    each(expire, waiting, concurrency)


def _standing(lacking):
    """Who still lacks what, of pairs of a name and what is missing; the first few of them."""
    named = ["%s lacks %s" % (display(name.encode("utf-8", "replace")), ", ".join(what)) for name, what in lacking]
    more = len(named) - _NAMED
    return "; ".join(named[:_NAMED]) + ("; and %d more virtual machines" % more if more > 0 else "")


def some(names: "list[str]") -> str:
    """Names, the first few of them."""
    shown = ", ".join(display(name.encode("utf-8", "replace")) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return shown + (" and %d more" % more if more > 0 else "")
