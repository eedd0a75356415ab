# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Many virtual machines at a time, and waiting for all of them together."""

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

from .. import vms as machines
from ..problem import Problem

#: Seconds between two looks: at first, and how much longer each time.
_SHORTEST, _GROWTH = 0.1, 1.5


class Machine(ABC):
    """One virtual machine of a run, and how it fares: what both kinds of runs have in common.

    :ivar str asked: what it was called in the request.
    :ivar vm: the Vm as it was last seen, or None where there is none.
    :ivar problem: why it failed, or None.
    :ivar float waited: seconds.
    """

    def __init__(self, asked: str, vm, problem: "Problem | None") -> None:
        self.asked, self.vm, self.problem = asked, vm, problem
        self.waited = 0.0

    @abstractmethod
    def unmet(self) -> "list[str]":
        """Look anew: what is still missing of what is waited for, in words."""

    @abstractmethod
    def late(self, missing: "list[str]", timeout: float) -> Problem:
        """What to say when time is up."""


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
    clock=time.monotonic,
    pause=time.sleep,
) -> None:
    """Look at machines until none misses anything, or time is up; those that do have a Problem then.

    :param waiting: of Machine.
    :param float timeout: seconds.
    :param float interval: the longest time between two looks, in seconds.
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
            changed(min(left, interval if changed is not pause else patience))
            patience = min(patience * _GROWTH, interval)

    def expire(machine):
        machine.problem = machine.late(missing[machine], timeout)

    each(expire, waiting, concurrency)
