# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of all kinds to a real gateway, over TLS, with a real XenStore behind it and a guest that reads.

schemathesis makes them of the gateway's own description: good ones, and ones that are wrong in one place. Others are
bytes that are hardly HTTP. ``OVM_FUZZ_SECONDS`` is how long schemathesis looks.
"""

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.daemon import Daemon
from lab.gateway import Gateway
from lab.guest import Guest

BASE = "/ovm/core/wsapi/rest"
#: Seconds that schemathesis spends, and after which a run of it is taken to hang.
SECONDS = int(os.environ.get("OVM_FUZZ_SECONDS", "120"))
PATIENCE = 60
#: Megabytes that the gateway may take at any time.
BIGGEST = 256
#: Seconds that an answer may take on a machine under load.
SLOWEST = 30
#: Its limits are for clients that mean well, or for many; here one does all.
ROOMY = {
    "limits.requests_per_second": 100000,
    "limits.requests_burst": 100000,
    "limits.failed_logins_per_minute": 1000,
    "sessions.per_user": 10000,
    "limits.request_seconds": 2,
    "limits.keep_alive_seconds": 2,
}
CONFIGURATION = """
[auth]
basic = { username = "admin", password = "${OVM_PASSWORD}" }

# Always refused, however good the request is.
[[operations]]
include-path = "/Job/{id}/abort"
checks.positive_data_acceptance.enabled = false
"""
FIGURES = pathlib.Path(os.environ["OVM_CACHE"]) / "fuzz" / "gateway.json"


@pytest.fixture(scope="module")
def xenstored(lab_parts):
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def guest(xenstored):
    """A guest that has reported, and takes whatever it is sent."""
    made, end = Guest(xenstored, 5, name="web"), threading.Event()
    interfaces = [{"name": "eth0", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.7/24", "2001:db8::7/64"]}]
    with XenStore(made.path) as store:
        for pair in (report.guest("b1", "1.2"), report.interfaces(interfaces), (b"app.state", b"ready")):
            GuestEnd(store).send(Message(*pair), PATIENCE)

    def take():
        with XenStore(made.path) as store:
            guest_end = GuestEnd(store)
            while not end.wait(0.05):
                for _arrival in guest_end.inbox.receive():
                    pass

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    yield made
    end.set()
    taker.join(PATIENCE)


@pytest.fixture(scope="module")
def gateway(xenstored, guest):
    with Gateway(xenstored, options=ROOMY) as running:
        yield running
        assert "defect" not in running.said() and "Traceback" not in running.said()
        assert "an answer was cut short" not in running.said()


@pytest.fixture(scope="module")
def client(gateway, guest):
    """A client that is logged in, once the gateway has what the guest has sent."""
    with requests.Session() as session:
        session.auth, session.verify, session.trust_env = (gateway.username, gateway.password), gateway.ca, False
        deadline = time.monotonic() + PATIENCE
        while len(session.get("%s%s/Vm/%s/messages" % (gateway.url, BASE, guest.uuid)).json()) < 3:
            assert time.monotonic() < deadline, "the gateway does not collect"
        yield session


def figures(**found):
    """Keep what was measured, and print it."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(dict(known, **found), indent=2) + "\n")
    print("\n%s\nthese figures as JSON: %s" % (found, FIGURES))


def biggest(gateway):
    """Megabytes that the gateway has had at most."""
    status = pathlib.Path("/proc/%d/status" % gateway.process.pid).read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def well(gateway, client):
    """See that the gateway serves as before."""
    assert client.get(gateway.url + BASE + "/Manager", timeout=PATIENCE).json()[0]["managerRunState"] == "RUNNING"
    assert biggest(gateway) < BIGGEST


@pytest.mark.timeout(SECONDS * 10 + 1200)
def test_requests_out_of_the_description(gateway, client, guest, tmp_path):
    address = gateway.url + BASE
    client.put("%s/Vm/%s/sendMessage?logFlag=Yes" % (address, guest.uuid), json=[{"key": "a", "value": "1"}])
    kinds = ("Vm", "VirtualNic", "Job", "Event")
    ids = {kind: [each["value"] for each in client.get("%s/%s/id" % (address, kind)).json()] for kind in kinds}
    assert all(ids.values())
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", tmp_path / "schemathesis.toml", "run",
         address + "/openapi.json", "--tls-verify", gateway.ca, "--no-color", "--continue-on-failure",
         "--max-time", str(SECONDS), "--max-response-time", str(SLOWEST), "--request-timeout", str(PATIENCE),
         "--generation-database", "none", "--suppress-health-check", "all",
         "--report", "json", "--report-json-path", tmp_path / "report.json"],
        cwd=tmp_path,
        env=dict(
            os.environ, OVM_PASSWORD=gateway.password, OVM_FUZZ_IDS=json.dumps(ids), SCHEMATHESIS_HOOKS="fuzz.hooks"
        ),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=SECONDS * 10 + 600,
    )  # fmt: skip
    print(done.stdout)
    found = json.loads((tmp_path / "report.json").read_text())
    assert gateway.password not in done.stdout
    figures(
        schemathesis=dict(
            version=found["schemathesis_version"],
            seed=str(found["seed"]),
            requests=found["test_cases"]["generated"],
            failures=found["test_cases"]["unique_failures"],
            seconds=round(time.monotonic() - began, 1),
            gateway_megabytes=round(biggest(gateway), 1),
        )
    )
    assert found["test_cases"]["generated"] > 100 and not found["warnings"]["missing_auth"]
    assert not found["failures"] and not found["errors"] and done.returncode == 0, done.stdout
    well(gateway, client)


TOKENS = st.sampled_from(
    [
        b"GET",
        b"PUT",
        b"HEAD",
        b"OPTIONS",
        b"CONNECT",
        b"PRI * HTTP/2.0",
        b"get",
        b"\x16\x03\x01",
        b"*",
        b"/",
        b"//",
        b"/..",
        b"/%2e%2e/",
        b"/%00",
        b"\xff",
        BASE.encode(),
        BASE.encode() + b"/Vm",
        BASE.encode() + b"/openapi.json",
        b"http://other.example/",
        b"?",
        b"#",
        b"&",
        b";",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/9.9",
        b"HTTP/1.1\r\nHost: x",
    ]
)
HEADERS = st.sampled_from(
    [
        b"Host: localhost",
        b"Host: a\r\nHost: b",
        b"Content-Length: 0",
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 0x10",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Content-Encoding: gzip",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"TE: trailers",
        b"Connection: Upgrade\r\nUpgrade: websocket",
        b"Connection: close",
        b"Authorization: Basic",
        b"Authorization: Basic Og==",
        b"Authorization: Basic %%%",
        b"Authorization: Bearer x",
        b"Authorization: Basic /////w==",
        b"Cookie: \x1b[2J",
        b"Cookie: __Host-ovm-gateway=admin:x",
        b"Cookie: __Host-ovm-gateway=:",
        b"Cookie: =;=;=",
        b"Accept: */*",
        b"Accept: " + b"a," * 2000,
        b" folded",
        b"\x00: x",
        b"X" * 70000,
        b"X: " + b"y" * 30000,
        b"X-\xff: \xff",
        b"Range: bytes=0-",
        b"X-HTTP-Method-Override: PUT",
        b"X-Forwarded-For: 127.0.0.1",
        b"Content-Type: application/json; charset=utf-7",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"[]",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"-1\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"z\r\n",
        b"[" * 3000,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"5;" + b"e" * 5000 + b"\r\nhello\r\n",
    ]
)
LINES = st.builds(b" ".join, st.lists(st.one_of(TOKENS, st.binary(max_size=30)), max_size=5))
REQUESTS = st.builds(
    lambda line, headers, body, rest: b"\r\n".join([line, *headers, b"", body]) + rest,
    st.one_of(
        LINES,
        st.just(b"GET %s/Vm HTTP/1.1" % BASE.encode()),
        st.just(b"PUT %s/Vm/x/sendMessage HTTP/1.1" % BASE.encode()),
    ),
    st.lists(st.one_of(HEADERS, st.binary(max_size=40)), max_size=6),
    BODIES,
    st.binary(max_size=40),
)


def exchange(gateway, context, raw):
    """Send bytes, and give what comes until the gateway closes the connection, as it has to."""
    with socket.create_connection((gateway.host, gateway.port), timeout=SLOWEST) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            answer = bytearray()
            try:
                connection.sendall(raw)
                # The end of what is asked; some of it may have been a good request, which leaves a connection open.
                plain_end = b"\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                connection.sendall(plain_end)
                while True:
                    part = connection.recv(65536)
                    if not part:
                        break
                    answer += part
                    assert len(answer) < 1 << 20, "an answer without an end"
            except (ConnectionError, ssl.SSLError, BrokenPipeError):
                pass  # cut short, as a client that sends no HTTP may be
    return bytes(answer)


@pytest.mark.timeout(1800)
def test_bytes_that_are_hardly_http(gateway, client):
    context = ssl.create_default_context(cafile=gateway.ca)
    tried, began, slowest = 0, time.monotonic(), 0.0

    @settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS)
    def one(raw):
        nonlocal tried, slowest
        start = time.monotonic()
        answer = exchange(gateway, context, raw)
        tried, slowest = tried + 1, max(slowest, time.monotonic() - start)
        codes = {int(code) for code in re.findall(rb"^HTTP/1\.1 (\d\d\d) ", answer, re.MULTILINE)}
        # Nobody has logged in, so nothing is given: no answer of another kind than these.
        assert codes <= {100, 302, 303, 307, 400, 401, 404, 405, 408, 413, 429, 431}, answer
        assert b"Traceback" not in answer

    one()
    figures(hardly_http=dict(requests=tried, seconds=round(time.monotonic() - began, 1), slowest=round(slowest, 2)))
    well(gateway, client)


@pytest.mark.timeout(600)
def test_many_that_ask_for_nothing(gateway, client):
    """Connections that say nothing, or a little at a time, keep nobody else out, and come to their end."""
    context = ssl.create_default_context(cafile=gateway.ca)
    silent = []
    for number in range(40):
        plain = socket.create_connection((gateway.host, gateway.port), timeout=SLOWEST)
        silent.append(plain if number % 2 else context.wrap_socket(plain, server_hostname="localhost"))
        if not number % 4:
            silent[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
    well(gateway, client)
    for connection in silent:
        try:
            while connection.recv(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        connection.close()
    well(gateway, client)
