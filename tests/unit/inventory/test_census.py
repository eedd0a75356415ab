# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the virtual machines of a manager."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.inventory import census
from ansible_collections.ovm.messaging.plugins.module_utils.inventory.census import Query, take
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import STOPPED, TEMPLATE, VmNotFound
from ansible_collections.ovm.messaging.tests.unit.delivery.memory import Memory

SECRET = b"Xq7-hunter2-Xq7"
EVERYTHING = Query(states=["all"], messages=census.BOTH)


def interface(name, *addresses, mac=""):
    return {"name": name, "mac": mac, "addresses": list(addresses)}


def names(found):
    return [facts["name"] for facts in found]


@pytest.fixture
def world():
    return Memory("web1", "web2", "db1")


def be(world, name, state):
    world.machines[name] = world.machines[name]._replace(state=state)


def test_only_machines_that_run_unless_told_otherwise(world):
    be(world, "web2", STOPPED)
    be(world, "db1", TEMPLATE)
    assert names(take(world, Query())) == ["web1"]
    assert names(take(world, Query(states=["stopped", "TEMPLATE"]))) == ["db1", "web2"]
    assert names(take(world, Query(states=["all"]))) == ["db1", "web1", "web2"]
    assert take(world, Query(states=[])) == []


def test_machines_are_chosen_by_patterns_and_ids(world):
    identity = world.machines["db1"].id
    assert names(take(world, Query(include=["web*"]))) == ["web1", "web2"]
    assert names(take(world, Query(include=["WEB1", "web?"], exclude=["*2"]))) == ["web1"]
    uuid = "-".join([identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:]])
    assert names(take(world, Query(include=[uuid.upper()]))) == ["db1"]
    assert names(take(world, Query(exclude=[identity]))) == ["web1", "web2"]


def test_nothing_is_asked_about_machines_that_do_not_count(world):
    take(world, Query(include=["web1"]))
    assert world.calls == [("connect", None), ("vms", None), ("received", "web1")]
    world.calls.clear()
    take(world, Query(messages=census.NONE))
    assert world.calls == [("connect", None), ("vms", None)]


def test_the_last_message_of_each_key_is_told(world):
    world.say(b"a", b"1")
    world.say(b"b", b"\xff")
    world.say(b"c\xff", b"")
    world.say(b"a", b"2")
    [facts] = take(world, Query(include=["web1"]))
    assert facts["received"]["text"] == {"a": "2", r"c\xff": ""} and facts["received"]["binary"] == {"b": "/w=="}
    assert facts["received"]["times"]["a"] == "1970-01-01T00:16:44.000Z"
    assert "sent" not in facts and facts["report"] == {"present": False, "boot": "", "configuration": {}}


def test_what_was_sent_is_told_where_it_is_asked_for(world):
    vm = world.machines["web1"]
    world.send(vm, [(b"app.role", b"front"), (b"app.blob", b"\xfe")], True)
    [facts] = take(world, Query(include=["web1"], messages=census.BOTH))
    assert facts["sent"]["text"] == {"app.role": "front"} and facts["sent"]["binary"] == {"app.blob": "/g=="}
    assert set(facts["sent"]["times"]) == {"app.role", "app.blob"}


def test_times_that_nobody_knows_are_left_out():
    world = Memory("web1", times=False)
    world.say(b"a", b"1")
    [facts] = take(world, Query())
    assert facts["received"] == {"text": {"a": "1"}, "binary": {}, "times": {}}
    assert not any(call == "events" for call, _vm in world.calls)


def test_no_secret_is_kept_in_any_form(world):
    for pair in (report.guest("b1", "1"), report.held("b1", b"mine", SECRET, secret=True)):
        world.say(*pair)
    world.say(b"mine", SECRET)
    world.say(b"app.password", SECRET)
    world.send(world.machines["web1"], [(b"app.token", SECRET), (b"mine", SECRET)], True)
    found = take(world, EVERYTHING)
    assert SECRET.decode() not in json.dumps(found)
    assert found[1]["masked"] == ["app.password", "app.token", "mine"]
    assert found[1]["received"]["text"] == {} == found[1]["sent"]["text"]


def test_a_guests_report_is_told(world):
    scripts = [dict(name="ssh", status="failed", changed=True)]
    for pair in (
        report.guest("b1", "1"),
        report.interfaces([interface("eth0", "192.0.2.5/24", mac="00:16:3E:00:00:01")]),
        report.configuration("b1", "failed", target="configure", failed=["ssh"], scripts=scripts),
    ):
        world.say(*pair)
    [facts] = take(world, Query(include=["web1"]))
    assert facts["interfaces"] == [interface("eth0", "192.0.2.5/24", mac="00:16:3e:00:00:01")]
    assert facts["report"] == {
        "present": True,
        "boot": "b1",
        "configuration": {
            "state": "failed",
            "target": "configure",
            "failed": ["ssh"],
            "scripts": [{"name": "ssh", "status": "failed", "changed": True}],
        },
    }
    assert facts["received"]["text"] == {}  # reports are told as such, not as messages


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"state": "{{ 1 }}"}, {}),
        ({"state": ["done"]}, {}),
        ({"state": "done"}, {"state": "done", "failed": [], "scripts": []}),
        (
            {"state": "done", "target": 1, "failed": ["a", 2, None], "scripts": [1, {"x": "y"}], "more": {"a": []}},
            {"state": "done", "failed": ["a"], "scripts": [{}]},
        ),
        (
            {"state": "done", "failed": "a", "scripts": {"name": 1}, "target": "\ud800"},
            {"state": "done", "target": "\\ud800", "failed": [], "scripts": []},
        ),
        (
            {"state": "running", "scripts": [dict(seconds=1.5), dict(seconds=10**400), dict(seconds=True)]},
            {"state": "running", "failed": [], "scripts": [{"seconds": 1.5}, {}, {}]},
        ),
        (
            {"state": "running", "scripts": [dict(seconds=float("inf")), dict(seconds=float("nan")), dict(changed=1)]},
            {"state": "running", "failed": [], "scripts": [{}, {}, {}]},
        ),
    ],
)
def test_of_a_configuration_only_what_looks_as_it_should_is_told(world, told, kept):
    world.say(*report.guest("b1", "1"))
    world.say(report.CONFIGURATION, json.dumps(dict(told, boot="b1")).encode("ascii"))
    [facts] = take(world, Query(include=["web1"]))
    assert facts["report"]["configuration"] == kept
    json.dumps(facts, allow_nan=False).encode("utf-8")


def test_a_machine_that_does_not_run_has_no_addresses(world):
    world.say(*report.interfaces([interface("eth0", "192.0.2.5/24")]))
    be(world, "web1", STOPPED)
    world.interfaces = lambda: {world.machines["web1"].id: [interface("eth0", "192.0.2.5/24")]}
    [facts] = take(world, Query(states=["STOPPED"]))
    assert facts["interfaces"] == [] and facts["shared"] == []


def test_addresses_that_the_manager_knows_need_no_messages(world):
    world.interfaces = lambda: {world.machines["web1"].id: [interface("nic", "192.0.2.5/24")]}
    [facts] = take(world, Query(include=["web1"], messages=census.NONE))
    assert facts["interfaces"] == [interface("nic", "192.0.2.5/24")]
    assert set(facts) == {"id", "name", "state", "interfaces", "shared"}


def test_addresses_that_several_machines_claim_are_known(world):
    world.say(*report.interfaces([interface("docker0", "172.17.0.1/16"), interface("eth0", "192.0.2.5/24")]), "web1")
    world.say(*report.interfaces([interface("docker0", "172.17.0.1/16"), interface("br0", "172.17.0.1/24")]), "web2")
    first, second, third = take(world, Query())
    assert first["shared"] == [] and second["shared"] == third["shared"] == ["172.17.0.1"]
    # A machine that was not asked for counts as well, where the manager knows its addresses, but only if it runs.
    ids = {name: vm.id for name, vm in world.machines.items()}
    world.interfaces = lambda: {ids["db1"]: [interface("nic", "192.0.2.5/24")]}
    [facts] = take(world, Query(include=["web1"]))
    assert facts["shared"] == ["192.0.2.5"]
    be(world, "db1", STOPPED)
    [facts] = take(world, Query(include=["web1"]))
    assert facts["shared"] == []


def test_a_machine_that_is_deleted_meanwhile_is_left_out(world):
    world.faults["received", "web2"] = VmNotFound("the manager knows no virtual machine 'web2'")
    assert names(take(world, Query())) == ["db1", "web1"]


def test_a_machine_that_cannot_be_read_ends_it(world):
    # An inventory without it, or without its variables, would have plays pass it over in silence.
    world.faults["received", "web2"] = Problem("the disk is full")
    with pytest.raises(Problem, match="the disk is full"):
        take(world, Query())


def test_names_that_cannot_be_written_are_escaped(world):
    world.machines["odd"] = world.machines["web1"]._replace(id="f" * 32, name="a\udcff")
    world.from_guest["a\udcff"] = []
    assert names(take(world, Query(include=["a*"]))) == ["a\\udcff"]
