# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults between a client and the gateway: a real HTTPS proxy with a certificate of its own.

It passes every request on to the gateway as it is, unless a rule of the test says otherwise::

    with Faults(gateway) as faults:
        faults.add(status(503, {"Retry-After": "0"}), "GET", "/Vm$", times=2)
        ... a client of faults.host, faults.port that trusts faults.ca ...
        assert faults.count("GET", "/Vm$") == 3

A rule is an action and what it applies to: a method, a pattern that is searched in the path
(without the query), how many matching requests it lets pass first (``skip``) and to how many
it applies (``times``; None is all). The first rule that applies to a request gets it.

An action is a function of an Exchange that returns the Answer for the client, usually what
``exchange.forward()`` got from the gateway, changed or not; or that raises Cut. These are there:

==========================  ================================================================
``status(n, headers)``      that status and an error object, not passed on
``html(n)``                 an HTML page as servers in front of a Manager send it, not passed on
``edit(function)``          passed on; the function changes the decoded JSON of the answer, or returns another
``cut_before()``            the connection is cut, not passed on
``cut_after(part)``         passed on, then cut without an answer, or when that part of its body (0 to 1) was sent
``garbled(raw)``            passed on; the body is replaced by these bytes
``trickle(seconds)``        passed on; the body comes byte by byte, that far apart
``Held()``                  held until the test calls ``release()``, then passed on; ``wait()`` until it has come
==========================  ================================================================

And whole situations, made of several rules: ``starting``, ``session_gone``, ``failing_jobs``,
``unfinished_jobs``, ``null_errors``, ``vm_state``, ``template``, ``same_names``. They are methods of Faults.

Every request is recorded in ``faults.requests`` as it arrives, ``faults.connections`` counts
TLS connections. Nothing here sleeps but ``trickle``, and closing ends whatever waits.
"""

import base64
import contextlib
import copy
import datetime
import http.client
import http.server
import json
import os
import re
import select
import shutil
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import urllib.parse

import trustme

from .process import PATIENCE

#: Headers that are about one connection only, or that are made anew.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}
#: What the Manager says of an object that is locked.
LOCKED = "GEN_000029:Object %s of type Vm could not be modified as it was locked when it was fetched."
#: Ids of jobs that only the proxy knows, far from the gateway's.
_FIRST_JOB = 990000000
_MADE_JOBS = r"/Job/990\d{6}$"


class Cut(Exception):
    """Raised by an action: the connection is cut, hard.

    :param bytes sent: what of the answer still goes out before.
    """

    def __init__(self, sent=b""):
        super().__init__("cut")
        self.sent = sent


class Answer:
    """What the client gets.

    :ivar int status: HTTP status.
    :ivar list headers: pairs of text.
    :ivar bytes body: the body.
    :ivar float pause: seconds between the bytes of the body, or 0 for all of it at once.
    """

    def __init__(self, status, headers=(), body=b""):
        self.status, self.headers, self.body, self.pause = status, list(headers), body, 0

    @classmethod
    def of_json(cls, value, status=200, headers=()):
        body = json.dumps(value).encode("ascii")
        return cls(status, [("Content-Type", "application/json"), *headers], body)

    @property
    def json(self):
        return json.loads(self.body)

    @json.setter
    def json(self, value):
        self.body = json.dumps(value).encode("ascii")

    def head(self):
        """Status line and headers, as they are sent."""
        lines = ["HTTP/1.1 %d %s" % (self.status, http.client.responses.get(self.status, "Unknown"))]
        lines += ["%s: %s" % header for header in self.headers if header[0].lower() not in _HOP]
        lines += ["Content-Length: %d" % len(self.body), "", ""]
        return "\r\n".join(lines).encode("latin-1")


class Request:
    """A request that arrived, as recorded.

    :ivar str method: ``GET``, ``PUT``...
    :ivar str path: without the query.
    :ivar dict query: the last value of each parameter.
    :ivar dict headers: by lower-case name.
    :ivar bytes body: as it came.
    :ivar int connection: number of the TLS connection it came over, from 1.
    :ivar bool passed_on: whether the gateway got it.
    :ivar status: of the answer, or None where the connection was cut instead.
    """

    def __init__(self, method, target, headers, body, connection):
        parts = urllib.parse.urlsplit(target)
        self.method, self.target, self.path = method, target, parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.headers, self.body, self.connection = headers, body, connection
        self.passed_on, self.status = False, None

    def __repr__(self):
        return "%s %s (%s, %s)" % (self.method, self.target, "passed on" if self.passed_on else "kept", self.status)


class Exchange:
    """A request on its way, for an action.

    :ivar Request request: what came.
    :ivar threading.Event closing: set when the proxy ends.
    """

    def __init__(self, request, upstream, closing):
        self.request, self.closing, self._upstream = request, closing, upstream

    def forward(self):
        """Pass the request on.

        :returns: the gateway's Answer.
        :raises Cut: there is no gateway, or it went away in the middle.
        """
        self.request.passed_on = True
        return self._upstream.exchange(self.request)


class Rule:
    """An action, and what it applies to. ``hits`` counts the requests it has had."""

    def __init__(self, action, method, pattern, times, skip):
        self.action, self.hits = action, 0
        self._method, self._pattern, self._times, self._skip = method, re.compile(pattern), times, skip

    def takes(self, request):
        """Whether this request is for it; called once a request, one at a time."""
        if self._method not in (None, request.method) or not self._pattern.search(request.path):
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self._times is not None and self.hits >= self._times:
            return False
        self.hits += 1
        return True


# --- actions ----------------------------------------------------------------------------


def status(number, headers=(), message="GEN_000000:An unknown exception occurred", ws_code="GENERAL"):
    """That status and an error object of the Manager's shape."""
    error = {
        "message": message,
        "errorCode": message.partition(":")[0],
        "cause": None,
        "wsErrorCode": ws_code,
    }
    return lambda exchange: Answer.of_json(error, number, dict(headers).items())


def html(number=200):
    """An HTML page where JSON was asked for."""
    page = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Oops</h1><p>weblogic</p></body></html>"
    return lambda exchange: Answer(number, [("Content-Type", "text/html;charset=UTF-8")], page)


def edit(function):
    """Passed on; the function changes the answer's JSON in place, or returns what to send instead."""

    def action(exchange):
        found = exchange.forward()
        value = found.json
        changed = function(value)
        found.json = value if changed is None else changed
        return found

    return action


def cut_before():
    """Cut before the gateway learns of it."""

    def action(exchange):
        raise Cut

    return action


def cut_after(part=0.0):
    """Cut after the gateway has done it.

    :param float part: how much of the body the client still gets, and the head with it; 0 is nothing at all.
    """

    def action(exchange):
        found = exchange.forward()
        # With the whole head and half of the body the client knows that something is missing.
        raise Cut((found.head() + found.body[: int(len(found.body) * part)]) if part else b"")

    return action


def garbled(raw):
    """Passed on; another body."""

    def action(exchange):
        found = exchange.forward()
        found.body = raw
        return found

    return action


def trickle(seconds):
    """Passed on; the body comes one byte every so many seconds."""

    def action(exchange):
        found = exchange.forward()
        found.pause = seconds
        return found

    return action


class Held:
    """Holds requests back until ``release()``.

    :param action: what then happens; passed on if None.
    """

    def __init__(self, action=None):
        self._action, self._come, self._free = action or Exchange.forward, threading.Semaphore(0), threading.Event()

    def __call__(self, exchange):
        self._come.release()
        while not self._free.wait(0.01):
            if exchange.closing.is_set():
                raise Cut
        return self._action(exchange)

    def wait(self):
        """Return when (another) one is being held."""
        assert self._come.acquire(timeout=PATIENCE), "nothing came to be held"

    def release(self):
        self._free.set()


# --- the proxy --------------------------------------------------------------------------


class Faults:
    """The proxy; a context manager.

    :param Gateway gateway: what is behind it.
    :param str certificate: what certificate it shows: ``good``, ``expired``, ``wrong-name`` or
        ``untrusted`` (signed by another authority than that of ``ca``).
    :param bool clients: let nobody in but who shows the client certificate of ``client_cert``
        and ``client_key``; whoever does need not say a password.
    :ivar str host: 127.0.0.1
    :ivar int port: where it listens.
    :ivar str url: https://HOST:PORT
    :ivar str ca: path of the certificate to trust.
    :ivar str client_cert, client_key: paths of the client certificate, where there is one.
    :ivar list requests: of Request, in the order they came.
    :ivar int connections: TLS connections that came about.
    :ivar list broken: of errors in actions; a test should see that there are none.
    """

    host = "127.0.0.1"

    def __init__(self, gateway, certificate="good", clients=False):
        self._gateway, self._certificate, self._clients = gateway, certificate, clients
        self.requests, self.broken, self.connections = [], [], 0
        self._rules, self._dead_cookies, self._made_jobs, self._open = [], set(), {}, set()
        self._lock, self.closing = threading.RLock(), threading.Event()
        self._folder = self._server = None

    def __enter__(self):
        self._folder = tempfile.mkdtemp(prefix="ovm-faults-")
        self.ca = os.path.join(self._folder, "ca.pem")
        self._upstream_tls = ssl.create_default_context(cafile=self._gateway.ca)
        self._server = _Server((self.host, 0), self, self._tls())
        self.port = self._server.server_address[1]
        self.url = "https://%s:%d" % (self.host, self.port)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        """End it, with all connections: from now on nothing listens there."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self.disconnect()
        shutil.rmtree(self._folder, ignore_errors=True)

    def disconnect(self):
        """Cut all connections that clients have open."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _tls(self):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        if self._certificate == "untrusted":
            authority = trustme.CA()
        name = "elsewhere.example.com" if self._certificate == "wrong-name" else self.host
        until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        shown = authority.issue_cert(name, not_after=until if self._certificate == "expired" else None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown.configure_cert(context)
        if self._clients:
            self._make_client(context)
        return context

    def _make_client(self, context):
        authority = trustme.CA()
        client = authority.issue_cert("client@example.com")
        self.client_cert = os.path.join(self._folder, "client.pem")
        self.client_key = os.path.join(self._folder, "client.key")
        client.cert_chain_pems[0].write_to_path(self.client_cert)
        client.private_key_pem.write_to_path(self.client_key)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    # What tests say and ask

    def add(self, action, method=None, pattern="", times=None, skip=0):
        """Have an action for some requests; rules added later come after those added before.

        :param action: a function of an Exchange, see above.
        :param str method: None is any.
        :param str pattern: regular expression, searched in the path.
        :param int times: to how many requests it applies.
        :param int skip: how many matching ones it lets pass first.
        :rtype: Rule
        """
        rule = Rule(action, method, pattern, times, skip)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self):
        """Forget all rules and all that was recorded."""
        with self._lock:
            del self._rules[:], self.requests[:]
            self.connections = 0

    def seen(self, method=None, pattern="", passed_on=None):
        """The recorded requests of that kind.

        :param bool passed_on: only those that the gateway got, or only the others.
        """
        with self._lock:
            return [
                request
                for request in self.requests
                if method in (None, request.method)
                and re.search(pattern, request.path)
                and passed_on in (None, request.passed_on)
            ]

    def count(self, method=None, pattern="", passed_on=None):
        return len(self.seen(method, pattern, passed_on))

    def sends(self, passed_on=None):
        """How many requests there were to send messages to a guest."""
        return self.count("PUT", "/sendMessage$", passed_on)

    # Whole situations

    def starting(self, times=None):
        """The Manager says that it is not running yet, ``times`` times."""

        def change(managers):
            for manager in managers:
                manager["managerRunState"] = "STARTING"

        return self.add(edit(change), "GET", "/Manager$", times)

    def session_gone(self, method=None, pattern="", times=1, skip=0):
        """A request is answered with 401 and a page; its session is dead from then on, until a new login."""

        def action(exchange):
            with self._lock:
                self._dead_cookies.update(_cookies(exchange.request))
            return html(401)(exchange)

        return self.add(action, method, pattern, times, skip)

    def failing_jobs(self, kind="LOCK", message=LOCKED % "0004fb", times=None, at_once=False):
        """Sends become jobs that fail; the gateway never learns of them.

        :param bool at_once: the answer to the send says so already, not only the job when asked.
        """

        def send(exchange):
            with self._lock:
                number = str(_FIRST_JOB + len(self._made_jobs))
                failed = _job(number, "FAILURE", {"message": message, "type": kind})
                self._made_jobs[number] = failed
            return Answer.of_json(failed if at_once else _job(number, "CREATED", None))

        self.add(self._made_job, "GET", _MADE_JOBS)
        return self.add(send, "PUT", "/sendMessage$", times)

    def _made_job(self, exchange):
        found = self._made_jobs.get(exchange.request.path.rsplit("/", 1)[1])
        return Answer.of_json(found) if found else status(400, message="GEN_000002:Object not found")(exchange)

    def unfinished_jobs(self, polls=None, done=False):
        """Jobs run on, for as many polls (None: for ever).

        :param bool done: they say ``done``, but not ``summaryDone``.
        """

        def change(job):
            job.update(done=done, summaryDone=False, jobSummaryState="CHILD_RUNNING", error=None, endTime=None)
            job["jobRunState"] = "SUCCESS" if done else "RUNNING"

        self.add(edit(change), "PUT", "/sendMessage$")
        return self.add(edit(change), "GET", r"/Job/\d+$", polls)

    def null_errors(self):
        """Jobs have an error object, with nothing in it."""

        def change(job):
            job["error"] = {"message": None, "type": None}

        self.add(edit(change), "PUT", "/sendMessage$")
        return self.add(edit(change), "GET", r"/Job/\d+$")

    def vm_state(self, state):
        """All VMs are in that state: ``TEMPLATE``, ``STOPPED``..."""

        def change(found):
            for vm in found if isinstance(found, list) else [found]:
                vm["vmRunState"] = state

        return self.add(edit(change), "GET", r"/Vm(/[0-9a-f]{32})?$")

    def template(self):
        """All VMs are templates."""
        return self.vm_state("TEMPLATE")

    def same_names(self):
        """Every VM has a twin of the same name, with another id."""

        def change(vms):
            for vm in list(vms):
                twin = copy.deepcopy(vm)
                twin["id"]["value"] = twin["id"]["value"][:-4] + "ffff"
                vms.append(twin)

        return self.add(edit(change), "GET", "/Vm$")

    # What the server's threads call

    def arrived(self, request):
        """Record a request, and find what is to be done with it."""
        with self._lock:
            self.requests.append(request)
            if self._dead_cookies.intersection(_cookies(request)):
                if "authorization" not in request.headers:
                    return html(401)
                # A new login: the gateway must not take the old session for it.
                del request.headers["cookie"]
            return next((rule.action for rule in self._rules if rule.takes(request)), Exchange.forward)

    def opened(self, connection):
        with self._lock:
            self._open.add(connection)
            self.connections += 1
            return self.connections

    def closed(self, connection):
        with self._lock:
            self._open.discard(connection)

    def upstream(self):
        who = None
        if self._clients:
            who = base64.b64encode(("%s:%s" % (self._gateway.username, self._gateway.password)).encode()).decode()
        return _Upstream(self._gateway, self._upstream_tls, who)


def _cookies(request):
    """The cookies that a request carries, as NAME=VALUE."""
    return {cookie.strip() for cookie in request.headers.get("cookie", "").split(";")} - {""}


def _job(number, state, error):
    """A job as the Manager tells of it."""
    over = state in ("SUCCESS", "FAILURE")
    simple = {"type": "com.oracle.ovm.mgr.ws.model.Job", "value": number, "uri": None, "name": None}
    null = "generation userData resourceGroupIds resultId extraInfo parentJobId progressMessage"
    return dict(
        dict.fromkeys(null.split()),
        id=simple,
        name="Send Message",
        description=None,
        locked=False,
        readOnly=False,
        jobRunState=state,
        jobSummaryState=state,
        done=over,
        summaryDone=over,
        jobGroup=False,
        error=error,
        latestSummaryProgressMessage=None,
        childJobIds=[],
        user="admin",
        abortedByUser=None,
        startTime=1400000000000,
        endTime=1400000000001 if over else None,
    )


class _Upstream:
    """One connection to the gateway, opened when needed.

    :param str who: credentials for Basic authentication, of a client who has said none; or None.
    """

    def __init__(self, gateway, context, who):
        self._gateway, self._context, self._who, self._connection = gateway, context, who, None

    def exchange(self, request):
        headers = {name: value for name, value in request.headers.items() if name not in _HOP}
        if self._who:
            headers.setdefault("authorization", "Basic " + self._who)
        try:
            connection = self._connected()
            connection.request(request.method, request.target, request.body, headers)
            found = connection.getresponse()
            return Answer(found.status, found.getheaders(), found.read())
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            raise Cut from problem

    def _connected(self):
        # The gateway may have closed it meanwhile, or have been started anew at another port.
        if self._connection and (
            self._connection.port != self._gateway.port
            or self._connection.sock is None
            or select.select([self._connection.sock], [], [], 0)[0]
        ):
            self.close()
        if not self._connection:
            self._connection = http.client.HTTPSConnection(
                self._gateway.host, self._gateway.port, timeout=PATIENCE, context=self._context
            )
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, faults, tls):
        self.faults, self._tls = faults, tls
        super().__init__(address, _Handler)

    def process_request_thread(self, request, client_address):
        # The handshake belongs to this connection's thread: a silent client must not hold up others.
        request.settimeout(PATIENCE)
        try:
            request = self._tls.wrap_socket(request, server_side=True)
        except OSError:  # the client does not trust us, or has gone
            request.close()
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request, client_address):
        problem = sys.exc_info()[1]
        if not isinstance(problem, OSError):  # clients go away whenever they like
            self.faults.broken.append(problem)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = PATIENCE

    def setup(self):
        super().setup()
        self._upstream = self.server.faults.upstream()
        self._number = self.server.faults.opened(self.connection)

    def finish(self):
        self.server.faults.closed(self.connection)
        self._upstream.close()
        super().finish()

    def _serve(self):
        faults = self.server.faults
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, self._number)
        try:
            action = faults.arrived(request)
            found = action(Exchange(request, self._upstream, faults.closing))
        except Cut as cut:
            self._cut(cut.sent)
            return
        except Exception as problem:
            faults.broken.append(problem)
            self._cut(b"")
            return
        request.status = found.status
        self._send(found, faults.closing)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _send(self, found, closing):
        if not found.pause:
            self.wfile.write(found.head() + found.body)
            return
        self.wfile.write(found.head())
        for at in range(len(found.body)):
            if closing.wait(found.pause):
                break
            self.wfile.write(found.body[at : at + 1])

    def _cut(self, sent):
        self.close_connection = True
        if sent:
            self.wfile.write(sent)
        else:
            # A reset, as from a host that was just switched off and on.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *arguments):
        """Requests are recorded, not printed."""
