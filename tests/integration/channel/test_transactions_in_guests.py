# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest's kernel does with transactions: when it is suspended in their midst, and when their programs end.

The lab's kernel does here as Linux does, which was tried on real Xen; see docs/explanation/protocol.md.
"""

import os
import random
import signal
import sys
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import Conflict, DeadlineExceeded, NotFound
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

PATIENCE = 30.0
#: Signals that end a program that does not expect them.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1)


@pytest.mark.parametrize("how", ["restore", "checkpoint"])
@pytest.mark.parametrize("work", ["reads", "looks", "writes", "does nothing more"])
def test_a_transaction_is_done_again_where_the_guest_was_suspended_in_its_midst(guest, how, work):
    attempts = []

    def do(transaction):
        attempts.append(len(attempts))
        transaction.write(b"data/first", b"%d" % attempts[-1])
        if len(attempts) == 1:
            getattr(guest, how)()
        if work == "reads":
            return transaction.read(b"name")
        if work == "looks":
            return transaction.exists(b"data/first") and b"found"
        if work == "writes":
            transaction.write(b"data/second", b"%d" % attempts[-1])
            transaction.mkdir(b"data/third")
        return b""

    with XenStore(guest.path, timeout=PATIENCE) as store:
        assert store.transact(do) == {"reads": b"guest-5", "looks": b"found"}.get(work, b"")
        assert attempts == [0, 1]
        assert store.read(b"data/first") == b"1"
        if work == "writes":
            assert store.read(b"data/second") == b"1" and store.exists(b"data/third")
    assert guest.cut_off() == 0


def test_a_node_that_is_missing_is_no_conflict(guest):
    with XenStore(guest.path, timeout=PATIENCE) as store:
        for request in (lambda t: t.read(b"data/none"), lambda t: t.set_permissions(b"data/none", [b"n5"])):
            with pytest.raises(NotFound):
                store.transact(request)
        store.transact(lambda transaction: transaction.write(b"data/there", b""))


def test_one_that_is_given_up_after_a_restore_leaves_the_connection_usable(guest):
    with XenStore(guest.path, timeout=PATIENCE) as store:
        with pytest.raises(KeyError), store.transaction():
            guest.restore()
            raise KeyError
        with pytest.raises(Conflict), store.transaction() as transaction:
            guest.restore()
            transaction.write(b"data/x", b"")
        store.write(b"data/y", b"")
        assert not store.exists(b"data/x")


@pytest.mark.parametrize("step", range(1, 11))
def test_a_message_that_a_restore_came_upon_is_sent_once(guest, host, host_end, monkeypatch, step):
    requests = []
    request = XenStore._request

    def restoring(self, op, parts, **how):
        if self.path == guest.path:
            requests.append(op)
            if len(requests) == step:
                guest.restore()
        return request(self, op, parts, **how)

    with XenStore(guest.path, timeout=PATIENCE) as store:
        # There is something to be found, and to be missed.
        GuestEnd(store).send(Message(b"earlier", b""), PATIENCE)
        host_end.inbox.discard(host_end.inbox.pending()[0])
        monkeypatch.setattr(XenStore, "_request", restoring)
        assert GuestEnd(store).send(Message(b"key", b"v" * 5000), PATIENCE) == 1
        assert len(requests) >= step
    arrivals = list(HostEnd(host, guest.domid).inbox.receive())
    assert [tuple(arrival.message) for arrival in arrivals] == [(b"key", b"v" * 5000)]
    assert guest.domid == 6


def _send_for_ever(path, ready, number, handled):  # pragma: no cover - in a child
    """Transactions without end, until a signal ends this, by its default action or by an exception."""

    def end(_number, _frame):
        raise SystemExit

    sys.settrace(None)  # raised in the midst of the measurement's own code, it would leave a lock held for ever
    signal.signal(number, end if handled else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with XenStore(path, timeout=PATIENCE) as store:
        for n in range(10**9):
            store.transact(lambda transaction, n=n: transaction.write(b"data/x", b"%d" % n))
            if n == 2:
                os.write(ready, b"!")


@pytest.mark.parametrize("handled", [True, False])
def test_a_signal_waits_for_the_end_of_a_transaction(guest, handled):
    moments = random.Random(5)
    for n in range(30):
        number = ENDING[n % len(ENDING)]
        reading, writing = os.pipe()
        child = os.fork()
        if not child:  # pragma: no cover - not seen by the measurement
            try:
                os.close(reading)
                _send_for_ever(guest.device, writing, number, handled)
            finally:
                os._exit(0)
        os.close(writing)
        assert os.read(reading, 1) == b"!"
        os.close(reading)
        time.sleep(moments.random() * 0.005)  # anywhere in a transaction, or between two
        os.kill(child, number)
        status = os.waitpid(child, 0)[1]
        assert status == 0 if handled else os.WTERMSIG(status) == number
    with XenStore(guest.path, timeout=PATIENCE) as store:
        assert int(store.read(b"data/x")) >= 2
    assert guest.cut_off() == 0


def test_signals_are_heard_after_transactions_that_end_in_any_order(guest):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with XenStore(guest.device, timeout=PATIENCE) as store:
        store.read(b"name")
        transactions = [store.transaction() for _unused in range(3)]
        for transaction in transactions:
            transaction.__enter__()
        assert set(ENDING) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        for transaction in transactions:
            transaction.__exit__(None, None, None)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def send_here(number):
    """To this thread: another one, such as pytest-xdist's, may not have it blocked."""
    signal.pthread_kill(threading.get_ident(), number)


def test_those_that_wait_are_heard_after_it(guest):
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, _frame: heard.append(number))
    try:
        with XenStore(guest.device, timeout=PATIENCE) as store:
            with store.transaction() as transaction:
                send_here(signal.SIGUSR2)
                transaction.write(b"data/x", b"")
                assert heard == []
            assert heard == [signal.SIGUSR2]
            with pytest.raises(KeyError), store.transaction():
                send_here(signal.SIGUSR2)
                raise KeyError
            assert len(heard) == 2
        # On a socket it does no harm.
        with XenStore(guest.path, timeout=PATIENCE) as store, store.transaction():
            send_here(signal.SIGUSR2)
            assert len(heard) == 3
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_one_that_cannot_begin_leaves_the_signals_as_they_were(guest, xenstored):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with XenStore(guest.device, timeout=0.2) as store:
        xenstored.pause()
        with pytest.raises(DeadlineExceeded), store.transaction():
            pass
        xenstored.resume()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.fixture
def signals_as_before():
    """A transaction that is never ended keeps signals blocked: for later tests, and for whatever they start."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("step", ["a request", "its end"])
def test_none_is_left_open_by_a_connection_that_is_given_up(guest, xenstored, signals_as_before, step):
    with XenStore(guest.device, timeout=0.3) as store:
        with pytest.raises(DeadlineExceeded), store.transaction() as transaction:
            xenstored.pause()
            if step == "a request":
                transaction.write(b"data/x", b"")
        xenstored.resume()
        store.timeout = PATIENCE
        assert store.read(b"name") == b"guest-5"
    with XenStore(guest.device, timeout=PATIENCE) as store:
        store.transaction().__enter__()
    with XenStore(guest.path, timeout=PATIENCE) as store:
        assert store.exists(b"data/x") is False
    assert guest.cut_off() == 0


def test_a_child_leaves_those_of_its_parent_alone(guest):
    with XenStore(guest.device, timeout=PATIENCE) as store, store.transaction() as transaction:
        transaction.write(b"data/x", b"1")
        child = os.fork()
        if not child:  # pragma: no cover - not seen by the measurement
            try:
                store.read(b"name")
                store.close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    with XenStore(guest.path, timeout=PATIENCE) as store:
        assert store.read(b"data/x") == b"1"


def test_the_lab_notices_a_transaction_that_its_program_has_not_ended(guest):
    with XenStore(guest.path, timeout=PATIENCE) as store:
        store.transaction().__enter__()
    with XenStore(guest.path, timeout=PATIENCE) as store:
        store.read(b"name")
        assert guest.cut_off() == 1
