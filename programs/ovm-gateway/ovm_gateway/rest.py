# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Manager's REST interface: addresses, arguments and bodies. What the answers look like is in shapes."""

import asyncio
import json
import re
import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED, SENT
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import decode_text
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id

from . import openapi
from .errors import Refusal
from .resources import Choice, Identity, Resource, Whole, shown

#: Jobs and events in one answer: the newest.
LIST_LIMIT = 1000
#: Bytes of keys and values in one answer, of messages or events: the newest. Clients read three times as much JSON.
BYTES_LIMIT = 16 << 20
# A byte that JSON has to escape, which takes up to seven; and bytes that a message takes in JSON besides key and value.
_ESCAPED, _COST, _BESIDES = re.compile(rb"[^ !#-\[\]-~]"), 7, 63
# Rows read from the store at once.
_ROWS = 500
_REPORTS = (report.GUEST, report.ADDRESSES)


class JSON(Response):
    """JSON in ASCII, so that lone surrogates survive: they stand for bytes that are no UTF-8."""

    media_type = "application/json"

    def render(self, content):
        return json.dumps(content, separators=(",", ":")).encode("ascii")


class Rest:
    """The interface.

    :param Backend backend: what is behind it.
    :param Shapes shapes: the objects.
    :param Settings settings: the limits of a request's body.
    :param Dialect dialect: what is not certain of the Manager.
    :param Certificate certificate: which the interface gives away.
    """

    def __init__(self, backend, shapes, settings, dialect, certificate):
        self._backend, self._shapes, self._dialect, self._certificate = backend, shapes, dialect, certificate
        self._body_bytes, self._seconds = settings.body_bytes, settings.request_seconds

    def resources(self):
        """All that there is to ask for: routes and the description of the interface are made of it.

        :rtype: list of Resource
        """
        dialect = self._dialect
        direction = Choice(
            dialect.direction_parameter,
            (dialect.received, dialect.sent),
            dialect.default_direction,
            "what the guest has sent, or what was sent to it and logged",
        )
        log = Choice("logFlag", ("Yes", "No"), "No", "whether the manager is to remember the messages")
        times = [
            Whole("startTime", "only jobs that started at that time or later, in milliseconds since 1970"),
            Whole("endTime", "only jobs that started before that time, in milliseconds since 1970"),
            Whole("maxJobs", "only so many, the newest"),
        ]
        vm, nic = Identity("a Vm", "(-*[0-9A-Fa-f]){32}-*", "use its UUID"), Identity("a VirtualNic", "[0-9a-f]{32}")
        job = Identity("a Job", "[0-9]{1,18}", "it is a decimal number")
        event = Identity("an Event", "[0-9]{1,18}", "it is a decimal number")
        sends = ("TOO_LARGE", "TOO_SLOW", "MEDIA_TYPE", "JSON_PARSING", "OUT_OF_RANGE", "INVALID_VALUE")
        ca_certificate = "/" + dialect.ca_certificate
        return [
            Resource("/Manager", self._managers, "The manager: a list of one", ["Manager"]),
            Resource("/Manager/id", self._ids(self._managers), "Its id", ["SimpleId"]),
            Resource("/Vm", self._vms, "All virtual machines", ["Vm"]),
            Resource("/Vm/id", self._vm_ids, "Their ids", ["SimpleId"]),
            Resource("/Vm/{id}", self._vm, "A virtual machine", "Vm", vm),
            Resource("/Vm/{id}/messages", self._messages, "Its messages, oldest first", ["Message"], vm, [direction]),
            Resource("/Vm/{id}/sendMessage", self._send, "Send messages to it", "Job", vm, [log], "Messages", sends),
            Resource("/VirtualNic", self._nics, "Network interfaces that guests have reported", ["VirtualNic"]),
            Resource("/VirtualNic/id", self._ids(self._nics), "Their ids", ["SimpleId"]),
            Resource("/VirtualNic/{id}", self._nic, "A network interface", "VirtualNic", nic),
            Resource("/Job", self._jobs, "Jobs, oldest first", ["Job"]),
            Resource("/Job/active", self._active_jobs, "Jobs that are not done", ["Job"]),
            Resource("/Job/id", self._ids(self._chosen_jobs), "Ids of jobs", ["SimpleId"], None, times),
            Resource("/Job/{id}", self._job, "A job", "Job", job),
            Resource("/Job/{id}/transcript", self._transcript, "Its story", "Text", job),
            Resource("/Job/{id}/abort", self._abort, "Refused: jobs are done at once", None, job, put=True),
            Resource("/Event", self._events, "Events, oldest first", ["Event"]),
            Resource("/Event/id", self._ids(self._events), "Their ids", ["SimpleId"]),
            Resource("/Event/{id}", self._event, "An event", "Event", event),
            Resource(ca_certificate, self._ca_certificate, "The certificate to trust", "Text", plain=True),
            Resource(openapi.PATH, self._description, "This description of the interface", "Description"),
        ]

    def routes(self):
        """What Starlette needs to know."""
        return [
            Route(self._dialect.base_path + resource.path, self._answering(resource), methods=[resource.method])
            for resource in self.resources()
        ]

    @staticmethod
    def _answering(resource):
        """A handler: what a resource gives, as an answer, to who understands JSON."""

        async def handler(request: Request):
            _accepts_json(request)
            found = await resource.work(resource.read(request))
            return found if isinstance(found, Response) else JSON(found)

        return handler

    @staticmethod
    def _ids(work):
        async def ids(asked):
            return [shape["id"] for shape in await work(asked)]

        return ids

    async def _description(self, _asked):
        return openapi.describe(self.resources(), self._dialect.base_path)

    # Manager

    async def _managers(self, asked):
        return [self._shapes.manager("RUNNING" if self._backend.ready() else "STARTING", time.time())]

    async def _ca_certificate(self, asked):
        text = await self._backend.reading(self._certificate.text)
        # A string: in JSON for clients of the interface, bare for people with curl.
        accept = asked.request.headers.get("accept", "")
        return JSON(text) if "application/json" in accept else PlainTextResponse(text)

    # VMs

    async def _vms(self, asked):
        def shapes():
            return [self._shapes.vm(vm, self._reports(vm)) for vm in self._backend.vms()]

        return await self._backend.reading(shapes)

    async def _vm_ids(self, asked):
        return [self._shapes.vm_id(vm) for vm in await self._backend.reading(self._backend.vms)]

    async def _vm(self, asked):
        vm = await self._wanted_vm(asked)

        def shape():
            return self._shapes.vm(vm, self._reports(vm), self._backend.waiting(vm))

        return await self._backend.reading(shape)

    async def _wanted_vm(self, asked, look=None):
        """The VM that an address names; only ever looked up, so that no address reaches anything else.

        :param look: gives a VM by its id; as it is now, unless told otherwise.
        """
        vm = await self._backend.reading(look or self._backend.vm, canonical_id(asked.id))
        if vm is None:
            raise Refusal("NOT_FOUND", "there is no Vm '%s'" % shown(asked.id))
        return vm

    def _reports(self, vm):
        found = {}
        for key in _REPORTS:
            for message in self._backend.store.messages(vm.id, RECEIVED, key=key, newest=True):
                found[key] = message.value
        return found

    async def _nics(self, asked):
        def shapes():
            return [nic for vm in self._backend.vms() for nic in self._shapes.nics(vm, self._reports(vm))]

        return await self._backend.reading(shapes)

    async def _nic(self, asked):
        for shape in await self._nics(asked):
            if shape["id"]["value"] == asked.id:
                return shape
        raise Refusal("NOT_FOUND", "there is no VirtualNic '%s'" % asked.id)

    # Messages

    async def _messages(self, asked):
        wanted = asked.query[self._dialect.direction_parameter]
        direction = {self._dialect.received: RECEIVED, self._dialect.sent: SENT}[wanted]
        vm = await self._wanted_vm(asked, self._backend.seen)

        def page(before):
            return self._backend.store.messages(vm.id, direction, limit=_ROWS, before=before)

        def shapes():
            return [self._shapes.message(message) for message in _newest(page, lambda message: message)]

        return await self._backend.reading(shapes)

    async def _send(self, asked):
        request, log = asked.request, asked.query["logFlag"] == "Yes"
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal("MEDIA_TYPE", "this gateway reads JSON only: send Content-Type: application/json")
        messages = _parse(await self._body(request))
        vm = await self._wanted_vm(asked, self._backend.current)
        job = await self._backend.sending(self._backend.send, vm, messages, log, request.scope["user"])
        return self._shapes.job(job, vm.name)

    async def _body(self, request):
        """A request's body, which has to come in time and to be no bigger than allowed."""
        too_large = Refusal(
            "TOO_LARGE", "the body is larger than %d bytes: send fewer messages at once" % self._body_bytes
        )
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._body_bytes:
            raise too_large
        body = bytearray()

        async def read():
            more = True
            while more:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Refusal("TOO_SLOW", "the connection ended within the body")
                body.extend(message.get("body", b""))
                if len(body) > self._body_bytes:
                    raise too_large
                more = message.get("more_body", False)

        try:
            await asyncio.wait_for(read(), self._seconds)
        except asyncio.TimeoutError:
            raise Refusal(
                "TOO_SLOW", "the body did not come within %d s" % self._seconds, {"Connection": "close"}
            ) from None
        return bytes(body)

    # Jobs

    async def _jobs(self, asked):
        return await self._job_shapes()

    async def _active_jobs(self, asked):
        return await self._job_shapes(active=True)

    async def _chosen_jobs(self, asked):
        number = asked.query
        since, until = ((number[name] / 1000.0 if name in number else None) for name in ("startTime", "endTime"))
        limit = min(number.get("maxJobs", LIST_LIMIT), LIST_LIMIT)
        return await self._job_shapes(since=since, until=until, limit=limit)

    async def _job_shapes(self, limit=LIST_LIMIT, **which):
        def shapes():
            names = self._names()
            jobs = self._backend.store.jobs(limit=limit, **which)
            return [self._shapes.job(job, names.get(job.vm)) for job in jobs]

        return await self._backend.reading(shapes)

    async def _wanted_job(self, asked):
        job = await self._backend.reading(self._backend.store.job, asked.id)
        if job is None:
            raise Refusal("NOT_FOUND", "there is no Job '%s'" % asked.id)
        return job

    async def _job(self, asked):
        job = await self._wanted_job(asked)
        names = await self._backend.reading(self._names)
        return self._shapes.job(job, names.get(job.vm))

    async def _transcript(self, asked):
        job = await self._wanted_job(asked)
        lines = ["%s %s" % (_when(job.start), job.description)]
        if job.end is not None:
            lines.append("%s %s%s" % (_when(job.end), job.state, ": " + job.error if job.error else ""))
        return "\n".join(lines)

    async def _abort(self, asked):
        job = await self._wanted_job(asked)
        raise Refusal(
            "INVALID_VALUE",
            "the Job %s cannot be aborted: %s" % (job.id, "it is done" if job.end is not None else "it is almost done"),
        )

    # Events

    async def _events(self, asked):
        def page(before):
            return self._backend.store.events(limit=_ROWS, before=before)

        def shapes():
            names = self._names()
            events = _newest(page, lambda event: event.message, LIST_LIMIT)
            return [self._shapes.event(event, names.get(event.vm)) for event in events]

        return await self._backend.reading(shapes)

    async def _event(self, asked):
        event = await self._backend.reading(self._backend.store.event, asked.id)
        if event is None:
            raise Refusal("NOT_FOUND", "there is no Event '%s'" % asked.id)
        names = await self._backend.reading(self._names)
        return self._shapes.event(event, names.get(event.vm))

    def _names(self):
        return {vm.id: vm.name for vm in self._backend.store.vms()}


def _newest(page, message_of, count=None):
    """The newest rows of the store that one answer may hold, oldest first.

    :param page: gives rows older than an id, oldest first; called with None for the newest.
    :param message_of: gives a row's message, whose bytes count, or None.
    """
    result, size, rows = [], 0, page(None)
    while rows:
        for row in reversed(rows):
            message = message_of(row)
            size += _weight(message.key) + _weight(message.value) + _BESIDES // 3 if message else 0
            if size > BYTES_LIMIT or len(result) == count:
                return result[::-1]
            result.append(row)
        rows = page(rows[0].id)
    return result[::-1]


def _weight(raw):
    """What bytes count for in an answer: a guest that sends what grows in JSON must not make it longer than others."""
    return len(raw) * _COST // 3 if _ESCAPED.search(raw) else len(raw)


def _accepts_json(request):
    accepted = request.headers.getlist("accept")
    if not accepted:
        return
    kinds = [kind.partition(";")[0].strip().lower() for header in accepted for kind in header.split(",")]
    if not {"application/json", "application/*", "*/*"}.intersection(kinds):
        raise Refusal("NOT_ACCEPTABLE", "this gateway writes JSON only: send Accept: application/json")


def _parse(body):
    """The messages in a body: pairs of bytes.

    :raises Refusal: it is none of what it has to be; which says what, and never quotes it.
    """
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal("JSON_PARSING", "An error occurred parsing the JSON request") from None
    if not isinstance(found, list) or not all(
        isinstance(message, dict)
        and set(message) == {"key", "value"}
        and all(isinstance(part, str) for part in message.values())
        for message in found
    ):
        raise Refusal("INVALID_VALUE", 'the body is to be an array of messages, each {"key": "TEXT", "value": "TEXT"}')
    if not found:
        raise Refusal("INVALID_VALUE", "there is no message in the body")
    return [(decode_text(message["key"]), decode_text(message["value"])) for message in found]


def _when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
