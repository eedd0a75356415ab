# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in: passwords, sessions, client certificates; and how long."""

import base64
import os
import time

import pytest
import requests
import trustme

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)

COOKIE = "__Host-ovm-gateway"


def test_nothing_without_a_login(connect):
    for path in ("/Manager", "/Vm", "/Nothing", "/Utilities/Certificate/CaCertificate", "//", "//style.css"):
        answer = connect(None).get(path)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith('Basic realm="ovm-gateway"')
        assert "Set-Cookie" not in answer.headers


def test_what_is_said_to_who_is_not_logged_in(connect, gateway):
    assert connect(None).refused("GET", "/Vm")[:2] == (401, "AUTH_000003")
    wrong = (401, "AUTH_000005", "user or password is wrong")
    for user, password in (
        ("admin", "wrong"),
        ("admin", ""),
        ("nobody", gateway.password),
        ("admin:", gateway.password),
        ("x" * 1000, "y" * 5000),
    ):
        assert connect(user, password).refused("GET", "/Vm") == wrong
    for header in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"nothing").decode()):
        assert connect(None).refused("GET", "/Vm", headers={"Authorization": header}) == wrong
    assert connect(None).refused("GET", "/Vm", headers={"Authorization": "Bearer x"})[:2] == (401, "AUTH_000003")


def test_a_password_with_other_letters(connect, gateway):
    gateway.add_user("ute", "pässwörd")
    assert connect("ute", "pässwörd".encode()).get("/Vm").status_code == 200
    assert connect("ute", "pässwörd").get("/Vm").status_code == 200  # requests sends Latin-1


def test_a_session_lasts_without_the_password(connect, gateway):
    client = connect()
    answer = client.get("/Manager")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(COOKIE + "=admin:")
    assert cookie.split("; ")[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    assert len(cookie.split(";")[0].rpartition(":")[2]) >= 43  # 256 bits
    client.auth = None
    again = client.get("/Vm")
    assert again.status_code == 200 and "Set-Cookie" not in again.headers
    client.auth = ("admin", gateway.password)
    assert "Set-Cookie" not in client.get("/Vm").headers  # the session is still that one
    client.auth = ("admin", "wrong")
    assert client.refused("GET", "/Vm")[:2] == (401, "AUTH_000005")


def test_a_made_up_session_is_none(connect):
    for value in ("admin:" + "A" * 43, "admin:", ":", "x", "nobody:x", '"', "a" * 5000):
        assert connect(None).refused("GET", "/Vm", headers={"Cookie": COOKIE + "=" + value})[:2] == (401, "AUTH_000003")


def test_an_idle_session_ends(start, connect_to):
    gateway = start({"sessions.idle_seconds": 1})
    client = connect_to(gateway)
    assert client.get("/Vm").status_code == 200
    client.auth = None
    taken = dict(client.cookies)
    assert client.get("/Vm").status_code == 200

    time.sleep(1.1)  # the time itself is what is tested
    assert client.refused("GET", "/Vm")[:2] == (401, "AUTH_000003")
    other = connect_to(gateway)
    other.cookies.update(taken)
    assert "Set-Cookie" in other.get("/Vm").headers


def test_a_user_has_only_so_many_sessions(start, connect_to):
    gateway = start({"sessions.per_user": 2})
    clients = [connect_to(gateway) for _unused in range(3)]
    for client in clients:
        client.get("/Vm")
        client.auth = None
    assert [client.get("/Vm").status_code for client in clients] == [401, 200, 200]


def test_users_come_and_go_while_it_runs(connect, gateway):
    gateway.add_user("eve", "first")
    eve = connect("eve", "first")
    assert eve.get("/Vm").status_code == 200
    with open(gateway.users, encoding="ascii") as stream:
        lines = [line for line in stream if not line.startswith("eve:")]
    with open(gateway.users, "w", encoding="ascii") as stream:
        stream.writelines(lines)
    gateway.add_user("eve", "second")
    assert eve.refused("GET", "/Vm")[:2] == (401, "AUTH_000005")  # neither the password nor the session
    eve.auth = None
    assert eve.refused("GET", "/Vm")[:2] == (401, "AUTH_000003")
    assert connect("eve", "second").get("/Vm").status_code == 200
    assert connect().get("/Vm").status_code == 200


def test_a_users_file_that_others_may_read_lets_nobody_in(connect, gateway):
    client = connect()
    assert client.get("/Vm").status_code == 200
    os.chmod(gateway.users, 0o644)
    assert client.get("/Vm").status_code == 401
    assert (
        "ERROR nobody can log in: the users file %s belongs to somebody else, or others may read it: chown"
        % (gateway.users)
        in gateway.said()
    )
    os.chmod(gateway.users, 0o600)
    assert client.get("/Vm").status_code == 200


def test_failed_logins_are_slowed_down_and_others_are_not(start, connect_to):
    gateway = start({"limits.failed_logins_per_minute": 3})
    client, guesser = connect_to(gateway), connect_to(gateway, "admin", "wrong")
    assert client.get("/Vm").status_code == 200
    assert [guesser.get("/Vm").status_code for _unused in range(4)] == [401, 401, 401, 429]
    answer = guesser.get("/Vm")
    assert 0 < int(answer.headers["Retry-After"]) <= 20
    assert answer.json()["message"] == "GEN_000026:too many failed logins from this address: wait"
    assert connect_to(gateway).get("/Vm").status_code == 200  # a password that was proved a moment ago
    stranger = connect_to(gateway, "nobody", gateway.password)
    assert stranger.get("/Vm").status_code == 429


def test_a_right_password_does_not_count_as_a_failure(start, connect_to):
    gateway = start({"limits.failed_logins_per_minute": 1})
    for number in range(3):
        gateway.add_user("user%d" % number, "x")
        assert connect_to(gateway, "user%d" % number, "x").get("/Vm").status_code == 200


@pytest.fixture
def authority():
    return trustme.CA()


def test_a_client_certificate_is_a_login(start, connect_to, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    gateway = start({"tls.client_ca": tmp_path / "ca.pem"})

    def login(issuer, **names):
        issued = issuer.issue_cert(*names.pop("identities", ["irrelevant.example"]), **names)
        path = tmp_path / "client.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        client = connect_to(gateway, None)
        client.cert = str(path)
        return client

    assert login(authority, common_name="admin").get("/Vm").status_code == 200
    assert login(authority, common_name="nobody").refused("GET", "/Vm")[:2] == (401, "AUTH_000003")
    gateway.add_user("ann@example.com", "x")
    assert login(authority, identities=["ann@example.com"]).get("/Vm").status_code == 200
    assert connect_to(gateway).get("/Vm").status_code == 200  # a password does as well
    with pytest.raises(requests.ConnectionError):
        login(trustme.CA(), common_name="admin").get("/Vm")
    assert "user=admin" in gateway.said()
