# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as a carrier of messages, over real daemons, alone and beside a service."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ChannelError,
    ConnectionLost,
    InvalidMessage,
    PermissionDenied,
    XenStoreUnavailable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import Op, XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host import host as host_module
from ansible_collections.ovm.messaging.plugins.module_utils.host.collector import CollectingLock
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import (
    LoggedValueTooLong,
    MessageStoreError,
    SendFailed,
)
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown
from ansible_collections.ovm.messaging.plugins.module_utils.vms import (
    RUNNING,
    STOPPED,
    Record,
    Vm,
    VmNotFound,
    VmNotRunning,
)

LONG = 20.0
TO = b"/local/domain/5/control/oracle-vmapi/to-guest"
FROM = b"/local/domain/5/control/oracle-vmapi/from-guest"
PASSWORD = b"com.oracle.linux.root-password"


def pairs(records):
    return [(record.key, record.value) for record in records]


# Virtual machines


def test_machines_that_run_and_that_did(open_host, make_guest, vm_of, host):
    web, db = make_guest(5, name="web"), make_guest(6, name="db")
    here = open_host()
    here.connect()
    assert here.name == "xenstore"
    assert here.vms() == [vm_of(db), vm_of(web)] and here.current(vm_of(web)) == vm_of(web)
    assert here.present(vm_of(web))[1] == 5
    host.write(b"/local/domain/5/name", b"www")
    assert here.current(vm_of(web)).name == "www"
    db.destroy()
    web.reboot()
    stopped = vm_of(db)._replace(state=STOPPED)
    assert here.vms() == [stopped, vm_of(web)] and here.current(vm_of(db)) == stopped
    assert here.present(vm_of(web))[1] == 6 and here.present(vm_of(db))[1] is None
    assert open_host().current(vm_of(db)) == stopped  # another process knows it, too
    with pytest.raises(VmNotFound, match="'other' is not known on this host: see whether it has moved"):
        here.current(Vm("1" * 32, "other", RUNNING))


# Sending


def test_messages_are_sent_in_order_and_the_root_password_last(open_host, guest, vm_of, hear):
    here, vm = open_host(), vm_of(guest)
    assert here.waiting(vm) == 0
    messages = [(b"a", b"1"), (PASSWORD, b"secret"), (b"a", b"2")] + [(b"k-%d" % n, b"v") for n in range(40)]
    here.send(vm, messages, False)
    assert here.waiting(vm) == 43 and here.sent(vm) == []
    assert hear(guest) == [messages[0], *messages[2:], messages[1]] and here.waiting(vm) == 0
    here.send(vm, [], True)
    assert here.waiting(vm) == 0


def test_what_is_logged_is_remembered_but_no_secret(open_host, guest, vm_of, hear):
    here, vm = open_host(), vm_of(guest)
    started = here.now()
    here.send(vm, [(b"a", b"1"), (b"db-password", b"secret"), (b"b", b"x" * 1024)], True)
    assert pairs(here.sent(vm)) == [(b"a", b"1"), (b"b", b"x" * 1024)] and len(hear(guest)) == 3
    assert all(started <= record.time <= here.now() for record in here.sent(vm))
    assert here.dated(vm, here.sent(vm)) == here.sent(vm) and here.store.vm(vm.id).name == vm.name


@pytest.mark.parametrize(
    "message, log, text",
    [
        ((b"", b"1"), False, "the key is empty"),
        ((b"k" * 255, b"1"), False, "has 255 bytes, the limit is 254"),
        ((b"k", b"v" * 8192), False, "has 8192 bytes, the limit is 8191"),
        ((b"k", b"swordfish" * 200), True, "the value of 'k' has 1800 bytes, the limit of a logged message is 1024"),
    ],
)
def test_nothing_is_sent_when_one_cannot_be(open_host, guest, vm_of, message, log, text):
    here, vm = open_host(), vm_of(guest)
    for attempt in (
        lambda: here.check([(b"a", b"1"), message], log),
        lambda: here.send(vm, [(b"a", b"1"), message], log),
    ):
        with pytest.raises((InvalidMessage, LoggedValueTooLong)) as problem:
            attempt()
        assert text in str(problem.value) and "swordfish" not in str(problem.value)
    assert here.waiting(vm) == 0
    assert here.check([(b"k", b"v" * 8191)], False) == [Message(b"k", b"v" * 8191)]


def test_a_machine_that_does_not_run_is_refused(open_host, guest, vm_of):
    here, vm = open_host(), vm_of(guest)
    assert here.vms() == [vm]
    guest.destroy()
    for refused in (vm, Vm("1" * 32, "other", RUNNING)):
        with pytest.raises(VmNotRunning, match="'%s' is not running .STOPPED.: start it first" % refused.name):
            here.send(refused, [(b"a", b"1")], True)
    assert here.sent(vm) == [] and here.waiting(vm) is None


def test_the_channel_is_opened_for_whom_something_is_sent_to(open_host, make_guest, vm_of, hear):
    guest = make_guest(5, prepare=False)
    open_host().send(vm_of(guest), [(b"a", b"1")], False)
    assert hear(guest) == [(b"a", b"1")]  # and could be removed


@pytest.mark.parametrize("to", [5, 9])
def test_a_reboot_between_look_up_and_send(open_host, guest, vm_of, hear, monkeypatch, make_guest, to):
    here, vm = open_host(), vm_of(guest)
    here.send(vm, [(b"a", b"1")], False)
    receiver = Host._receiver

    def late(*arguments):
        monkeypatch.undo()
        found = receiver(*arguments)
        guest.reboot(to)
        return found

    monkeypatch.setattr(Host, "_receiver", late)
    here.send(vm, [(b"b", b"2")], False)
    assert hear(guest) == [(b"b", b"2")] and here.present(vm)[1] == to


def test_a_number_that_has_gone_over_to_another_machine_gets_nothing(
    open_host, make_guest, vm_of, hear, monkeypatch, host
):
    guest = make_guest(5)
    here, vm = open_host(), vm_of(guest)
    receiver = Host._receiver
    others = []

    def late(*arguments):
        monkeypatch.undo()
        found = receiver(*arguments)
        guest.destroy()
        others.append(make_guest(5, name="other"))
        return found

    monkeypatch.setattr(Host, "_receiver", late)
    with pytest.raises(VmNotRunning):
        here.send(vm, [(b"b", b"2")], False)
    assert hear(others[0]) == []


def test_a_domain_that_is_gone_before_its_channel_is_opened(open_host, guest, vm_of, monkeypatch):
    here, vm = open_host(), vm_of(guest)
    prepare = HostEnd.prepare

    def too_late(end):
        guest.destroy()
        return prepare(end)

    monkeypatch.setattr(HostEnd, "prepare", too_late)
    with pytest.raises(VmNotRunning):
        here.send(vm, [(b"b", b"2")], False)


def test_a_guest_that_does_not_read_is_an_error_in_time(open_host, guest, vm_of, hear, host):
    # A smaller share than a guest's: dom0 itself has none.
    here, vm = open_host(timeout=1.0), vm_of(guest)
    full = host_module.QuotaExceeded("no room in XenStore", "see that the other side reads")
    put = host_module.Outbox._put

    def limited(outbox, transaction, messages):
        if len(layout.numbers(transaction.directory(TO))) + len(messages) > 20:
            raise full
        return put(outbox, transaction, messages)

    host_module.Outbox._put, before = limited, put
    try:
        with pytest.raises(SendFailed) as problem:
            here.send(vm, [(b"k-%d" % n, b"v") for n in range(30)], True)
    finally:
        host_module.Outbox._put = before
    assert str(problem.value).startswith(
        "'k-20' cannot be sent to 'guest-5' after 20 others were: no room in XenStore: "
    )
    assert problem.value.sent == [b"k-%d" % n for n in range(20)]
    assert [key for key, _value in hear(guest)] == problem.value.sent == [r.key for r in here.sent(vm)]


def test_a_guest_that_makes_room_gets_everything(open_host, guest, vm_of, hear, monkeypatch):
    here, vm = open_host(), vm_of(guest)
    put = host_module.Outbox._put

    def limited(outbox, transaction, messages):
        if len(layout.numbers(transaction.directory(TO))) + len(messages) > 10:
            raise host_module.QuotaExceeded("no room")
        return put(outbox, transaction, messages)

    monkeypatch.setattr(host_module.Outbox, "_put", limited)
    messages = [(b"k-%d" % n, b"v") for n in range(30)]
    sender = threading.Thread(target=here.send, args=(vm, messages, False))
    sender.start()
    got = []
    while sender.is_alive() or len(got) < 30:
        got += hear(guest)
    sender.join()
    assert got == messages


def test_several_go_one_by_one_where_others_are_always_faster(open_host, guest, vm_of, hear, host, monkeypatch):
    here, vm = open_host(), vm_of(guest)
    put, together = host_module.Outbox._put, []

    def beaten(outbox, transaction, messages):
        number = put(outbox, transaction, messages)
        if messages[1:]:
            together.append(len(messages))
            host.write(TO + b"/last-write", b"%d" % (100 + len(together)))
        return number

    monkeypatch.setattr(host_module.Outbox, "_put", beaten)
    messages = [(b"k-%d" % n, b"v") for n in range(20)]
    here.send(vm, messages, False)
    assert hear(guest) == messages
    assert together == [16] * host_module.ATTEMPTS


def test_a_machine_that_stops_while_it_is_sent_to(open_host, guest, vm_of, monkeypatch):
    here, vm = open_host(), vm_of(guest)
    send_together = host_module.Outbox.send_together

    def last(*arguments):
        monkeypatch.undo()
        send_together(*arguments)
        guest.destroy()

    monkeypatch.setattr(host_module.Outbox, "send_together", last)
    with pytest.raises(
        SendFailed, match="'guest-5' is not running .STOPPED. after 16 messages were sent: start"
    ) as problem:
        here.send(vm, [(b"k", b"v")] * 17, False)
    assert len(problem.value.sent) == 16


def test_a_refusal_names_what_was_not_sent(open_host, guest, vm_of, monkeypatch):
    def refused(*_arguments):
        raise PermissionDenied("no entry", "knock")

    here, vm = open_host(), vm_of(guest)
    monkeypatch.setattr(host_module.Outbox, "_put", refused)
    with pytest.raises(SendFailed) as problem:
        here.send(vm, [(b"a", b"swordfish"), (b"b", b"swordfish")], False)
    assert str(problem.value).startswith("'a' and 1 more cannot be sent to 'guest-5': this domain may not write to ")
    assert "swordfish" not in str(problem.value) and problem.value.sent == []


def test_a_guest_that_does_not_read_is_not_sent_without_end(open_host, guest, vm_of, hear):
    """What waits is remembered from one call to the next, as other processes' messages are."""
    vm, large = vm_of(guest), b"x" * layout.VALUE_LIMIT
    messages = [(b"k-%03d" % n, large) for n in range(120)]
    here = open_host(timeout=2.0)
    here.send(vm, messages[:40], False)
    with pytest.raises(SendFailed) as problem:
        open_host(timeout=2.0).send(vm, messages[40:], False)
    sent = 40 + len(problem.value.sent)
    assert 80 < sent < 100
    assert str(problem.value).startswith(
        "'k-%03d' cannot be sent to 'guest-5' after %d others were: no room in XenStore: %d messages in %s wait"
        % (sent, sent - 40, sent, TO.decode())
    )
    with pytest.raises(SendFailed, match="'k-%03d' cannot be sent to 'guest-5': no room" % sent):
        here.send(vm, messages[sent:], False)
    assert hear(guest) == messages[:sent]
    here.send(vm, messages[sent:], False)
    assert hear(guest) == messages[sent:]


def when_committing(monkeypatch, act):
    """Do something just before the next transaction's last step."""
    exchange = XenStore._exchange

    def late(store, op, payload, *more):
        if op == Op.TRANSACTION_END and payload == b"T\0":
            monkeypatch.undo()
            act()
        return exchange(store, op, payload, *more)

    monkeypatch.setattr(XenStore, "_exchange", late)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_nobody_knows_the_outcome_when_xenstore_goes_in_the_last_step(
    open_host, guest, vm_of, xenstored, monkeypatch, how
):
    here, vm = open_host(timeout=1.0), vm_of(guest)
    here.send(vm, [(b"first", b"1")], False)
    when_committing(monkeypatch, getattr(xenstored, how))
    with pytest.raises(OutcomeUnknown, match="whether 'a' and 1 more reached 'guest-5' is not known: ") as problem:
        here.send(vm, [(b"a", b"swordfish"), (b"b", b"2")], True)
    assert "swordfish" not in str(problem.value) and here.sent(vm) == []


def test_without_xenstore_nothing_is_sent(open_host, guest, vm_of, xenstored):
    here, vm = open_host(timeout=1.0), vm_of(guest)
    here.connect()
    xenstored.kill()
    with pytest.raises(SendFailed, match="'a' cannot be sent to 'guest-5': .*: see that xenstored runs"):
        here.send(vm, [(b"a", b"1")], False)
    with pytest.raises(XenStoreUnavailable, match="cannot be opened"):
        open_host(timeout=1.0).connect()
    with pytest.raises(ConnectionLost):
        here.vms()


def test_what_was_sent_but_cannot_be_remembered_is_an_error(open_host, directory, guest, vm_of, hear):
    here, vm = open_host(timeout=1.0), vm_of(guest)
    here.vms()
    with MessageStore(directory) as other, other._writing():
        with pytest.raises(SendFailed, match="'a' reached 'guest-5', but cannot be remembered: .*locked") as problem:
            here.send(vm, [(b"a", b"1")], True)
    assert problem.value.sent == [b"a"] and hear(guest) == [(b"a", b"1")]


def test_many_threads_send_to_many_machines(open_host, make_guest, vm_of, hear):
    guests = [make_guest(5), make_guest(6)]
    here = open_host()
    threads = [
        threading.Thread(target=here.send, args=(vm_of(guest), [(b"k", b"%d" % n)], True))
        for n in range(8)
        for guest in guests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for guest in guests:
        assert sorted(hear(guest)) == [(b"k", b"%d" % n) for n in range(8)] == sorted(pairs(here.sent(vm_of(guest))))


# Receiving


def test_what_was_sent_before_the_call_is_received(open_host, make_guest, vm_of, say, host):
    guest, other = make_guest(5), make_guest(6)
    here = open_host()
    sent = [(b"k", b"%d" % n) for n in range(100)]
    say(guest, *sent)
    say(other, (b"k", b"v"))
    started = time.time()
    records = here.received(vm_of(guest))
    assert pairs(records) == sent and records == here.received(vm_of(guest))
    assert all(abs(record.time - started) < 60 for record in records)
    assert host.directory(FROM) == [b"last-write"]
    say(guest, (b"l", b"v"))
    assert pairs(here.received(vm_of(guest))) == [*sent, (b"l", b"v")]
    assert here.received(Vm("1" * 32, "nobody", RUNNING)) == []


def test_events_tell_key_value_and_time(open_host, make_guest, vm_of, say):
    guest, other = make_guest(5), make_guest(6)
    here = open_host()
    say(guest, (b"key1", b"value1"), (b"password", b"swordfish"), (b"raw", b"\xff"))
    say(other, (b"k", b"v"))
    here.collect()
    first, second, third = here.events(vm_of(guest))
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first.time))
    assert first.description == "key 'key1', value 'value1', " + when
    assert (first.vm, first.severity) == (vm_of(guest).id, "INFORMATIONAL")
    assert first.type == first.summary == "Virtual Machine API Incoming Message"
    assert second.description.startswith("key 'password', value '********', ")
    assert third.description.startswith("key 'raw', value '\\xff', ") and len(here.events()) == 4
    here.store.add_event(vm_of(guest).id, "WARNING", "other", "something", 1.0)
    assert here.events()[-1].description == "something"


def test_threads_share_the_right_to_collect(open_host, make_guest, vm_of, say, directory):
    """And another process has it once they are through, unless this one serves."""
    here, guests = open_host(), [make_guest(5), make_guest(6)]
    for guest in guests:
        say(guest, *((b"k", b"%d" % n) for n in range(100)))
    threads = [threading.Thread(target=here.received, args=(vm_of(guest),)) for guest in guests for _unused in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(here.received(vm_of(guest))) for guest in guests] == [100, 100] and len(here.events()) == 200
    other = CollectingLock(directory)
    assert other.acquire()
    assert here.collect() == 0
    other.release()
    assert here.collect() == 0 and here.received(vm_of(guests[0])) and not other.acquire()


# Beside a service


def serve(path, directory, ready):
    with Host(path, directory, LONG, prepare=True) as host:
        host.collect()
        ready.set()
        while True:
            host.wait(1.0)
            host.collect()


@pytest.fixture
def service(xenstored, directory, guest):
    """Another process that collects."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=serve, args=(xenstored.path, directory, ready))
    process.start()
    assert ready.wait(LONG)
    yield process
    process.kill()
    process.join()


def test_beside_a_service_collecting_is_left_to_it(service, open_host, guest, vm_of, say):
    here, vm = open_host(), vm_of(guest)
    for n in range(20):
        say(guest, (b"k", b"%d" % n))
        assert pairs(here.received(vm)) == [(b"k", b"%d" % m) for m in range(n + 1)]
    assert here.collect() == 0
    assert not here.wait(0.01)
    assert here.up_to_date(vm, 0) and len(here.store.events()) == 20


def test_a_service_that_hangs_is_waited_for_only_so_long(service, open_host, guest, vm_of, say, host):
    here, vm = open_host(timeout=1.0), vm_of(guest)
    say(guest, (b"k", b"1"))
    assert pairs(here.received(vm)) == [(b"k", b"1")]
    os.kill(service.pid, signal.SIGSTOP)
    say(guest, (b"k", b"2"))
    assert not here.up_to_date(vm, 0.1)
    assert pairs(here.received(vm)) == [(b"k", b"1"), (b"k", b"2")]  # nevertheless
    assert b"2" in host.directory(FROM)
    service.kill()
    service.join()
    assert pairs(here.received(vm)) == [(b"k", b"1"), (b"k", b"2")] and host.directory(FROM) == [b"last-write"]
    assert here.collect() == 0 and here.wait(LONG)


def test_what_the_service_has_stored_is_not_shown_twice(open_host, guest, vm_of, say, monkeypatch):
    """It stores and removes a message just between this process's looks at XenStore and at the store."""
    service, vm = open_host(), vm_of(guest)
    here = open_host(collect=False)
    say(guest, (b"k", b"1"))
    look, looks = Host._pending, []

    def late(host, *arguments):
        found = look(host, *arguments)
        looks.append(len(found))
        if len(looks) == 2:
            service.collect()
            return {}
        return found

    monkeypatch.setattr(Host, "_pending", late)
    assert pairs(here.received(vm)) == [(b"k", b"1")] and looks == [1, 1, 0]


def test_a_service_that_is_always_faster_does_not_keep_a_reader_busy(open_host, guest, vm_of, say, monkeypatch):
    here, vm = open_host(collect=False), vm_of(guest)
    say(guest, (b"k", b"1"))
    look, looks = Host._pending, []

    def gone(host, *arguments):
        looks.append(look(host, *arguments))
        return {} if len(looks) % 2 == 0 else looks[-1]

    monkeypatch.setattr(Host, "_pending", gone)
    assert pairs(here.received(vm)) == [(b"k", b"1")] and len(looks) == 10


def test_a_guest_without_a_channel_has_sent_nothing(open_host, make_guest, vm_of):
    vm = vm_of(make_guest(5, prepare=False))
    here = open_host()
    assert here.waiting(vm) == 0 and here.up_to_date(vm, 0) and here.received(vm) == []


def test_a_second_service_waits_for_the_first_ones_end(service, open_host, guest, vm_of, say):
    here = open_host()
    assert here.collect() == 0
    service.kill()
    service.join()
    say(guest, (b"k", b"1"))
    assert here.collect() == 1


# Check mode


def test_looking_changes_nothing(open_host, directory, guest, vm_of, say, host):
    here, vm = open_host(collect=False), vm_of(guest)
    say(guest, (b"a", b"1"), (b"b", b"2"))
    before = host.directory(FROM)
    assert pairs(here.received(vm)) == [(b"a", b"1"), (b"b", b"2")]
    assert here.vms() == [vm] and here.current(vm) == vm and here.sent(vm) == here.events() == []
    assert here.collect() == 0 and host.directory(FROM) == before and not os.path.exists(directory)
    temporary = here.store.path
    here.close()
    assert not os.path.exists(temporary)
    assert len(open_host().received(vm)) == 2
    say(guest, (b"c", b"3"))
    again = open_host(collect=False)
    assert pairs(again.received(vm)) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    assert b"3" in host.directory(FROM) and len(again.store.messages(vm.id, "received")) == 2
    assert [type(record) for record in again.received(vm)] == [Record] * 3


# Waiting for a change


def test_changes_are_told(open_host, guest, host_end, make_guest, say, hear, host):
    here = open_host()
    while here.wait_for_change(0.1):
        pass
    for change in (
        lambda: say(guest, (b"k", b"v")),
        lambda: host_end.send(Message(b"k", b"v"), LONG),
        lambda: hear(guest),
        lambda: make_guest(6),
        lambda: host.write(b"/local/domain/5/name", b"new"),
        guest.destroy,
    ):
        changer = threading.Timer(0.05, change)
        changer.start()
        assert here.wait_for_change(LONG)
        changer.join()
        while here.wait_for_change(0.1):
            pass
    assert not here.wait_for_change(0)


def test_a_change_is_told_to_every_thread(open_host, guest, say):
    here = open_host()
    while here.wait_for_change(0.1):
        pass
    told = []

    def wait():
        while here.wait_for_change(0.1):
            pass
        waiting.release()
        told.append(here.wait_for_change(LONG))

    waiting = threading.Semaphore(0)
    threads = [threading.Thread(target=wait) for _unused in range(3)]
    for thread in threads:
        thread.start()
    for _unused in threads:
        waiting.acquire()
    say(guest, (b"k", b"v"))
    for thread in threads:
        thread.join()
    assert told == [True] * 3


def test_a_thread_that_does_not_get_to_wait_comes_back_in_time(open_host, guest):
    here = open_host()
    while here.wait_for_change(0.1):
        pass
    about_to_wait = threading.Event()

    def wait():
        while here.wait_for_change(0):  # what this thread has not seen
            pass
        about_to_wait.set()
        here.wait_for_change(2.0)

    thread = threading.Thread(target=wait)
    thread.start()
    assert about_to_wait.wait(LONG)
    while not here._changes._lock.locked():
        time.sleep(0.001)
    assert not here.wait_for_change(0.05)
    thread.join()


def test_waiting_without_xenstore_is_an_error(open_host, guest, xenstored):
    here = open_host(timeout=1.0)
    while here.wait_for_change(0.1):
        pass
    xenstored.kill()
    with pytest.raises(ChannelError, match="see that xenstored runs"):
        here.wait_for_change(0.1)


# Files


def test_a_directory_that_others_may_write_to_is_refused(open_host, directory):
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    with pytest.raises(MessageStoreError, match="is writable by, other users"):
        open_host()


def test_a_lock_that_cannot_be_made_is_an_error(open_host, directory, tmp_path):
    here = open_host()
    os.symlink(str(tmp_path / "elsewhere"), os.path.join(directory, "collecting"))
    with pytest.raises(MessageStoreError, match="the lock .*/collecting cannot be opened .Too many levels"):
        here.collect()


def test_everything_is_closed(xenstored, directory, guest, vm_of, say):
    before = len(os.listdir("/proc/self/fd"))
    with Host(xenstored.path, directory, LONG, prepare=True) as here:
        here.collect()
        here.wait(0.1)
        here.wait_for_change(0.1)
        here.send(vm_of(guest), [(b"k", b"v")], True)
    assert len(os.listdir("/proc/self/fd")) == before
