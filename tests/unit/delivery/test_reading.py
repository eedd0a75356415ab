# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what guests have sent, over a carrier in memory and by its clock."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import TimeIsUp
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.reading import Query, read
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Record
from tests.unit.delivery.memory import Guest, Memory


def run(world, names=("web1",), **options):
    return read(world, list(names), Query(**options), **world.timing)


def one(world, **options):
    (reading,) = run(world, **options)
    return reading


@pytest.fixture
def world():
    world = Memory(tells_waiting=True)
    Guest(world).sleep()
    for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3")):
        world.say(key, value)
    vm = world.machines["web1"]
    world.send(vm, [(b"x", b"1"), (b"y", b"2")], True)
    world.send(vm, [(b"z", b"1")], False)
    world.calls.clear()
    return world


def pairs(records):
    return [(record.key, record.value) for record in records]


def test_all_that_was_sent_either_way_but_for_the_reports(world):
    reading = one(world)
    assert pairs(reading.received) == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert pairs(reading.sent) == [(b"x", b"1"), (b"y", b"2")]
    assert reading.events == [] and reading.waiting == 3 and reading.now > 1000 and reading.waited == 0
    assert reading.report.present and reading.report.boot == "b1" and reading.missing == []
    assert len(one(world, reports=True).received) == 4


@pytest.mark.parametrize(
    ("direction", "received", "sent"),
    [("received", [b"a", b"b", b"a"], []), ("sent", [], [b"x", b"y"]), ("both", [b"a", b"b", b"a"], [b"x", b"y"])],
)
def test_one_direction_or_both(world, direction, received, sent):
    reading = one(world, direction=direction)
    assert [record.key for record in reading.received] == received
    assert [record.key for record in reading.sent] == sent
    assert (("sent", "web1") in world.calls) == bool(sent)


def test_some_keys_only_and_reports_that_are_named(world):
    reading = one(world, keys={b"a", b"y", b"none", report.GUEST})
    assert [record.key for record in reading.received] == [report.GUEST, b"a", b"a"]
    assert [record.key for record in reading.sent] == [b"y"] and reading.missing == []


def test_events_only_where_they_are_asked_for(world):
    assert one(world, events=True).events[0].vm == world.machines["web1"].id
    assert world.calls.count(("events", "web1")) == 1


def test_what_the_guest_holds_as_a_secret_is_one(world):
    world.say(b"mine", b"hidden")
    world.say(*report.held("b1", b"mine", b"hidden", secret=True))
    world.say(*report.held("b1", b"a", b"3"))
    reading = one(world)
    assert [record.key for record in one(world, keys={b"a"}, direction="sent").hidden] == [b"mine"]
    assert reading.secret(Record(b"mine", b"hidden", None)) and not reading.secret(Record(b"a", b"3", None))
    assert not reading.secret(Record(b"unheard of", b"3", None))


def test_messages_are_waited_for(world):
    world.at(4, lambda: world.say(b"late", b"ready"))
    reading = one(world, conditions=[Condition(b"a"), Condition(b"late", "^re")], timeout=60)
    assert reading.problem is None and 3 <= reading.waited <= 6 and (b"late", b"ready") in pairs(reading.received)


def test_at_the_end_of_time_it_says_what_is_missing_and_reads_what_there_is(world):
    reading = one(world, conditions=[Condition(b"a", "^1$"), Condition(b"b"), Condition(b"none")], timeout=5)
    assert isinstance(reading.problem, TimeIsUp) and reading.missing == [b"a", b"none"]
    assert str(reading.problem) == (
        "after 5 seconds 'web1' still lacks a (does not match); none (not sent); it is RUNNING, its guest was last "
        "heard 9 seconds ago (a), 3 messages wait for it: see that ovmd runs in the guest, or wait longer"
    )
    assert reading.waited == 5 and len(reading.received) == 3 and len(reading.sent) == 2 and reading.waiting == 3


def test_each_machine_fails_alone():
    world = Memory("web1", "web2", "web3")
    world.machines["web2"] = world.machines["web2"]._replace(state="STOPPED")
    world.say(b"a", b"1", "web2")
    world.faults["waiting", "web3"] = Problem("no")
    found = run(world, ["web1", "web2", "nobody", "web3", "web1"])
    assert [type(reading.problem).__name__ for reading in found] == ["NoneType", "NoneType", "VmNotFound", "Problem"]
    assert pairs(found[1].received) == [(b"a", b"1")] and found[1].vm.state == "STOPPED"


def test_details_that_nobody_wants_are_not_asked_for(world):
    reading = one(world, direction="received", details=False)
    assert len(reading.received) == 3 and reading.waiting is None
    assert [call for call, _vm in world.calls] == ["connect", "vms", "received"]
    world.calls.clear()
    assert len(one(world, direction="sent", details=False).sent) == 2
    assert [call for call, _vm in world.calls] == ["connect", "vms", "received", "sent"]
