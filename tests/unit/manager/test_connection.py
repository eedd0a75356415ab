# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a connection are checked before anybody is asked."""

import os
import pathlib
import subprocess
import sys

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import BadConnection

LOGIN = {"username": "admin", "password": "hunter2"}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("manager.example.com", "manager.example.com:7002"),
        ("10.0.0.1", "10.0.0.1:7002"),
        ("2001:db8::1", "[2001:db8::1]:7002"),
        ("[2001:db8::1]", "[2001:db8::1]:7002"),
    ],
)
def test_a_host_is_a_name_or_an_address(host, address):
    assert Connection(host, **LOGIN).address == address


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"host": "https://manager:7002"}, "the host 'https://manager:7002' is a URL: give its name or address only"),
        ({"host": "manager/ovm"}, "the host 'manager/ovm' is a URL"),
        ({"host": "manager:7002"}, "the host 'manager:7002' has a colon: give the port as an option of its own"),
        ({"host": "12:34"}, "the host '12:34' has a colon"),
        ({"host": ""}, "'' is no host: give its name or address"),
        ({"host": "a b"}, "'a b' is no host"),
        ({"host": "user@manager"}, "'user@manager' is no host"),
        ({"host": "manager\n"}, "'manager' is no host"),
        ({"port": 0}, "there is no port 0: give one from 1 to 65535; managers use 7002"),
        ({"port": 65536}, "there is no port 65536"),
        ({"timeout": 0}, "a time limit of the connection is not above 0: give seconds"),
        ({"connect_timeout": -1.0}, "a time limit of the connection is not above 0"),
        ({"retries": -1}, "retries below 0, or less than one connection"),
        ({"pool": 0}, "retries below 0, or less than one connection"),
        ({"username": None}, "nobody to log in as: give user and password, or a client certificate"),
        ({"password": None}, "no password for the user 'admin': give it"),
        ({"username": "a:b"}, "the user 'a:b' has a colon: HTTP knows no such users"),
        ({"client_key": "key.pem"}, "there is a client key without its certificate: give the client certificate, too"),
        ({"ca_path": "/nowhere.pem"}, "the CA file /nowhere.pem does not exist: give a file that this user may read"),
        ({"client_cert": "/nowhere.pem"}, "the client certificate file /nowhere.pem does not exist"),
    ],
)
def test_a_bad_option_is_refused(options, says):
    with pytest.raises(BadConnection) as refusal:
        Connection(**dict(LOGIN, host="manager", **options) if "host" not in options else dict(LOGIN, **options))
    assert str(refusal.value).startswith(says)
    assert "hunter2" not in str(refusal.value)


def test_an_empty_password_is_one():
    assert Connection("manager", username="admin", password="").password == ""


def test_no_path_is_like_an_empty_one():
    connection = Connection("manager", ca_path="", client_cert="", client_key="", **LOGIN)
    assert (connection.ca_path, connection.client_cert, connection.client_key) == (None, None, None)


def test_what_is_shown_has_no_secret():
    assert repr(Connection("manager", **LOGIN)) == "Connection(manager:7002, username='admin')"


def test_a_ca_file_has_a_certificate(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(BadConnection, match="the CA file .*ca.pem holds no certificate in PEM form: give a file"):
        Connection("manager", ca_path=str(path), **LOGIN)


def test_a_folder_of_authorities_is_taken(tmp_path):
    assert Connection("manager", ca_path=str(tmp_path), **LOGIN).ca_path == str(tmp_path)


@pytest.fixture
def client(tmp_path):
    """Paths of a client's certificate and key, and of both in one file."""
    made = trustme.CA().issue_cert("somebody")
    paths = [str(tmp_path / name) for name in ("cert.pem", "key.pem", "both.pem")]
    made.cert_chain_pems[0].write_to_path(paths[0])
    made.private_key_pem.write_to_path(paths[1])
    made.private_key_and_cert_chain_pem.write_to_path(paths[2])
    return paths


def test_a_client_certificate_needs_no_user(client):
    cert, key, both = client
    assert Connection("manager", client_cert=cert, client_key=key).username is None
    assert Connection("manager", client_cert=both).client_key is None


def test_a_certificate_without_its_key_is_refused(client):
    cert, _key, both = client
    with pytest.raises(BadConnection, match="cert.pem cannot be used with the key in the same file: give the cert"):
        Connection("manager", client_cert=cert)
    with pytest.raises(BadConnection, match="both.pem cannot be used with the key in .*cert.pem"):
        Connection("manager", client_cert=both, client_key=cert)


def test_a_key_with_a_passphrase_is_refused_and_nobody_asked(client):
    cert, key, _both = client
    found = serialization.load_pem_private_key(pathlib.Path(key).read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"x")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pathlib.Path(key).write_bytes(found.private_bytes(*form, locked))
    with pytest.raises(BadConnection, match="the key without a passphrase"):
        Connection("manager", client_cert=cert, client_key=key)
    # OpenSSL asks where there is a terminal, so have one.
    code = (
        "import os, sys\n"
        "os.open(sys.argv[1], os.O_RDWR)\n"
        "from %s import Connection\n"
        "try: Connection('manager', client_cert=sys.argv[2], client_key=sys.argv[3])\n"
        "except ValueError: print('refused')\n" % Connection.__module__
    )
    ours, theirs = os.openpty()
    try:
        command = [sys.executable, "-c", code, os.ttyname(theirs), cert, key]
        done = subprocess.run(command, start_new_session=True, stdout=subprocess.PIPE, timeout=30, check=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == b"refused\n"


def test_a_file_that_may_not_be_read_is_named(client, monkeypatch):
    # root may read everything
    monkeypatch.setattr("os.access", lambda path, mode: path != client[0])
    with pytest.raises(BadConnection, match="cert.pem may not be read"):
        Connection("manager", client_cert=client[0], client_key=client[1])
