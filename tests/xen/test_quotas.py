# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that reaches the quotas which xenstored gives it by itself: it is told, and goes on when there is room."""

import pytest

from lab.xen.machine import wait_until

#: Seconds that something may take on a machine under load.
LONG = 300.0
DATA = "/local/domain/%d/data"
FROM_GUEST = "/local/domain/%d/control/oracle-vmapi/from-guest"
REFUSED = "no room in XenStore: %d messages in control/oracle-vmapi/from-guest wait to be collected"
REMEDY = "see that the other side runs and reads, then send again"

LARGEST = 8191
#: Which guests fill their shares with values of which size, and how many messages that is.
SHARES = [("pv", 1, range(400, 500)), ("pvh", LARGEST, range(100, 170))]


@pytest.fixture
def filler(agent_of, prepared, dom0_agent):
    """A function that starts an Agent in a guest, whose channel is empty before and after."""
    used = []

    def start(guest):
        agent, domid = agent_of(guest), prepared(guest)
        used.append((agent, domid))
        clean(agent, domid)
        return agent

    def clean(agent, domid):
        agent("filling.forget")
        dom0_agent("receiving.all_at_host", LONG, domid=domid)

    yield start
    for agent, domid in used:
        clean(agent, domid)


@pytest.mark.parametrize("kind, size, room", SHARES, ids=[share[0] for share in SHARES])
def test_a_full_share(guests, filler, xen_host, dom0_agent, kind, size, room):
    guest = guests[kind]
    agent, domid = filler(guest), guest.domid
    accepted, refusal, text = agent("filling.fill", LONG, size=size)
    assert accepted in room
    # The error names the parameter, the place and the remedy.
    said = "the parameter '%%s' was not sent: %s: %s" % (REFUSED % accepted, REMEDY)
    assert (refusal, text) == ("SendFailed", said % "refused")
    # So does the command, with an exit code of its own. What was not sent is not kept.
    done = guest.shell.run("ovmd", "-p", "one=" + "x" * size, check=False)
    assert (done.code, done.out, done.err) == (4, "", "ovmd: %s\n" % said % "one")
    assert guest.shell.run("ovmd", "-l").out == ""
    # Who has time gets through as soon as the host reads; nothing that was accepted is lost.
    waiting = agent.begin("filling.wait_for_room", size=size)
    wait_until(lambda: xen_host.store.read(DATA % domid) == b"waiting", LONG, "a sender waits for room")
    came = dom0_agent("receiving.all_at_host", LONG, domid=domid)
    assert came[:accepted] == [[str(number), "x" * size] for number in range(accepted)]
    waiting(LONG)
    came += dom0_agent("receiving.all_at_host", LONG, domid=domid)
    assert came[accepted:] == [["patient", "x" * size]]
    guest.shell.run("ovmd", "-p", "one=more")
    assert dom0_agent("receiving.all_at_host", domid=domid) == [["one", "more"]]
    assert xen_host.store.ls(FROM_GUEST % domid) == ["last-write"]


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_what_a_guest_does_not_read(guests, filler, dom0_agent, kind):
    """xenstored stops to listen to a guest that owns 2.5 MiB, whoever wrote them; so the host stops before."""
    guest = guests[kind]
    agent, domid = filler(guest), guest.domid
    own, _refusal, _text = agent("filling.fill", LONG, size=LARGEST)
    sent, text = dom0_agent("filling.fill_from_host", LONG, domid=domid, size=LARGEST)
    assert own > 100 and sent in range(80, 100)
    assert text.startswith("no room in XenStore: %d messages in " % sent) and text.endswith(REMEDY)
    # Both sides still get all of it, and go on.
    assert agent("filling.read_all", LONG) == [[str(number), LARGEST] for number in range(sent)]
    came = dom0_agent("receiving.all_at_host", LONG, domid=domid)
    assert [key for key, _value in came] == [str(number) for number in range(own)]
    guest.shell.run("ovmd", "-p", "one=more")
    assert dom0_agent("receiving.all_at_host", domid=domid) == [["one", "more"]]


def test_more_senders_than_transactions(guests, filler, dom0_agent):
    """A guest may have some ten transactions at a time; who finds none waits for one."""
    guest = guests["pv"]
    agent = filler(guest)
    refused, committed = agent("filling.hold_transactions", LONG, count=14)
    assert refused.count("ENOSPC") >= 2 and committed >= 1
    senders = 25
    agent("sending.one_each", LONG, senders=senders)
    came = dom0_agent("receiving.all_at_host", LONG, domid=guest.domid)
    assert sorted(int(value) for _key, value in came) == list(range(senders))
