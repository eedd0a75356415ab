# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message store that does not take everything: no message is sent twice for it, and none is lost."""

import contextlib
import os
import sqlite3

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import OutcomeUnknown
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find

FULL = "database or disk is full"


@pytest.fixture
def refusing(gateway):
    """A function: the store refuses a kind of change, as one on a full disk does, until the block ends."""

    @contextlib.contextmanager
    def refusing(change):
        path = os.path.join(gateway.directory, "messages.db")
        trigger = "CREATE TRIGGER full BEFORE %s BEGIN SELECT RAISE(ABORT, '%s'); END" % (change, FULL)
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as base:
            base.execute(trigger)
            try:
                yield
            finally:
                base.execute("DROP TRIGGER full")

    return refusing


@pytest.fixture
def manager(gateway):
    """What modules and ovm_vmmessage use; it tries again where that does no harm."""
    where = Connection(gateway.host, gateway.port, gateway.username, gateway.password, ca_path=gateway.ca, retries=2)
    with Manager(where, sleep=lambda _seconds: None) as made:
        yield made


def test_a_job_whose_end_cannot_be_stored_is_done_once(gateway, client, manager, guest, guest_takes, refusing, until):
    vm = find(manager.vms(), guest.uuid)
    with refusing("UPDATE ON job"):
        manager.send(vm, [(b"key", b"value")])
        assert guest_takes(guest) == [(b"key", b"value")]
        assert [job["jobRunState"] for job in client.read("/Job")] == ["RUNNING"]
        assert FULL in gateway.said()
    until(lambda: [job["jobRunState"] for job in client.read("/Job")] == ["SUCCESS"])


def test_what_became_of_it_is_stored_at_the_end_at_the_latest(gateway, client, manager, guest, refusing, until):
    vm = find(manager.vms(), guest.uuid)
    with refusing("UPDATE ON job"):
        manager.send(vm, [(b"key", b"value")])
        assert gateway.stop() == 0
    assert "WARNING the end of 1 jobs is not stored: " in gateway.said()
    gateway.start()
    error = client.read("/Job")[0]["error"]
    assert error["type"] == "OUTCOME_UNKNOWN"


def test_without_a_place_for_its_job_nothing_is_sent(client, manager, guest, guest_takes, refusing):
    vm = find(manager.vms(), guest.uuid)
    path = "/Vm/%s/sendMessage" % guest.uuid
    with refusing("INSERT ON job"):
        status, code, text = client.refused("PUT", path, json=[{"key": "key", "value": "value"}])
        assert (status, code) == (503, "GEN_000000")
        assert FULL in text and text.endswith("make room in its file system")
    assert guest_takes(guest) == []
    manager.send(vm, [(b"key", b"value")])
    assert guest_takes(guest) == [(b"key", b"value")]


def test_a_client_learns_that_the_gateway_does_not_know(gateway, guest, manager):
    """Of a job that was killed in the midst of sending, as the gateway has it after its next start."""
    from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore
    from ansible_collections.ovm.messaging.plugins.module_utils.manager.jobs import wait_for_job

    vm = find(manager.vms(), guest.uuid)
    gateway.kill()
    with MessageStore(gateway.directory) as store:
        left = store.add_job(vm.id, "Send", "admin", "RUNNING", 1.0).id
    gateway.start()
    job = {"id": {"value": left}, "summaryDone": False}
    with pytest.raises(OutcomeUnknown, match="the gateway ended in the midst of this"):
        wait_for_job(manager.session, job, manager.session.clock() + 30)
