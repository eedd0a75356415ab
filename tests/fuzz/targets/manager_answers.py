# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""REST answers of a hostile manager, from HTTP's head to the JSON in the body."""

import json

from ansible_collections.ovm.messaging.plugins.module_utils import values
from ansible_collections.ovm.messaging.plugins.module_utils.inventory import census
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Event, Record, Vm
from fuzz.checks import no_secret, visible, writable
from fuzz.draw import Draw

NAMES = (
    "id", "value", "name", "type", "vmRunState", "managerRunState", "managerTime", "summaryDone", "done", "error",
    "message", "errorCode", "wsErrorCode", "jobSummaryState", "jobRunState", "childJobIds", "key", "time", "createTime",
    "vmId", "macAddress", "ipAddresses", "address", "netmask", "associatedObjectId", "eventType", "eventSeverity",
    "summary", "description", "messagesWaiting", "uri",
)  # fmt: skip
SECRET = "hunter2-is-the-password"
WORDS = (
    "0004fb00000600006f8e65a5d245ea0c", "RUNNING", "STOPPED", "SUCCESS", "FAILURE", "true", "LOCK", "GEN_000029",
    "GEN_000025", "AUTH_000000", "AUTH_000006", "VM_000005", "GEN_000003", "VM_000000", "web1", "192.0.2.1",
    "255.255.255.0", "VM_API_INCOMING_MESSAGE", "com.oracle.ovm.mgr.ws.model.Vm", "said " + SECRET, SECRET, "7",
)  # fmt: skip
TOKENS = [json.dumps(name).encode() + b":" for name in NAMES] + [json.dumps(word).encode() for word in WORDS]
SEEDS = [
    b"",
    bytes(range(256)),
    b"\x03" * 200,
    b"\x00\x05\x01\x02" * 60,
    bytes([1, 12, 96, 3, 0, 7, 2, 200]) * 30,
]
# The body of an answer from a manager that is well, for what the input does not decide.
_VM = {"id": {"value": WORDS[0], "name": "web1"}, "name": "web1", "vmRunState": "RUNNING"}
_JOB = {"id": {"value": "7"}, "summaryDone": True, "jobSummaryState": "SUCCESS", "error": None}
_CONNECTION = Connection("manager.example.com", username="admin", password=SECRET)
_STATUS = (200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503)
#: Requests and seconds that one call may take of a manager that says what it likes.
_REQUESTS, _SECONDS = 3000, 3600.0


class _Request:
    def __init__(self, cookie):
        self.headers = {"Cookie": "x"} if cookie else {}


class _Answer:
    """What requests gives."""

    def __init__(self, status, content, headers, cookie):
        self.status_code, self._said, self.headers = status, content, headers
        self.request, self.raw = _Request(cookie), self

    @property
    def content(self):
        return self._content

    def stream(self, size, decode_content):
        if decode_content:
            raise AssertionError("somebody decompresses what may be endless")
        for at in range(0, len(self._said), size):
            yield self._said[at : at + size]

    def close(self):
        pass


class _Http:
    """Stands where requests.Session does: TLS and sockets are for tests with a real one."""

    def __init__(self, draw):
        self._draw, self.count = draw, 0

    def request(self, method, url, data=None, **_how):
        self.count += 1
        if self.count > _REQUESTS:
            raise AssertionError("%d requests for one call" % self.count)
        draw = self._draw
        if data is not None and draw.flag():
            data.read()
        if not draw:
            return _Answer(200, json.dumps(self._usual(method, url)).encode(), {}, True)
        kind = draw.below(12)
        if kind == 0:
            raise ConnectionResetError(104, "Connection reset by peer")
        if kind == 1:
            raise TimeoutError("timed out")
        body = json.dumps(self._usual(method, url)).encode() if kind < 5 else draw.json(NAMES, WORDS)
        headers = {}
        if draw.below(8) == 0:
            headers["Retry-After"] = draw.text(8, ("1", "3600", "9" * 400, "\u0663"))
        if draw.below(8) == 0:
            headers["Location"] = draw.text(20)
        return _Answer(draw.one_of(_STATUS), body, headers, draw.flag())

    @staticmethod
    def _usual(method, url):
        if method == "PUT" or "/Job/" in url:
            return _JOB
        if url.endswith("/Manager"):
            return [{"managerRunState": "RUNNING", "managerTime": 1767225600000}]
        return [_VM] if url.endswith("/Vm") else _VM if "/Vm/" in url and not url.endswith("/messages") else []

    def close(self):
        pass


class _Time:
    now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        if not 0 <= seconds <= 60:
            raise AssertionError("a pause of %r seconds" % seconds)
        self.now += seconds


def run(data):
    draw, time = Draw(data), _Time()
    manager = Manager(_CONNECTION, sleep=time.sleep, clock=time.clock)
    http = manager.session._http = _Http(draw)
    chosen = [Vm(WORDS[0], "web1", RUNNING)]

    def send():
        messages = [(b"a", SECRET.encode()), (b"com.oracle.linux.root-password", SECRET.encode())]
        # The Manager is asked by the id that it has given.
        manager.send(chosen[0], messages[: 1 + draw.below(2)], log=False)

    def vms():
        found = manager.vms()
        chosen[:] = found[:1] or chosen
        return found

    calls = (
        manager.connect, vms, lambda: manager.current(chosen[0]), manager.interfaces, send,
        lambda: manager.received(chosen[0]), lambda: manager.sent(chosen[0]), manager.events,
        lambda: manager.dated(chosen[0], manager.received(chosen[0])), lambda: manager.waiting(chosen[0]), manager.now,
        lambda: _census(manager),
    )  # fmt: skip
    for _number in draw.some(6):
        call = draw.one_of(calls)
        http.count, began = 0, time.now
        try:
            with no_secret(SECRET):
                _check(call())
        except OutcomeUnknown as problem:
            if call is not send:
                raise AssertionError("nothing was to be done, and nobody knows whether it was") from problem
            _readable(problem)
        except Problem as problem:
            _readable(problem)
        if time.now - began > _SECONDS:
            raise AssertionError("%d seconds for one call" % (time.now - began))


def _readable(problem):
    text = values.clean(problem)
    visible(text)
    if not text or len(text) > 5000:
        raise AssertionError("an error of %d characters" % len(text))


def _check(found):
    """See that what came is of the types that it should have."""
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Vm):
            kinds = (str, str, str)
        elif isinstance(each, Record):
            kinds = (bytes, bytes, (float, type(None)))
        elif isinstance(each, Event):
            kinds = (str, str, (float, type(None)), str, str, str, str)
        else:
            continue
        if not all(isinstance(part, kind) for part, kind in zip(each, kinds)):
            raise AssertionError("%s has parts of other types than it should" % type(each).__name__)


def _census(manager):
    writable(census.take(manager, census.Query(states=["all"], messages=census.BOTH, concurrency=1)))
