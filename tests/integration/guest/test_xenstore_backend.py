# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's parameters over XenStore: real daemons, a real list, real deaths."""

import os
import select
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import xenstore
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    InvalidMessage,
    PermissionDenied,
    XenStoreUnavailable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.outbox import ATTEMPTS, Outbox
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest import backend as backends
from ansible_collections.ovm.messaging.plugins.module_utils.guest import parameter_list
from ansible_collections.ovm.messaging.plugins.module_utils.guest.backend import open_backend
from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import (
    EventNotHeard,
    ParameterListError,
    SendFailed,
    UnknownBackend,
)
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.plan import absent, carry_out, present
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab.deaths import MOMENTS, dies
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


def test_an_event_waits_for_the_daemon_whoever_receives_it(backend, open_guest, host_end):
    for key, value in ((b"a", b"1"), (b"VMAPIEvent", b"snapshot:pre:now"), (b"VMAPIEvent", b"reconfig")):
        host_end.send(Message(key, value), LONG)
    assert len(open_guest().receive()) == 3 and backend.faults == []
    assert waiting(backend) == [parse("snapshot:pre:now"), parse("reconfig")] and waiting(backend) == []


def test_an_event_that_nobody_understands_is_told_and_passed_over(backend, host_end):
    for value in (b"nonsense", b"\xff" * 8000, b"", b"user:sometimes:hunter2"):
        host_end.send(Message(b"VMAPIEvent", value), LONG)
    host_end.send(Message(b"a", b"1"), LONG)
    assert backend.receive()[-1] == (b"a", b"1") and waiting(backend) == []
    assert [number for number, _why in backend.faults] == [1, 2, 3, 4]
    faults = [why for _number, why in backend.faults]
    assert (
        faults[0] == "there is no event 'nonsense'" and faults[3] == "there is no phase 'sometimes' of the event 'user'"
    )
    assert all(len(why) < 200 for why in faults)
    assert backend.receive() == [] and backend.faults == []


def test_a_host_that_floods_does_not_fill_the_memory(backend, host_end, monkeypatch):
    monkeypatch.setattr(parameter_list, "EVENTS", 3)
    for n in range(5):
        host_end.send(Message(b"VMAPIEvent", b"user::%d" % n), LONG)
    assert len(backend.receive()) == 5
    assert backend.faults == [(n, "too many events wait already: see that ovmd runs") for n in (4, 5)]
    assert [event.payload for event in waiting(backend)] == [b"0", b"1", b"2"]


def test_whatever_changes_the_list_knocks(backend, state, host_end):
    listener = Listener(state)
    host_end.send(Message(b"a", b"1"), LONG)
    changes = (
        lambda: backend.receive() == [(b"a", b"1")],
        lambda: backend.set([Message(b"b", b"2")]) is None,
        lambda: backend.conceal([b"b"]) is None,
        lambda: backend.delete([b"a"]) == [b"a"],
        lambda: backend.delete_all() == 1,
    )
    others = (
        lambda: backend.receive() == [] and backend.pending() == [] and backend.entries() == [],
        lambda: backend.delete([b"a"]) == [] and backend.delete_all() == 0,
        lambda: backend.set([]) is None,
    )
    for change in changes:
        assert change() and listener.drain()
    for other in others:
        assert other() and not listener.drain()
    backend.knocking = False
    backend.set([Message(b"b", b"2")])
    assert not listener.drain()
    listener.close()


def test_what_was_sent_before_a_failure_knocks_too(open_guest, state, host_end):
    backend, listener = open_guest(timeout=0.5), Listener(state)
    with pytest.raises(SendFailed):
        backend.set([Message(b"key-%d" % n, b"x" * 8000) for n in range(400)])
    assert listener.drain()
    listener.close()


def test_a_dead_daemon_disturbs_nobody(backend, state, host_end):
    os.mkdir(os.path.join(state, "wake"))
    backend.set([Message(b"a", b"1")])
    assert backend.delete([b"a"]) == [b"a"]


def test_an_event_is_passed_on_to_the_daemon_only(backend, open_guest, state, monkeypatch):
    event = parse("user:post:text")
    with pytest.raises(
        EventNotHeard, match="the event user:post was not passed on: no daemon listens at .*: start ovmd"
    ):
        backend.post(event)
    assert waiting(backend) == []  # so it does not happen later, unexpectedly
    listener, daemon = Listener(state), open_guest()
    backend.post(event)
    assert listener.drain() and waiting(daemon) == [event]
    monkeypatch.setattr(parameter_list, "EVENTS", 0)
    with pytest.raises(EventNotHeard, match="too many wait already: see what keeps ovmd busy"):
        backend.post(event)
    listener.close()


def test_a_daemon_polls_and_attends(backend, open_guest, host_end):
    assert backend.attend() or (readable(backend) and backend.attend())  # a watch fires when it is set
    assert not backend.attend()
    host_end.send(Message(b"a", b"1"), LONG)
    assert readable(backend) and backend.attend() and backend.receive() == [(b"a", b"1")]
    while backend.attend():
        pass
    assert not select.select([backend], [], [], 0)[0]
    open_guest().set([Message(b"b", b"2")])
    assert not backend.attend()  # other processes knock


def test_news_that_come_with_an_answer_are_not_forgotten(backend, host_end):
    settle(backend)
    host_end.send(Message(b"a", b"1"), LONG)
    backend.uncollected()  # any request: the event is read along with its answer
    assert backend.attend() and backend.receive() == [(b"a", b"1")]


def test_a_daemon_lives_through_the_loss_of_xenstore(backend, guest, host_end, xenstored):
    settle(backend)
    guest.restore(6)
    end = HostEnd(host_end_store(xenstored), 6)
    end.send(Message(b"a", b"1"), LONG)
    received = []
    while not received:
        assert readable(backend)
        backend.attend()
        received += backend.receive()
    assert received == [(b"a", b"1")]
    end.store.close()


def host_end_store(xenstored):
    return XenStore(xenstored.path, timeout=LONG)


def test_telling_transmits_and_stores_nothing(backend, host_end):
    assert (backend.uncollected(), backend.announced()) == (0, 0)
    messages = [Message(b"k%d" % n, b"v" * 3000) for n in range(16)]
    backend.tell(messages)
    assert (backend.uncollected(), backend.announced()) == (16, 16) and pairs(backend) == []
    assert heard(host_end) == messages and (backend.uncollected(), backend.announced()) == (0, 16)
    backend.tell([])
    assert heard(host_end) == []


def test_telling_where_the_host_has_not_opened_the_channel(make_guest, state):
    guest = make_guest(7, prepare=False)
    with XenStoreBackend(guest.path, state, LONG) as backend:
        assert (backend.uncollected(), backend.announced()) == (0, 0)
        with pytest.raises(PermissionDenied, match="have the host open the message channel"):
            backend.tell([Message(b"a", b"1")])


def test_room_that_the_host_makes_wakes_whoever_expects_it(backend, host_end):
    backend.tell([Message(b"a", b"1"), Message(b"b", b"2")])
    settle(backend)
    arrivals = host_end.inbox.pending()
    host_end.inbox.discard(arrivals[0])
    assert not backend.attend()  # nobody has asked for it
    backend.expect_room(True)
    backend.expect_room(True)
    settle(backend)
    host_end.inbox.discard(arrivals[1])
    assert readable(backend) and backend.attend()
    backend.expect_room(False)
    backend.expect_room(False)
    settle(backend)
    backend.tell([Message(b"c", b"3")])
    heard(host_end)
    assert not backend.attend()


def readable(backend):
    return bool(select.select([backend], [], [], LONG)[0])


def settle(backend):
    """Takes all that XenStore has for it: what a new watch fires may come after the answer."""
    backend.attend()
    backend.uncollected()  # answered after that
    while backend.attend():
        pass


def waiting(backend):
    """The events that wait; they do no longer."""
    found = []
    while backend.state.next_event():
        position, event, _begun = backend.state.next_event()
        found.append(event)
        with backend.state.writing():
            backend.state.end_event(position)
    return found


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


def test_room_that_the_daemon_makes_by_receiving_is_waited_for(
    open_guest, guest, state, host_end, no_room, monkeypatch
):
    """The list is not locked meanwhile: the daemon receives into it."""
    daemon, waits = open_guest(), threading.Event()
    wait_for_room = Outbox.wait_for_room
    monkeypatch.setattr(Outbox, "wait_for_room", lambda *arguments: (waits.set(), wait_for_room(*arguments)))

    def set_own():
        with XenStoreBackend(guest.path, state, LONG) as backend:
            backend.set([Message(b"own", b"1")])

    with ThreadPoolExecutor() as pool:
        setting = pool.submit(set_own)
        assert waits.wait(LONG)
        assert len(daemon.receive()) == no_room
        setting.result(LONG)
    assert heard(host_end) == [(b"own", b"1")]


def test_several_go_one_by_one_where_others_are_always_faster(backend, host_end, host, monkeypatch):
    put, together = Outbox._put, []

    def beaten(outbox, transaction, messages):
        number = put(outbox, transaction, messages)
        if messages[1:]:
            together.append(len(messages))
            host.write(b"/local/domain/5/control/oracle-vmapi/from-guest/last-write", b"%d" % (100 + len(together)))
        return number

    monkeypatch.setattr(Outbox, "_put", beaten)
    messages = [Message(b"key-%d" % n, b"v") for n in range(20)]
    backend.set(messages)
    assert heard(host_end) == messages == pairs(backend)
    assert together == [16] * ATTEMPTS + [4] * ATTEMPTS


def test_many_parameters_are_sent_in_order_and_together(backend, host_end, monkeypatch):
    put, together = Outbox._put, []

    def counted(outbox, transaction, messages):
        number = put(outbox, transaction, messages)
        together.append(len(messages))
        return number

    monkeypatch.setattr(Outbox, "_put", counted)
    messages = [Message(b"key-%d" % n, b"v" * 2000) for n in range(40)]
    backend.set(messages)
    assert heard(host_end) == messages and pairs(backend) == messages
    assert together == [16, 16, 8]


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
RECEIVING, SENDING = 43, 10


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", range(1, RECEIVING + 1))
def test_a_receiver_that_dies_anywhere_loses_nothing_and_repeats_nothing(
    open_guest, host_end, host, guest, state, moment, step
):
    sent = [Message(b"a", b"1"), Message(b"b", b"x" * 4000), Message(b"a", b"2"), Message(b"c", b"3")]
    sent.append(Message(b"VMAPIEvent", b"reconfig"))
    for message in sent:
        host_end.send(message, LONG)

    def receive():
        with XenStoreBackend(guest.path, state, LONG) as dying:
            dying.receive()

    assert dies(moment, step, receive)
    survivor = open_guest()
    if survivor.get(b"a") is None:  # it died before it kept anything
        assert survivor.receive() == sent and survivor.get(b"a") == b"2"
    else:  # what was kept must not be applied once more, over what happened since
        survivor.set([Message(b"a", b"since then")])
        assert survivor.receive() == [] and survivor.get(b"a") == b"since then"
    assert [key for key, _value in pairs(survivor)] == [b"a", b"b", b"c"] and waiting(survivor) == [parse("reconfig")]
    assert host.directory(b"/local/domain/5/control/oracle-vmapi/to-guest") == [b"last-write"]
    host_end.send(Message(b"a", b"3"), LONG)
    assert survivor.receive() == [(b"a", b"3")]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", range(1, SENDING + 1))
def test_a_sender_that_dies_anywhere_leaves_a_list_that_was_sent(open_guest, host_end, guest, state, moment, step):
    messages = [Message(b"a", b"1"), Message(b"b", b"x" * 4000)]

    def send():
        with XenStoreBackend(guest.path, state, LONG) as dying:
            dying.set(messages)

    assert dies(moment, step, send)
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
