# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manager that means harm to whoever asks it, over TLS, with a certificate that is trusted.

``make fuzz`` tries what may be in its answers. Here are those that are no answers to speak of.
"""

import gzip
import json
import resource
import socket
import ssl
import threading
import time

import pytest
import trustme

from ansible_collections.ovm.messaging.plugins.module_utils.manager import session
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
    BadAnswer,
    ManagerError,
    OutcomeUnknown,
    Unreachable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Vm

#: Seconds after which a call is taken to hang, on a machine under load.
PATIENCE = 60
MIB = 1 << 20
BASE = "/ovm/core/wsapi/rest/"
WEB = Vm("0" * 32, "web", RUNNING)


class Evil:
    """A server. A context manager.

    :param answer: a generator function of a request's path, which yields the bytes of the answer.
    :ivar list requests: the heads of all requests.
    """

    def __init__(self, folder, answer):
        authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self.ca = str(folder / "evil.pem")
        authority.cert_pem.write_to_path(self.ca)
        self._answer, self.requests = answer, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def manager(self, **options):
        usual = {"username": "admin", "password": "s3cret", "ca_path": self.ca, "timeout": 0.5, "retries": 0}
        return Manager(Connection("127.0.0.1", self.port, **dict(usual, **options)), ready_timeout=0.0, job_timeout=0.5)

    def paths(self):
        return [head.split(b" ")[1].decode() for head in self.requests]

    def _serve(self):
        while True:
            try:
                plain, _peer = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain):
        try:
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                self.requests.append(head)
                for piece in self._answer(head.split(b" ")[1].decode()):
                    connection.sendall(piece)
        except OSError:
            pass  # the client has had enough


@pytest.fixture
def evil(tmp_path, request):
    """A function that starts an Evil."""

    def make(answer):
        made = Evil(tmp_path, answer)
        request.addfinalizer(made.__exit__)
        return made.__enter__()

    return make


def answer(body, status="200 OK", *headers):
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def biggest():
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def endless(start, piece):
    def pieces(_path):
        yield start
        while True:
            yield piece

    return pieces


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNK = b"10000\r\n" + b"[" * 65536 + b"\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
        endless(OK + b"Content-Length: 99999999999999\r\n\r\n", b" " * 65536),
        endless(OK + b"\r\n", b" " * 65536),
        endless(OK, b"X: y\r\n" * 50),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        endless(OK + b"X: ", b"y" * 65536),
        endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60000 + b"\r\n \r\n"),
        endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 50),
    ],
    ids=["chunks", "length", "neither", "headers", "continue", "header", "extensions", "trailers"],
)
def test_an_answer_without_an_end_has_one(evil, pieces, monkeypatch):
    monkeypatch.setattr(session, "_LONGEST", 4 * MIB)
    before, began = biggest(), time.monotonic()
    with evil(pieces).manager() as manager, pytest.raises((BadAnswer, Unreachable)):
        manager.vms()
    assert time.monotonic() - began < PATIENCE and biggest() - before < 100
    with evil(pieces).manager() as manager, pytest.raises(OutcomeUnknown):
        manager.send(WEB, [(b"k", b"v")])


def test_what_is_compressed_is_not_unpacked(evil):
    bomb = gzip.compress(gzip.compress(b" " * 256 * MIB, 1), 1)
    before = biggest()
    for coding in ("gzip", "gzip, gzip", "deflate", "br", "gzip, gzip, gzip, gzip, gzip, gzip, gzip"):
        server = evil(lambda _path, coding=coding: [answer(bomb, "200 OK", "Content-Encoding: " + coding)])
        with server.manager() as manager, pytest.raises((BadAnswer, Unreachable)):
            manager.vms()
        assert b"Accept-Encoding: identity\r\n" in server.requests[0]
    assert biggest() - before < 100


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_no_redirect_is_followed(evil, status):
    other = evil(lambda _path: [answer(b"[]")])
    where = "Location: https://127.0.0.1:%d%sVm" % (other.port, BASE)
    server = evil(lambda _path: [answer(b"", status, where, "Set-Cookie: a=b")])
    with server.manager() as manager, pytest.raises(BadAnswer, match="redirects to"):
        manager.vms()
    with server.manager() as manager, pytest.raises(ManagerError):
        manager.send(WEB, [(b"k", b"v")])
    assert other.requests == [] and len(server.requests) == 2


def test_cookies_are_for_the_manager_alone(evil):
    cookies = [
        "Set-Cookie: a=1; Domain=example.com",
        "Set-Cookie: b=2; Domain=0.0.1",
        "Set-Cookie: c=3; Path=/elsewhere",
    ]
    server = evil(lambda _path: [answer(b"[]", "200 OK", *cookies, "Set-Cookie: d=4; Path=/; Secure")])
    with server.manager() as manager:
        manager.interfaces()
        manager.interfaces()
    first, second = server.requests
    assert b"Cookie" not in first and b"d=4" in second
    assert b"a=1" not in second and b"c=3" not in second and b"Authorization" not in second


@pytest.mark.parametrize(
    "identity", ["..", ".", "../../../../x", "%2e%2e", "a/b", "?x=1", "#", "\\..\\", "\n", "\x1b[2J", "\u2025"]
)
def test_ids_lead_nowhere_else(evil, identity):
    """Ids of machines and jobs become parts of addresses, and must not change which."""
    vm = {"id": {"value": identity}, "name": identity, "vmRunState": "RUNNING"}
    job = {"id": {"value": identity}, "summaryDone": False}

    def pieces(path):
        yield answer(json.dumps([vm] if path == BASE + "Vm" else job).encode())

    server = evil(pieces)
    with server.manager() as manager:
        for found in [*manager.vms(), WEB]:
            for work in (manager.current, manager.received, lambda vm: manager.send(vm, [(b"k", b"v")])):
                try:
                    work(found)
                except Problem as problem:
                    assert "\x1b" not in problem.text or found.name == "\x1b[2J"
    for path in server.paths():
        parts = path[len(BASE) :].partition("?")[0].split("/")
        assert path.startswith(BASE) and parts[0] in ("Vm", "Job", "Manager"), path
        assert len(parts) == 1 or parts[1] not in ("", ".", "..") and len(parts) <= 3, path
