# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What uses XenStore is ended and started again under load: the gateway in dom0, the daemon in a guest."""

import random
import signal

import pytest

#: How they end, but for the last time.
GATEWAY_ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)
DAEMON_ENDS = (signal.SIGKILL, signal.SIGTERM) * 3
WRITERS = 2
#: Seconds that anything may take on a machine under load.
LONG = 300.0
#: Messages that may wait for a gateway that is down.
WAITING = 60


@pytest.fixture
def rng():
    """Random numbers, whose seed a failure shows."""
    seed = random.SystemRandom().randrange(10**6)
    print("seed %d" % seed)
    return random.Random(seed)


@pytest.fixture
def dom0(dom0_agent, folder, guests):
    """A function that calls one of programs/ in dom0 about the PV guest and the message store."""

    def call(function, /, **arguments):
        return dom0_agent(function, LONG + 10, directory=folder, **arguments)

    yield call
    call("restarts_host.close")
    call("lives_host.close", name=guests["pv"].name)


@pytest.fixture
def guest(guests, agent_of):
    """An Agent in the PV guest, which is left as it was."""
    agent = agent_of(guests["pv"])
    yield agent
    agent("lives_guest.clean_up")


def check_arrived(told, taken):
    """All that was told to be sent has come; nothing came twice, out of order, or without having been sent."""
    assert taken == sorted(set(taken))
    assert {number for number, outcome, _began, _ended in told if outcome == "sent"} <= set(taken)
    assert set(taken) <= {number for number, _outcome, _began, _ended in told}
    assert {outcome for _number, outcome, _began, _ended in told} <= {"sent", "unknown"}


def end_of_writers(guest, dom0, name):
    """End the writers, and wait until all that they have sent is stored.

    :returns: how many messages each has sent.
    """
    written = guest("lives_guest.stop_writers", LONG)
    assert [writer["problems"] for writer in written] == [[]] * len(written)
    sent = [writer["sent"] for writer in written]
    assert dom0("collecting.wait_for", name=name, keys="writer.", count=sum(sent), timeout=LONG) == sum(sent)
    stored = dom0("lives_host.stored", name=name)
    for writer, count in enumerate(sent):
        assert [number for key, number, _when in stored if key == "writer.%d" % writer] == list(range(count))
    return sent


def test_the_gateway(guests, guest, dom0, rng, figure):
    name = guests["pv"].name
    ready = [dom0("restarts_host.start")]
    daemon = guest("lives_guest.start_daemon", options=["--reports=none"])
    guest("lives_guest.start_taking")
    guest("lives_guest.start_writers", count=WRITERS, life="writer", waiting=WAITING)
    dom0("restarts_host.start_client", name=name)
    ended = []
    for number in (*GATEWAY_ENDS, None):
        # Both directions move in each life, and it ends anywhere.
        stored = dom0("lives_host.count", name=name, key="writer.") + rng.randint(5, 20)
        sent = dom0("lives_host.sent", name=name) + rng.randint(2, 6)
        assert dom0("collecting.wait_for", name=name, keys="writer.", count=stored, timeout=LONG) >= stored
        assert dom0("lives_host.wait_for_sent", name=name, count=sent, timeout=LONG) >= sent
        if number:
            code, seconds = dom0("restarts_host.end", number=number)
            assert code == (0 if number == signal.SIGTERM else -number)
            if number == signal.SIGTERM:
                ended.append(seconds)
            ready.append(dom0("restarts_host.start"))
    told = dom0("restarts_host.stop_client")
    sent = end_of_writers(guest, dom0, name)
    last = max(number for number, outcome, _began, _ended in told if outcome == "sent")
    assert guest("lives_guest.wait_until_taken", LONG + 10, number=last, timeout=LONG)
    taken, wrong = guest("lives_guest.stop_taking", LONG)
    assert wrong == []
    check_arrived(told, taken)
    # Each message is an event as well, and just one.
    assert dom0("restarts_host.events", name=name, key="writer.") == [sum(sent)] * 2
    assert "defect" not in dom0("restarts_host.log")
    assert guest("lives_guest.end_daemon", pid=daemon, number=signal.SIGTERM) == 0
    figure("start of ovm-gateway in dom0, until it serves", min(ready), "s")
    figure("its end by SIGTERM under load, at most", max(ended), "s")


def test_the_daemon_of_a_guest(guests, guest, dom0, dom0_agent, folder, rng, figure):
    name = guests["pv"].name
    dom0("collecting.start")
    problems = None
    guest("lives_guest.have_all_told")
    try:
        daemon = guest("lives_guest.start_daemon", options=["--reports=guest,addresses"])
        guest("lives_guest.start_taking")
        guest("lives_guest.start_writers", count=1, life="writer", waiting=WAITING)
        dom0("lives_host.start_sending", name=name)
        for number in DAEMON_ENDS:
            taken = guest("lives_guest.taken") + rng.randint(3, 10)
            assert guest("lives_guest.wait_until_taken", LONG + 10, number=taken, timeout=LONG)
            code = guest("lives_guest.end_daemon", pid=daemon, number=number)
            assert code == (0 if number == signal.SIGTERM else -number)
            daemon = guest("lives_guest.start_daemon", options=["--reports=guest,addresses"])
        told = dom0("lives_host.stop_sending", name=name)
        last = max(number for number, outcome, _began, _ended in told if outcome == "sent")
        assert guest("lives_guest.wait_until_taken", LONG + 10, number=last, timeout=LONG)
        taken, wrong = guest("lives_guest.stop_taking", LONG)
        end_of_writers(guest, dom0, name)
    finally:
        problems = dom0("collecting.stop")["problems"]
    assert (wrong, problems) == ([], [])
    check_arrived(told, taken)
    assert guest("lives_guest.end_daemon", pid=daemon, number=signal.SIGTERM) == 0
    log = guest("lives_guest.daemon_log")
    assert "defect" not in log and log.count("started") == len(DAEMON_ENDS) + 1
    # It is one guest all the time, to which nothing new was to be told by later daemons.
    assert len(dom0("lives_host.reports", name=name, key="guest")) == 1
