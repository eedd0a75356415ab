# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every request passes before it reaches a resource: limits, login, log, and errors made readable."""

import asyncio
import base64
import binascii
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

from .certificate import names_in
from .errors import Refusal, place
from .limits import Buckets, Sessions, client_key

#: The cookie's name: browsers send one that starts so to this host alone, and only over TLS.
COOKIE = "__Host-ovm-gateway"
#: Key in a connection's state under which the server leaves a client's certificate.
PEER = "ovm_gateway.peer"

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="ovm-gateway", charset="UTF-8"'}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Bytes of an answer that are sent at once.
_PIECE = 65536
_log = logging.getLogger("ovm_gateway.access")
_errors = logging.getLogger("ovm_gateway")


class Access:
    """An ASGI application around another.

    :param app: it is called for those who are logged in, with ``scope["user"]``.
    :param refuse: makes the answer to a scope that is refused, of it and a Refusal.
    :param Settings settings: the limits.
    :param Users users: who may log in.
    """

    def __init__(self, app, refuse, settings, users):
        self._app, self._refuse, self._users = app, refuse, users
        self._head_bytes = settings.header_bytes
        self._requests = Buckets(settings.requests_per_second, settings.requests_burst)
        self._failures = Buckets(settings.failed_logins_per_minute / 60.0, settings.failed_logins_per_minute)
        self._sessions = Sessions(settings.session_idle_seconds, settings.session_per_user)
        self._proofs = ThreadPoolExecutor(1, "password")  # more would only wait for each other

    async def __call__(self, scope, receive, send):
        started, status = time.monotonic(), 0
        scope["user"] = None
        client = client_key(scope["client"][0]) if scope.get("client") else ""
        cookie = []

        async def sending(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if cookie and status < 400:
                    headers.append(
                        "Set-Cookie", "%s=%s; Path=/; Secure; HttpOnly; SameSite=Strict" % (COOKIE, cookie[0])
                    )
            body = memoryview(message.get("body", b""))
            while len(body) > _PIECE:
                # In pieces, each when there is room: who does not take an answer must not fill the memory.
                await send({"type": "http.response.body", "body": bytes(body[:_PIECE]), "more_body": True})
                body = body[_PIECE:]
            await send(dict(message, body=bytes(body)) if "body" in message else message)

        try:
            try:
                self._count(client, scope)
                scope["user"], fresh = await self._login(scope, client)
                if fresh:
                    cookie.append(fresh)
                await self._app(scope, receive, sending)
            except Exception as problem:
                refusal = as_refusal(problem)
                if status:
                    raise  # too late to say anything
                await self._refuse(scope, refusal)(scope, receive, sending)
        except Exception as problem:
            # The server would log the exception with its text, which may quote a value.
            _errors.error("an answer was cut short: %s", place(problem))
        finally:
            _log.info(
                "%s %s%s %d user=%s client=%s %d ms",
                scope["method"],
                scope["raw_path"].decode("ascii", "replace")[:200],
                _flag(scope["query_string"]),
                status,
                scope["user"] or "-",
                client or "-",
                (time.monotonic() - started) * 1000,
            )

    def close(self):
        self._proofs.shutdown()

    def _count(self, client, scope):
        # What uvicorn limits are heads that come in parts.
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])
        if size > self._head_bytes:
            raise Refusal("HEAD_TOO_LARGE", "address and headers have more than %d bytes" % self._head_bytes)
        wait = self._requests.take(client)
        if wait:
            raise Refusal("TOO_MANY", "too many requests: slow down", {"Retry-After": str(wait)})

    async def _login(self, scope, client):
        """Who this is.

        :returns: the user's name, and the cookie of a new session or None.
        :raises Refusal: nobody we know.
        """
        headers = Headers(scope=scope)
        basic = _basic(headers.get("authorization"))
        session = self._sessions.user(_cookie(headers), self._users.stored)
        if basic is None:
            for name in [session] if session else names_in(scope.get("state", {}).get(PEER) or {}):
                if self._users.stored(name):
                    return name, None
            raise Refusal("LOGIN_MISSING", "not logged in: send user and password with HTTP Basic", _CHALLENGE)
        name, password = basic
        if not self._users.proved(name, password):
            # The token comes back with the right password, so only failures count; taken first, so that
            # many at once do not get past.
            wait = self._failures.take(client)
            if wait:
                raise Refusal("TOO_MANY", "too many failed logins from this address: wait", {"Retry-After": str(wait)})
            prove = asyncio.get_running_loop().run_in_executor(self._proofs, self._users.prove, name, password)
            if not await prove:
                _errors.warning("a login from %s failed", client)
                raise Refusal("LOGIN_INVALID", "user or password is wrong", _CHALLENGE)
            self._failures.give_back(client)
        stored = self._users.stored(name)
        if session == name or not stored:
            return name, None
        return name, self._sessions.open(name, stored)


def as_refusal(problem):
    """Any exception as an answer. The text of one that nobody expected stays out of it, and out of the log."""
    if isinstance(problem, Refusal):
        return problem
    if isinstance(problem, HTTPException):
        if problem.status_code == 405:
            return Refusal("METHOD", "this method is not for this address", problem.headers)
        if problem.status_code == 404:
            return Refusal("NO_HANDLER", "there is nothing at this address: docs/reference/gateway-rest.md has all")
    if isinstance(problem, Problem):
        return Refusal("UNAVAILABLE", str(problem), {"Retry-After": "5"})
    _errors.error("this is a defect of ovm-gateway (%s): please report it", place(problem))
    return Refusal("FAILED", "this is a defect of ovm-gateway; see its log")


def _basic(header):
    """User and password (bytes) of an Authorization header, or None where there is none."""
    scheme, _blank, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return "", b""
    try:
        password.decode("utf-8")
    except UnicodeDecodeError:
        # Some clients send Latin-1; what is stored was made of UTF-8.
        password = password.decode("latin-1").encode("utf-8")
    return name.decode("utf-8", "replace"), password


def _cookie(headers):
    for header in headers.getlist("cookie"):
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            continue
        if found:
            return found.value
    return ""


def _flag(query):
    """The one part of a query that is worth a place in the log, and harmless there."""
    for value in (b"Yes", b"No"):
        if query == b"logFlag=" + value:
            return "?" + query.decode("ascii")
    return "?..." if query else ""
