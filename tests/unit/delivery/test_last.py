# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a virtual machine that something was waited for in vain, and what is told before."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.delivery import Request, deliver
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.last import LastKnown
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import Wanted
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.reading import Query, read
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Record
from tests.unit.delivery.memory import Memory

ANSWER = "see that what is to answer runs in the guest, or wait longer"
OVMD = "see that ovmd runs in the guest, or wait longer"
LOG = "the guest's /var/log/ovm-template-config.log"


def last(world, keys=(b"state",)):
    return LastKnown(world, world.machines["web1"], world.from_guest["web1"], list(keys))


def configured(world, state, **details):
    world.say(*report.guest("b1", "1"))
    world.say(*report.configuration("b1", state, **details))


def test_a_guest_that_was_never_heard():
    known = last(Memory())
    assert known.text() == "it is RUNNING, its guest was never heard" and known.remedy() == ANSWER
    assert (known.heard, known.age, known.said, known.waiting, known.configuration) == (None, None, {}, None, "")
    assert last(Memory(tells_waiting=True)).text().endswith(", no messages wait for it")


def test_one_that_takes_nothing():
    world = Memory(tells_waiting=True)
    world.send(world.machines["web1"], [(b"a", b"1"), (b"b", b"1")], False)
    world.say(b"state", b"begun")
    world.clock += 42
    known = last(world)
    assert known.text() == "it is RUNNING, its guest was last heard 42 seconds ago (state), 2 messages wait for it"
    assert known.remedy() == OVMD and known.said[b"state"].value == b"begun"


def test_the_newest_word_counts_whatever_the_order():
    world = Memory()
    world.say(b"b", b"1")
    world.say(b"a\n", b"1")
    world.from_guest["web1"].reverse()
    assert r"its guest was last heard 0 seconds ago (a\n)" in last(world).text()


def test_of_several_at_the_same_time_it_is_the_last():
    world = Memory()
    for key in (b"b", b"c", b"a"):
        world.from_guest["web1"].append(Record(key, b"1", world.clock))
    assert last(world).heard.key == b"a"


def test_without_times_nobody_guesses():
    world = Memory(times=False)
    world.say(b"a", b"1")
    world.from_guest["web1"] = world.received(world.machines["web1"])
    known = last(world)
    assert known.text() == "it is RUNNING" and known.heard is None


def test_one_that_does_not_run_or_is_gone():
    world = Memory()
    world.machines["web1"] = world.machines["web1"]._replace(state="SUSPENDED")
    assert last(world).text().startswith("it is SUSPENDED, ")
    assert last(world).remedy() == "start it, or see why it does not run"
    world.faults = {(call, "web1"): Problem("no such machine") for call in ("current", "waiting", "dated")}
    world.say(b"state", b"1")
    known = last(world)
    assert known.text() == "its state is not known (no such machine)"
    assert known.remedy() == "see that the manager still knows it" and b"state" in known.said


@pytest.mark.parametrize(
    ("state", "details", "text", "remedy"),
    [
        ("waiting", {"message": "the messages lack a\nb"}, r"waiting (the messages lack a\nb)", "send what its first"),
        ("waiting", {}, "waiting", "send what its first boot waits for; %s names it" % LOG),
        ("running", {"message": "x"}, "running", "wait longer, or see in %s what takes so long" % LOG),
        ("failed", {"failed": ["network", "ssh"]}, "failed (network, ssh)", "see " + LOG),
        ("failed", {"failed": list("abcdefg")}, "failed (a, b, c, d, e, and 2 more)", "see " + LOG),
        ("failed", {"message": "m" * 300}, "failed (%s...)" % ("m" * 200), "see " + LOG),
        ("failed", {"failed": "x", "message": 5}, "failed", "see " + LOG),
        ("done", {"message": "x"}, "done", ANSWER),
    ],
)
def test_how_its_configuration_stands(state, details, text, remedy):
    world = Memory()
    configured(world, state, **details)
    known = last(world)
    assert known.text().endswith(", its configuration is " + text) and known.remedy().startswith(remedy)
    assert known.configuration == state


def test_what_a_guest_reports_as_its_state_need_not_be_one():
    world = Memory()
    configured(world, "\x1b[2J")
    assert last(world).configuration == "" and "its configuration" not in last(world).text()


def test_secrets_by_report():
    world = Memory()
    world.say(*report.guest("b1", "1"))
    world.say(b"state", b"hidden")
    world.say(*report.held("b1", b"state", b"hidden", secret=True))
    known = last(world)
    assert known.secret(known.said[b"state"]) and "hidden" not in known.text()


# What is told meanwhile


def test_it_is_told_what_is_going_on_and_who_lacks_what():
    world, told = Memory(*["web%d" % n for n in range(1, 9)]), []
    world.at(1, lambda: world.say(b"state", b"done", "web1"))
    request = Request([Wanted(b"a", b"hidden", False)], wait=True, answers=[Condition(b"state")], timeout=3)
    deliver(world, list(world.machines), request, told.append, **world.timing)
    assert told[:3] == [
        "connecting",
        "sending to web1, web2, web3, web4, web5 and 3 more",
        "; ".join("web%d lacks an answer state (not sent)" % n for n in range(1, 6)) + "; and 3 more virtual machines",
    ]
    assert not any(text.startswith("web1 ") for text in told[-2:]) and "hidden" not in "".join(told)


def test_so_it_is_where_something_is_only_read():
    world, told = Memory("web\n1"), []
    query = Query({b"state"}, conditions=[Condition(b"state", "x")], timeout=1)
    read(world, ["web\n1"], query, told.append, **world.timing)
    assert told[:3] == ["connecting", r"reading of web\n1", r"web\n1 lacks state (not sent)"]
