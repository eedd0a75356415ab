# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and end, what is kept in between, and a XenStore that goes away."""

import os
import signal
import socket
import ssl
import stat
import threading
import time

import pytest
import requests
import trustme

from lab import LabError
from lab.gateway import Gateway

C_ONLY = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


def shown_certificate(gateway):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((gateway.host, gateway.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@C_ONLY
def test_what_is_stored_is_for_its_owner_only(gateway, client, guest):
    client.tell(guest.uuid, ("a", "1"), flag="Yes")
    assert mode(gateway.directory) == 0o700
    modes = {name: mode(os.path.join(gateway.directory, name)) for name in os.listdir(gateway.directory)}
    public = {"address", "certificate.pem", "uuid"}
    assert {name for name in modes if modes[name] == 0o644} == public
    assert {modes[name] for name in modes if name not in public} == {0o600}
    assert {"key.pem", "messages.db"} <= set(modes)


@C_ONLY
def test_the_certificate_is_made_once_and_kept(gateway, connect):
    first = shown_certificate(gateway)
    assert "WARNING made a certificate for this host: " + gateway.ca in gateway.said()
    gateway.restart()
    assert shown_certificate(gateway) == first
    assert gateway.said().count("made a certificate") == 1
    for name in ("localhost", "127.0.0.1"):
        answer = requests.Session()
        answer.trust_env = False
        address = "https://%s:%d/ovm/core/wsapi/rest/Manager" % (name, gateway.port)
        assert answer.get(address, verify=gateway.ca, auth=("admin", gateway.password)).status_code == 200


@C_ONLY
def test_ones_own_certificate_and_a_new_one_while_it_runs(start, connect_to, tmp_path, until):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def issue():
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (tmp_path / "certificate.pem").write_bytes(chain)
        return issued.cert_chain_pems[0].bytes().decode()

    first = issue()
    gateway = start({"tls.certificate": tmp_path / "certificate.pem", "tls.key": tmp_path / "key.pem"})
    assert not os.path.exists(gateway.ca)
    gateway.ca = str(tmp_path / "ca.pem")
    client = connect_to(gateway)
    assert client.read("/Manager") and shown_certificate(gateway).split() == first.split()
    second = issue()
    gateway.process.signal(signal.SIGHUP)
    until(lambda: shown_certificate(gateway).split() == second.split())
    assert client.read("/Manager")
    (tmp_path / "key.pem").write_text("nonsense")
    gateway.process.signal(signal.SIGHUP)
    until(lambda: "ERROR the certificate stays the old one: " in gateway.said())
    assert shown_certificate(gateway).split() == second.split() and connect_to(gateway).read("/Manager")


@C_ONLY
def test_sigterm_ends_it_and_requests_in_flight_are_finished(gateway, connect, guest, xenstored):
    client = connect()
    assert client.read("/Vm")
    answers = []
    xenstored.pause()
    asking = threading.Thread(target=lambda: answers.append(client.get("/Vm").status_code))
    asking.start()
    try:
        assert not answers
        gateway.process.signal(signal.SIGTERM)
    finally:
        xenstored.resume()
    asking.join()
    assert gateway.stop() == 0
    assert answers and answers[0] in (200, 503)
    assert "INFO ended" in gateway.said() and "Traceback" not in gateway.said()


@C_ONLY
def test_systemd_is_told_that_it_lives_and_that_it_ends(start, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    gateway = start()  # which has waited for READY=1
    path = os.path.join(gateway.folder, "notify")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(30)
        assert [systemd.recv(100), systemd.recv(100)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
        assert gateway.stop() == 0
        said = systemd.recv(100)
        while said == b"WATCHDOG=1":
            said = systemd.recv(100)
        assert said == b"STOPPING=1"


@C_ONLY
def test_an_idle_connection_does_not_keep_it_from_ending(gateway, client):
    assert client.read("/Manager")
    start = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - start < 8  # seconds; requests in flight would have ten


def test_messages_that_come_while_it_is_down_or_killed_are_collected(gateway, client, guest, guest_sends, until):
    guest_sends(guest, (b"a", b"1"))
    until(lambda: client.messages(guest.uuid) == [("a", "1")])
    gateway.kill()
    guest_sends(guest, (b"b", b"2"), (b"a", b"3"))
    gateway.start()
    until(lambda: client.messages(guest.uuid) == [("a", "1"), ("b", "2"), ("a", "3")])


def test_xenstore_goes_away_and_comes_back(gateway, client, guest, guest_sends, xenstored, until):
    guest_sends(guest, (b"a", b"1"))
    until(lambda: client.messages(guest.uuid) == [("a", "1")])
    xenstored.kill()
    until(lambda: client.get("/Vm").status_code == 503)
    answer = client.get("/Vm")
    assert answer.json()["errorCode"] == "GEN_000000" and answer.headers["Retry-After"]
    assert "XenStore" in answer.json()["message"]
    path = "/Vm/%s/sendMessage" % guest.uuid
    assert client.refused("PUT", path, json=[{"key": "a", "value": "1"}])[0] == 503
    assert client.read("/Manager")[0]["managerRunState"] == "RUNNING"
    assert client.messages(guest.uuid) == [("a", "1")]  # what is stored is there
    until(lambda: "WARNING no messages are collected: " in gateway.said())
    xenstored.restart()
    guest_sends(guest, (b"b", b"2"))
    until(lambda: client.get("/Vm").status_code == 200)
    until(lambda: client.messages(guest.uuid) == [("a", "1"), ("b", "2")])
    assert client.tell(guest.uuid, ("a", "1"))["jobRunState"] == "SUCCESS"
    until(lambda: "WARNING messages are collected again" in gateway.said())


@C_ONLY
def test_it_starts_before_xenstore_does(xenstored, start, connect_to, until):
    xenstored.stop()
    gateway = start()
    client = connect_to(gateway)
    assert client.read("/Manager")[0]["managerRunState"] == "STARTING"
    assert client.refused("GET", "/Vm")[0] == 503
    assert client.read("/Job") == []
    xenstored.start()
    until(lambda: client.read("/Manager")[0]["managerRunState"] == "RUNNING")
    assert client.read("/Vm") == []


def test_a_job_that_a_killed_gateway_left_is_ended(gateway, client, guest):
    """Of one that was killed in the midst of sending, as the store has it then."""
    from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore

    gateway.kill()
    with MessageStore(gateway.directory) as store:
        left = store.add_job("x" * 32, "Send", "admin", "RUNNING", 1.0).id
    gateway.start()
    job = client.read("/Job/" + left)
    assert (job["jobRunState"], job["done"], job["summaryDone"]) == ("FAILURE", True, True)
    assert (
        job["error"]["type"] == "OUTCOME_UNKNOWN" and "whether it took effect is not known" in job["error"]["message"]
    )
    assert client.read("/Job/active") == []


@C_ONLY
def test_what_keeps_it_from_starting(xenstored, request, tmp_path):
    def says(options, code, text):
        broken = Gateway(xenstored, options=options)
        request.addfinalizer(broken.close)
        with pytest.raises(LabError):
            broken.start()
        last = broken.said().strip().rpartition("\n")[2]
        assert last.startswith("ovm-gateway: ") and text in last
        assert broken._child.wait() == code

    with socket.create_server(("127.0.0.1", 0)) as taken:
        says({"server.port": taken.getsockname()[1]}, 1, "cannot listen on 127.0.0.1, port ")
    says({"server.prot": 1}, 3, "there is no setting 'prot' in [server]")
    says({"tls.certificate": "/nowhere/c.pem", "tls.key": "/nowhere/k.pem"}, 1, "the certificate /nowhere/c.pem")
    (tmp_path / "file").write_text("")
    says({"server.directory": tmp_path / "file"}, 1, "the state directory %s" % (tmp_path / "file"))
    users = tmp_path / "users"
    users.write_text("admin:x\n")
    users.chmod(0o600)
    says({"server.users": users}, 1, "line 1 of the users file %s is no user" % users)


@C_ONLY
def test_it_listens_on_all_addresses(start, xenstored):
    gateway = start({"server.address": "*"})
    with open(os.path.join(gateway.directory, "address"), encoding="ascii") as stream:
        assert stream.read() in ("[::]:%d\n" % gateway.port, "0.0.0.0:%d\n" % gateway.port)
    assert shown_certificate(gateway)
