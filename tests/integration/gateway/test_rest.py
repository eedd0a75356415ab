# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each resource's shape, and what it says of what happens on the host."""

import time
import uuid

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import decode_text, description_tells
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

#: The Manager's keys, and ours.
VM_KEYS = """
id name description locked readOnly generation userData resourceGroupIds vmRunState cpuPriority memory memoryLimit
hugePagesEnabled cpuCount cpuCountLimit cpuUtilizationCap highAvailability bootOrder vmMouseType osType vmDomainType
diskLimit vmDiskMappingIds virtualNicIds repositoryId serverPoolId networkInstallPath vmCloneDefinitionIds origin
keymapName serverId sslVncPort sslTtyPort affinityGroupIds osVersion kernelVersion guestDriverVersion vmApiVersion
vmStartPolicy currentMemory currentCpuCount currentDomainId architecture restartActionOnCrash restartActionOnPowerOff
restartActionOnRestart
messagesWaiting"""
JOB_KEYS = """
id name description locked readOnly generation userData resourceGroupIds resultId jobRunState jobSummaryState done
summaryDone jobGroup error progressMessage latestSummaryProgressMessage extraInfo parentJobId childJobIds user
abortedByUser startTime endTime"""
EVENT_KEYS = """
id name description locked readOnly generation userData resourceGroupIds acknowledgeable acknowledged
associatedObjectId createTime modifyTime eventSeverity eventType summary"""
MANAGER_KEYS = """
id name description locked readOnly generation userData resourceGroupIds managerUuid managerVersion managerRunState
managerTime"""


def now():
    return time.time() * 1000


def simple_id(client, kind, value, name):
    uri = "https://localhost:%d/ovm/core/wsapi/rest/%s/%s" % (client.gateway.port, kind, value)
    return {"type": "com.oracle.ovm.mgr.ws.model." + kind, "value": value, "uri": uri, "name": name}


def vm_id(client, guest):
    return simple_id(client, "Vm", uuid.UUID(guest.uuid).hex, guest.name)


def test_the_manager_is_a_list_of_one(client):
    before = now()
    (manager,) = client.read("/Manager")
    assert sorted(manager) == sorted(MANAGER_KEYS.split())
    assert (manager["managerRunState"], manager["managerVersion"]) == ("RUNNING", VERSION)
    assert before - 1 <= manager["managerTime"] <= now()
    assert manager["id"] == simple_id(client, "Manager", manager["managerUuid"], "ovm-gateway")
    assert client.read("/Manager/id") == [manager["id"]]
    client.gateway.restart()
    assert client.read("/Manager")[0]["managerUuid"] == manager["managerUuid"]


def test_vms_and_their_keys(client, make_guest):
    web, db = make_guest(5, name="web"), make_guest(7, name="db")
    assert client.read("/Vm/id") == [vm_id(client, db), vm_id(client, web)]
    listed = client.read("/Vm")
    assert [vm["id"] for vm in listed] == [vm_id(client, db), vm_id(client, web)]
    for spelling in (web.uuid, web.uuid.upper(), vm_id(client, web)["value"]):
        vm = client.read("/Vm/" + spelling)
        assert dict(vm, messagesWaiting=None) == listed[1] and vm["messagesWaiting"] == 0
        assert sorted(vm) == sorted(VM_KEYS.split())
        assert (vm["id"], vm["name"]) == (vm_id(client, web), "web")
        assert (vm["vmRunState"], vm["currentDomainId"], vm["vmApiVersion"]) == ("RUNNING", 5, None)
        assert vm["virtualNicIds"] == vm["affinityGroupIds"] == [] and vm["memory"] is None


def test_a_vm_reboots_stops_and_is_renamed(client, make_guest, host, until):
    guest = make_guest(5, name="web")
    path = "/Vm/" + guest.uuid

    def state():
        vm = client.read(path)
        return vm["id"]["name"], vm["vmRunState"], vm["currentDomainId"]

    assert state() == ("web", "RUNNING", 5)
    guest.reboot()
    until(lambda: state() == ("web", "RUNNING", 6))
    host.write(b"/local/domain/6/name", b"www")
    until(lambda: state() == ("www", "RUNNING", 6))
    guest.destroy()
    until(lambda: state() == ("www", "STOPPED", None))
    assert [vm["vmRunState"] for vm in client.read("/Vm")] == ["STOPPED"]
    assert client.read(path)["messagesWaiting"] is None
    client.gateway.restart()
    assert state() == ("www", "STOPPED", None)


def test_messages_of_a_guest_are_received_and_told_as_events(client, guest, guest_sends, until):
    before = now()
    sent = [(b"key1", b"value1"), (b"key1", b"value2"), (b"bytes", bytes(range(1, 256))), (b"\xff\xc3\xbc", b"")]
    guest_sends(guest, *sent)
    path = "/Vm/%s/messages" % guest.uuid
    found = until(lambda: len(client.read(path)) == len(sent) and client.read(path))
    assert [(decode_text(message["key"]), decode_text(message["value"])) for message in found] == sent
    assert all(sorted(message) == ["key", "time", "value"] for message in found)
    assert all(before - 1 <= message["time"] <= now() for message in found)
    assert client.read(path, messageDirection="RECEIVED") == found
    assert client.read(path, messageDirection="SENT") == []
    events = client.read("/Event")
    assert len(events) == len(sent)
    for event, message, (key, value) in zip(events, found, sent):
        assert sorted(event) == sorted(EVENT_KEYS.split())
        assert event["summary"] == event["name"] == "Virtual Machine API Incoming Message"
        assert (event["eventSeverity"], event["eventType"]) == ("INFORMATIONAL", "VM_API_INCOMING_MESSAGE")
        assert event["associatedObjectId"] == vm_id(client, guest)
        assert event["createTime"] == event["modifyTime"] == message["time"]
        assert description_tells(event["description"], key, value)
        assert client.read("/Event/" + event["id"]["value"]) == event
    assert client.read("/Event/id") == [event["id"] for event in events]


def test_an_event_does_not_tell_a_secret(client, guest, guest_sends, until):
    guest_sends(guest, (b"app.password", b"s3cret"))
    until(lambda: client.messages(guest.uuid) == [("app.password", "s3cret")])
    (event,) = client.read("/Event")
    assert "app.password" in event["description"] and "s3cret" not in event["description"]


def test_addresses_that_a_guest_reports(client, guest, guest_sends, until):
    reported = (
        b'{"boot":"b1","interfaces":[{"name":"eth0","mac":"00:21:F6:00:00:01","addresses":'
        b'["192.0.2.7/24","2001:db8::7/64","nonsense"]},{"name":"eth1","mac":"","addresses":[]}]}'
    )
    guest_sends(guest, report.guest("b1", "1.2"), (report.ADDRESSES, reported))
    first, second = until(lambda: client.read("/VirtualNic"))
    assert first["ipAddresses"] == [
        {"address": "192.0.2.7", "netmask": "255.255.255.0", "configType": None, "type": "IPV4"},
        {"address": "2001:db8::7", "netmask": "64", "configType": None, "type": "IPV6"},
    ]
    assert (first["name"], first["macAddress"], first["vmId"]) == ("eth0", "00:21:f6:00:00:01", vm_id(client, guest))
    assert (second["name"], second["macAddress"], second["ipAddresses"]) == ("eth1", None, [])
    assert client.read("/VirtualNic/id") == [first["id"], second["id"]]
    assert client.read("/VirtualNic/" + first["id"]["value"]) == first
    vm = client.read("/Vm/" + guest.uuid)
    assert vm["virtualNicIds"] == [first["id"], second["id"]] and vm["vmApiVersion"] == "1.2"
    guest.destroy()
    until(lambda: client.read("/VirtualNic")[0]["ipAddresses"] == [])
    assert client.read("/Vm/" + guest.uuid)["vmApiVersion"] is None


def test_nonsense_as_a_report_harms_nobody(client, guest, guest_sends, until):
    nonsense = [b"", b"[]", b"{", b"[" * 8000, b'{"interfaces":[{"mac":"\xff"}]}', b'{"interfaces":{}}', b"\xff", b"1"]
    for number, value in enumerate(nonsense, 1):
        guest_sends(guest, (report.ADDRESSES, value), (report.GUEST, value))
        until(lambda count=2 * number: len(client.messages(guest.uuid)) == count)
        assert client.read("/VirtualNic") == [] and client.read("/Vm")[0]["vmApiVersion"] is None


def test_sending(client, guest, guest_takes):
    before = now()
    job = client.tell(guest.uuid, ("b", "1"), ("a", "ü"), ("b", ""), ("raw", "\udcff\x1b"))
    assert guest_takes(guest) == [(b"b", b"1"), (b"a", "ü".encode()), (b"b", b""), (b"raw", b"\xff\x1b")]
    assert sorted(job) == sorted(JOB_KEYS.split())
    assert job["id"] == simple_id(client, "Job", job["id"]["value"], job["name"]) and job["id"]["value"].isdigit()
    assert (job["jobRunState"], job["jobSummaryState"]) == ("SUCCESS", "SUCCESS")
    assert (job["done"], job["summaryDone"], job["error"], job["user"]) == (True, True, None, "admin")
    assert job["resultId"] == vm_id(client, guest)
    assert before - 1 <= job["startTime"] <= job["endTime"] <= now()
    assert client.messages(guest.uuid, "SENT") == []  # none was logged


def test_the_number_of_waiting_messages(client, guest, guest_takes):
    client.tell(guest.uuid, ("a", "1"), ("b", "2"))
    assert client.read("/Vm/" + guest.uuid)["messagesWaiting"] == 2
    guest_takes(guest)
    assert client.read("/Vm/" + guest.uuid)["messagesWaiting"] == 0


def test_logged_messages_are_remembered_but_for_secrets(client, guest, guest_takes):
    client.tell(guest.uuid, ("a", "1"), ("app.password", "s3cret"), ("a", "2"), flag="Yes")
    assert len(guest_takes(guest)) == 3
    assert client.messages(guest.uuid, "SENT") == [("a", "1"), ("a", "2")]
    assert client.messages(guest.uuid) == []
    client.gateway.restart()
    assert client.messages(guest.uuid, "SENT") == [("a", "1"), ("a", "2")]


def test_the_root_password_goes_last(client, guest, guest_takes):
    password = "com.oracle.linux.root-password"
    client.tell(guest.uuid, (password, "x"), ("a", "1"))
    assert guest_takes(guest) == [(b"a", b"1"), (password.encode(), b"x")]


def test_jobs(client, guest):
    jobs = [client.tell(guest.uuid, ("k%d" % number, "v")) for number in range(3)]
    ids = [job["id"] for job in jobs]
    assert client.read("/Job") == jobs
    assert client.read("/Job/id") == ids
    assert client.read("/Job/active") == []
    assert client.read("/Job/" + ids[1]["value"]) == jobs[1]
    assert client.read("/Job/id", maxJobs=2) == ids[1:]
    assert client.read("/Job/id", startTime=jobs[2]["endTime"] + 1000) == []
    assert client.read("/Job/id", startTime=jobs[0]["startTime"], endTime=jobs[2]["endTime"] + 1) == ids
    transcript = client.read("/Job/%s/transcript" % ids[0]["value"])
    assert [line.split(" ", 1)[1] for line in transcript.split("\n")] == ["Send 'k0' to guest-5", "SUCCESS"]
    status, code, text = client.refused("PUT", "/Job/%s/abort" % ids[0]["value"])
    assert (status, code) == (400, "GEN_000023") and text == "the Job %s cannot be aborted: it is done" % ids[0][
        "value"
    ]
    client.gateway.restart()
    assert client.read("/Job/id") == ids


def test_the_certificate_is_given_away(client, gateway):
    with open(gateway.ca, encoding="ascii") as stream:
        text = stream.read()
    assert client.read("/Utilities/Certificate/CaCertificate") == text
    bare = client.get("/Utilities/Certificate/CaCertificate", headers={"Accept": "*/*"})
    assert bare.text == text and bare.headers["Content-Type"].startswith("text/plain")


def test_many_messages_come_newest_last_and_none_is_missing(client, guest, guest_sends, until):
    sent = [(b"k%d" % number, b"v") for number in range(1203)]
    guest_sends(guest, *sent)
    until(lambda: len(client.messages(guest.uuid)) == len(sent))
    assert client.messages(guest.uuid) == [(key.decode(), "v") for key, _value in sent]
    events = client.read("/Event")
    assert len(events) == 1000 and '"k1202"' in events[-1]["description"] and '"k203"' in events[0]["description"]
