# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Manager's REST interface: addresses, arguments and bodies. What the answers look like is in shapes."""

import asyncio
import json
import re
import time
import urllib.parse

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED, SENT
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import decode_text
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id

from .errors import Refusal

#: Jobs and events in one answer: the newest.
LIST_LIMIT = 1000
#: Bytes of keys and values in one answer, of messages or events: the newest.
BYTES_LIMIT = 16 << 20
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

    def routes(self):
        """What Starlette needs to know."""
        get = [
            ("/Manager", self._managers),
            ("/Manager/id", self._ids(self._managers)),
            ("/Vm", self._vms),
            ("/Vm/id", self._vm_ids),
            ("/Vm/{id}", self._vm),
            ("/Vm/{id}/messages", self._messages),
            ("/VirtualNic", self._nics),
            ("/VirtualNic/id", self._ids(self._nics)),
            ("/VirtualNic/{id}", self._nic),
            ("/Job", self._jobs),
            ("/Job/active", self._active_jobs),
            ("/Job/id", self._ids(self._chosen_jobs)),
            ("/Job/{id}", self._job),
            ("/Job/{id}/transcript", self._transcript),
            ("/Event", self._events),
            ("/Event/id", self._ids(self._events)),
            ("/Event/{id}", self._event),
            ("/" + self._dialect.ca_certificate, self._ca_certificate),
        ]
        put = [("/Vm/{id}/sendMessage", self._send), ("/Job/{id}/abort", self._abort)]
        routes = [(path, self._answering(work), ["GET"]) for path, work in get]
        routes += [(path, self._answering(work), ["PUT"]) for path, work in put]
        return [Route(self._dialect.base_path + path, work, methods=methods) for path, work, methods in routes]

    @staticmethod
    def _answering(work):
        """A handler: what a resource gives, as an answer, to who understands JSON."""

        async def handler(request: Request):
            _accepts_json(request)
            found = await work(request)
            return found if isinstance(found, Response) else JSON(found)

        return handler

    @staticmethod
    def _ids(work):
        async def ids(request):
            return [shape["id"] for shape in await work(request)]

        return ids

    # Manager

    async def _managers(self, request):
        _query(request)
        return [self._shapes.manager("RUNNING" if self._backend.ready() else "STARTING", time.time())]

    async def _ca_certificate(self, request):
        _query(request)
        text = await self._backend.reading(self._certificate.text)
        # A string: in JSON for clients of the interface, bare for people with curl.
        accept = request.headers.get("accept", "")
        return JSON(text) if "application/json" in accept else PlainTextResponse(text)

    # VMs

    async def _vms(self, request):
        _query(request)

        def shapes():
            return [self._shapes.vm(vm, self._reports(vm)) for vm in self._backend.vms()]

        return await self._backend.reading(shapes)

    async def _vm_ids(self, request):
        _query(request)
        return [self._shapes.vm_id(vm) for vm in await self._backend.reading(self._backend.vms)]

    async def _vm(self, request):
        _query(request)
        vm = await self._wanted_vm(request)

        def shape():
            return self._shapes.vm(vm, self._reports(vm), self._backend.waiting(vm))

        return await self._backend.reading(shape)

    async def _wanted_vm(self, request, look=None):
        """The VM that an address names; only ever looked up, so that no address reaches anything else.

        :param look: gives a VM by its id; as it is now, unless told otherwise.
        """
        text = request.path_params["id"]
        identity = canonical_id(text)
        if not re.fullmatch("[0-9a-f]{32}", identity):
            raise Refusal("ID_TYPE", "'%s' is no id of a Vm: use its UUID" % _shown(text))
        vm = await self._backend.reading(look or self._backend.vm, identity)
        if vm is None:
            raise Refusal("NOT_FOUND", "there is no Vm '%s'" % _shown(text))
        return vm

    def _reports(self, vm):
        found = {}
        for key in _REPORTS:
            for message in self._backend.store.messages(vm.id, RECEIVED, key=key, newest=True):
                found[key] = message.value
        return found

    async def _nics(self, request):
        _query(request)

        def shapes():
            return [nic for vm in self._backend.vms() for nic in self._shapes.nics(vm, self._reports(vm))]

        return await self._backend.reading(shapes)

    async def _nic(self, request):
        wanted = request.path_params["id"]
        if not re.fullmatch("[0-9a-f]{32}", wanted):
            raise Refusal("ID_TYPE", "'%s' is no id of a VirtualNic" % _shown(wanted))
        for shape in await self._nics(request):
            if shape["id"]["value"] == wanted:
                return shape
        raise Refusal("NOT_FOUND", "there is no VirtualNic '%s'" % wanted)

    # Messages

    async def _messages(self, request):
        parameter = self._dialect.direction_parameter
        direction = _query(request, parameter).get(parameter, self._dialect.default_direction)
        directions = {self._dialect.received: RECEIVED, self._dialect.sent: SENT}
        if direction not in directions:
            raise Refusal("INVALID_VALUE", "%s is to be %s" % (parameter, " or ".join(directions)))
        vm = await self._wanted_vm(request, self._backend.seen)

        def page(before):
            return self._backend.store.messages(vm.id, directions[direction], limit=_ROWS, before=before)

        def shapes():
            return [self._shapes.message(message) for message in _newest(page, lambda message: message)]

        return await self._backend.reading(shapes)

    async def _send(self, request):
        flag = _query(request, "logFlag").get("logFlag", "No")
        if flag not in ("Yes", "No"):
            raise Refusal("INVALID_VALUE", "logFlag is to be Yes or No, in this spelling")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal("MEDIA_TYPE", "this gateway reads JSON only: send Content-Type: application/json")
        messages = _parse(await self._body(request))
        vm = await self._wanted_vm(request, self._backend.current)
        job = await self._backend.sending(self._backend.send, vm, messages, flag == "Yes", request.scope["user"])
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

    async def _jobs(self, request):
        _query(request)
        return await self._job_shapes()

    async def _active_jobs(self, request):
        _query(request)
        return await self._job_shapes(active=True)

    async def _chosen_jobs(self, request):
        query = _query(request, "startTime", "endTime", "maxJobs")
        number = {name: _number(name, text) for name, text in query.items()}
        since, until = ((number[name] / 1000.0 if name in number else None) for name in ("startTime", "endTime"))
        limit = min(number.get("maxJobs", LIST_LIMIT), LIST_LIMIT)
        return await self._job_shapes(since=since, until=until, limit=limit)

    async def _job_shapes(self, limit=LIST_LIMIT, **which):
        def shapes():
            names = self._names()
            jobs = self._backend.store.jobs(limit=limit, **which)
            return [self._shapes.job(job, names.get(job.vm)) for job in jobs]

        return await self._backend.reading(shapes)

    async def _wanted_job(self, request):
        _query(request)
        identity = request.path_params["id"]
        if not re.fullmatch("[0-9]{1,18}", identity):
            raise Refusal("ID_TYPE", "'%s' is no id of a Job: it is a decimal number" % _shown(identity))
        job = await self._backend.reading(self._backend.store.job, identity)
        if job is None:
            raise Refusal("NOT_FOUND", "there is no Job '%s'" % identity)
        return job

    async def _job(self, request):
        job = await self._wanted_job(request)
        names = await self._backend.reading(self._names)
        return self._shapes.job(job, names.get(job.vm))

    async def _transcript(self, request):
        job = await self._wanted_job(request)
        lines = ["%s %s" % (_when(job.start), job.description)]
        if job.end is not None:
            lines.append("%s %s%s" % (_when(job.end), job.state, ": " + job.error if job.error else ""))
        return "\n".join(lines)

    async def _abort(self, request):
        job = await self._wanted_job(request)
        raise Refusal(
            "INVALID_VALUE",
            "the Job %s cannot be aborted: %s" % (job.id, "it is done" if job.end is not None else "it is almost done"),
        )

    # Events

    async def _events(self, request):
        _query(request)

        def page(before):
            return self._backend.store.events(limit=_ROWS, before=before)

        def shapes():
            names = self._names()
            events = _newest(page, lambda event: event.message, LIST_LIMIT)
            return [self._shapes.event(event, names.get(event.vm)) for event in events]

        return await self._backend.reading(shapes)

    async def _event(self, request):
        _query(request)
        identity = request.path_params["id"]
        if not re.fullmatch("[0-9]{1,18}", identity):
            raise Refusal("ID_TYPE", "'%s' is no id of an Event: it is a decimal number" % _shown(identity))
        event = await self._backend.reading(self._backend.store.event, identity)
        if event is None:
            raise Refusal("NOT_FOUND", "there is no Event '%s'" % identity)
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
            size += len(message.key) + len(message.value) if message else 0
            if size > BYTES_LIMIT or len(result) == count:
                return result[::-1]
            result.append(row)
        rows = page(rows[0].id)
    return result[::-1]


def _accepts_json(request):
    accepted = request.headers.getlist("accept")
    if not accepted:
        return
    kinds = [kind.partition(";")[0].strip().lower() for header in accepted for kind in header.split(",")]
    if not {"application/json", "application/*", "*/*"}.intersection(kinds):
        raise Refusal("NOT_ACCEPTABLE", "this gateway writes JSON only: send Accept: application/json")


def _query(request, *names):
    """A request's arguments.

    :param names: those that it may have, each once.
    :rtype: dict
    """
    found = {}
    text = request.scope["query_string"].decode("ascii", "replace")
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refusal("QUERY_PARAMETER", "there are more arguments than any address has") from None
    for name, value in pairs:
        if name not in names:
            known = "there are: " + ", ".join(names) if names else "there are none"
            raise Refusal("QUERY_PARAMETER", "there is no argument '%s' at this address: %s" % (_shown(name), known))
        if name in found:
            raise Refusal("INVALID_VALUE", "the argument '%s' is given twice" % name)
        found[name] = value
    return found


def _number(name, text):
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Refusal("INVALID_VALUE", "%s is to be a whole number" % name)
    return int(text)


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


def _shown(text):
    return display(text.encode("utf-8", "surrogateescape"))


def _when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
