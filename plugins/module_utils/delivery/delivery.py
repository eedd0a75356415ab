# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Getting messages to guests: to each what it lacks, then waiting for what they answer."""

from .. import report
from ..channel.message import display
from ..problem import OutcomeUnknown, Problem
from ..vms import require_running
from . import many, plan
from .answers import Since, answer, arrived


class Request:
    """What is to be delivered, to whomever.

    :param messages: of Wanted, in order.
    :param log: True: have the other side remember all but secrets; False: none; None: those that it can.
    :param bool force: send everything, whatever the evidence.
    :param unless_received: a key, and a value or None: a guest that has last sent this gets nothing.
    :param str update_secret: plan.ALWAYS or plan.ON_CREATE.
    :param bool wait: until each guest has what it was sent.
    :param answers: of Condition: what the guests have to send. Where something was sent to them, after that.
    :param float timeout: seconds to wait in all.
    :param float interval: the longest time between two looks, in seconds.
    :param int concurrency: how many virtual machines at a time.
    :param bool dry: only find out what would be sent.
    :param bool before: find out what the guests held before, too, even if nothing else needs it.
    :raises InvalidMessage: a message is over the limits of the channel.
    :raises BadMessages: messages that cannot be sent like this.
    """

    def __init__(
        self,
        messages: "list[plan.Wanted]",
        log: "bool | None" = None,
        force: bool = False,
        unless_received: "tuple[bytes, bytes | None] | None" = None,
        update_secret: str = plan.ALWAYS,
        wait: bool = False,
        answers=(),
        timeout: float = 300.0,
        interval: float = 2.0,
        concurrency: int = 4,
        dry: bool = False,
        before: bool = False,
    ) -> None:
        self.messages = plan.checked(messages, log)
        self.log, self.force, self.unless_received, self.update_secret = log, force, unless_received, update_secret
        self.wait, self.answers, self.timeout, self.interval = wait, list(answers), timeout, interval
        self.concurrency, self.dry, self.before = concurrency, dry, before


class Delivery(many.Machine):
    """One virtual machine's share of a request, and what became of it.

    :ivar str asked: what it was called in the request.
    :ivar vm: the Vm, or None where there is none.
    :ivar problem: the Problem why it failed, or None.
    :ivar bool skipped: its guest has sent already what ``unless_received`` names.
    :ivar list sent: keys that were sent, or would be; also those of which nobody can say whether they were.
    :ivar list unchanged: keys that need not be.
    :ivar dict evidence: key -> kind of evidence.
    :ivar dict before: of the sent keys, if it was to be found out: key -> what was there, see plan.before.
    :ivar delivered: whether the guest has everything; None where nobody knows.
    :ivar str unseen: why delivery cannot be seen, if it was to be waited for.
    :ivar dict answers: key -> value of the answers asked for, those that have come.
    :ivar list missing: keys of the answers that have not.
    :ivar list undelivered: keys of the messages that the guest does not have, as far as that can be seen.
    """

    def __init__(self, asked, vm, problem, carrier, request):
        super().__init__(asked, vm, problem, carrier)
        self._request = request
        self.skipped = False
        self.sent = []  # type: list[bytes]
        self.unchanged = []  # type: list[bytes]
        self.evidence = {}  # type: dict[bytes, str]
        self.before = {}  # type: dict[bytes, bytes | str]
        self.delivered = None  # type: bool | None
        self.unseen = ""
        self.answers = {}  # type: dict[bytes, bytes]
        self.missing, self.undelivered = [], []  # type: list[bytes], list[bytes]
        self._since = None  # type: Since | None

    @property
    def changed(self) -> bool:
        """Whether anything was sent, or would be."""
        return bool(self.sent)

    def start(self) -> None:
        """Find out what the guest lacks, and send it.

        :raises Problem: it cannot be, or not all of it.
        """
        request, vm = self._request, require_running(self.vm)
        # Whoever wants all sent anyway, and no more, need not have it looked at.
        blind = request.force and not (request.before or request.wait or request.answers)
        looked = self._carrier.now() if request.wait or request.answers else 0.0
        evidence = plan.Evidence([], list) if blind else self._look()
        lacking = self._decide(evidence)
        if request.before:
            self.before = {message.key: plan.before(message, evidence) for message in lacking}
        if request.dry:
            self.sent = [message.key for message in lacking]
            if not lacking:
                self._unanswered(evidence.records)
            return
        if lacking and (request.wait or request.answers):
            self._since = Since(evidence.records, self._carrier.now(), looked)
        for run, log in plan.runs(lacking, request.log):
            try:
                self._carrier.send(vm, [message.pair for message in run], log)
            except Problem as problem:
                if isinstance(problem, OutcomeUnknown):
                    self.sent += [message.key for message in run]
                else:
                    self.sent += getattr(problem, "sent", [])
                raise
            self.sent += [message.key for message in run]

    def _decide(self, evidence):
        """Sort out the messages; returns those to be sent, of Wanted."""
        request, lacking = self._request, []
        self.skipped = bool(
            request.unless_received and not request.force and evidence.has_received(*request.unless_received)
        )
        for message in request.messages:
            if request.force:
                needed, kind = True, plan.FORCED
            elif self.skipped:
                needed, kind = False, plan.RECEIVED
            else:
                needed, kind = plan.decide(message, evidence, request.log, request.update_secret)
            self.evidence[message.key] = kind
            if needed:
                lacking.append(message)
            else:
                self.unchanged.append(message.key)
        if not lacking and set(self.evidence.values()) <= {plan.REPORT}:
            self.delivered = True
        return lacking

    def _look(self):
        """What is known of the guest now."""
        vm, carrier = self.vm, self._carrier
        received = carrier.received(vm)
        if self._since:
            received = self._with_times(received)
        return plan.Evidence(received, lambda: carrier.sent(vm), lambda records: carrier.dated(vm, records))

    @property
    def waits(self) -> bool:
        """Whether there is anything to wait for."""
        request = self._request
        return self.problem is None and not request.dry and bool(request.wait or request.answers)

    @property
    def awaited(self) -> "list[bytes]":
        return [condition.key for condition in self._request.answers]

    def unmet(self) -> "list[str]":
        evidence = self._look()
        self.known = evidence.records
        missing = self._undelivered(evidence) if self._request.wait and not self.skipped else []
        return missing + self._unanswered(evidence.records)

    def _undelivered(self, evidence):
        """Look whether the guest has everything; in words, what it has not, as far as that can be seen."""
        self.unseen = ""
        queued = self._carrier.waiting(self.vm)
        states = {
            message.key: arrived(
                message,
                evidence,
                self._since if message.key in self.sent else None,
                message.key in self.unchanged and message.secret,
            )
            for message in self._request.messages
        }
        self.undelivered = []
        if queued == 0 or all(states.values()):
            self.delivered = True
            return []
        open_keys = [key for key, state in states.items() if state is False or (queued and not state)]
        self.delivered, self.undelivered = False if open_keys else None, open_keys
        if not open_keys:
            self.unseen = (
                "the guest reports, but not of %s" % ", ".join(display(k) for k, s in states.items() if s is None)
                if evidence.report.present
                else "the guest sends no reports, and the manager does not tell what a guest has taken"
            )
        return ["delivery of " + ", ".join(display(key) for key in open_keys)] if open_keys else []

    def _unanswered(self, records):
        """Look for the answers; in words, those that are missing."""
        missing = []
        self.answers, self.missing = {}, []
        for condition in self._request.answers:
            value, why = answer(records, condition, self._since)
            if value is None:
                missing.append("an answer %s (%s)" % (display(condition.key), why))
                self.missing.append(condition.key)
            else:
                self.answers[condition.key] = value
        return missing

    def _with_times(self, records):
        """The records, with times where it matters whether they are new."""
        keys = {condition.key for condition in self._request.answers}
        if self._request.wait:
            keys.update(report.held_key(key) for key in self.sent)
        undated = [record for record in records if record.key in keys and record.time is None]
        if not undated:
            return records
        told = iter(self._carrier.dated(self.vm, undated))
        return [next(told) if record.key in keys and record.time is None else record for record in records]


def deliver(carrier, names: "list[str]", request: Request, told=many.nobody, **timing) -> "list[Delivery]":
    """Deliver a request to virtual machines, each of which succeeds or fails on its own.

    :param carrier: see carrier.
    :param names: names, ids or UUIDs.
    :param told: called with what is going on, in words without any value.
    :param timing: ``clock`` and ``pause``, for tests.
    :returns: one Delivery for each, in the order of the names; the same machine only once.
    :raises Problem: nothing at all can be sent: the messages are refused, or the other side cannot be reached.
    """
    for run, log in plan.runs(request.messages, request.log):
        carrier.check([message.pair for message in run], log)
    told("connecting")
    carrier.connect()
    result = many.select(carrier, names, lambda name, vm, problem: Delivery(name, vm, problem, carrier, request))
    there = [one for one in result if one.problem is None]
    told("%s %s" % ("looking at" if request.dry else "sending to", many.some([one.vm.name for one in there])))
    many.each(Delivery.start, there, request.concurrency)
    waiting = [one for one in result if one.waits]
    many.wait(carrier, waiting, request.timeout, request.interval, request.concurrency, told, **timing)
    return result
