# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter against real daemons: every byte, every error, and every fault it has to survive."""

import errno
import fcntl
import os
import select
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import xenstore
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    Conflict,
    ConnectionLost,
    DeadlineExceeded,
    NotFound,
    NotSupported,
    PermissionDenied,
    ProtocolError,
    QuotaExceeded,
    TooBig,
    XenStoreError,
    XenStoreUnavailable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

ALL_BYTES = bytes(range(256))
#: Seconds: short where the time is to run out, long where it must not.
SHORT, LONG = 0.3, 20.0
F_SETPIPE_SZ = 1031  # linux/fcntl.h; in Python's fcntl since 3.10


@pytest.fixture
def other(xenstored):
    """A second connection of the host."""
    with XenStore(xenstored.path, timeout=LONG) as store:
        yield store


# What XenStore does


def test_every_byte_is_stored(host):
    for value in (b"", b"v", ALL_BYTES, b"\0\0", b"a\0", b"\n", ALL_BYTES * 8):
        host.write(b"/test/node", value)
        assert host.read(b"/test/node") == value


def test_nodes_are_made_listed_and_removed(host):
    host.write(b"/test/a/b", b"1")
    host.mkdir(b"/test/c")
    assert sorted(host.directory(b"/test")) == [b"a", b"c"] and host.directory(b"/test/c") == []
    assert host.exists(b"/test/a/b") and not host.exists(b"/test/z")
    host.remove(b"/test/a")
    host.remove(b"/test/a")
    host.remove(b"/no/such/parent")
    assert host.directory(b"/test") == [b"c"]


def test_permissions(host, make_guest):
    make_guest(5)
    host.mkdir(b"/test")
    host.set_permissions(b"/test", [b"n0", b"r5"])
    assert host.get_permissions(b"/test") == [b"n0", b"r5"]


def test_a_big_directory_is_read_whole(host):
    names = {b"a-rather-long-name-%05d" % n for n in range(1000)}
    for name in names:
        host.write(b"/big/" + name, b"")
    listing = host.directory(b"/big")
    assert len(listing) == 1000 and set(listing) == names


def test_a_big_directory_that_changes_while_it_is_read_is_read_again(host, other, monkeypatch, xenstored):
    for n in range(600):
        host.write(b"/big/node-%05d" % n, b"")
    calls = []
    exchange = XenStore._exchange

    def interrupted(self, op, *rest):
        answer = exchange(self, op, *rest)
        if op == xenstore._DIRECTORY_PART:
            calls.append(op)
            if len(calls) == 1:
                other.write(b"/big/in-between", b"")
        return answer

    monkeypatch.setattr(XenStore, "_exchange", interrupted)
    listing = host.directory(b"/big")
    assert len(listing) == len(set(listing)) and len(listing) in (600, 601)
    if xenstored.kind == "c":  # oxenstored sends it all at once
        assert len(listing) == 601 and len(calls) > 2


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(host, other):
    with host.transaction() as transaction:
        transaction.write(b"/test/a", b"1")
        assert transaction.read(b"/test/a") == b"1" and not other.exists(b"/test/a")
    assert other.read(b"/test/a") == b"1"
    with pytest.raises(KeyError), host.transaction() as transaction:
        transaction.write(b"/test/a", b"2")
        raise KeyError
    assert other.read(b"/test/a") == b"1"


def test_a_transaction_that_met_another_writer_is_done_again(host, other):
    host.write(b"/test/n", b"0")
    attempts = []

    def work(transaction):
        attempts.append(1)
        value = int(transaction.read(b"/test/n"))
        if len(attempts) == 1:
            other.write(b"/test/n", b"10")
        transaction.write(b"/test/n", b"%d" % (value + 1))
        return value

    assert host.transact(work) == 10
    assert host.read(b"/test/n") == b"11" and len(attempts) == 2


def test_a_transaction_that_always_meets_another_writer_ends_in_time(xenstored, other):
    other.write(b"/test/n", b"0")

    def work(transaction):
        # Another value each time: oxenstored only minds where what was read has changed.
        other.write(b"/test/n", b"%d" % (int(transaction.read(b"/test/n")) + 1))
        transaction.write(b"/test/n", b"-1")

    with XenStore(xenstored.path, timeout=SHORT) as store:
        with pytest.raises(Conflict, match="again and again until its time was over: try again"):
            store.transact(work)
        assert int(store.read(b"/test/n")) > 0
        with pytest.raises(Conflict):
            with store.transaction() as transaction:
                work(transaction)


def test_a_transaction_that_may_be_tried_so_often_is_tried_no_more(xenstored, other):
    other.write(b"/test/n", b"0")
    attempts = []

    def work(transaction):
        attempts.append(transaction.read(b"/test/n"))
        other.write(b"/test/n", b"%d" % len(attempts))
        transaction.write(b"/test/n", b"-1")

    with XenStore(xenstored.path, timeout=LONG) as store:
        with pytest.raises(Conflict):
            store.transact(work, 3)
        assert attempts == [b"0", b"1", b"2"]


def test_watches_tell_of_changes_and_only_until_they_end(host, other):
    host.watch(b"/test", b"token one")
    assert host.wait(LONG) == (b"/test", b"token one")
    assert host.wait(0) is None
    other.write(b"/test/a", b"1")
    assert select.select([host.fileno()], [], [], LONG)[0]
    assert host.wait(LONG) == (b"/test/a", b"token one")
    host.unwatch(b"/test", b"token one")
    other.write(b"/test/b", b"1")
    host.read(b"/test/b")
    assert host.wait(SHORT) is None


def test_an_event_may_be_waited_for_by_its_token(host):
    host.watch(b"/a", b"a")
    host.watch(b"/b", b"b")
    assert host.wait(LONG, b"b") == (b"/b", b"b")
    assert host.wait(LONG, b"a") == (b"/a", b"a")
    assert host.wait(0.01, b"a") is None


def test_a_relative_path_starts_at_the_callers_home(host, make_guest):
    guest = make_guest(5)
    with XenStore(guest.path) as store:
        store.write(b"data/x", b"1")
        store.watch(b"data", b"t")
        assert store.wait(LONG) == (b"data", b"t")
    assert host.read(b"/local/domain/5/data/x") == b"1"


def test_the_guests_device_works_like_its_socket(host, make_guest):
    guest = make_guest(5)
    with XenStore(guest.device, timeout=LONG) as store:
        for value in (b"", ALL_BYTES, b"x" * 2000):
            store.write(b"data/x", value)
            assert store.read(b"data/x") == host.read(b"/local/domain/5/data/x") == value
        store.watch(b"data", b"t")
        assert store.wait(LONG) == (b"data", b"t")


# What it refuses


def refusal(kind, call, *arguments):
    with pytest.raises(kind) as found:
        call(*arguments)
    assert found.type is kind
    return found.value


def test_a_node_that_is_not_there(host):
    problem = refusal(NotFound, host.read, b"/test/none")
    assert (
        str(problem) == "XenStore refused to read /test/none (ENOENT): it does not exist" and problem.code == "ENOENT"
    )


def test_permission_denied(make_guest):
    guest, _other = make_guest(5), make_guest(6)
    with XenStore(guest.path) as store:
        problem = refusal(PermissionDenied, store.write, b"/local/domain/6/name", b"evil")
        assert problem.code == "EACCES" and "the host decides its permissions" in str(problem)
        refusal(PermissionDenied, store.write, b"name", b"evil")
        store.write(b"data/still", b"works")


def test_the_quota_of_nodes(host, make_guest):
    guest = make_guest(5)
    with XenStore(guest.path, timeout=LONG) as store:
        with pytest.raises(QuotaExceeded) as found:
            for n in range(1100):
                store.write(b"data/%d/%d" % (n % 10, n), b"")
        assert found.value.code in ("ENOSPC", "EQUOTA") and "used up its share of XenStore" in str(found.value)
        host.remove(b"/local/domain/5/data/0")
        store.write(b"data/1/again", b"")


def test_the_quota_of_a_nodes_size(make_guest):
    guest = make_guest(5)
    with XenStore(guest.path, timeout=LONG) as store:
        with pytest.raises((QuotaExceeded, TooBig)) as found:
            store.write(b"data/x", b"x" * 2049)
        assert found.value.code in ("ENOSPC", "E2BIG") and found.value.remedy


def test_a_request_over_the_limit_is_not_even_sent(host):
    problem = refusal(TooBig, host.write, b"/test/x", b"x" * 4096)
    assert str(problem) == "a request for /test/x has 4104 bytes, XenStore carries 4096: make it smaller"


def test_a_request_that_the_daemon_does_not_know(host):
    assert refusal(NotSupported, host._request, 999, (b"/test",)).code == "ENOSYS"


def test_no_xenstore_anywhere_says_what_was_tried(monkeypatch, tmp_path):
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.delenv("XENSTORED_RUNDIR", raising=False)
    monkeypatch.setattr(xenstore, "GUEST_DEVICES", (str(tmp_path / "xenbus"),))
    monkeypatch.setattr(xenstore, "RUN_DIRECTORIES", (str(tmp_path),))
    problem = refusal(XenStoreUnavailable, XenStore)
    for place in ("xenbus", "socket"):
        assert "XenStore at %s cannot be opened (No such file or directory)" % (tmp_path / place) in problem.text
    assert "/dev/xen/xenbus" in problem.remedy


def test_one_place_that_is_there_but_fails_is_the_one_to_tell_of(monkeypatch, tmp_path):
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.setenv("XENSTORED_RUNDIR", str(tmp_path))
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "socket"))  # nobody listens
    problem = refusal(XenStoreUnavailable, XenStore)
    assert problem.text == "XenStore at %s cannot be opened (Connection refused)" % (tmp_path / "socket")
    dead.close()


def test_where_to_look(monkeypatch):
    assert xenstore.candidates("/x", environ={"XENSTORED_PATH": "/y"}) == ["/x"]
    assert xenstore.candidates(environ={"XENSTORED_PATH": "/y", "XENSTORED_RUNDIR": "/z"}) == ["/y"]
    assert xenstore.candidates(environ={"XENSTORED_RUNDIR": "/z"}) == ["/z/socket"]
    assert xenstore.candidates(environ={})[0] == "/dev/xen/xenbus"
    assert xenstore.candidates(role="host", environ={})[0] == "/run/xenstored/socket"


# Faults


def in_time(seconds, kind, call, *arguments):
    """The error of a call that has to end within some seconds, with some grace for a busy machine."""
    start = time.monotonic()
    problem = refusal(kind, call, *arguments)
    assert time.monotonic() - start < seconds + 5
    return problem


def test_a_stopped_daemon_costs_no_more_than_the_deadline(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store:
        store.write(b"/test/x", b"1")
        xenstored.pause()
        # Each call gives its connection up. The daemon's queue of new ones is soon full, too.
        for _unused in range(6):
            in_time(SHORT, DeadlineExceeded, store.read, b"/test/x")
        in_time(SHORT, DeadlineExceeded, store.write, b"/test/x", b"2")
        xenstored.resume()
        store.timeout = LONG
        assert store.read(b"/test/x") in (b"1", b"2")
        in_time(SHORT, NotFound, store.read, b"/test/y")


def test_a_late_answer_is_never_taken_for_that_of_the_next_request(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store:
        store.write(b"/test/a", b"a")
        store.write(b"/test/b", b"b")
        xenstored.pause()
        refusal(DeadlineExceeded, store.read, b"/test/a")
        xenstored.resume()
        store.timeout = LONG
        assert store.read(b"/test/b") == b"b"


def test_a_slow_answer_within_the_deadline_is_an_answer(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        store.write(b"/test/a", b"a")
        xenstored.pause()
        resumer = threading.Timer(0.2, xenstored.resume)
        resumer.start()
        assert store.read(b"/test/a") == b"a"
        resumer.join()


def test_a_daemon_killed_with_a_request_in_flight(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        xenstored.pause()  # so that the request is surely in flight
        killer = threading.Timer(0.2, xenstored.kill)
        killer.start()
        problem = in_time(1, ConnectionLost, store.write, b"/test/a", b"a")
        killer.join()
        assert "broke" in str(problem) and not problem.unsent
        store.timeout = SHORT
        problem = in_time(SHORT, ConnectionLost, store.read, b"/test/a")
        assert "XenStore is gone" in str(problem)


def test_a_signal_in_the_midst_of_closing_does_no_harm(xenstored, monkeypatch):
    store = XenStore(xenstored.path, timeout=LONG)
    close = os.close

    def cut_off(descriptor):
        close(descriptor)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", cut_off)
        with pytest.raises(KeyboardInterrupt):
            store.close()
    store.close()


def test_a_watch_that_a_new_connection_has_set_is_not_set_twice(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        store.watch(b"/test/a", b"a")
        assert store.wait(LONG, b"a")
        xenstored.restart()
        store.watch(b"/test/b", b"b")
        assert store.wait(LONG, b"b") and store.wait(LONG, b"a")
        store.write(b"/test/b", b"1")
        assert store.wait(LONG, b"b") and not store.wait(0.1, b"b")


def test_a_restarted_daemon_is_used_without_a_word(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        store.write(b"/test/a", b"1")
        xenstored.restart()
        store.write(b"/test/b", b"2")  # nobody had noticed: the write could not be sent, so it is sent anew
        assert store.read(b"/test/b") == b"2" and not store.exists(b"/test/a")


def under_way(store, pool, call, *arguments):
    """Have a thread make a call; returns when it is at it. The daemon has to be started by this thread."""
    future = pool.submit(call, *arguments)
    while not store._lock.locked() and not future.done():
        os.sched_yield()
    return future


def test_a_read_in_flight_over_a_restart_is_repeated(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store, ThreadPoolExecutor() as pool:
        xenstored.pause()
        listing = under_way(store, pool, store.directory, b"/")
        xenstored.restart()
        assert listing.result(LONG) is not None


def test_a_daemon_that_is_back_within_the_deadline_is_waited_for(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store, ThreadPoolExecutor() as pool:
        store.read(b"/")
        xenstored.kill()
        found = under_way(store, pool, store.exists, b"/")
        xenstored.start()
        assert found.result(LONG)


def test_watches_come_back_after_a_restart_and_fire(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store, XenStore(xenstored.path, timeout=LONG) as writer:
        store.watch(b"/test", b"t")
        assert store.wait(LONG) == (b"/test", b"t")
        xenstored.restart()
        assert store.wait(LONG) == (b"/test", b"t")  # something may have happened meanwhile
        writer.write(b"/test/x", b"1")
        assert store.wait(LONG) == (b"/test/x", b"t")


def test_a_watch_that_went_with_its_connection_may_be_ended(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        store.watch(b"/test", b"t")
        xenstored.restart()
        store.unwatch(b"/test", b"t")
        assert store.exists(b"/")


def test_waiting_ends_when_the_daemon_is_gone_for_good(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store:
        store.watch(b"/test", b"t")
        store.wait(LONG)
        xenstored.kill()
        in_time(2 * SHORT, ConnectionLost, store.wait, SHORT)


def test_a_connection_lost_in_a_transaction_is_told_and_nothing_of_it_happens(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        with pytest.raises(ConnectionLost):
            with store.transaction() as transaction:
                transaction.write(b"/test/a", b"1")
                xenstored.restart()
                store.read(b"/")  # has a new connection made, where the transaction is unknown
                transaction.write(b"/test/b", b"1")
        assert not store.exists(b"/test/a") and not store.exists(b"/test/b")


def test_transact_begins_again_when_the_connection_was_lost_before_its_end(xenstored):
    restarts = []

    def work(transaction):
        transaction.write(b"/test/a", b"1")
        if not restarts:
            restarts.append(xenstored.restart())
        transaction.write(b"/test/b", b"1")

    with XenStore(xenstored.path, timeout=LONG) as store:
        store.transact(work)
        assert store.read(b"/test/a") == store.read(b"/test/b") == b"1"


def test_a_commit_in_flight_when_the_daemon_dies_is_not_repeated(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        killers = []

        def work(transaction):
            transaction.write(b"/test/a", b"1")
            xenstored.pause()
            killers.append(threading.Timer(0.2, xenstored.kill))
            killers[0].start()

        in_time(2, ConnectionLost, store.transact, work)
        assert len(killers) == 1
        killers[0].join()


def test_a_fork_leaves_each_side_a_connection_of_its_own(xenstored, host):
    host.write(b"/test/a", b"1")
    host.watch(b"/test", b"t")
    host.wait(LONG)
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen by the measurement
        status = 1
        try:
            for n in range(200):
                host.write(b"/test/child", b"%d" % n)
                if host.read(b"/test/child") != b"%d" % n:
                    raise AssertionError
            status = 0
        finally:
            os._exit(status)
    for n in range(200):
        host.write(b"/test/parent", b"%d" % n)
        assert host.read(b"/test/parent") == b"%d" % n
    assert os.waitpid(child, 0)[1] == 0
    assert host.read(b"/test/child") == b"199"


def test_a_child_that_closes_does_not_close_its_parents_connection(host):
    child = os.fork()
    if child == 0:  # pragma: no cover
        host.close()
        os._exit(0)
    os.waitpid(child, 0)
    connection = host.fileno()
    assert host.exists(b"/") and host.fileno() == connection


def test_threads_share_a_connection(host):
    wrong = []

    def work(name):
        for n in range(200):
            path = b"/test/%s" % name
            host.write(path, b"%s %d" % (name, n))
            if host.read(path) != b"%s %d" % (name, n):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(b"t%d" % n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_thread_waits_for_its_turn_no_longer_than_its_deadline(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store:
        waiter = threading.Thread(target=store.wait, args=(1.0,))
        waiter.start()
        while not store._lock.locked():
            os.sched_yield()
        problem = in_time(SHORT, DeadlineExceeded, store.read, b"/")
        assert "in use by another thread" in str(problem)
        waiter.join()


def test_until_bounds_many_calls_together(xenstored):
    with XenStore(xenstored.path, timeout=LONG) as store:
        xenstored.pause()
        with store.until(time.monotonic() + SHORT), store.until(time.monotonic() + LONG):
            in_time(SHORT, DeadlineExceeded, store.read, b"/")
            assert store.timeout == LONG
        xenstored.resume()
        assert store.exists(b"/")


def test_until_bounds_waiting_too(host):
    with host.until(time.monotonic() + SHORT):
        assert host.wait(LONG) is None


def test_after_a_fork_the_inherited_connection_is_left_alone(host):
    """What a child sees, without the child: its process number is another one."""
    host.watch(b"/test", b"t")
    inherited = os.dup(host.fileno())
    host._pid = -1
    host.write(b"/test/x", b"1")
    assert host._pid == os.getpid() and host.wait(LONG) == (b"/test", b"t")
    # Closed here, but not shut down: the parent can go on with it.
    os.write(inherited, struct.pack("IIII", 2, 7, 0, 8) + b"/test/x\0")
    answer = b""
    while not answer.endswith(b"1"):  # behind the events of the watch
        assert select.select([inherited], [], [], LONG)[0]
        answer += os.read(inherited, 4096)
    os.close(inherited)


def test_a_second_request_in_a_lost_transaction_fails_like_the_first(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store:
        with pytest.raises(ConnectionLost):
            with store.transaction() as transaction:
                xenstored.kill()
                for _unused in range(2):
                    problem = refusal(ConnectionLost, transaction.write, b"/test/a", b"1")
                assert "was lost in a transaction" in str(problem)
                transaction.write(b"/test/a", b"1")


def test_what_went_wrong_in_a_transaction_is_told_rather_than_that_it_cannot_be_undone(xenstored):
    with XenStore(xenstored.path, timeout=SHORT) as store, pytest.raises(KeyError):
        with store.transaction():
            xenstored.kill()
            raise KeyError


def test_a_transaction_waits_for_one_of_its_domains_others_to_end(make_guest):
    guest = make_guest(5)
    with XenStore(guest.path, timeout=LONG) as store, XenStore(guest.path, timeout=SHORT) as impatient:
        open_ones = []
        with pytest.raises(QuotaExceeded):
            while True:
                open_ones.append(store.transaction())
                open_ones[-1].__enter__()
        open_ones.pop()
        assert len(open_ones) >= 10
        in_time(SHORT, QuotaExceeded, impatient.transact, lambda transaction: None)
        impatient.timeout = LONG
        with ThreadPoolExecutor() as pool:
            done = under_way(impatient, pool, impatient.transact, lambda t: t.write(b"data/x", b"1"))
            for each in open_ones:
                each.__exit__(None, None, None)
            done.result(LONG)
        assert store.read(b"data/x") == b"1"


def test_a_device_that_takes_no_request_costs_no_more_than_the_deadline(tmp_path):
    path = str(tmp_path / "xenbus")
    os.mkfifo(path)  # has no reader and is full after one page
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(pipe, F_SETPIPE_SZ, 4096)
    with XenStore(path, timeout=SHORT) as store:
        problem = in_time(SHORT, DeadlineExceeded, store.write, b"/x", b"x" * 4090)
        assert "did not take a request in time" in str(problem)
    os.close(pipe)


def test_a_watch_that_linux_does_not_take_is_refused_and_the_connection_stays(guest, monkeypatch):
    """On a device, how XenStore refuses a watch is the error of write(); the lab's device cannot do that."""
    write, writes = os.write, []

    def limited(descriptor, data):
        kind = struct.unpack_from("I", data)[0]
        writes.append(kind)
        if kind == 4 and len(writes) > 1:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        return write(descriptor, data)

    with XenStore(guest.device, timeout=LONG) as store:
        monkeypatch.setattr(os, "write", limited)
        store.watch(b"data", b"first")
        assert refusal(TooBig, store.watch, b"data", b"second").code == "E2BIG"
        assert list(store._watches) == [b"first"] and writes == [4, 4]
        assert store.read(b"name") == b"guest-5" and writes == [4, 4, 2]


# A daemon that talks nonsense: the one thing that real ones do not do on demand


class Impostor:
    """Answers each request with what a function of its header makes of it."""

    def __init__(self, path, answer):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(5)
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client:
                header = client.recv(16, socket.MSG_WAITALL)
                if len(header) == 16:
                    kind, request, _transaction, size = struct.unpack("IIII", header)
                    client.recv(size, socket.MSG_WAITALL)
                    client.sendall(self.answer(kind, request))
                    client.recv(1)  # until the other side gives up


class Refusing(Impostor):
    """Takes a watch on its first connection, and refuses it on the next."""

    def serve(self):
        for kind, payload in ((4, b"OK\0"), (16, b"EQUOTA\0")):
            client = self.listener.accept()[0]
            with client:
                _kind, request, _transaction, size = struct.unpack("IIII", client.recv(16, socket.MSG_WAITALL))
                client.recv(size, socket.MSG_WAITALL)
                client.sendall(struct.pack("IIII", kind, request, 0, len(payload)) + payload)


class Colliding(Impostor):
    """Refuses the first commits as oxenstored sometimes does, and then takes one."""

    refusals, commits = 2, 0

    def serve(self):
        client = self.listener.accept()[0]
        with client:
            while True:
                header = client.recv(16, socket.MSG_WAITALL)
                if not header:
                    return
                kind, request, transaction, size = struct.unpack("IIII", header)
                client.recv(size, socket.MSG_WAITALL)
                payload = b"1\0" if kind == 6 else b"OK\0"  # a transaction's start; all else
                if kind == 7:  # its end
                    self.commits += 1
                    if self.commits <= self.refusals:
                        kind, payload = 16, b"EINVAL\0"
                client.sendall(struct.pack("IIII", kind, request, transaction, len(payload)) + payload)


def test_a_commit_that_oxenstored_calls_invalid_is_done_again(tmp_path):
    path = str(tmp_path / "socket")
    impostor = Colliding(path, None)
    with XenStore(path, timeout=LONG) as store:
        assert store.transact(lambda transaction: transaction.write(b"/x", b"") or "done") == "done"
    assert impostor.commits == impostor.refusals + 1
    impostor.listener.close()


def test_a_watch_that_cannot_be_had_again_is_an_error(tmp_path):
    path = str(tmp_path / "socket")
    impostor = Refusing(path, None)
    with XenStore(path, timeout=LONG) as store:
        store.watch(b"/x", b"t")
        assert refusal(QuotaExceeded, store.wait, LONG).code == "EQUOTA"
    impostor.listener.close()


def test_a_watch_that_is_refused_is_not_set_again_later(make_guest):
    guest = make_guest(5)
    with XenStore(guest.path, timeout=LONG) as store:
        store.watch(b"data", b"t")
        refusal(XenStoreError, store.watch, b"//", b"bad")
        assert list(store._watches) == [b"t"]


def test_a_transaction_without_a_number_is_nonsense(tmp_path):
    path = str(tmp_path / "socket")
    impostor = Impostor(path, lambda kind, request: struct.pack("IIII", kind, request, 0, 2) + b"x\0")
    with XenStore(path, timeout=LONG) as store:
        assert "gave no number" in str(refusal(ProtocolError, store.transact, lambda transaction: None))
    impostor.listener.close()


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (
            lambda kind, request: struct.pack("IIII", kind, request + 1, 0, 0),
            ProtocolError,
            "answered request 1 of kind 2 with 2",
        ),
        (lambda kind, request: struct.pack("IIII", 7, request, 0, 0), ProtocolError, "of kind 2 with 1 of kind 7"),
        (
            lambda kind, request: struct.pack("IIII", kind, request, 0, 1 << 31),
            ProtocolError,
            "announced an answer of 2147483648",
        ),
        (lambda kind, request: struct.pack("IIII", kind, request, 0, 10) + b"half", DeadlineExceeded, "did not answer"),
        (lambda kind, request: struct.pack("IIII", 16, request, 0, 7) + b"EWEIRD\0", XenStoreError, "(EWEIRD)"),
        (lambda kind, request: struct.pack("IIII", 16, request, 0, 2) + b"\xff\0", XenStoreError, r"(\xff)"),
        (lambda kind, request: b"", DeadlineExceeded, "did not answer a request in time: see that xenstored runs"),
    ],
)
def test_nonsense_is_an_error_in_time(tmp_path, answer, kind, says):
    path = str(tmp_path / "socket")
    impostor = Impostor(path, answer)
    with XenStore(path, timeout=SHORT) as store:
        assert says in str(in_time(SHORT, kind, store.read, b"/x"))
    impostor.listener.close()


def test_an_answer_that_nobody_asked_for_ends_the_connection(tmp_path):
    path = str(tmp_path / "socket")
    impostor = Impostor(path, lambda kind, request: struct.pack("IIII", kind, request, 0, 0) * 2)
    with XenStore(path, timeout=SHORT) as store:
        store.read(b"/x")
        in_time(SHORT, ProtocolError, store.wait, SHORT)
    impostor.listener.close()


def test_parts_of_a_directory_without_a_generation_are_nonsense(tmp_path):
    path = str(tmp_path / "socket")

    def answer(kind, request):
        if kind == 1:
            return struct.pack("IIII", 16, request, 0, 6) + b"E2BIG\0"
        return struct.pack("IIII", kind, request, 0, 3) + b"abc"

    class Twice(Impostor):
        def serve(self):
            client = self.listener.accept()[0]
            with client:
                for _unused in range(2):
                    kind, request, _transaction, size = struct.unpack("IIII", client.recv(16, socket.MSG_WAITALL))
                    client.recv(size, socket.MSG_WAITALL)
                    client.sendall(answer(kind, request))
                client.recv(1)

    impostor = Twice(path, answer)
    with XenStore(path, timeout=LONG) as store:
        assert "sent no generation" in str(refusal(ProtocolError, store.directory, b"/x"))
    impostor.listener.close()
