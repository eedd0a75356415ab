# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests over real TLS: logging in, trust, and everything that goes wrong on the way."""

import ast
import contextlib
import datetime
import logging
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from ansible_collections.ovm.messaging.plugins.module_utils.manager import session as session_module
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
    BadAnswer,
    Forbidden,
    LoginFailed,
    MissingLibrary,
    NotReady,
    OutcomeUnknown,
    Refused,
    Unreachable,
    UntrustedCertificate,
)
from ansible_collections.ovm.messaging.tests.unit.manager.scripted import PAGE, VM, Reply, refusal

SEND = "Vm/%s/sendMessage" % VM
SECRET = "hunter2"


@pytest.fixture
def session(manager):
    return manager.session


# Logging in


def test_the_password_goes_once_and_one_connection_serves_all(session, server):
    for _count in range(5):
        session.get("Vm")
    session.put(SEND, [])
    assert (server.connections, server.logins, session.requests) == (1, 1, 6)
    assert [("Authorization" in seen.headers, "Cookie" in seen.headers) for seen in server.seen] == (
        [(True, False)] + [(False, True)] * 5
    )
    assert {seen.headers["Accept"] for seen in server.seen} == {"application/json"}
    assert {seen.headers["Content-Type"] for seen in server.seen} == {"application/json"}


def test_where_there_is_no_cookie_the_password_goes_with_every_request(session, server):
    server.cookies = False
    session.get("Vm")
    session.get("Vm")
    assert server.logins == 2


def test_the_dialect_can_ask_for_the_password_every_time(make_manager, server):
    session = make_manager({"dialect": Dialect.from_options({"basic_login": "always"})}).session
    session.get("Vm")
    session.get("Vm")
    assert server.logins == 2
    assert "Cookie" in server.seen[1].headers


def test_user_and_password_may_be_any_text(make_manager, server):
    server.username, server.password = "käthe", "пароль:€"
    session = make_manager(username=server.username, password=server.password).session
    assert session.get("Vm")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(PAGE, 401), r""),
        (Reply(refusal("AUTH_000005", "Invalid credentials"), 401), r" \(AUTH_000005:Invalid credentials\)"),
        (Reply(refusal("AUTH_000005", "Invalid credentials"), 400), r" \(AUTH_000005:Invalid credentials\)"),
    ],
)
def test_a_wrong_password_is_tried_once(make_manager, server, reply, said):
    server.wrong = reply
    session = make_manager(password=SECRET).session
    with pytest.raises(LoginFailed, match=r"does not let the user 'admin' in%s: check user and password" % said):
        session.get("Vm")
    assert len(server.seen) == 1


def test_a_session_that_is_gone_is_replaced_and_the_request_made_once_more(session, server):
    session.get("Vm")
    server.sessions.clear()
    assert session.put(SEND, [1])
    session.get("Vm")
    assert server.logins == 2
    # Without an answer from behind the login the manager has done nothing.
    assert [("Authorization" in seen.headers, "Cookie" in seen.headers) for seen in server.seen] == [
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]
    assert [seen.body for seen in server.seen if seen.method == "PUT"] == [b"[1]"] * 2


@pytest.mark.parametrize("code", ["AUTH_000000", "AUTH_000003"])
def test_a_session_may_end_with_another_status(session, server, code):
    session.get("Vm")
    server.sessions.clear()
    server.wrong = Reply(refusal(code), 400)
    session.get("Vm")
    assert server.logins == 2


def test_a_session_that_is_gone_with_the_password_is_an_error(session, server):
    session.get("Vm")
    server.sessions.clear()
    server.password = "changed"
    with pytest.raises(LoginFailed, match="has ended the session, and does not let the user 'admin' in again"):
        session.get("Vm")
    assert server.logins == 2


def test_of_several_threads_one_logs_in_again(session, server):
    session.get("Vm")
    server.sessions.clear()
    refused = threading.Barrier(6)

    def gate(seen):
        # All six have been refused before any of them learns of it.
        if "Cookie" in seen.headers and not server.sessions:
            refused.wait(30)

    server.gate = gate
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(session.get, ["Vm"] * 6))
    assert server.logins == 2


def test_a_new_session_that_ends_at_once_is_an_error_for_who_waited(session, server):
    session.get("Vm")
    server.sessions.clear()
    refused = threading.Barrier(2)

    def gate(seen):
        if "Authorization" in seen.headers:
            server.sessions.clear()
        elif server.logins == 1:
            refused.wait(30)

    server.gate = gate
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(session.get, "Vm") for _thread in range(2)]
    errors = [answer.exception() for answer in answers if answer.exception()]
    assert [str(error).partition(" has ")[2].split(",")[0] for error in errors] == ["ended the session"]


def test_threads_share_a_bounded_number_of_connections(make_manager, server):
    session = make_manager(pool=2).session
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(session.get, ["Vm"] * 40))
    assert server.connections <= 2
    assert session.requests == 40 == len(server.seen)


def test_the_users_netrc_is_not_for_us(make_manager, server, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login admin password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    session = make_manager().session
    session.get("Vm")
    session.get("Vm")
    server.username = None
    make_manager(username=None, password=None, client_cert=_client(tmp_path)[0]).session.get("Vm")
    assert ["Authorization" in seen.headers for seen in server.seen] == [True, False, False]


def test_a_redirect_is_not_followed(session, server):
    server.say("GET", "Vm", Reply(b"", 302, {"Location": "https://elsewhere.example.com/\x1b[2J"}))
    with pytest.raises(BadAnswer, match=r"redirects to https://elsewhere.example.com/\S*: give host and port") as error:
        session.get("Vm")
    assert "\x1b" not in str(error.value)
    assert len(server.seen) == 1


# Trust


def _client(folder, authority=None):
    """Paths of a client's certificate with its key, and of the key."""
    made = (authority or trustme.CA()).issue_cert("somebody@example.com")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    made.private_key_pem.write_to_path(folder / "key.pem")
    return str(folder / "client.pem"), str(folder / "key.pem")


def test_a_client_certificate_is_a_login(make_server, make_manager, tmp_path):
    known = trustme.CA()
    server = make_server(clients=known)
    both, key = _client(tmp_path, known)
    nobody = {"username": None, "password": None, "port": server.port}
    make_manager(client_cert=both, **nobody).session.get("Vm")
    make_manager(client_cert=both, client_key=key, **nobody).session.get("Vm")
    assert not any("Authorization" in seen.headers for seen in server.seen)


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_is_asked_for(make_server, make_manager, tls):
    # In TLS 1.3 the refusal comes with the answer; it may get lost, but not each time.
    session = make_manager(port=make_server(clients=trustme.CA(), tls=tls).port, retries=50).session
    with pytest.raises(
        LoginFailed, match="refuses a connection without a client certificate .*: give certificate and key"
    ):
        session.get("Vm")


def test_an_unknown_client_certificate_is_refused(make_server, make_manager, tmp_path):
    server = make_server(clients=trustme.CA(), tls=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(LoginFailed, match="refuses this client certificate"):
        make_manager(port=server.port, client_cert=_client(tmp_path)[0]).session.get("Vm")


def test_a_client_certificate_may_be_no_login(make_manager, tmp_path):
    session = make_manager(username=None, password=None, client_cert=_client(tmp_path)[0]).session
    with pytest.raises(LoginFailed, match="does not let this client certificate in: give one that the manager knows"):
        session.get("Vm")


def _certificate(authority, name="127.0.0.1", days=1):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return authority.issue_cert(name, not_before=until - datetime.timedelta(days=9), not_after=until)


WHERE = r"it is to be had at https://127.0.0.1:\d+/ovm/core/wsapi/rest/Utilities/Certificate/CaCertificate"


@pytest.mark.parametrize(
    ("name", "days", "says"),
    [
        ("elsewhere.example.com", 1, "mismatch.*: use the name that the certificate is made out to"),
        ("127.0.0.1", -1, "expired: renew it, or set the clocks right"),
        ("127.0.0.1", 99, "not yet valid: renew it, or set the clocks right"),
    ],
)
def test_a_bad_certificate_is_told_by_its_reason(make_server, make_manager, authority, time, name, days, says):
    server = make_server(_certificate(authority, name, days))
    with pytest.raises(UntrustedCertificate, match=r"manager at 127.0.0.1:\d+ cannot be trusted: .*" + says):
        make_manager(port=server.port).session.get("Vm")
    assert (server.seen, time.slept) == ([], [])


def test_an_unknown_authority_is_told_with_where_to_get_it(make_server, make_manager, tmp_path):
    server = make_server(_certificate(trustme.CA()))
    for ca_path, says in (
        (None, "give the certificate of its authority as CA file; " + WHERE),
        (str(tmp_path), "see that .* has the certificate of its authority, and was treated by c_rehash; " + WHERE),
    ):
        with pytest.raises(UntrustedCertificate, match="local issuer certificate.*: " + says):
            make_manager(port=server.port, ca_path=ca_path).session.get("Vm")
    with pytest.raises(UntrustedCertificate, match="see that .*ca.pem has the certificate of its authority; "):
        make_manager(port=server.port).session.get("Vm")
    assert server.seen == []


def test_nothing_is_sent_to_whom_is_not_trusted(make_server, make_manager):
    server = make_server(_certificate(trustme.CA()))
    with pytest.raises(UntrustedCertificate):
        make_manager(port=server.port).session.put(SEND, [])
    assert server.seen == []


def _insecure(warned):
    return [warning.category.__name__ for warning in warned].count("InsecureRequestWarning")


def test_verification_is_turned_off_without_a_warning_here_only(make_server, make_manager, ca_path, monkeypatch):
    server = make_server(_certificate(trustme.CA()))
    # requests lets this bundle turn verification on again, unless told each time
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_path)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        make_manager(port=server.port, validate_certs=False, ca_path=None).session.get("Vm")
    assert _insecure(warned) == 0
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        session_module.requests.get("https://127.0.0.1:%d/" % server.port, verify=False, timeout=30)  # noqa: S501
    assert _insecure(warned) == 1


def test_a_bundle_in_the_environment_is_believed_unless_another_is_given(make_manager, ca_path, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_path)
    assert make_manager(ca_path=None).session.get("Vm")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(UntrustedCertificate):
        make_manager(ca_path=str(other)).session.get("Vm")


def test_a_proxy_in_the_environment_is_used_even_without_verification(make_manager, server, monkeypatch):
    with _Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:%d" % proxy.port)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert make_manager(host="localhost", validate_certs=False, ca_path=None).session.get("Vm")
        assert _insecure(warned) == 0
    # Older Pythons ask by HTTP/1.0.
    assert [line.rpartition(b" ")[0] for line in proxy.asked] == [b"CONNECT localhost:%d" % server.port]


class _Proxy:
    """Passes one CONNECT on to a port here."""

    def __init__(self, port):
        self._upstream, self.asked = port, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._listener.close()

    def _serve(self):
        client = self._listener.accept()[0]
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1000)
        self.asked.append(head.splitlines()[0])
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        upstream = socket.create_connection(("127.0.0.1", self._upstream))
        for pair in ((client, upstream), (upstream, client)):
            threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _pass(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(10000):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


# On the way


@pytest.fixture
def closed_port():
    """A port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("call", [lambda s: s.get("Vm"), lambda s: s.put(SEND, [])])
def test_who_is_not_there_is_tried_a_few_times(make_manager, closed_port, time, call):
    session = make_manager(port=closed_port, retries=3).session
    with pytest.raises(
        Unreachable, match=r"manager at 127.0.0.1:\d+ cannot be reached \(Connection refused\): check host and port"
    ):
        call(session)
    assert session.requests == 4
    assert len(time.slept) == 3
    assert 0.25 <= time.slept[0] <= 0.5 <= time.slept[1] <= 1 <= time.slept[2] <= 2


def test_a_host_that_nobody_knows(make_manager):
    with pytest.raises(Unreachable, match=r"host.invalid:\d+ cannot be reached \(.+\): check host and port"):
        make_manager(host="host.invalid", retries=0).session.get("Vm")


def test_a_port_that_speaks_no_tls(make_manager):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable, match="does not speak TLS, .*: check the port"):
            make_manager(port=listener.getsockname()[1]).session.get("Vm")
        thread.join()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_manager_with_a_tls_that_is_too_old(make_server, make_manager):
    with pytest.raises(Unreachable, match="does not speak TLS, or none that is allowed here .*which versions of TLS"):
        make_manager(port=make_server(tls=ssl.TLSVersion.TLSv1_1).port).session.get("Vm")


def test_who_accepts_and_says_nothing_is_given_up(make_manager, time):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        session = make_manager(port=listener.getsockname()[1], connect_timeout=0.05, timeout=0.05, retries=1).session
        with pytest.raises(Unreachable, match="did not answer in time: check host and port, or allow more time"):
            session.put(SEND, [])
    assert session.requests == 2


@pytest.mark.parametrize(
    "fault",
    [
        Reply([], cut=-1),
        Reply(["a longer answer"], cut=5),
        Reply(b'["half', 200),
        Reply(b"", 200),
        Reply(b"\xff", 200),
        Reply(b"[" * 100000, 200),
        Reply(PAGE, 200),
        Reply(PAGE, 500),
        Reply(PAGE, 502),
        Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
        Reply(PAGE, 503),
        Reply(refusal("GEN_000000"), 503),
        Reply(b"", 429),
        Reply(refusal("GEN_000025"), 400),
        Reply(refusal("GEN_000026"), 400),
        Reply(refusal("GEN_000027"), 400),
    ],
)
def test_a_get_is_repeated_after_every_passing_fault(session, server, time, fault):
    server.say("GET", "Vm", fault, fault, ["fine"])
    assert session.get("Vm") == ["fine"]
    assert (server.count("GET", "Vm"), len(time.slept)) == (3, 2)


@pytest.mark.parametrize(
    "fault",
    [
        Reply([], cut=-1),
        Reply(["a longer answer"], cut=5),
        Reply(b'["half', 200),
        Reply(b"", 200),
        Reply(b"", 204),
        Reply(PAGE, 200),
        Reply(PAGE, 500),
        Reply(PAGE, 502),
        Reply(PAGE, 504),
        Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
)
def test_a_put_that_may_have_arrived_is_not_repeated(session, server, time, fault):
    server.say("PUT", SEND, fault, ["fine"])
    with pytest.raises(OutcomeUnknown) as error:
        session.put(SEND, [{"key": "k", "value": SECRET}])
    assert (server.count("PUT", SEND), time.slept) == (1, [])
    assert not set(dir(error.value)) & {"request", "response"}


@pytest.mark.parametrize("fault", [Reply(PAGE, 503), Reply(b"", 429), Reply(refusal("GEN_000026"), 400)])
def test_a_put_that_was_put_off_is_repeated(session, server, fault):
    server.say("PUT", SEND, fault, ["fine"])
    assert session.put(SEND, []) == ["fine"]


def test_a_put_without_an_answer_in_time_is_not_repeated(make_manager, server):
    session = make_manager(timeout=0.3).session
    done = threading.Event()
    server.gate = lambda seen: done.wait(30)
    with pytest.raises(OutcomeUnknown, match="did not answer in time; by then the request had been sent"):
        session.put(SEND, [])
    done.set()
    assert server.count("PUT", SEND) == 1


@pytest.mark.parametrize(
    ("call", "error"), [(lambda s: s.get("Vm"), Unreachable), (lambda s: s.put(SEND, []), OutcomeUnknown)]
)
def test_an_answer_that_never_ends_is_ended(make_manager, server, call, error):
    done = threading.Event()
    reply = Reply(b"", drip=done)
    server.say("GET", "Vm", reply)
    server.say("PUT", SEND, reply)
    with pytest.raises(error, match="did not answer in time"):
        call(make_manager(timeout=0.4, retries=1).session)
    done.set()


def test_no_watchdog_is_left_that_could_end_a_later_request(session):
    for _request in range(3):
        session.get("Vm")
    for thread in threading.enumerate():
        if isinstance(thread, session_module._Watchdog):
            thread.join(10)
            assert not thread.is_alive()


def test_a_get_without_an_answer_in_time_is_repeated(make_manager, server):
    session = make_manager(timeout=0.6).session
    done = threading.Event()
    server.gate = lambda seen: done.wait(30) if len(server.seen) == 1 else None
    assert session.get("Vm")
    done.set()


@pytest.mark.parametrize(
    ("header", "pause"),
    [("3", 3.0), ("86400", 30.0), ("0", None), ("\xb2", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_a_server_says_when_to_come_again(session, server, time, header, pause):
    server.say("GET", "Vm", Reply(PAGE, 503, {"Retry-After": header}), [])
    session.get("Vm")
    assert time.slept == ([pause] if pause else time.slept[:1])
    assert pause or 0.25 <= time.slept[0] <= 0.5


def test_repeating_ends(make_manager, server, time):
    server.say("GET", "Vm", Reply(refusal("GEN_000009", "busy"), 503))
    session = make_manager(retries=9).session
    with pytest.raises(NotReady, match=r"is not ready \(HTTP status 503: GEN_000009:busy\): try again later") as error:
        session.get("Vm")
    assert error.value.state == "HTTP status 503"
    assert session.requests == 10
    assert max(time.slept) <= 8


def test_repeating_ends_with_the_time(session, server, time):
    server.say("GET", "Vm", Reply(PAGE, 503, {"Retry-After": "20"}))
    with pytest.raises(NotReady):
        session.get("Vm", time.now + 25)
    assert time.slept == [20.0, 5.0]


def test_too_many_sessions_for_long_are_what_the_manager_says(session, server):
    server.say("GET", "Vm", Reply(refusal("GEN_000025", "Too many sessions"), 400))
    with pytest.raises(Refused, match="GEN_000025:Too many sessions"):
        session.get("Vm")


# What it says


def test_a_refusal_has_the_managers_words_and_codes(session, server):
    server.say("GET", "Vm", Reply(refusal("GEN_000031", "An error\noccurred\x1b" + "x" * 2000), 400))
    with pytest.raises(Refused) as error:
        session.get("Vm")
    text = str(error.value)
    assert text.startswith("the manager at 127.0.0.1:%d says: GEN_000031:An error occurred\\x1bx" % server.port)
    assert len(text) < 1100
    assert (error.value.code, error.value.ws_code, error.value.status) == ("GEN_000031", "GENERAL", 400)
    assert server.count("GET", "Vm") == 1


@pytest.mark.parametrize("body", [{"errorCode": "GEN_000031", "message": None}, {"errorCode": "GEN_000031"}])
def test_a_refusal_may_lack_words(session, server, body):
    server.say("GET", "Vm", Reply(body, 500))
    with pytest.raises(Refused, match="says: GEN_000031$"):
        session.get("Vm")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(PAGE, 403), "HTTP status 403"),
        (Reply(refusal("AUTH_000006", "Unauthorized"), 400), "AUTH_000006:Unauthorized"),
    ],
)
def test_what_the_user_may_not_do(session, server, reply, said):
    server.say("GET", "Vm", reply)
    with pytest.raises(Forbidden, match=r"does not allow that \(%s\): log in as another user" % said):
        session.get("Vm")


@pytest.mark.parametrize("body", [PAGE, b"<style>b { c", b"<b>Service\x07<i> page<br"])
def test_a_page_is_shown_by_its_words(session, server, body):
    server.say("GET", "Nothing", Reply(body, 404))
    with pytest.raises(BadAnswer) as error:
        session.get("Nothing")
    words = "" if b"page" not in body else r": Service\x07 page" if b"title" not in body else r": x Service\x07 page"
    assert error.value.text.endswith("GET Nothing makes no sense (HTTP status 404%s)" % words)


@pytest.mark.parametrize("path", ["Vm/%s/messages" % VM, "Event", "Job/7"])
def test_of_a_page_that_may_quote_a_value_nothing_is_shown(session, server, path):
    server.say("GET", path, Reply(b"<b>hunter2</b>", 404))
    with pytest.raises(BadAnswer) as error:
        session.get(path)
    assert SECRET not in str(error.value)


def test_of_broken_json_nothing_is_shown(session, server):
    server.say("GET", "Vm", Reply(b' [{"value": "hunter2"'))
    with pytest.raises(BadAnswer) as error:
        session.get("Vm")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("status", [200, 404, 413, 500])
def test_of_a_page_that_answers_a_put_nothing_is_shown(session, server, status):
    server.say("PUT", SEND, Reply(b"<b>hunter2</b>", status))
    kind = BadAnswer if 400 <= status < 500 else OutcomeUnknown
    with pytest.raises(kind) as error:
        session.put(SEND, [{"key": "k", "value": SECRET}])
    assert SECRET not in str(error.value)


def test_no_secret_gets_out(make_manager, make_server, server, closed_port, caplog, capfd):
    """Whatever happens: not into an error, what it was made of, a log at its most talkative, or a repr."""
    caplog.set_level(logging.DEBUG)
    # What the manager itself says is another matter, see test_manager.
    replies = [
        Reply([], cut=-1), Reply(["xxxxx"], cut=3), Reply(b"{", 200), Reply(PAGE, 500), Reply(PAGE, 404),
        Reply(b"", 302), Reply(b"", 503), Reply(b"", 403),
    ]  # fmt: skip
    strange = make_server(_certificate(trustme.CA())).port
    texts = []
    for reply, port in [*((reply, server.port) for reply in replies), (None, closed_port), (None, strange)]:
        manager = make_manager(port=port)
        if reply:
            server.say("PUT", SEND, reply)
        with pytest.raises(Exception) as error:  # noqa: PT011 - all of them
            manager.session.put(SEND, [{"key": "k", "value": SECRET + "-value"}])
        texts += traceback.format_exception(error.value)
        texts += [repr(thing) for thing in (error.value, manager, manager.session, manager.session.connection)]
    texts += [record.getMessage() for record in caplog.records]
    texts += list(capfd.readouterr())
    assert SECRET not in "".join(texts)
    assert server.seen[0].path == SEND
    assert any(SEND in record.getMessage() for record in caplog.records)


def test_without_requests_it_says_so():
    name = session_module.__name__
    code = (
        "import sys; sys.modules['requests'] = None\n"
        "from %s import Session\n"
        "try: Session(None, None)\n"
        "except Exception as error: print(type(error).__name__, error)" % name
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == (
        "%s the Python library requests is not installed: install requests 2.20 or newer\n" % MissingLibrary.__name__
    )


def test_the_sources_are_what_the_oldest_python_reads():
    # ruff's and ansible-test's floors are above it
    for path in pathlib.Path(session_module.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 6))
