# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivering to guests, over a carrier in memory and by its clock."""

import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import plan
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.delivery import Request, deliver
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import TimeIsUp
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import Wanted
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import ROOT_PASSWORD, Vm
from tests.unit.delivery.memory import Guest, Memory

PASSWORD = Wanted(ROOT_PASSWORD, b"p", True)


def wanted(**pairs):
    return [Wanted(key.encode(), value, False) for key, value in pairs.items()]


def run(world, messages, names=("web1",), **options):
    return deliver(world, list(names), Request(messages, **options), **world.timing)


def one(world, messages, **options):
    (delivery,) = run(world, messages, **options)
    return delivery


# Sending


def test_a_second_run_sends_nothing_and_check_mode_says_so_before():
    world, messages = Memory(), wanted(a=b"1", b=b"2")
    check = one(world, messages, dry=True)
    assert check.sent == [b"a", b"b"] and world.requests == []
    first = one(world, messages)
    assert first.sent == check.sent and first.evidence == check.evidence and first.changed and check.changed
    assert world.requests == [("web1", [(b"a", b"1"), (b"b", b"2")], True)]
    second = one(world, messages)
    assert not second.changed and second.unchanged == [b"a", b"b"] and len(world.requests) == 1
    assert set(second.evidence.values()) == {plan.SENT_LOG}
    third = one(world, wanted(b=b"3", a=b"1"))
    assert third.sent == [b"b"] and third.unchanged == [b"a"]


def test_the_password_goes_last_and_is_not_logged():
    world = Memory()
    delivery = one(world, [PASSWORD, *wanted(a=b"1", b=b"x" * 2000, c=b"3")])
    assert [(len(pairs), log) for _vm, pairs, log in world.requests] == [(1, True), (1, False), (1, True), (1, False)]
    assert delivery.sent == [b"a", b"b", b"c", ROOT_PASSWORD]
    world.requests.clear()
    one(world, [PASSWORD, *wanted(a=b"1")], log=False, force=True)
    assert world.requests == [("web1", [(b"a", b"1"), (ROOT_PASSWORD, b"p")], False)]


def test_force_sends_all_and_looks_at_nothing():
    world, messages = Memory(), wanted(a=b"1")
    one(world, messages)
    world.calls.clear()
    delivery = one(world, messages, force=True, unless_received=(b"s", None))
    assert delivery.sent == [b"a"] and delivery.evidence == {b"a": plan.FORCED} and not delivery.skipped
    assert [call for call, _vm in world.calls] == ["check", "connect", "vms", "send"]


def test_the_guests_report_is_the_better_evidence():
    world = Memory()
    guest, messages = Guest(world), wanted(a=b"1")
    assert one(world, messages).evidence == {b"a": plan.REPORT}
    second = one(world, messages)
    assert second.evidence == {b"a": plan.REPORT} and not second.changed and second.delivered is True
    guest.reboot()
    third = one(world, messages)
    assert third.sent == [b"a"] and third.delivered is None


def test_a_guest_that_has_reported_gets_nothing():
    world, messages = Memory(), wanted(a=b"1", b=b"2")
    world.say(b"state", b"ready")
    delivery = one(world, messages, unless_received=(b"state", b"ready"), wait=True)
    assert delivery.skipped and not delivery.changed and world.requests == []
    assert delivery.evidence == {b"a": plan.RECEIVED, b"b": plan.RECEIVED} and delivery.unchanged == [b"a", b"b"]
    assert delivery.delivered is None and delivery.unseen == "" and delivery.waited == 0
    world.say(b"state", b"broken")
    assert one(world, messages, unless_received=(b"state", b"ready")).changed


def test_what_was_there_before_is_found_out_where_it_is_asked_for():
    world = Memory()
    one(world, wanted(a=b"1"))
    assert one(world, wanted(a=b"2"), dry=True).before == {}
    assert one(world, wanted(a=b"2", b=b"1"), dry=True, before=True).before == {b"a": b"1", b"b": plan.UNKNOWN}
    assert one(world, wanted(a=b"1"), force=True, dry=True, before=True).before == {b"a": b"1"}


# Failing


def test_what_cannot_be_sent_is_refused_before_anything_is_asked():
    world = Memory()
    with pytest.raises(Problem, match="takes no such message"):
        run(world, wanted(a=b"1") + [Wanted(b"unheard-of", b"", False)])
    assert world.calls == [("check", None)] and world.requests == []


def test_one_machines_failure_is_its_own():
    world = Memory("web1", "web2", "web3", "web4", "gold")
    world.machines["web2"] = world.machines["web2"]._replace(state="STOPPED")
    world.machines["gold"] = world.machines["gold"]._replace(state="TEMPLATE")
    world.machines["again"] = Vm("ff", "web3", "RUNNING")
    world.faults["send", "web4"] = Problem("no")
    names = ["web4", "nobody", "web2", "web3", "gold", "web1", "nobody"]
    found = run(world, wanted(a=b"1"), names)
    assert [delivery.asked for delivery in found] == names[:-1]
    assert [type(delivery.problem).__name__ for delivery in found] == [
        "Problem",
        "VmNotFound",
        "VmNotRunning",
        "VmAmbiguous",
        "VmNotRunning",
        "NoneType",
    ]
    assert world.requests == [("web1", [(b"a", b"1")], True)] and found[-1].changed
    assert not any(delivery.changed for delivery in found[:-1])
    assert [delivery.vm and delivery.vm.state for delivery in found[:3]] == ["RUNNING", None, "STOPPED"]


def test_a_machine_named_twice_counts_once():
    world = Memory("web1", "web2")
    found = run(world, wanted(a=b"1"), ["web2", "web1", world.machines["web2"].id.upper(), "web2"])
    assert [delivery.asked for delivery in found] == ["web2", "web1"] and len(world.requests) == 2


def test_no_machine_is_no_work():
    world = Memory()
    assert run(world, wanted(a=b"1"), []) == [] and ("vms", None) not in world.calls


@pytest.mark.parametrize(
    ("problem", "sent"),
    [
        (Problem("no"), [b"a"]),
        (OutcomeUnknown("who knows"), [b"a", ROOT_PASSWORD]),
    ],
)
def test_what_was_sent_before_a_failure_is_told(problem, sent):
    world = Memory()

    def fail(_key, _value):
        world.faults["send", "web1"] = problem

    world.guests["web1"] = fail
    delivery = one(world, [*wanted(a=b"1"), PASSWORD], wait=True)
    assert delivery.problem is problem and delivery.sent == sent and delivery.changed and delivery.waited == 0


def test_a_carrier_can_say_how_far_it_came():
    world = Memory()
    world.faults["send", "web1"] = problem = Problem("no")
    problem.sent = [b"a"]
    assert one(world, wanted(a=b"1", b=b"2")).sent == [b"a"]


def test_several_machines_are_served_at_once_but_not_too_many():
    names = ["web%d" % n for n in range(12)]
    world = Memory(*names)
    both = threading.Barrier(3, timeout=60)
    for name in names:
        world.guests[name] = lambda key, value: both.wait()
    found = run(world, wanted(a=b"1"), names, concurrency=3)
    assert [delivery.asked for delivery in found] == names and all(delivery.changed for delivery in found)
    assert world.most == 3 and world.calls.count(("vms", None)) == 1


# Waiting until they have it


def test_a_report_tells_that_it_was_delivered():
    world = Memory()
    guest = Guest(world)
    guest.sleep()
    world.at(7, guest.wake)
    start = world.clock
    delivery = one(world, wanted(a=b"1"), wait=True, timeout=60)
    assert delivery.problem is None and delivery.delivered is True and 5 <= delivery.waited <= world.clock - start < 20
    world.calls.clear()
    assert one(world, wanted(a=b"1"), wait=True).delivered is True and ("send", "web1") not in world.calls


def test_so_does_an_empty_queue():
    world = Memory(tells_waiting=True)
    world.at(5, world.queue["web1"].clear)
    delivery = one(world, wanted(a=b"1"), wait=True, timeout=60)
    assert delivery.delivered is True and 3 <= delivery.waited <= 7
    late = one(world, wanted(a=b"2", b=b"3"), wait=True, timeout=9)
    assert isinstance(late.problem, TimeIsUp) and late.delivered is False and late.sent == [b"a", b"b"]
    assert str(late.problem) == (
        "after 9 seconds 'web1' still lacks delivery of a, b; it is RUNNING, its guest was never heard, "
        "2 messages wait for it: see that ovmd runs in the guest, or wait longer"
    )


def test_what_is_on_its_way_is_waited_for_too():
    world = Memory()
    guest = Guest(world)
    guest.sleep()
    one(world, wanted(a=b"1"))
    world.at(5, guest.wake)
    delivery = one(world, wanted(a=b"1"), wait=True, timeout=60)
    assert not delivery.changed and delivery.evidence == {b"a": plan.SENT_LOG}
    assert delivery.delivered is True and 3 <= delivery.waited <= 7


def test_where_delivery_cannot_be_seen_nobody_waits():
    world = Memory()
    delivery = one(world, wanted(a=b"1"), wait=True, timeout=60)
    assert delivery.problem is None and delivery.delivered is None and delivery.waited == 0
    assert delivery.unseen == "the guest sends no reports, and the manager does not tell what a guest has taken"


def test_a_secret_that_the_guest_held_before_is_seen_by_the_time_of_its_report():
    world = Memory(history=False)
    guest = Guest(world)
    assert one(world, [PASSWORD], wait=True).delivered is True
    guest.sleep()
    world.at(5, guest.wake)
    assert one(world, [PASSWORD], wait=True, timeout=60).delivered is True and world.clock > 1010
    assert one(world, [PASSWORD], wait=True, update_secret=plan.ON_CREATE).delivered is True
    guest.sleep()
    late = one(world, [PASSWORD], wait=True, timeout=3)
    assert isinstance(late.problem, TimeIsUp) and late.delivered is False


def test_without_times_it_cannot_be_seen():
    world = Memory(history=False, times=False)
    Guest(world)
    assert one(world, [PASSWORD], wait=True).delivered is True
    delivery = one(world, [PASSWORD, *wanted(a=b"1")], wait=True, timeout=5)
    assert delivery.delivered is None and delivery.waited == 0
    assert delivery.unseen == "the guest reports, but not of com.oracle.linux.root-password"


# Waiting for answers


def answering(world, value=b"done"):
    world.guests["web1"] = lambda key, _value: world.say(b"state", value)


def test_an_answer_is_waited_for():
    world = Memory()
    world.say(b"state", b"done")
    world.at(9, lambda: world.say(b"state", b"done again"))
    delivery = one(world, wanted(a=b"1"), answers=[Condition(b"state", "^done")], timeout=60)
    assert delivery.problem is None and delivery.answers == {b"state": b"done again"} and 7 <= delivery.waited <= 11
    assert delivery.delivered is None and delivery.unseen == ""


def test_an_answer_is_found_though_the_clock_was_set_back():
    world = Memory()
    world.say(b"state", b"done")

    def set_back(_key, _value):
        world.clock -= 3600
        world.say(b"state", b"done again")
        world.clock += 3600  # it is also what the wait goes by

    world.guests["web1"] = set_back
    delivery = one(world, wanted(a=b"1"), answers=[Condition(b"state", "^done")], timeout=60)
    assert delivery.problem is None and delivery.answers == {b"state": b"done again"}


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("times", [True, False])
def test_where_something_was_sent_an_old_answer_does_not_do(history, times):
    world = Memory(history=history, times=times)
    world.say(b"state", b"done")
    late = one(world, wanted(a=b"1"), answers=[Condition(b"state")], timeout=5)
    assert isinstance(late.problem, TimeIsUp) and late.answers == {} and late.sent == [b"a"]
    assert "'web1' still lacks an answer state (nothing new); it is RUNNING" in str(late.problem)
    # Where nothing was sent it does.
    again = one(world, wanted(a=b"1"), answers=[Condition(b"state")], timeout=5)
    assert again.problem is None and again.answers == {b"state": b"done"} and not again.changed and again.waited == 0
    answering(world, b"done, the second time")
    third = one(world, wanted(a=b"2"), answers=[Condition(b"state")], timeout=5)
    assert third.problem is None and third.answers == {b"state": b"done, the second time"}


def test_events_may_know_when_an_answer_came():
    class Dating(Memory):
        def dated(self, vm, records):
            super().dated(vm, records)
            found = iter([record for record in self.from_guest[vm.name] if record.key == b"state"][-1:])
            return [record._replace(time=next(found).time) for record in records]

    world = Dating(history=False, times=False)
    world.say(b"state", b"done")
    world.guests["web1"] = lambda key, value: world.say(b"state", b"done")  # the very same once more
    delivery = one(world, wanted(a=b"1"), answers=[Condition(b"state")], timeout=5)
    assert delivery.problem is None and ("dated", "web1") in world.calls
    world.guests.clear()
    assert one(world, wanted(a=b"2"), answers=[Condition(b"state")], timeout=5).problem


def test_everything_that_is_missing_is_named_with_the_last_known_state():
    world = Memory(tells_waiting=True)
    world.say(b"odd", b"1")
    world.at(2, lambda: world.machines.update(web1=world.machines["web1"]._replace(state="STOPPED")))
    world.at(3, lambda: world.say(b"state", b"failed"))
    conditions = [Condition(b"state", "^done$"), Condition(b"odd"), Condition(b"none"), Condition(b"state", "fail")]
    late = one(world, wanted(a=b"1"), wait=True, answers=conditions, timeout=10)
    assert late.problem.text == (
        "after 10 seconds 'web1' still lacks delivery of a; an answer state (does not match); "
        "an answer odd (nothing new); an answer none (not sent); it is STOPPED, its guest was last heard 8 seconds ago "
        "(state), 1 message waits for it"
    )
    assert late.problem.remedy == "start it, or see why it does not run"
    assert late.missing == [b"state", b"odd", b"none"] and late.undelivered == [b"a"]
    assert late.answers == {b"state": b"failed"} and late.waited == 10 and late.vm.state == "STOPPED"


def test_a_machine_that_is_skipped_still_has_to_answer():
    world = Memory()
    world.say(b"begun", b"")
    world.at(5, lambda: world.say(b"state", b"done"))
    delivery = one(world, wanted(a=b"1"), unless_received=(b"begun", None), answers=[Condition(b"state")], timeout=60)
    assert delivery.skipped and delivery.answers == {b"state": b"done"} and 3 <= delivery.waited <= 7


def test_check_mode_waits_for_nothing_and_tells_what_is_there():
    world = Memory()
    conditions = [Condition(b"state"), Condition(b"none")]
    world.say(b"state", b"done")
    check = one(world, wanted(a=b"1"), wait=True, answers=conditions, dry=True)
    assert check.answers == {} and check.delivered is None and check.waited == 0 and check.problem is None
    one(world, wanted(a=b"1"))
    check = one(world, wanted(a=b"1"), wait=True, answers=conditions, dry=True)
    assert check.answers == {b"state": b"done"} and check.problem is None


def test_all_are_sent_to_before_any_is_waited_for_and_all_wait_together():
    world = Memory("web1", "web2", "web3")
    for seconds, name in ((8, "web1"), (4, "web2")):
        world.at(seconds, lambda name=name: world.say(b"state", b"done", name))
    found = run(world, wanted(a=b"1"), ["web1", "web2", "web3"], answers=[Condition(b"state")], timeout=12)
    assert [bool(delivery.problem) for delivery in found] == [False, False, True]
    assert found[1].waited < found[0].waited < found[2].waited == 12
    assert max(n for n, (call, _vm) in enumerate(world.calls) if call == "send") < min(
        n for n, (call, _vm) in enumerate(world.calls) if call == "received" and n > 9
    )


def test_a_machine_that_cannot_be_looked_at_any_more_is_given_up_alone():
    world = Memory("web1", "web2")
    world.guests["web1"] = lambda key, value: world.faults.update({("received", "web1"): Problem("gone")})
    world.at(5, lambda: world.say(b"state", b"done", "web2"))
    found = run(world, wanted(a=b"1"), ["web1", "web2"], answers=[Condition(b"state")], timeout=60)
    assert str(found[0].problem) == "gone" and found[1].problem is None and found[0].changed
    world.faults = {("current", "web2"): Problem("who?")}
    (late,) = run(world, wanted(a=b"2"), ["web2"], answers=[Condition(b"state")], timeout=1)
    assert str(late.problem) == (
        "after 1 second 'web2' still lacks an answer state (nothing new); its state is not known (who?), its guest was "
        "last heard 3 seconds ago (state): see that the manager still knows it"
    )


def test_the_looks_become_rarer_but_not_too_rare():
    world = Memory()
    one(world, wanted(a=b"1"), answers=[Condition(b"state")], timeout=100, interval=5)
    looks = world.calls.count(("received", "web1"))
    assert 100 / 5 < looks < 100 / 5 + 12
    world.calls.clear()
    one(world, wanted(a=b"2"), answers=[Condition(b"state")], timeout=1, interval=0.05)
    assert world.calls.count(("received", "web1")) >= 20


def test_a_carrier_that_is_told_of_changes_is_not_asked_again_and_again():
    class Told(Memory):
        def wait_for_change(self, timeout):
            self.calls.append(("wait_for_change", timeout))
            self.pause(timeout)

    world = Told()
    late = deliver(
        world, ["web1"], Request(wanted(a=b"1"), answers=[Condition(b"s")], timeout=5), clock=lambda: world.clock
    )
    assert late[0].problem and [timeout for call, timeout in world.calls if call == "wait_for_change"] == [
        2.0,
        2.0,
        1.0,
    ]


def test_reports_count_as_answers_too():
    world = Memory()
    Guest(world)
    world.at(3, lambda: world.say(report.CONFIGURATION, b'{"boot":"b1","state":"done"}'))
    delivery = one(world, wanted(a=b"1"), answers=[Condition(report.CONFIGURATION, '"done"')], timeout=60)
    assert delivery.problem is None
