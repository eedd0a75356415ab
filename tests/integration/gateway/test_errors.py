# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateway says where it cannot do what was asked."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import NotFound

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)

SEND = "/Vm/%s/sendMessage"
JSON = {"Content-Type": "application/json"}
NOBODY = "0004fb00000600006f8e65a5d245ea0c"
TO_GUEST = b"/local/domain/5/control/oracle-vmapi/to-guest"


#: Path, status, errorCode, part of the message.
UNREADABLE = [
    ("/Server", 404, "GEN_000003", "there is nothing at this address"),
    ("", 404, "GEN_000003", "there is nothing at this address"),
    ("/vm", 404, "GEN_000003", "there is nothing at this address"),
    ("/Vm/", 404, "GEN_000003", "there is nothing at this address"),
    ("/Vm/a/b/c", 404, "GEN_000003", "there is nothing at this address"),
    ("/Vm/" + NOBODY, 404, "GEN_000002", "there is no Vm '%s'" % NOBODY),
    ("/Vm/%s/messages" % NOBODY, 404, "GEN_000002", "there is no Vm '%s'" % NOBODY),
    ("/Vm/web", 400, "GEN_000018", "'web' is no id of a Vm: use its UUID"),
    ("/Vm/..%2f..", 404, "GEN_000003", "there is nothing at this address"),
    ("/Vm/%2e%2e", 400, "GEN_000018", "'..' is no id of a Vm: use its UUID"),
    ("/Vm/" + "0" * 33, 400, "GEN_000018", "'%s' is no id of a Vm" % ("0" * 33)),
    ("/Vm/%00%1b", 400, "GEN_000018", "'\\x00\\x1b' is no id of a Vm"),
    ("/VirtualNic/" + NOBODY, 404, "GEN_000002", "there is no VirtualNic"),
    ("/VirtualNic/eth0", 400, "GEN_000018", "'eth0' is no id of a VirtualNic"),
    ("/Job/4711", 404, "GEN_000002", "there is no Job '4711'"),
    ("/Job/x", 400, "GEN_000018", "'x' is no id of a Job"),
    ("/Job/" + "9" * 30, 400, "GEN_000018", "is no id of a Job"),
    ("/Job/x/transcript", 400, "GEN_000018", "'x' is no id of a Job"),
    ("/Event/4711", 404, "GEN_000002", "there is no Event '4711'"),
    ("/Event/-1", 400, "GEN_000018", "'-1' is no id of an Event"),
    ("/Vm?name=web", 400, "GEN_000010", "there is no argument 'name' at this address: there are none"),
    ("/Job?maxJobs=1", 400, "GEN_000010", "there is no argument 'maxJobs'"),
    ("/Job/id?maxjobs=1", 400, "GEN_000010", "there are: startTime, endTime, maxJobs"),
    ("/Job/id?maxJobs=many", 400, "GEN_000023", "maxJobs is to be a whole number"),
    ("/Job/id?maxJobs=1&maxJobs=2", 400, "GEN_000023", "the argument 'maxJobs' is given twice"),
    ("/Event?" + "&".join("a%d=" % number for number in range(30)), 400, "GEN_000010", "more arguments"),
]


def test_what_cannot_be_read(client):
    for path, status, code, text in UNREADABLE:
        answer = client.refused("GET", path)
        assert answer[:2] == (status, code) and text in answer[2], path


def test_a_direction_that_there_is_not(client, guest):
    assert client.refused("GET", "/Vm/%s/messages?messageDirection=received" % guest.uuid) == (
        400,
        "GEN_000023",
        "messageDirection is to be RECEIVED or SENT, in this spelling",
    )
    assert client.refused("GET", "/Vm/%s/messages?key=a" % guest.uuid)[:2] == (400, "GEN_000010")


def test_a_method_that_an_address_has_not(client):
    for method, path, allowed in (
        ("POST", "/Vm", "GET, HEAD"),
        ("DELETE", "/Vm/" + NOBODY, "GET, HEAD"),
        ("GET", SEND % NOBODY, "PUT"),
        ("GET", "/Job/1/abort", "PUT"),
    ):
        answer = client.request(method, path)
        assert answer.status_code == 405 and answer.json()["errorCode"] == "GEN_000003"
        assert sorted(answer.headers["Allow"].split(", ")) == allowed.split(", ")


@pytest.fixture
def refuses_to_send(client, guest, host):
    """A function that checks what is said of a body, and that nothing was sent."""

    def check(body, flag="No"):
        path = (SEND + "?logFlag=%s") % (guest.uuid, flag)
        answer = client.refused("PUT", path, data=body, headers=JSON)
        assert host.directory(TO_GUEST) == [] and client.read("/Job") == []
        return answer

    return check


def test_a_body_that_is_no_json(client, guest, refuses_to_send):
    path = SEND % guest.uuid
    for body in (b"", b"{", b"\xff", b"[" * 100000, b'[{"key": "a", "value": "b"}', b"<a/>", "[]".encode("utf-16")):
        assert refuses_to_send(body) == (400, "GEN_000031", "An error occurred parsing the JSON request")
    # As the Manager says it, to the letter.
    assert client.put(path, data=b"{", headers=JSON).json() == {
        "message": "GEN_000031:An error occurred parsing the JSON request",
        "errorCode": "GEN_000031",
        "cause": None,
        "wsErrorCode": "GENERAL_JSON_PARSING_ERROR",
    }


def test_json_that_is_no_list_of_messages(refuses_to_send):
    message = {"key": "a", "value": "s3cret"}
    bad = [message, "x", None, [None], [message, {"key": "a"}], [{"key": "a", "value": 1}], [{"key": 1, "value": "x"}]]
    for body in [*bad, [dict(message, more=1)]]:
        answer = refuses_to_send(json.dumps(body))
        assert answer[:2] == (400, "GEN_000023") and "is to be an array of messages" in answer[2]
        assert "s3cret" not in answer[2]
    assert refuses_to_send("[]") == (400, "GEN_000023", "there is no message in the body")


#: Key, value, logFlag, part of the message.
TOO_LONG = [
    ("k" * 255, "v", "No", "the key '%s...' has 255 bytes, the limit is 254" % ("k" * 64)),
    ("ü" * 128, "v", "No", "has 256 bytes, the limit is 254"),
    ("", "v", "No", "the key is empty"),
    ("k\0", "v", "No", "the key 'k\\x00' has a NUL byte"),
    ("k", "s3cret" * 1366, "No", "the value of 'k' has 8196 bytes, the limit is 8191"),
    ("k", "s3cret\0", "No", "the value of 'k' has a NUL byte"),
    ("k", "s3crét" * 147, "Yes", "the value of 'k' has 1029 bytes, the limit of a logged message is 1024"),
]


def test_what_is_too_long(refuses_to_send):
    for key, value, flag, text in TOO_LONG:
        answer = refuses_to_send(json.dumps([{"key": "first", "value": "1"}, {"key": key, "value": value}]), flag)
        assert answer[:2] == (400, "GEN_000015") and text in answer[2] and "s3cr" not in answer[2]


def test_what_is_just_short_enough(client, guest, guest_takes):
    messages = [("k" * 254, "v" * 8191), ("ü" * 127, "ü" * 4095)]
    client.tell(guest.uuid, *messages)
    assert guest_takes(guest) == [(key.encode(), value.encode()) for key, value in messages]
    client.tell(guest.uuid, ("k", "v" * 1024), flag="Yes")
    assert client.messages(guest.uuid, "SENT") == [("k", "v" * 1024)]


def test_arguments_of_sending(client, guest, refuses_to_send):
    body = json.dumps([{"key": "a", "value": "1"}])
    for flag in ("yes", "true", "", "YES"):
        assert refuses_to_send(body, flag) == (400, "GEN_000023", "logFlag is to be Yes or No, in this spelling")
    for query in ("logflag=Yes", "log=1"):
        answer = client.refused("PUT", SEND % guest.uuid + "?" + query, data=body, headers=JSON)
        assert answer[:2] == (400, "GEN_000010")
    assert client.put(SEND % guest.uuid, data=body, headers=JSON).status_code == 200  # No, unless told


def test_a_vm_that_does_not_run(client, guest, until):
    # What has ended is listed only if it was seen running.
    until(lambda: client.read("/Vm"))
    guest.destroy()
    until(lambda: client.read("/Vm")[0]["vmRunState"] == "STOPPED")
    answer = client.refused("PUT", SEND % guest.uuid, json=[{"key": "a", "value": "1"}])
    assert answer == (400, "GEN_000023", "the virtual machine 'guest-5' is not running (STOPPED): start it first")
    assert client.refused("PUT", SEND % NOBODY, json=[{"key": "a", "value": "1"}])[:2] == (404, "GEN_000002")
    assert client.read("/Job") == []


def test_xml_is_refused_readably(client, guest):
    assert client.refused("GET", "/Vm", headers={"Accept": "application/xml"}) == (
        406,
        "GEN_000023",
        "this gateway writes JSON only: send Accept: application/json",
    )
    for kind in ("application/xml", "application/x-www-form-urlencoded", None):
        answer = client.refused("PUT", SEND % guest.uuid, data=b"<message/>", headers={"Content-Type": kind})
        assert answer == (415, "GEN_000023", "this gateway reads JSON only: send Content-Type: application/json")
    for accept in ("application/xml, application/json", "*/*", "application/*;q=0.1", None):
        assert client.get("/Vm", headers={"Accept": accept}).status_code == 200
    body = json.dumps([{"key": "a", "value": "1"}])
    kind = "application/json; charset=utf-8"
    assert client.put(SEND % guest.uuid, data=body, headers={"Content-Type": kind}).status_code == 200


def test_nothing_reaches_beyond_the_messages(client, guest, host):
    """Keys are data: whatever they look like, they end up as the value of a numbered node."""
    hostile = ["../../../name", "/local/domain/0/name", "a/b", "last-write", "1", "..", "%2e%2e", "\n", "\x1b[2J"]
    before = {name: host.read(b"/local/domain/5/" + name) for name in (b"name", b"domid")}
    client.tell(guest.uuid, *[(key, "x") for key in hostile])
    names = [b"%d" % number for number in range(1, len(hostile) + 1)]
    assert sorted(host.directory(TO_GUEST)) == sorted([*names, b"last-write"])
    assert [host.read(TO_GUEST + b"/" + name) for name in names] == [key.encode() for key in hostile]
    assert {name: host.read(b"/local/domain/5/" + name) for name in before} == before
    with pytest.raises(NotFound):
        host.read(b"/local/domain/0/name")


def test_neither_errors_nor_the_log_quote_a_value(client, gateway, guest, guest_sends, until):
    guest_sends(guest, (b"a", b"s3cret-1"))
    until(lambda: client.messages(guest.uuid))
    client.tell(guest.uuid, ("b", "s3cret-2"), flag="Yes")
    for body in ('[{"key": "a", "value": "s3cret-3"', '[{"key": "a", "value": ["s3cret-3"]}]'):
        client.put(SEND % guest.uuid + "?logFlag=Yes", data=body, headers=JSON)
    client.get("/Vm?password=s3cret-4")
    client.get("/Vm", auth=("s3cret-5", "s3cret-6"))
    client.get("//vm/%s" % guest.uuid)
    said = gateway.said()
    assert "s3cret" not in said
    assert (
        "PUT /ovm/core/wsapi/rest/Vm/%s/sendMessage?logFlag=Yes 200 user=admin client=127.0.0.1 " % guest.uuid in said
    )
    assert "GET /ovm/core/wsapi/rest/Vm?... 400 user=admin" in said
    assert "GET /ovm/core/wsapi/rest/Vm 401 user=- client=127.0.0.1" in said
