# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a manager that means harm: found by fuzzing."""

import gzip
import json
import tracemalloc

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.manager import manager as managers
from ansible_collections.ovm.messaging.plugins.module_utils.manager import session as sessions
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import BadAnswer, JobFailed, OutcomeUnknown
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Record, Vm
from ansible_collections.ovm.messaging.tests.unit.manager.scripted import BASE, VM, Reply, job, simple_id

SEND = "Vm/%s/sendMessage" % VM
HALF = "\ud800"


def test_a_job_whose_id_is_no_text_that_can_be_written(manager, vm, server):
    server.say("PUT", SEND, dict(job(summary_done=False), id=simple_id(HALF, "Job")))
    with pytest.raises(OutcomeUnknown, match="it is not known whether this was sent"):
        manager.send(vm, [(b"a", b"b")])


def test_a_virtual_machine_whose_id_is_no_text_that_can_be_written(manager, server):
    server.say("GET", "Vm", [{"id": simple_id(HALF), "name": "odd", "vmRunState": "RUNNING"}])
    server.say("GET", "Vm/%ED%A0%80", {"id": simple_id(HALF), "name": "odd", "vmRunState": "RUNNING"})
    (found,) = manager.vms()
    assert manager.current(found) == Vm(HALF, "odd", RUNNING)
    assert server.seen[-1].path == "Vm/%ED%A0%80" and not server.seen[-1].path.startswith(BASE)


def test_a_failed_job_with_very_many_children_is_not_asked_about_all_of_them(manager, vm, server):
    children = [simple_id(str(number), "Job") for number in range(100, 5100)]
    server.say("PUT", SEND, dict(job(state="FAILURE"), childJobIds=children))
    for number in range(100, 200):
        server.say("GET", "Job/%d" % number, job())
    with pytest.raises(JobFailed, match="it does not say why"):
        manager.send(vm, [(b"a", b"b")])
    assert sum(seen.path.startswith("Job/") for seen in server.seen) <= 20


def test_an_answer_without_end_is_given_up(manager, vm, server, monkeypatch):
    monkeypatch.setattr(sessions, "_LONGEST", 1 << 20)
    body = b"[" + b" " * (3 << 20) + b"]"
    server.say("GET", "Vm/%s/messages" % VM, Reply(body))
    with pytest.raises(
        BadAnswer, match="answers GET Vm/.*/messages with more than 1048576 bytes: check that a manager"
    ):
        manager.received(vm)
    assert server.count("GET", "Vm/%s/messages" % VM) == 1
    server.say("PUT", SEND, Reply(body))
    with pytest.raises(OutcomeUnknown, match="answers PUT .* with more than 1048576 bytes"):
        manager.send(vm, [(b"a", b"b")])
    assert server.count("PUT", SEND) == 1
    server.say("GET", "Vm/%s/messages" % VM, [])
    assert manager.received(vm) == []


def test_very_many_messages_and_events_are_not_all_compared(manager, vm, server, time, monkeypatch):
    def compared(*_what):
        time.now += 0.5
        return False

    monkeypatch.setattr(managers, "description_tells", compared)
    kind = manager.dialect.incoming_event_type
    events = [{"id": str(n), "eventType": kind, "createTime": 1000 * n, "associatedObjectId": VM} for n in range(1, 9)]
    server.say("GET", "Event", events)
    records = [Record(b"k", b"%d" % number, None) for number in range(1000)]
    began = time.now
    assert manager.dated(vm, records) == records
    assert time.now - began < 20


def test_nothing_is_decompressed(make_manager, server):
    bomb = gzip.compress(json.dumps([" " * (32 << 20)]).encode())
    server.say("GET", "Vm", Reply(bomb, headers={"Content-Encoding": "gzip"}))
    manager = make_manager(retries=0)
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer):
            manager.vms()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert server.seen[-1].headers["Accept-Encoding"] == "identity"
