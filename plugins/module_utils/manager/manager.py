# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A manager as a carrier of messages: the vendor's Oracle VM Manager, or ovm-gateway.

Answers are decoded leniently: versions differ in types, nulls and what is there at all.
"""

import html
import ipaddress
import json
import re
import threading
import time
from collections import Counter
from urllib.parse import quote

from ..problem import Problem
from ..secret_names import secret_by_name
from ..vms import (
    LOGGED_VALUE_LIMIT,
    RUNNING,
    Event,
    Record,
    Vm,
    VmNotFound,
    canonical_id,
    require_running,
    root_password_last,
)
from .connection import Connection
from .dialect import (
    KEY_LIMIT,
    VALUE_LIMIT,
    Dialect,
    decode_text,
    description_tells,
    encode_text,
)
from .errors import (
    BadAnswer,
    InvalidMessage,
    JobFailed,
    ManagerError,
    NotReady,
    OutcomeUnknown,
    Refused,
    Unreachable,
    printable,
)
from .jobs import identity_of, value_of, wait_for_job
from .pauses import growing, spread
from .session import Session

# Seconds between two looks whether the manager runs, and between two tries to send to
# what another job holds: the first time, the factor, at most.
_STARTING, _BUSY = (0.5, 1.5, 10.0), (0.2, 1.7, 5.0)
# Seconds that another job may hold a virtual machine.
_PATIENCE = 60.0
# Seconds after which older messages are left without their times: each is looked for among all events.
_DATING = 10.0
# Errors after which nothing was done, and which pass.
_BUSY_KINDS = ("LOCK", "OBJECT_OUT_OF_DATE", "OBJECT_DIRTY")
_BUSY_CODES = ("GEN_000029", "GEN_000011")
# Error codes: no such object, not in the database, no virtual machine; no such message.
_NO_VM = ("GEN_000002", "GEN_000019", "VM_000000")
_NO_MESSAGE = "VM_000005"
# This manager knows no such kind of objects.
_NO_KIND = "GEN_000003"
_SEE_FIRST = "look in the guest, or in the manager's log of jobs, before it is sent again"


class Manager:
    """A carrier of messages over REST; see delivery.carrier.

    :param Connection connection: where the manager is, and who logs in.
    :param dialect: how it speaks, if not as usual.
    :param float ready_timeout: seconds that it may take to start.
    :param float job_timeout: seconds that the job of one send may take.
    :param sleep: waits some seconds.
    :param clock: seconds, from anywhere.
    :raises MissingLibrary: there is no requests.
    :ivar Session session: its ``requests`` counts them.
    """

    name = "rest"

    def __init__(
        self,
        connection: Connection,
        dialect: "Dialect | None" = None,
        ready_timeout: float = 300.0,
        job_timeout: float = 300.0,
        sleep=time.sleep,
        clock=time.monotonic,
    ) -> None:
        self.dialect = dialect or Dialect()
        self.session = Session(connection, self.dialect, sleep, clock)
        self._address = connection.address
        self._ready_timeout, self._job_timeout = ready_timeout, job_timeout
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        self._vms = None  # type: list[Vm] | None
        # The manager's time, and ours just before and after it was asked for.
        self._told = None  # type: tuple[float, float, float] | None
        # By Vm.id: how often each message was in the log of sent ones when it was last read.
        self._logged = {}  # type: dict[str, Counter]

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.session.close()

    def connect(self) -> None:
        """Log in, and wait until the manager runs: before that it starts no jobs.

        :raises NotReady: it has not started in time, naming what it was in last.
        :raises ManagerError: it is not one that starts: not reachable, say, or not a manager.
        """
        deadline = self._clock() + self._ready_timeout
        pauses = growing(*_STARTING)
        state = ""
        while True:
            try:
                state = self._ask_manager(deadline)
                if state == RUNNING:
                    return
            except NotReady as problem:
                state = problem.state
            except (BadAnswer, Refused, Unreachable):
                # A server that starts may close its port once more, or show pages meanwhile.
                if not state:
                    raise
            left = deadline - self._clock()
            if left <= 0:
                raise NotReady(
                    "the manager at %s does not run, its state was %s" % (self._address, printable(state)),
                    "see why it does not start, or allow more than %g seconds" % self._ready_timeout,
                    state,
                )
            self._sleep(min(next(pauses), left))

    def vms(self) -> "list[Vm]":
        """All virtual machines and templates; asked for once."""
        with self._lock:
            if self._vms is None:
                decoded = [_vm(found) for found in self._list("Vm")]
                self._vms = [vm for vm in decoded if vm]
            return list(self._vms)

    def current(self, vm: Vm) -> Vm:
        """The same as it is now.

        :raises VmNotFound: it is gone.
        """
        found = _vm(self._about(vm))
        if found is None:
            text = "what the manager at %s tells of '%s' is no virtual machine"
            raise BadAnswer(text % (self._address, printable(vm.name)))
        return found

    def interfaces(self) -> "dict[str, list[dict]]":
        """The network interfaces of all virtual machines, with the addresses that the manager has learnt of.

        :returns: by Vm.id, dicts of ``name``, ``mac`` and ``addresses`` (``IP/PREFIX``), as in report.addresses.
        """
        try:
            found = self._list("VirtualNic")
        except Refused as problem:
            if problem.code != _NO_KIND:
                raise
            found = []
        result = {}  # type: dict[str, list[dict]]
        for nic in found:
            owner = canonical_id(value_of(nic.get("vmId"))) if isinstance(nic, dict) else ""
            if owner:
                result.setdefault(owner, []).append(_interface(nic))
        return result

    def check(self, messages, log: bool = False) -> "list[tuple[bytes, bytes]]":
        """The messages, if the manager takes them all.

        :param messages: pairs of bytes, key and value.
        :param bool log: the manager shall log them; no secrets then.
        :raises InvalidMessage: saying of which key, and why.
        """
        messages = list(messages)
        limit = LOGGED_VALUE_LIMIT if log else VALUE_LIMIT
        for key, value in messages:
            name = printable(key, 64)
            if not key:
                raise InvalidMessage("a key is empty", "give every message a key")
            if b"\0" in key or b"\0" in value:
                raise InvalidMessage("the message '%s' has a NUL byte" % name, "every other byte can be sent")
            if len(key) > KEY_LIMIT:
                raise InvalidMessage(
                    "the key '%s' has %d bytes, the limit is %d" % (name, len(key), KEY_LIMIT), "use a shorter key"
                )
            if len(value) > limit:
                raise InvalidMessage(
                    "the value of '%s' has %d bytes, the limit is %d" % (name, len(value), limit),
                    "send it without having it logged" if len(value) <= VALUE_LIMIT else "split it over several keys",
                )
            if log and secret_by_name(key):
                raise InvalidMessage("'%s' is a secret, and would be logged" % name, "send it without having it logged")
        return messages

    def send(self, vm: Vm, messages, log: bool = False) -> None:
        """Send to one virtual machine, all in one request, in this order; the root password always last.

        Whether it runs is judged by ``vm`` as it was given, which costs no request; where
        the manager then refuses, its state is asked for.

        :raises VmNotRunning, InvalidMessage: nothing was sent.
        :raises Refused, JobFailed: with the manager's own reason, without values in it.
        :raises OutcomeUnknown: they may or may not have been sent, so they were not sent again.
        """
        require_running(vm)
        messages = root_password_last(self.check(messages, log))
        patience = self._clock() + min(_PATIENCE, self._job_timeout)
        pauses = growing(*_BUSY)
        logged = self._logged.pop(vm.id, None)
        while True:
            since = self._latest()
            try:
                self._send(vm, messages, log)
                return
            except OutcomeUnknown:
                if log and self._arrived(vm, messages, since, logged):
                    return
                raise
            except (JobFailed, Refused) as problem:
                if not _busy(problem) or self._clock() >= patience:
                    self._require_still_running(vm)
                    raise
            logged = None  # who knows what a job that failed leaves in the log
            self._sleep(spread(next(pauses)))

    def received(self, vm: Vm) -> "list[Record]":
        """What the guest has sent, oldest first."""
        return self._messages(vm, self.dialect.received)

    def sent(self, vm: Vm) -> "list[Record]":
        """What was sent to it and logged, oldest first."""
        records = self._messages(vm, self.dialect.sent)
        self._logged[vm.id] = Counter((record.key, record.value) for record in records)
        return records

    def dated(self, vm: Vm, records: "list[Record]") -> "list[Record]":
        """The same records of received messages, with the times of their events where they had none."""
        if all(record.time is not None for record in records):
            return records
        events = [event for event in self.events(vm) if self.dialect.incoming(event) and event.time is not None]
        result = []
        until = self._clock() + _DATING
        for record in reversed(records):
            if record.time is None and self._clock() < until:
                # The newest; an older record of the same message has an older event.
                tells = (e for e in reversed(events) if description_tells(e.description, record.key, record.value))
                event = next(tells, None)
                if event is not None:
                    record = record._replace(time=event.time)
                    events.remove(event)
            result.append(record)
        return result[::-1]

    def events(self, vm: "Vm | None" = None) -> "list[Event]":
        """What has happened, to one virtual machine or at all, oldest first."""
        events = [_event(found) for found in self._list("Event") if isinstance(found, dict)]
        events.sort(key=lambda event: event.time or 0.0)
        return [event for event in events if vm is None or event.vm == vm.id]

    def waiting(self, vm: Vm) -> "int | None":
        """How many sent messages the guest has not taken yet. The vendor's Manager does not tell; ovm-gateway does."""
        count = self._about(vm).get("messagesWaiting")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def now(self) -> float:
        """The manager's clock, in seconds since 1970; ours where it does not tell."""
        if self._told is None:
            self._ask_manager()
        if self._told is None:
            return time.time()
        told, _before, after = self._told
        return told + self._clock() - after

    def _latest(self):
        """What the manager's clock shows at most, or None."""
        if self._told is None:
            return None
        told, before, _after = self._told
        return told + self._clock() - before

    def _ask_manager(self, deadline=None):
        """The manager's state, and with it its clock."""
        before = self._clock()
        found = self._list("Manager", deadline)
        manager = found[0] if found and isinstance(found[0], dict) else {}
        told = _seconds(manager.get("managerTime"))
        if told is not None:
            self._told = told, before, self._clock()
        return _text(manager.get("managerRunState")) or "unknown"

    def _list(self, path, deadline=None, **query):
        """The list at a path; null counts as an empty one."""
        answer = self.session.get(path, deadline, **query)
        if answer is not None and not isinstance(answer, list):
            raise BadAnswer(
                "the manager at %s answers GET %s with what is no list" % (self._address, path),
                "check that a manager listens there",
            )
        return answer or []

    def _about(self, vm):
        """All that the manager tells of a virtual machine."""
        try:
            answer = self.session.get(_path(vm))
        except Refused as problem:
            _raise_not_found(vm, problem)
            raise
        if not isinstance(answer, dict):
            text = "the manager at %s describes '%s' with what is no object"
            raise BadAnswer(text % (self._address, printable(vm.name)))
        return answer

    def _messages(self, vm, direction):
        try:
            found = self._list(_path(vm) + "/messages", **{self.dialect.direction_parameter: direction})
        except Refused as problem:
            _raise_not_found(vm, problem)
            if problem.code == _NO_MESSAGE:
                return []
            raise
        return [_record(message) for message in found if isinstance(message, dict) and _text(message.get("key"))]

    def _send(self, vm, messages, log):
        """Send once, and wait for the job.

        Whatever goes wrong, none of the values is in the error: a manager may quote what it does not like.
        """
        body = [{"key": encode_text(key), "value": encode_text(value)} for key, value in messages]
        deadline = self._clock() + self._job_timeout
        try:
            job = self.session.put(_path(vm) + "/sendMessage", body, logFlag="Yes" if log else "No")
            wait_for_job(self.session, job, deadline)
        except ManagerError as problem:
            text = problem.text.replace(problem.said, _masked(problem.said, messages)) if problem.said else problem.text
            text = "sending to '%s': %s" % (printable(vm.name), text)
            if isinstance(problem, OutcomeUnknown):
                text = "it is not known whether this was sent: " + text
                problem.remedy = _SEE_FIRST
            problem.text, problem.args, problem.said = text, (text,), ""
            if isinstance(problem, Refused):
                _raise_not_found(vm, problem)
            raise

    def _arrived(self, vm, messages, since, logged):
        """Whether the log of sent messages proves that these are sent.

        It does with entries younger than the request, or with more entries than were there
        when it was last read.

        :param since: the manager's time when sending began, or None.
        :param logged: what was there before, or None.
        """
        try:
            records = self.sent(vm)
        except Problem:
            return False
        finally:
            self._logged.pop(vm.id, None)  # the job may still be at work
        young, before, wanted = Counter(), Counter(), Counter(messages)  # type: Counter, Counter, Counter
        for record in records:
            before[record[:2]] += 1
            if since is not None and record.time is not None and record.time > since:
                young[record[:2]] += 1
        return all(young[pair] >= count for pair, count in wanted.items()) or (
            logged is not None and all(before[pair] >= logged[pair] + count for pair, count in wanted.items())
        )

    def _require_still_running(self, vm):
        """Say so where a refusal has its reason in the state of the virtual machine."""
        try:
            now = self.current(vm)
        except ManagerError:
            return
        require_running(now)


def _path(vm):
    return "Vm/" + quote(vm.id, safe="", errors="surrogatepass")


def _raise_not_found(vm, problem):
    if problem.code in _NO_VM:
        raise VmNotFound(
            "the manager knows no virtual machine '%s' (%s)" % (printable(vm.name), vm.id), "it may have been deleted"
        ) from None


def _busy(problem):
    """Whether nothing was done because others were at it."""
    if isinstance(problem, Refused):
        return problem.code in _BUSY_CODES
    return problem.whole and (problem.kind in _BUSY_KINDS or any(code in problem.text for code in _BUSY_CODES))


def _masked(text, messages):
    """A manager's words, up to where they quote a value."""
    for _key, value in messages:
        plain = encode_text(value)
        for form in (plain, json.dumps(plain)[1:-1], html.escape(plain)):
            start = printable(form, 10**6)[:12]
            # A quotation may be cut short; a short value is part of many words.
            pattern = re.escape(start) if len(start) > 5 else r"(?<!\w)%s(?!\w)" % re.escape(start)
            found = re.search(pattern, text) if start else None
            if found:
                text = text[: found.start()] + "********"
    return text


def _text(value):
    return value if isinstance(value, str) else ""


def _seconds(value):
    """Seconds since 1970 of milliseconds, or None where it is no time."""
    try:
        seconds = float(value) / 1000
    except (OverflowError, TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 1e12 else None


def _vm(found):
    """A Vm, or None of what is none."""
    identity = canonical_id(identity_of(found))
    if not identity:
        return None
    named = found["id"] if isinstance(found["id"], dict) else {}
    return Vm(
        identity, _text(found.get("name")) or _text(named.get("name")), _text(found.get("vmRunState")) or "UNKNOWN"
    )


def _interface(found):
    """A network interface; what makes no sense is left out of it."""
    given = found.get("ipAddresses")
    named = found["id"] if isinstance(found.get("id"), dict) else {}
    return {
        "name": _text(found.get("name")) or _text(named.get("name")),
        "mac": _text(found.get("macAddress")).lower(),
        "addresses": [address for address in map(_address, given if isinstance(given, list) else ()) if address],
    }


def _address(found):
    """``IP/PREFIX``, or the address alone where its network cannot be told, or None where there is none."""
    if not isinstance(found, dict):
        return None
    address = _text(found.get("address"))
    try:
        return str(ipaddress.ip_interface("%s/%s" % (address, found.get("netmask"))))
    except ValueError:
        pass
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def _record(found):
    value = found.get("value")
    value = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    time_ = _seconds(found.get("time"))
    if time_ is None:
        time_ = _seconds(found.get("createTime"))
    return Record(decode_text(found["key"]), decode_text(value), time_)


def _event(found):
    about = found.get("associatedObjectId")
    kind = _text(about.get("type")) if isinstance(about, dict) else ""
    return Event(
        identity_of(found),
        canonical_id(value_of(about)) if not kind or kind.endswith(".Vm") else "",
        _seconds(found.get("createTime")),
        _text(found.get("eventSeverity")) or "UNKNOWN",
        _text(found.get("eventType")),
        _text(found.get("summary")),
        _text(found.get("description")),
    )
