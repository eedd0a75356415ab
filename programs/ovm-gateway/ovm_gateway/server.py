# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service as a process: sockets, TLS, signals, what systemd wants to know; and all the parts put together."""

import asyncio
import errno
import logging
import os
import resource
import signal
import socket
import uuid

import uvicorn
from starlette.routing import Router
from uvicorn.protocols.http.h11_impl import H11Protocol

from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.readiness import Readiness

from . import files
from .access import PEER, Access
from .backend import Backend
from .certificate import WARNING_DAYS, BadCertificate, Certificate
from .errors import place
from .limits import client_key
from .page import Pages
from .rest import JSON, Rest
from .shapes import Shapes
from .users import Users, UsersFile

#: File in the state directory with the address that the service listens on: what a port of 0 turned into.
ADDRESS = "address"
_IDENTITY = "uuid"
# Seconds that a client may take for the TLS handshake.
_HANDSHAKE = 10.0
# Files that a service has open besides its connections.
_OTHER_FILES = 256
_log = logging.getLogger("ovm_gateway")


class CannotServe(Problem):
    """The service cannot start."""


def serve(settings):
    """Run the service until it is told to end.

    :param Settings settings: the configuration.
    :raises Problem: it cannot start.
    """
    make_directory(settings.directory)
    certificate = Certificate(settings)
    if certificate.ensure():
        _log.warning("made a certificate for this host: %s", certificate.path)
    context = certificate.context()
    _tell_of(certificate)
    users_file = UsersFile(settings.users)
    if not users_file.read():
        _log.warning("there are no users, so nobody can log in: run 'ovm-gateway user add NAME'")
    users = Users(users_file, lambda problem: _log.error("nobody can log in: %s", problem))
    sockets = _listen(settings)
    backend = Backend(settings)
    port = sockets[0].getsockname()[1]
    app = application(settings, backend, users, certificate, port)
    readiness = Readiness(os.environ)
    server = _Server(settings, app, context, backend, readiness)
    _allow_files(settings.connections + _OTHER_FILES)
    # uvicorn raises the signal again once all is closed; the exit code is to be 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    loop = _Loop()
    loop.set_exception_handler(_left_over)
    asyncio.set_event_loop(loop)
    loop.add_signal_handler(signal.SIGHUP, _reload, certificate, context)
    backend.start()
    try:
        _write_address(settings, sockets)
        loop.run_until_complete(server.serve(sockets=sockets))
    finally:
        readiness.stopping()
        app.close()
        backend.stop()
        loop.close()
    _log.info("ended")


def application(settings, backend, users, certificate, port):
    """The ASGI application.

    :param int port: what it is reached at.
    :rtype: Access
    """
    dialect = Dialect()
    name = settings.names[0] if settings.names else socket.gethostname()
    base = "https://%s:%d%s" % ("[%s]" % name if ":" in name else name, port, dialect.base_path)
    shapes = Shapes(base, _identity(settings), dialect)
    pages = Pages(backend, shapes)
    routes = Rest(backend, shapes, settings, dialect, certificate).routes() + pages.routes()
    router = Router(routes, redirect_slashes=False)

    async def routed(scope, receive, send):
        scope["app"] = router  # has Starlette raise what else it would answer in plain text
        await router(scope, receive, send)

    def refuse(scope, refusal):
        if scope["path"].startswith(dialect.base_path):
            return JSON(refusal.body(), refusal.status, refusal.headers)
        return pages.refusal(refusal)

    return Access(routed, refuse, settings, users)


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's, but for the time that a silent client may take before TLS stands."""

    def create_server(self, *arguments, **options):
        return super().create_server(*arguments, ssl_handshake_timeout=_HANDSHAKE, **options)


def _left_over(_loop, context):
    """What nobody else hears of. asyncio itself would log it with a traceback, which may quote a value."""
    problem = context.get("exception")
    if isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
        _log.error(
            "connections cannot be accepted at present (%s): raise the limit (LimitNOFILE), or have 'connections' in"
            " [limits] be less",
            problem.strerror,
        )
    else:
        where = place(problem) if problem and problem.__traceback__ else type(problem).__name__ if problem else "-"
        _log.error("%s (%s)", context.get("message", "an error in a connection"), where)


class _Server(uvicorn.Server):
    """uvicorn, set up for this service; it does not read the environment."""

    def __init__(self, settings, app, context, backend, readiness):
        self._backend, self._readiness = backend, readiness
        protocol = type("Protocol", (_Protocol,), {"settings": settings})
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                workers=1,
                log_config=None,
                access_log=False,
                proxy_headers=False,  # who asks is who is connected
                server_header=False,
                h11_max_incomplete_event_size=settings.header_bytes,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.shutdown_seconds,
                callback_notify=self._notify,
                # It looks once a second whether this time is over.
                timeout_notify=max(0, int(readiness.watchdog) - 1) if readiness.watchdog else 3600,
            )
        )
        self.config.load()
        self.config.ssl = context
        self._notified = False

    async def _notify(self):
        """uvicorn calls it when it serves, and then every so often."""
        if not self._notified:
            self._notified = True
            self._readiness.ready()
        if self._backend.alive():
            self._readiness.alive()


class _Protocol(H11Protocol):
    """HTTP/1.1 with an end to what a client may keep waiting: its request's head, and its taking of our answer."""

    settings = None

    def connection_made(self, transport):
        tls = transport.get_extra_info("ssl_object")
        # A copy: it is this connection's.
        self.app_state = dict(self.app_state, **{PEER: tls and tls.getpeercert()})
        super().connection_made(transport)
        self._reading = self._writing = None
        client = client_key(self.client[0]) if self.client else ""
        others = sum(1 for other in self.connections if other.client and client_key(other.client[0]) == client)
        if len(self.connections) > self.settings.connections or others > self.settings.connections_per_client:
            _log.warning("too many connections, so one from %s was closed", client)
            transport.abort()
            return
        self._expect_head()

    def connection_lost(self, exc):
        self._reading = _cancelled(self._reading)
        self._writing = _cancelled(self._writing)
        super().connection_lost(exc)

    def handle_events(self):
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            # The head is here. The time for the body is that of who reads it.
            self._reading = _cancelled(self._reading)

    def shutdown(self):
        super().shutdown()
        if self.cycle is None or self.cycle.response_complete:
            # An idle client does not answer TLS's goodbye, and would be waited for.
            self.transport.abort()

    def on_response_complete(self):
        self._expect_head()
        super().on_response_complete()

    def pause_writing(self):
        self._writing = self.loop.call_later(self.settings.request_seconds, self.transport.abort)
        super().pause_writing()

    def resume_writing(self):
        self._writing = _cancelled(self._writing)
        super().resume_writing()

    def _expect_head(self):
        # Longer than an idle connection is kept anyway: this is for heads that come byte by byte.
        seconds = self.settings.request_seconds + self.settings.keep_alive_seconds * bool(self.cycle)
        _cancelled(self._reading)
        self._reading = self.loop.call_later(seconds, self.transport.abort)


def _cancelled(timer):
    if timer is not None:
        timer.cancel()


def make_directory(path):
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as problem:
        what = "the state directory %s cannot be made (%s)" % (path, problem.strerror)
        raise CannotServe(what, "run this as root") from None


def _tell_of(certificate):
    _log.info("certificate %s, SHA-256 %s", certificate.path, certificate.fingerprint())
    days = certificate.days_left()
    if days < WARNING_DAYS:
        when = "expires in %d days" % days if days >= 0 else "has expired"
        advice = "replace it; one made here is made anew once it is removed"
        _log.warning("the certificate %s %s: %s", certificate.path, when, advice)


def _reload(certificate, context):
    """SIGHUP: a new certificate. Users are read again whenever their file changes."""
    try:
        certificate.load_into(context)
        _tell_of(certificate)
    except BadCertificate as problem:
        _log.error("the certificate stays the old one: %s", problem)


def _listen(settings):
    sockets = []
    try:
        for address in settings.address:
            port = sockets[0].getsockname()[1] if sockets else settings.port
            if address == "*" and socket.has_dualstack_ipv6():
                made = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
            else:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                made = socket.create_server(("" if address == "*" else address, port), family=family, backlog=512)
            # Passed on to connections. asyncio does it for sockets of its own making only, and then head and
            # body of an answer, which are written apart, come 40 ms apart.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(made)
    except OSError as problem:
        for made in sockets:
            made.close()
        raise CannotServe(
            "cannot listen on %s, port %d (%s)" % (address, settings.port, problem.strerror or problem),
            "see who else does, and what 'address' and 'port' in [server] are",
        ) from None
    return sockets


def _write_address(settings, sockets):
    lines = []
    for each in sockets:
        host, port = each.getsockname()[:2]
        lines.append("%s:%d" % ("[%s]" % host if ":" in host else host, port))
    _log.info("serving on %s", ", ".join(lines))
    _write(settings.in_directory(ADDRESS), "\n".join(lines))


def _identity(settings):
    """This gateway's UUID: the same for life."""
    path = settings.in_directory(_IDENTITY)
    try:
        with open(path, encoding="ascii") as stream:
            return uuid.UUID(stream.read().strip()).hex
    except FileNotFoundError:
        made = uuid.uuid4()
        _write(path, str(made))
        return made.hex
    except (OSError, ValueError):
        raise CannotServe("%s cannot be read, or is no UUID" % path, "remove it: another one is made") from None


def _write(path, text):
    """Have a line of text in a file that everybody may read.

    :raises CannotServe: it cannot be written.
    """
    try:
        files.replace(path, (text + "\n").encode("ascii"), mode=0o644)
    except OSError as problem:
        raise CannotServe(
            "%s cannot be written (%s)" % (path, problem.strerror),
            "see that its directory is root's, and that its file system has room and may be written to",
        ) from None


def _allow_files(number):
    """Have room for so many open files, as far as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # a hardened unit forbids even that
            _log.warning(
                "at most %d files may be open, too few for the connections configured: raise the limit (LimitNOFILE)",
                soft,
            )
