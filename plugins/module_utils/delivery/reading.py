# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a manager knows of guests' messages: read, and waited for."""

from .. import report
from ..channel.message import display
from . import many
from .answers import answer
from .errors import TimeIsUp
from .plan import newest

#: Which way a message went.
RECEIVED, SENT, BOTH = "received", "sent", "both"


class Query:
    """What is to be read of each virtual machine.

    :param keys: only messages of these keys; None: of all.
    :param str direction: RECEIVED, SENT or BOTH.
    :param bool reports: guests' reports count as messages, too. Those that are named count anyway.
    :param bool events: read the events as well.
    :param conditions: of Condition: what the guests must have sent; waited for.
    :param float timeout: seconds to wait in all.
    :param float interval: the longest time between two looks, in seconds.
    :param int concurrency: how many virtual machines at a time.
    :param bool details: the times of messages, where the other side does not tell them with these, and how many wait
        for the guest are of interest, too.
    """

    def __init__(
        self,
        keys: "set[bytes] | None" = None,
        direction: str = BOTH,
        reports: bool = False,
        events: bool = False,
        conditions=(),
        timeout: float = 0.0,
        interval: float = 2.0,
        concurrency: int = 4,
        details: bool = True,
    ) -> None:
        self.keys, self.direction, self.reports, self.events = keys, direction, reports, events
        self.conditions, self.timeout, self.interval = list(conditions), timeout, interval
        self.concurrency, self.details = concurrency, details

    def wants(self, key: bytes) -> bool:
        """Whether a message of this key was asked for."""
        if self.keys is not None:
            return key in self.keys
        return self.reports or not key.startswith(report.PREFIX)


class Reading(many.Machine):
    """What was read of one virtual machine.

    :ivar str asked: what it was called in the query.
    :ivar vm: the Vm, or None where there is none.
    :ivar problem: the Problem why it failed, or None.
    :ivar list received: of Record, oldest first.
    :ivar list sent: of Record, oldest first.
    :ivar list events: of Event, oldest first.
    :ivar report: what the guest reports, a report.Report.
    :ivar list hidden: of Record: all that the guest has sent, asked for or not, that is a secret by its report.
    :ivar list missing: keys that were waited for in vain.
    :ivar waiting: how many sent messages the guest has not taken; None where nobody knows.
    :ivar float now: the other side's clock when it was read.
    :ivar float waited: seconds.
    """

    def __init__(self, asked, vm, problem, carrier, query):
        super().__init__(asked, vm, problem, carrier)
        self._query = query
        self.received, self.sent, self.events = [], [], []  # type: list, list, list
        self.report = report.Report({})
        self.hidden = []  # type: list
        self.missing = []  # type: list[bytes]
        self.waiting = None  # type: int | None
        self.now = 0.0

    def secret(self, record) -> bool:
        """Whether the guest has said that what it holds under this key is a secret."""
        return bool(self.report.holds_key(record.key)) and self.report.holds(record.key, record.value) is None

    @property
    def awaited(self) -> "list[bytes]":
        return [condition.key for condition in self._query.conditions]

    def unmet(self) -> "list[str]":
        query = self._query
        records = self.known = self._carrier.received(self.vm)
        self.report = report.Report({key: record.value for key, record in newest(records).items()})
        reasons = [(condition.key, answer(records, condition)) for condition in query.conditions]
        self.missing = [key for key, (value, _why) in reasons if value is None]
        self.hidden = [record for record in records if self.secret(record)]
        if query.direction != SENT:
            self.received = [record for record in records if query.wants(record.key)]
        return ["%s (%s)" % (display(key), why) for key, (value, why) in reasons if value is None]

    def complete(self) -> None:
        """Read what need not be waited for."""
        carrier, query, vm = self._carrier, self._query, self.vm
        if query.direction != RECEIVED:
            self.sent = [record for record in carrier.sent(vm) if query.wants(record.key)]
        if query.events:
            self.events = carrier.events(vm)
        if not query.details:
            return
        self.received = carrier.dated(vm, self.received)
        self.waiting = carrier.waiting(vm)
        self.now = carrier.now()


def read(carrier, names: "list[str]", query: Query, told=many.nobody, **timing) -> "list[Reading]":
    """Read of virtual machines, each of which succeeds or fails on its own.

    :param carrier: see carrier.
    :param names: names, ids or UUIDs.
    :param told: called with what is going on, in words without any value.
    :param timing: ``clock`` and ``pause``, for tests.
    :returns: one Reading for each, in the order of the names; the same machine only once.
    :raises Problem: the other side cannot be reached.
    """
    told("connecting")
    carrier.connect()
    result = many.select(carrier, names, lambda name, vm, problem: Reading(name, vm, problem, carrier, query))
    there = [one for one in result if one.problem is None]
    told("reading of " + many.some([one.vm.name for one in there]))
    many.wait(carrier, there, query.timeout, query.interval, query.concurrency, told, **timing)
    # What there is, is read of those too for which time was up.
    readable = [one for one in there if one.problem is None or isinstance(one.problem, TimeIsUp)]
    many.each(Reading.complete, readable, query.concurrency)
    return result
