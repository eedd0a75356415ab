# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that want too much, or keep others waiting."""

import base64
import contextlib
import json
import socket
import ssl
import time

import pytest

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)

PATIENCE = 30
HEAD = "GET /ovm/core/wsapi/rest/Manager HTTP/1.1\r\nHost: localhost\r\n"


class Wire:
    """A TLS connection that sends what it is told to, byte for byte."""

    def __init__(self, gateway):
        plain = socket.create_connection((gateway.host, gateway.port), PATIENCE)
        self._tls = ssl.create_default_context(cafile=gateway.ca).wrap_socket(plain, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._tls.close()

    def send(self, text):
        self._tls.sendall(text if isinstance(text, bytes) else text.encode())
        return self

    def receive(self, enough=None):
        """:returns: all there is until the other side closes the connection, or at least so many bytes."""
        received = b""
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            while enough is None or len(received) < enough:
                data = self._tls.recv(65536)
                if not data:
                    break
                received += data
        return received

    def closed_after(self):
        """:returns: the seconds until the other side closes the connection."""
        started = time.monotonic()
        self.receive()
        return time.monotonic() - started


def put(guest, *headers):
    path = "/ovm/core/wsapi/rest/Vm/%s/sendMessage" % guest.uuid
    lines = ["PUT %s HTTP/1.1" % path, "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join(lines) + "\r\n\r\n"


def basic(gateway):
    pair = "%s:%s" % (gateway.username, gateway.password)
    return "Authorization: Basic " + base64.b64encode(pair.encode()).decode()


def test_a_body_that_is_too_large(start, connect_to, make_guest):
    gateway, guest = start({"limits.body_bytes": 2000}), make_guest(5)
    client = connect_to(gateway)
    path = "/Vm/%s/sendMessage" % guest.uuid
    large = json.dumps([{"key": "a", "value": "x" * 2000}])
    refused = (413, "GEN_000015", "the body is larger than 2000 bytes: send fewer messages at once")
    assert client.refused("PUT", path, data=large, headers={"Content-Type": "application/json"}) == refused
    chunks = (large[at : at + 100].encode() for at in range(0, len(large), 100))
    assert client.refused("PUT", path, data=chunks, headers={"Content-Type": "application/json"}) == refused
    assert client.tell(guest.uuid, ("a", "x" * 1900))["jobRunState"] == "SUCCESS"  # on the same connection
    # One without an end is not read to its end.
    with Wire(gateway) as wire:
        wire.send(put(guest, basic(gateway), "Transfer-Encoding: chunked"))
        wire.send("3e8\r\n%s\r\n" % ("x" * 1000) * 3)
        assert wire.receive(1).startswith(b"HTTP/1.1 413 ")


def test_a_head_that_is_too_large(start, connect_to):
    gateway = start({"limits.header_bytes": 2000})
    with Wire(gateway) as wire:
        assert wire.send(HEAD + "X: %s" % ("x" * 3000)).receive().startswith(b"HTTP/1.1 400 ")
    client = connect_to(gateway)
    too_large = (431, "GEN_000015", "address and headers have more than 2000 bytes")
    assert client.refused("GET", "/Manager", headers={"X": "x" * 2000}) == too_large
    assert client.refused("GET", "/" + "x" * 2000) == too_large
    assert client.get("/Manager").status_code == 200


def test_too_many_requests(start, connect_to):
    gateway = start({"limits.requests_per_second": 1, "limits.requests_burst": 5})
    client = connect_to(gateway)
    codes = [client.get("/Manager").status_code for _unused in range(6)]
    assert codes[:5] == [200] * 5 and codes[5] == 429
    answer = client.get("/Manager")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "1"
    assert answer.json()["message"] == "GEN_000026:too many requests: slow down"


def test_slow_and_silent_clients_hold_up_nobody_and_are_let_go(start, connect_to, make_guest):
    gateway, guest = start({"limits.request_seconds": 1, "limits.keep_alive_seconds": 1}), make_guest(5)
    plain = socket.create_connection((gateway.host, gateway.port), PATIENCE)  # never begins TLS
    with plain, Wire(gateway) as silent, Wire(gateway) as head, Wire(gateway) as body, Wire(gateway) as idle:
        head.send(HEAD)
        body.send(put(guest, basic(gateway), "Content-Length: 100") + "[")
        idle.send(HEAD + basic(gateway) + "\r\n\r\n")
        client = connect_to(gateway)
        started = time.monotonic()
        assert client.get("/Vm").status_code == 200
        assert time.monotonic() - started < 1
        for each in (silent, head, idle):
            assert each.closed_after() < 10
        answer = body.receive()
        assert answer.startswith(b"HTTP/1.1 408 ") and b"the body did not come within 1 s" in answer


def test_a_head_that_comes_byte_by_byte_has_an_end(start):
    gateway = start({"limits.request_seconds": 1, "limits.keep_alive_seconds": 1})
    with Wire(gateway) as wire:
        wire.send(HEAD + basic(gateway) + "\r\n\r\n")
        with pytest.raises((OSError, AssertionError)):
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                wire.send("X")  # keeps it from being idle
                time.sleep(0.05)
        assert time.monotonic() < deadline


def test_who_does_not_take_the_answer_is_let_go(start, connect_to, make_guest, guest_sends, until):
    gateway, guest = start({"limits.request_seconds": 1}), make_guest(5)
    guest_sends(guest, *[(b"k%d" % number, b"\xff" * 8000) for number in range(120)])
    client = connect_to(gateway)
    until(lambda: len(client.messages(guest.uuid)) == 120)
    path = "/ovm/core/wsapi/rest/Vm/%s/messages" % guest.uuid
    with Wire(gateway) as wire:
        wire.send("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % (path, basic(gateway)))
        # Nothing is read, so that the answer, of six megabytes, gets stuck.
        until(lambda: "messages 200 user=admin" in gateway.said().rpartition("INFO ")[2])
        time.sleep(1.5)  # the time itself is what is tested
        assert len(wire.receive()) < 120 * 8000 * 6


def test_too_many_connections_of_one_client(start, connect_to):
    gateway = start({"limits.connections_per_client": 3})
    with contextlib.ExitStack() as stack:
        for _unused in range(3):
            stack.enter_context(Wire(gateway))
        one_more = stack.enter_context(Wire(gateway))
        assert one_more.receive() == b""
    assert "WARNING too many connections, so one from 127.0.0.1 was closed" in gateway.said()
    assert connect_to(gateway).get("/Manager").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(gateway, version):
    context = ssl.create_default_context(cafile=gateway.ca)
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((gateway.host, gateway.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            assert tls.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_tls_is_refused(gateway):
    context = ssl.create_default_context(cafile=gateway.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((gateway.host, gateway.port)) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname="localhost")


def test_what_is_no_http(gateway, client):
    with Wire(gateway) as wire:
        assert wire.send("\x16\x03 nonsense\r\n\r\n").receive().startswith(b"HTTP/1.1 400 ")
    with socket.create_connection((gateway.host, gateway.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")  # without TLS
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(1000):
                pass
    assert client.get("/Manager").status_code == 200
    assert "Traceback" not in gateway.said()
