# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many messages each way through a real guest's kernel, with several writers: all arrive, once, in order."""

import collections
import re
import time

import pytest

from lab.xen.figures import share

MESSAGES = 2000
#: Seconds that so many may take on a machine under load.
LONG = 1500.0
#: The ways of a guest's writers, see programs/sending.py, and how many of the messages each of them sends.
WRITERS = [("module", 850), ("module", 850), ("command", 100), ("list", 100), ("channel", 100)]
SENDERS = 2
DAEMON_LOG = "/tmp/ovmd.log"


@pytest.fixture(params=["pv", "pvh"])
def kind(request):
    return request.param


@pytest.fixture
def daemon():
    """A function that starts ovmd in a guest, with its log in DAEMON_LOG, until the test's end."""
    started = []

    def start(domain, *options):
        script = 'ovmd -d1 --foreground "$@" </dev/null >%s 2>&1 & echo $!' % DAEMON_LOG
        number = domain.shell.run("sh", "-c", script, "sh", *options).out.strip()
        started.append((domain, number))
        ready = "until grep -q started %s; do kill -0 %s || exit 1; sleep 0.05; done" % (DAEMON_LOG, number)
        domain.shell.run("sh", "-c", ready)
        return number

    yield start
    for domain, number in started:
        # Each test finds a guest without parameters.
        ended = "kill {0}; while kill -0 {0} 2>/dev/null; do sleep 0.05; done; ovmd -d0 -x".format(number)
        domain.shell.run("sh", "-c", ended)


@pytest.mark.timeout(2 * LONG)
def test_a_guest_sends_beside_its_daemon(guests, dom0_agent, agent_of, daemon, folder, figure):
    guest = guests["pv"]
    daemon(guest)
    dom0_agent("collecting.start", directory=folder)
    sender = agent_of(guest)
    assert sum(count for _way, count in WRITERS) == MESSAGES
    sender("sending.from_guest", LONG, writers=WRITERS)
    wanted = {"name": guest.name, "count": MESSAGES, "keys": "writer-"}
    came = dom0_agent("collecting.wait_for", LONG + 10, directory=folder, timeout=LONG, **wanted)
    # The daemon was there all the time. It leaves its reports until there is room; then the host knows what it holds.
    for writer, (way, _count) in enumerate(WRITERS):
        if way != "channel":
            wanted = {"name": guest.name, "count": 1, "keys": "ovmd.report.held.writer-%d" % writer}
            assert dom0_agent("collecting.wait_for", LONG + 10, directory=folder, timeout=LONG, **wanted) > 0
    had = dom0_agent("collecting.stop", directory=folder)
    stored = dom0_agent("collecting.stored", directory=folder, name=guest.name)
    writers = collections.defaultdict(list)
    times = []
    for key, value, when in stored:
        if key.startswith("writer-"):
            writers[key].append(int(value))
            times.append(when)
    assert dict(writers) == {"writer-%d" % writer: list(range(count)) for writer, (_way, count) in enumerate(WRITERS)}
    assert (came, had["problems"]) == (MESSAGES, [])
    figure("messages from a PV guest, %d writers" % len(WRITERS), MESSAGES / (times[-1] - times[0]), "/s")


@pytest.mark.timeout(2 * LONG)
def test_a_guests_daemon_receives(guests, dom0_agent, agent_of, daemon, folder, figure):
    guest = guests["pv"]
    # What it holds is told in the test above, and would be as many messages again.
    daemon(guest, "--reports=guest,addresses")
    dom0_agent("collecting.start", directory=folder)
    receiver = agent_of(guest)
    each = MESSAGES // SENDERS
    start = time.monotonic()
    received = receiver.begin("receiving.wait_for_list", count=MESSAGES, timeout=LONG)
    dom0_agent("sending.from_host", LONG, directory=folder, name=guest.name, senders=SENDERS, count=each)
    entries = received(LONG)
    figure("messages to a PV guest's daemon, %d senders" % SENDERS, MESSAGES / (time.monotonic() - start), "/s")
    assert dom0_agent("collecting.stop", directory=folder)["problems"] == []
    wanted = {"%d.%d" % (sender, n): "value %d" % n for sender in range(SENDERS) for n in range(each)}
    assert dict(entries) == wanted and len(entries) == len(wanted)
    # The list keeps one of each; the daemon's log shows what came, and how often.
    senders = collections.defaultdict(list)
    for line in guest.shell.run("cat", DAEMON_LOG).out.splitlines():
        found = re.search(r"received.*?(\d+)\.(\d+)\b", line)
        if found:
            senders[int(found[1])].append(int(found[2]))
    assert dict(senders) == {sender: list(range(each)) for sender in range(SENDERS)}


def test_round_trips(guests, kind, prepared, dom0_agent, agent_of, figure):
    guest, count = guests[kind], 100
    answered = agent_of(guest).begin("asking.answer", count=count)
    times = dom0_agent("asking.host", domid=prepared(guest), count=count)
    answered()
    assert len(times) == count
    for percent in (50, 99):
        figure("round trip to a %s guest, p%d" % (kind.upper(), percent), share(times, percent), "ms")


def test_the_daemon_tells_what_it_holds(guests, kind, prepared, dom0_agent, daemon, figure):
    guest, count = guests[kind], 30
    domid = prepared(guest)
    daemon(guest)
    times = dom0_agent("asking.daemon", domid=domid, count=count)
    assert len(times) == count
    figure("sent, kept and reported by ovmd, %s guest, p50" % kind.upper(), share(times, 50), "ms")
