# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's parameters over XenStore: real daemons, a real list, real deaths."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import xenstore
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage, XenStoreUnavailable
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest import backend as backends
from ansible_collections.ovm.messaging.plugins.module_utils.guest.backend import open_backend
from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import (
    ParameterListError,
    SendFailed,
    UnknownBackend,
)
from ansible_collections.ovm.messaging.plugins.module_utils.guest.plan import absent, carry_out, present
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab.ovmapi import Device

LONG = 20.0


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture
def open_guest(guest, state):
    """Opens the guest's backend, as one more process of the guest would."""
    opened = []

    def open_one(timeout=LONG):
        opened.append(XenStoreBackend(guest.path, state, timeout))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def backend(open_guest):
    return open_guest()


def pairs(backend):
    return [(entry.key, entry.value) for entry in backend.entries()]


def heard(host_end):
    return [arrival.message for arrival in host_end.inbox.receive()]


def test_setting_transmits_and_stores(backend, host_end):
    backend.set([Message(b"a", b"1"), Message(b"b", b"2")], secret={b"b"})
    assert heard(host_end) == [(b"a", b"1"), (b"b", b"2")]
    assert backend.entries() == [Entry(b"a", b"1", False), Entry(b"b", b"2", True)]
    assert backend.get(b"a") == b"1" and backend.get(b"z") is None


def test_deleting_is_local(backend, host_end):
    backend.set([Message(b"a", b"1"), Message(b"b", b"2"), Message(b"c", b"3")])
    heard(host_end)
    assert backend.delete([b"b", b"z"]) == [b"b"] and backend.delete_all() == 2 and backend.delete_all() == 0
    assert heard(host_end) == [] and pairs(backend) == []


def test_received_messages_are_stored_in_order_and_collected(backend, host_end, host):
    for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3")):
        host_end.send(Message(key, value), LONG)
    assert backend.pending() == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")] and pairs(backend) == []
    assert backend.receive() == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert pairs(backend) == [(b"a", b"3"), (b"b", b"2")] and backend.receive() == backend.pending() == []
    assert host.directory(b"/local/domain/5/control/oracle-vmapi/to-guest") == [b"last-write"]


def test_an_event_is_not_stored(backend, host_end):
    host_end.send(Message(b"VMAPIEvent", b"x"), LONG)
    assert backend.pending() == []
    assert backend.receive() == [(b"VMAPIEvent", b"x")] and pairs(backend) == []
    backend.set([Message(b"VMAPIEvent", b"y")])
    assert heard(host_end) == [(b"VMAPIEvent", b"y")] and pairs(backend) == []


def test_a_malformed_message_is_passed_over_and_told(backend, host_end, host):
    host.write(b"/local/domain/5/control/oracle-vmapi/to-guest/1/1", b"x")
    host_end.send(Message(b"a", b"1"), LONG)
    assert backend.receive() == [(b"a", b"1")] and backend.faults == [(1, "its piece 0 is missing")]
    assert backend.receive() == [] and backend.faults == [(1, "its piece 0 is missing")]
    assert backend.pending() == [] and len(backend.faults) == 1


def test_nothing_is_sent_when_one_of_several_is_bad(backend, host_end):
    with pytest.raises(InvalidMessage):
        backend.set([Message(b"a", b"1"), Message(b"", b"2")])
    assert heard(host_end) == [] and pairs(backend) == []


def test_what_was_sent_before_a_failure_is_stored_and_named(open_guest, host_end, host):
    backend = open_guest(timeout=2.0)
    with pytest.raises(SendFailed) as failure:
        backend.set([Message(b"key-%d" % n, b"v") for n in range(700)])
    sent = failure.value.sent
    assert sent == [b"key-%d" % n for n in range(len(sent))] and 0 < len(sent) < 700
    assert str(failure.value).startswith("the parameter 'key-%d' was not sent: no room in XenStore" % len(sent))
    assert [entry.key for entry in backend.entries()] == sent == [message.key for message in heard(host_end)]


def test_many_parameters_are_sent_in_order_and_together(backend, host_end, host):
    host.watch(b"/local/domain/5/control/oracle-vmapi/from-guest/last-write", b"t")
    assert host.wait(LONG)
    messages = [Message(b"key-%d" % n, b"v" * 2000) for n in range(40)]
    backend.set(messages)
    assert heard(host_end) == messages and pairs(backend) == messages
    announced = 0
    while host.wait(0):
        announced += 1
    assert announced == 3  # forty in three transactions


def test_a_lost_connection_names_what_was_not_sent(guest, state):
    with XenStoreBackend(guest.path, state, timeout=0.3) as backend:
        guest.destroy()
        with pytest.raises(SendFailed) as failure:
            backend.set([Message(b"a", b"1"), Message(b"b", b"2")])
        assert (
            str(failure.value).startswith("the parameter 'a' (with 1 more) was not sent: ") and failure.value.sent == []
        )
        assert pairs(backend) == []


def test_waiting_ends_with_an_arrival_and_with_the_time(backend, open_guest, host_end):
    assert backend.wait(LONG)  # the watches fire when they are set
    while backend.wait(0.05):
        pass
    sender = threading.Timer(0.1, host_end.send, (Message(b"a", b"1"), LONG))
    sender.start()
    assert backend.wait(LONG) and backend.receive() == [(b"a", b"1")]
    sender.join()
    while backend.wait(0.05):
        pass
    open_guest().set([Message(b"b", b"2")])  # another process of the guest
    assert backend.wait(LONG) and pairs(backend) == [(b"a", b"1"), (b"b", b"2")]


def test_a_plan_is_carried_out(backend, host_end):
    backend.set([Message(b"old", b"1"), Message(b"same", b"2")])
    heard(host_end)
    wanted = [Message(b"same", b"2"), Message(b"new", b"3")]
    plan = present(backend.entries(), wanted, secret={b"same"}, exclusive=True)
    assert carry_out(plan, backend, {b"same"}) == plan.after == [Entry(b"same", b"2", True), Entry(b"new", b"3", False)]
    assert heard(host_end) == [(b"new", b"3")]
    mark = present(backend.entries(), [Message(b"new", b"3")], secret={b"new"})
    assert carry_out(mark, backend, {b"new"})[-1] == Entry(b"new", b"3", True) and heard(host_end) == []
    assert carry_out(absent(backend.entries()), backend) == []


# Deaths


#: Exchanges with XenStore that the receiver and the sender below take: each is a moment to die at.
RECEIVING, SENDING = 36, 10


def child_that_dies(moment, step, work):
    """Run work in a forked child that is killed before or after its nth exchange with XenStore; whether it was."""
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen by the measurement
        exchange, steps = XenStore._exchange, [0]

        def dying(self, *arguments):
            steps[0] += 1
            if steps[0] == step and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = exchange(self, *arguments)
            if steps[0] == step and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        XenStore._exchange = dying
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(1, RECEIVING + 1))
def test_a_receiver_that_dies_anywhere_loses_nothing_and_repeats_nothing(
    open_guest, host_end, host, guest, state, moment, step
):
    sent = [Message(b"a", b"1"), Message(b"b", b"x" * 4000), Message(b"a", b"2"), Message(b"c", b"3")]
    for message in sent:
        host_end.send(message, LONG)

    def receive():
        with XenStoreBackend(guest.path, state, LONG) as dying:
            dying.receive()

    assert child_that_dies(moment, step, receive)
    survivor = open_guest()
    if survivor.get(b"a") is None:  # it died before it kept anything
        assert survivor.receive() == sent and survivor.get(b"a") == b"2"
    else:  # what was kept must not be applied once more, over what happened since
        survivor.set([Message(b"a", b"since then")])
        assert survivor.receive() == [] and survivor.get(b"a") == b"since then"
    assert [key for key, _value in pairs(survivor)] == [b"a", b"b", b"c"]
    assert host.directory(b"/local/domain/5/control/oracle-vmapi/to-guest") == [b"last-write"]
    host_end.send(Message(b"a", b"3"), LONG)
    assert survivor.receive() == [(b"a", b"3")]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(1, SENDING + 1))
def test_a_sender_that_dies_anywhere_leaves_a_list_that_was_sent(open_guest, host_end, guest, state, moment, step):
    messages = [Message(b"a", b"1"), Message(b"b", b"x" * 4000)]

    def send():
        with XenStoreBackend(guest.path, state, LONG) as dying:
            dying.set(messages)

    assert child_that_dies(moment, step, send)
    survivor = open_guest()
    stored = pairs(survivor)
    survivor.set([Message(b"c", b"3")])
    arrived = heard(host_end)
    # All that is stored has been sent; at the most what was being sent when the process died has
    # been sent without being stored. Nothing was acknowledged, and none is half there.
    assert stored in ([], messages) and arrived[:-1] in (stored, messages)
    assert arrived[-1] == (b"c", b"3")


RECEIVE = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
with XenStoreBackend(sys.argv[1], sys.argv[2], 60) as backend:
    seen = 0
    while seen < int(sys.argv[3]) and not backend.get(b"end"):
        seen += len(backend.receive())
        backend.wait(1)
    print(seen)
"""


def test_several_receivers_share_what_arrives(guest, host_end, state, open_guest):
    """Each message is received by exactly one of them; a daemon and one-shot commands work side by side."""
    count = 200
    processes = [
        subprocess.Popen([sys.executable, "-c", RECEIVE, guest.path, state, str(count)], stdout=subprocess.PIPE)
        for _unused in range(3)
    ]
    for n in range(count):
        host_end.send(Message(b"key-%d" % n, b"v"), 60)
    host_end.send(Message(b"end", b"1"), 60)
    seen = sum(int(process.communicate()[0]) for process in processes)
    backend = open_guest()
    seen += len(backend.receive())
    assert seen == count + 1
    assert [key for key, _value in pairs(backend)] == [b"key-%d" % n for n in range(count)] + [b"end"]


# The choice


def test_the_choice_of_a_backend(guest, state, monkeypatch, tmp_path):
    with open_backend("xenstore", guest.path, state_directory=state) as chosen:
        assert chosen.name == "xenstore"
    with open_backend("auto", guest.path, device="/dev/null", state_directory=state) as chosen:
        assert chosen.name == "xenstore"  # naming XenStore's path means it
    monkeypatch.setenv("XENSTORED_PATH", guest.path)
    with open_backend(device=str(tmp_path / "none"), state_directory=state) as chosen:
        assert chosen.name == "xenstore"


def test_xenstore_alone_when_it_is_asked_for(tmp_path, state):
    with pytest.raises(XenStoreUnavailable) as problem:
        open_backend("xenstore", str(tmp_path / "none"), state_directory=state)
    assert "either" not in str(problem.value)


CHOOSE = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.guest.backend import open_backend
with open_backend(device=sys.argv[1]) as backend:
    print(backend.name)
"""


def test_the_device_is_chosen_where_there_is_one(tmp_path):
    device = Device(tmp_path)
    command = [sys.executable, "-c", CHOOSE, device.path]
    assert subprocess.check_output(command, env=device.environment()) == b"ovmapi\n"


def test_a_backend_that_does_not_exist():
    with pytest.raises(UnknownBackend, match="there is no backend 'nonsense': use one of auto, ovmapi, xenstore"):
        open_backend("nonsense")


def test_neither_xenstore_nor_a_device(monkeypatch, tmp_path, state):
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.delenv("XENSTORED_RUNDIR", raising=False)
    monkeypatch.setattr(xenstore, "GUEST_DEVICES", (str(tmp_path / "xenbus"),))
    monkeypatch.setattr(xenstore, "RUN_DIRECTORIES", (str(tmp_path),))
    with pytest.raises(XenStoreUnavailable) as problem:
        open_backend(device=str(tmp_path / "ovmapi"), state_directory=state)
    for tried in (
        "xenbus cannot be opened",
        "socket cannot be opened",
        "there is no %s either" % (tmp_path / "ovmapi"),
    ):
        assert tried in str(problem.value)
    assert not os.path.exists(state)


def test_a_list_that_cannot_be_opened_leaves_no_connection(guest, tmp_path):
    (tmp_path / "file").write_text("")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ParameterListError):
        XenStoreBackend(guest.path, str(tmp_path / "file" / "state"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert backends.DEVICE == "/dev/ovmapi"
