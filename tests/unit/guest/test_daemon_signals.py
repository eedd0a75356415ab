# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals as something to poll for, and what becomes of them in a forked child."""

import os
import select
import signal
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest import signals as subject
from ansible_collections.ovm.messaging.plugins.module_utils.guest.signals import HEARD, Ended, Signals, fork


@pytest.fixture
def signals():
    numbers = (*HEARD, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    made = Signals()
    yield made
    made.close()
    assert {number: signal.getsignal(number) for number in numbers} == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def in_our_code(function):
    """Call a function from code of the collection, which then goes on until it is cut off."""
    code = compile("function()\nwhile True: pass", "ours", "exec")
    exec(code, {"__name__": subject.__name__, "function": function})


def send(number):
    os.kill(os.getpid(), number)


def test_a_signal_ends_a_poll_and_is_there_once(signals):
    assert signals.take() == set()
    send(signal.SIGHUP)
    send(signal.SIGUSR1)
    assert select.select([signals], [], [], 60)[0]
    assert signals.take() == {signal.SIGHUP, signal.SIGUSR1} and not signals.ending
    assert signals.take() == set() and not select.select([signals], [], [], 0)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_cuts_off_what_may_be_cut_off(signals, number):
    with pytest.raises(Ended):
        with signals.interruptible():
            in_our_code(lambda: send(number))
    assert signals.ending
    # and nothing more begins
    with pytest.raises(Ended):
        with signals.interruptible():
            raise AssertionError("begun")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_other_code_is_not_cut_off_in_the_middle(signals, number):
    """It may hold a lock that whatever is done at the end needs."""
    done = []

    def other():
        send(number)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            pass
        done.append(True)

    with pytest.raises(Ended):
        with signals.interruptible():
            in_our_code(other)
    assert done == [True] and signals.ending


def test_an_end_elsewhere_is_noted(signals):
    with signals.interruptible():
        pass
    send(signal.SIGTERM)
    assert signals.ending


def test_a_child_has_no_handlers_and_nothing_blocked(signals):
    reading, writing = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        child = fork()
        if not child:  # pragma: no cover - not seen by the measurement
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            fine = blocked == {signal.SIGUSR2} and all(signal.getsignal(n) == signal.SIG_DFL for n in HEARD)
            os.write(writing, b"fine" if fine else b"bad")
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
    assert os.read(reading, 10) == b"fine"
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    assert not signals.ending
    os.close(reading)
    os.close(writing)
