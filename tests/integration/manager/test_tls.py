# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a Manager trusts: only whose certificate can be verified, whatever else the environment says.

Nothing is told to anybody else: no request, so no password and no message.
"""

import socket
import ssl
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
    LoginFailed,
    Unreachable,
    UntrustedCertificate,
)
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from lab.faults import Faults

BAD = {
    "untrusted": "unable to get local issuer certificate",
    "expired": "certificate has expired",
    "wrong-name": "IP address mismatch",
}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Nothing in the environment that names certificates; tests set their own."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=list(BAD))
def bad(request, guest, gateway):
    """A proxy whose certificate is bad."""
    with Faults(gateway, request.param) as proxy:
        proxy.reason = BAD[request.param]
        yield proxy


def options(proxy, **more):
    return dict({"host": proxy.host, "port": proxy.port, "ca_path": proxy.ca}, **more)


def test_a_bad_certificate_is_refused_before_anything_is_said(make_manager, bad, passing):
    with pytest.raises(UntrustedCertificate) as caught:
        make_manager(**options(bad)).connect()
    assert bad.reason in str(caught.value)
    assert (bad.requests, bad.connections) == ([], 0)
    assert passing.slept == []  # it does not get better by waiting


def test_verification_can_be_switched_off(make_manager, bad, recwarn):
    make_manager(**options(bad, validate_certs=False)).connect()
    assert bad.count("GET", "/Manager$") == 1
    # It was asked for: nobody needs to be warned.
    assert [warning for warning in recwarn if "nverified" in str(warning.message)] == []


def test_an_authority_that_nobody_named_is_not_trusted(make_manager):
    with pytest.raises(UntrustedCertificate, match="Utilities/Certificate/CaCertificate"):
        make_manager(ca_path=None).connect()


def test_an_authority_that_the_environment_names_counts(make_manager, faults, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", faults.ca)
    make_manager(ca_path=None).connect()


def test_but_not_instead_of_the_one_that_was_given(make_manager, bad, faults, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", faults.ca)
    make_manager(ca_path=faults.ca).connect()
    with pytest.raises(UntrustedCertificate):
        make_manager(**options(bad, ca_path=bad.ca)).connect()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bad.ca)
    make_manager(ca_path=faults.ca).connect()


def test_nor_against_the_switch(make_manager, bad, monkeypatch, faults):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", faults.ca)
    make_manager(**options(bad, validate_certs=False)).connect()


def test_passwords_out_of_a_netrc_file_are_not_used(make_manager, faults, gateway, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    manager = make_manager()
    manager.connect()
    manager.vms()


def test_a_port_without_tls_is_an_error_that_says_so(make_manager):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            client = server.accept()[0]
            client.recv(1000)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable, match="does not speak TLS"):
            make_manager(port=server.getsockname()[1]).connect()
        thread.join()


@pytest.fixture
def choosy(guest, gateway):
    """A proxy that lets in by client certificate, and only so."""
    with Faults(gateway, clients=True) as proxy:
        yield proxy


def certificate_only(proxy, **more):
    return options(proxy, username=None, password=None, **more)


def test_a_client_certificate_logs_in(make_manager, choosy, guest):
    both = make_manager(**certificate_only(choosy, client_cert=choosy.client_cert, client_key=choosy.client_key))
    both.connect()
    assert find(both.vms(), guest.uuid).name == guest.name
    assert not any("authorization" in request.headers for request in choosy.requests)


def test_in_one_file_with_its_key_too(make_manager, choosy, tmp_path):
    one = tmp_path / "both.pem"
    with open(choosy.client_cert) as certificate, open(choosy.client_key) as key:
        one.write_text(key.read() + certificate.read())
    make_manager(**certificate_only(choosy, client_cert=str(one))).connect()


def test_a_client_certificate_that_is_not_known_is_an_error_that_says_so(make_manager, choosy, faults, gateway):
    with Faults(gateway, clients=True) as other:
        stranger = {"client_cert": other.client_cert, "client_key": other.client_key}
        with pytest.raises(LoginFailed, match="client certificate"):
            make_manager(**certificate_only(choosy, **stranger)).connect()
    with pytest.raises(LoginFailed, match="client certificate"):
        make_manager(**options(choosy)).connect()
    assert choosy.requests == []


def test_why_a_client_was_refused_is_read_though_nothing_can_be_sent_any_more(make_manager, choosy, monkeypatch):
    def gone(_sock, _data, *_flags):
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

    monkeypatch.setattr(ssl.SSLSocket, "sendall", gone)
    with pytest.raises(LoginFailed, match="client certificate"):
        make_manager(**options(choosy)).connect()


@pytest.mark.parametrize("end", [ssl.SSLEOFError, ssl.SSLZeroReturnError])
def test_each_end_of_a_connection_is_told_in_the_same_words(make_manager, choosy, monkeypatch, end):
    def ended(_sock, *_args, **_more):
        raise end(6, "TLS/SSL connection has been closed (EOF)")

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", ended)
    with pytest.raises(Unreachable, match=r"cannot be reached \(the connection broke\): "):
        make_manager(**options(choosy, retries=0)).connect()


def test_a_connection_that_ends_within_the_handshake_is_told_in_words(make_manager):
    def hang_up():
        for _unused in range(2):
            connection, _address = server.accept()
            connection.recv(1)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(Unreachable, match=r":%d cannot be reached \(the connection broke\): " % port):
            make_manager(port=port, retries=1).vms()
        thread.join(30)
