# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Requests and answers: one login, connections used again, faults survived. Knows nothing of messages.

Every request has time limits. A GET is repeated when anything goes wrong on the way, a PUT
only when it is certain that the manager never had it. No body of a request, nor of an
answer that may hold messages, ever gets into an error.
"""

import base64
import contextlib
import errno
import io
import json
import os
import re
import socket
import ssl
import threading
import time

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPSConnectionPool
    from urllib3.exceptions import HTTPError
except ImportError:
    requests = None  # type: ignore[assignment]
    HTTPAdapter = HTTPSConnectionPool = object  # type: ignore[assignment,misc]
    HTTPError = OSError  # type: ignore[assignment,misc]

from .connection import Connection
from .dialect import Dialect
from .errors import (
    BadAnswer,
    Forbidden,
    LoginFailed,
    MissingLibrary,
    NotReady,
    OutcomeUnknown,
    Refused,
    Unreachable,
    UntrustedCertificate,
    printable,
)
from .pauses import growing, spread

# Seconds before a request is repeated: the first time, the factor, at most.
_PAUSES = 0.5, 2.0, 8.0
# Seconds that a server may ask us to stay away.
_LONGEST_PAUSE = 30.0
# Nothing compressed, of which a few bytes may become as much as there is memory.
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "Accept-Encoding": "identity"}
# Bytes of the longest answer, and of a piece of it.
_LONGEST, _PIECE = 64 << 20, 1 << 16
# Error codes: not logged in, nobody named, a wrong password; not allowed; too many sessions or connections.
_NOT_LOGGED_IN = ("AUTH_000000", "AUTH_000003", "AUTH_000005")
_FORBIDDEN = "AUTH_000006"
_TOO_MANY = ("GEN_000025", "GEN_000026", "GEN_000027")
# Why OpenSSL gives up: for the client certificate, or because the other side speaks no TLS, or none that is allowed.
_NO_CLIENT = re.compile("ALERT.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)")
_NO_TLS = re.compile(
    "WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE"
)
# How OpenSSL tells of an end without a goodbye: in words that say nothing to anybody else.
_ENDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# Paths whose answers hold the values of messages.
_CONFIDENTIAL = re.compile(r"Event\b|Job\b|.*/messages\Z")


class Session:
    """One login at one manager. Usable from several threads.

    :param Connection connection: where, and who.
    :param Dialect dialect: the base path, and when to send the password.
    :param sleep: waits some seconds.
    :param clock: seconds, from anywhere.
    :raises MissingLibrary: there is no requests.
    :ivar int requests: how many were made, repetitions included.
    """

    def __init__(self, connection: Connection, dialect: Dialect, sleep=time.sleep, clock=time.monotonic) -> None:
        if requests is None:
            raise MissingLibrary("the Python library requests is not installed", "install requests 2.20 or newer")
        self.connection, self.dialect = connection, dialect
        self.requests = 0
        self.sleep, self.clock = sleep, clock
        self._lock = threading.Lock()
        self._login = threading.Lock()
        self._logins = 0
        self._basic = ""
        if connection.username:
            pair = "%s:%s" % (connection.username, connection.password)
            self._basic = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
        # A bundle named in the environment counts unless one is given here.
        self._verify = (connection.ca_path or True) if connection.validate_certs else False
        cert, key = connection.client_cert, connection.client_key
        self._certificate = (cert, key) if cert and key else cert
        self._mine = threading.local()  # of each thread: who watches its answer
        self._http = requests.Session()
        self._http.mount("https://", _Adapter(connection, self._watch))

    def get(self, path: str, deadline: "float | None" = None, **query: str):
        """What there is at a path below the base path, decoded from JSON.

        :param deadline: do not repeat the request after that, by the session's clock.
        :raises ManagerError: of all kinds but OutcomeUnknown.
        """
        return self._request("GET", path, query, None, deadline)

    def put(self, path: str, body, **query: str):
        """The answer to a change, decoded from JSON.

        :param body: what to send, as JSON.
        :raises OutcomeUnknown: the manager may or may not have had the request.
        :raises ManagerError: of any other kind, when nothing was done.
        """
        return self._request("PUT", path, query, json.dumps(body).encode("ascii"), None)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _request(self, method, path, query, body, deadline):
        """One request, repeated as far as that is safe."""
        pauses = growing(*_PAUSES)
        left = self.connection.retries
        while True:
            try:
                return self._decoded(self._logged_in(method, path, query, body), method, path)
            except _Again as again:
                problem, pause = again.problem, again.pause or spread(next(pauses))
            rest = pause if deadline is None else deadline - self.clock()
            if not left or rest <= 0:
                raise problem
            left -= 1
            self.sleep(min(pause, rest))

    def _logged_in(self, method, path, query, body):
        """One answer; where the session is gone, that after one new login."""
        logins = self._logins
        answer = self._exchange(method, path, query, body)
        if not _wants_login(answer):
            return answer
        if "Cookie" not in answer.request.headers:
            raise self._login_failed(answer, "does not let %s in")
        with self._login:
            # Of several threads that find the session gone, the first logs in.
            first = logins == self._logins
            if first:
                answer = self._exchange(method, path, query, body, login=True)
                if not _wants_login(answer):
                    self._logins += 1
        if not first:
            answer = self._exchange(method, path, query, body)
        if _wants_login(answer):
            raise self._login_failed(answer, "has ended the session, and does not let %s in again")
        return answer

    def _exchange(self, method, path, query, body, login=False):
        """Send a request once, and read the answer to its end.

        :raises _Again: it may be repeated.
        """
        with self._lock:
            self.requests += 1
        payload = None if body is None else _Body(body)
        self._mine.watchdog = _Watchdog(self.connection.timeout, None)
        answer, error, whole = None, None, True
        try:
            answer = self._http.request(
                method,
                "https://%s%s/%s" % (self.connection.address, self.dialect.base_path, path),
                params=query,
                data=payload,
                headers=_HEADERS,
                # Given always: requests would look into ~/.netrc otherwise.
                auth=lambda request: self._authorized(request, login),
                timeout=(self.connection.connect_timeout, self.connection.timeout),
                # Given always: a bundle in the environment would turn verification on again.
                verify=self._verify,
                cert=self._certificate,
                # A redirect might carry the password elsewhere.
                allow_redirects=False,
                stream=True,
            )
            whole = _read(answer)
        except (OSError, HTTPError) as caught:
            error = caught
        finally:
            self._mine.watchdog.cancel()
        late = self._mine.watchdog.bitten
        # Not all that comes to an early end is an error to http.client.
        if answer is not None and error is None and not late:
            if whole:
                return answer
            text = "the manager at %s answers %s %s with more than %d bytes"
            text %= (self.connection.address, method, path, _LONGEST)
            if method == "GET":
                raise BadAnswer(text, "check that a manager listens there, and see its log")
            raise OutcomeUnknown(text)
        problem, passing = self._trouble(error, late)
        # No server does half a request: that whose body was not even begun had no effect.
        # Where TLS or a certificate was refused, none of it was read either.
        if isinstance(problem, Unreachable) and payload is not None and payload.begun:
            raise OutcomeUnknown("%s; by then the request had been sent" % problem.text)
        raise _Again(problem) if passing else problem

    def _watch(self, sock):
        """Limit the time of the answer that this thread now waits for."""
        self._mine.watchdog.cancel()  # old versions of urllib3 try twice
        self._mine.watchdog = _Watchdog(self.connection.timeout, sock)
        self._mine.watchdog.start()

    def _authorized(self, request, login):
        """Give a request what it needs to log in, unless it has a session's cookie."""
        if login:
            request.headers.pop("Cookie", None)
        if self._basic and ("Cookie" not in request.headers or self.dialect.basic_login == "always"):
            request.headers["Authorization"] = self._basic
        return request

    def _login_failed(self, answer, what):
        connection = self.connection
        who = "the user '%s'" % printable(connection.username) if connection.username else "this client certificate"
        said = _said(answer)[1]
        return LoginFailed(
            "the manager at %s %s%s" % (connection.address, what % who, " (%s)" % said if said else ""),
            "check user and password" if connection.username else "give one that the manager knows, or a user",
        ).saying(said)

    def _trouble(self, error, late):
        """What is wrong on the way to the manager.

        :param error: what requests raised, or None.
        :param bool late: the answer took too long.
        :returns: the error to raise, and whether it may pass, so that trying again makes sense.
        """
        where = "the manager at " + self.connection.address
        causes = _causes(error)
        for cause in causes:
            # 3.6 has a CertificateError for a wrong name only, and urllib3 at times one of its own.
            if type(cause).__name__ == "CertificateError" or "CERTIFICATE_VERIFY_FAILED" in str(cause.args[1:2]):
                reason = getattr(cause, "verify_message", "") or str(cause)
                return self._untrusted(printable(reason).rstrip(".")), False
            reason = str(getattr(cause, "reason", "")) if isinstance(cause, ssl.SSLError) else ""
            if _NO_CLIENT.search(reason):
                return LoginFailed(
                    "%s refuses %s client certificate (%s)"
                    % (where, "this" if self._certificate else "a connection without a", reason),
                    "give certificate and key of a client that the manager knows, or see which TLS it allows",
                ), False
            if _NO_TLS.search(reason):
                return Unreachable(
                    "%s does not speak TLS, or none that is allowed here (%s)" % (where, reason),
                    "check the port, and which versions of TLS both sides allow",
                ), False
        if late or any(isinstance(cause, socket.timeout) for cause in causes):
            return Unreachable("%s did not answer in time" % where, "check host and port, or allow more time"), True
        told = [cause for cause in causes if isinstance(cause, OSError) and not isinstance(cause, _ENDS)]
        reasons = [cause.strerror for cause in told if cause.strerror]
        return Unreachable(
            "%s cannot be reached (%s)" % (where, printable(str((reasons or ["the connection broke"])[0]))),
            "check host and port, and that the manager runs",
        ), True

    def _untrusted(self, reason):
        address, ca_path = self.connection.address, self.connection.ca_path
        if "match" in reason:
            remedy = "use the name that the certificate is made out to"
        elif "expired" in reason or "not yet valid" in reason:
            remedy = "renew it, or set the clocks right"
        else:
            remedy = "give the certificate of its authority as CA file"
            if ca_path:
                rehashed = ", and was treated by c_rehash" if os.path.isdir(ca_path) else ""
                remedy = "see that %s has the certificate of its authority%s" % (ca_path, rehashed)
            published = address + self.dialect.base_path, self.dialect.ca_certificate
            remedy += "; it is to be had at https://%s/%s" % published
        return UntrustedCertificate(
            "the certificate of the manager at %s cannot be trusted: %s" % (address, reason), remedy
        )

    def _decoded(self, answer, method, path):
        """What an answer says, or the error that it is."""
        where, status = "the manager at " + self.connection.address, answer.status_code
        if status < 300:
            try:
                return json.loads(answer.content.decode("utf-8"))
            except (ValueError, RecursionError):
                pass
            return self._broken(answer, method, path)
        if status < 400:
            raise BadAnswer(
                "%s redirects to %s" % (where, printable(answer.headers.get("Location", "elsewhere"))),
                "give host and port of the manager itself",
            )
        (code, said), ws_code = _said(answer), _member(answer, "wsErrorCode")
        if status in (429, 503):
            text = "%s is not ready (HTTP status %d%s)" % (where, status, ": " + said if said else "")
            problem = NotReady(text, "try again later", "HTTP status %d" % status).saying(said)
            raise _Again(problem, _retry_after(answer))
        if status == 403 or code == _FORBIDDEN:
            text = "%s does not allow that (%s)" % (where, said or "HTTP status 403")
            raise Forbidden(text, "log in as another user").saying(said)
        if said:
            problem = Refused("%s says: %s" % (where, said), "", code, ws_code, status).saying(said)
            raise _Again(problem, _retry_after(answer)) if code in _TOO_MANY else problem
        if status >= 500:
            return self._broken(answer, method, path)
        raise self._bad(answer, method, path)

    def _broken(self, answer, method, path):
        """An answer from which nobody learns what became of the request."""
        problem = self._bad(answer, method, path)
        raise _Again(problem) if method == "GET" else OutcomeUnknown(problem.text)

    def _bad(self, answer, method, path):
        text = "the answer of %s to %s %s makes no sense (HTTP status %d%s)"
        shown = "" if method != "GET" or _CONFIDENTIAL.match(path) else _excerpt(answer)
        return BadAnswer(
            text % (self.connection.address, method, path, answer.status_code, ": " + shown if shown else ""),
            "check that a manager listens there, and see its log",
        )


class _Again(Exception):
    """Nothing was done, or nothing that counts: the request may be repeated.

    :ivar problem: what to raise where it is not.
    :ivar float pause: seconds that the server asks for, or 0.
    """

    def __init__(self, problem, pause=0.0):
        super().__init__(problem.text)
        self.problem, self.pause = problem, pause


class _Body(io.BytesIO):
    """A request's body that knows whether any of it may have been sent."""

    begun = False

    def read(self, size=-1):
        self.begun = True
        return super().read(size)


class _Watchdog(threading.Timer):
    """Ends a connection whose answer takes too long: the time limits of sockets begin anew with every byte."""

    bitten = False

    def __init__(self, seconds, sock):
        super().__init__(seconds, self._bite)
        self.daemon = True
        self._sock = sock

    def _bite(self):
        self.bitten = True
        # Not SSLSocket's own, which would take TLS away from under whoever reads. What is no socket, as with a proxy
        # that speaks TLS itself, goes on.
        with contextlib.suppress(OSError, TypeError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Connections of one session, kept, limited in number, and watched.

    :param watch: told the socket whenever an answer is awaited.
    """

    def __init__(self, connection, watch):
        self._watch, self._quiet = watch, not connection.validate_certs
        super().__init__(pool_maxsize=connection.pool, pool_block=True)

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, **more)
        self._refine(self.poolmanager)

    def proxy_manager_for(self, *args, **more):
        return self._refine(super().proxy_manager_for(*args, **more))

    def _refine(self, manager):
        """Have urllib3 make connections of a kind of our own."""
        usual, watch = HTTPSConnectionPool.ConnectionCls, self._watch

        def getresponse(connection, *args, **more):
            watch(connection.sock)
            return usual.getresponse(connection, *args, **more)

        def send(connection, *args):
            connected = connection.sock is not None
            try:
                usual.send(connection, *args)  # type: ignore[attr-defined]
            except ssl.SSLEOFError:
                if not connected:
                    raise
                # So some Pythons call what is EPIPE to others, and to urllib3, which goes on to what the other side
                # has said before it left: that it refuses a certificate, for example.
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None

        members = {"getresponse": getresponse, "send": send}  # type: dict[str, object]
        if self._quiet:
            # Else urllib3 warns of what was turned off on purpose; and a filter of warnings would be everybody's.
            members["is_verified"] = property(lambda connection: True, lambda connection, value: None)
        pool = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": type("Connection", (usual,), members)})
        manager.pool_classes_by_scheme = dict(manager.pool_classes_by_scheme, https=pool)
        return manager


def _causes(error):
    """An exception of requests with all that it was made of."""
    found, queue = [], [error]
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            queue += [*cause.args, getattr(cause, "reason", None), cause.__cause__]
            # Not of others: it may be what somebody was handling when this was called.
            if isinstance(cause, HTTPError):
                queue.append(cause.__context__)
    return found


def _read(answer):
    """Read the body of an answer.

    :returns: whether that is all of it; not where it is too long.
    """
    pieces, size = [], 0
    # As it came, whatever its head says of it.
    for piece in answer.raw.stream(_PIECE, decode_content=False):
        size += len(piece)
        if size > _LONGEST:
            answer.close()
            return False
        pieces.append(piece)
    answer._content = b"".join(pieces)
    return True


def _wants_login(answer):
    return answer.status_code == 401 or (answer.status_code >= 400 and _said(answer)[0] in _NOT_LOGGED_IN)


def _member(answer, name):
    """A member of an error's body, as text; empty where it has none."""
    try:
        body = json.loads(answer.content.decode("utf-8"))
    except (ValueError, RecursionError):
        body = None
    value = body.get(name) if isinstance(body, dict) else None
    return printable(value, 1000) if isinstance(value, str) else ""


def _said(answer):
    """Error code and message of an error's body; the message is empty only where the body is not a manager's."""
    code = _member(answer, "errorCode")
    return code, _member(answer, "message") or code


def _retry_after(answer):
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE) if text.isdecimal() else 0.0


def _excerpt(answer):
    """The first words of a page that is not JSON."""
    text = answer.content[:10000].decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "[", '"'):
        return ""
    return printable(re.sub(r"(?is)<(script|style)\b.*?(</\1>|\Z)|<[^>]*(>|\Z)", " ", text), 100)
