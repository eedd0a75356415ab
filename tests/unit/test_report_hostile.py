# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of guests that mean harm: found by fuzzing."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import plan
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.last import LastKnown
from ansible_collections.ovm.messaging.plugins.module_utils.inventory import census
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Record, Vm
from ansible_collections.ovm.messaging.tests.unit.delivery.memory import Memory

#: What JSON can spell, and nobody can write or tell the length of.
HALF = "\ud800"
DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize("boot", [HALF, "b" + HALF, DEEP, {"a": 1}, 7, True, None, ""])
def test_a_boot_that_is_no_text_is_no_report(boot):
    messages = {report.GUEST: json.dumps({"boot": boot}).encode()}
    told = report.Report(messages)
    assert not told.present and told.boot == ""
    assert told.holds(b"a", b"b") is None and told.holds_key(b"a") is None and not told.holds_secret(b"a")
    records = [Record(key, value, 1.0) for key, value in messages.items()]
    evidence = plan.Evidence(records, list)
    assert plan.decide(plan.Wanted(b"a", b"b", False), evidence) == (True, plan.NONE)


def test_addresses_with_names_that_are_none():
    found = report.addresses(
        json.dumps({"interfaces": [{"name": HALF, "mac": DEEP, "addresses": ["192.0.2.1/24"]}, {"name": 7}]}).encode()
    )
    assert found == [
        {"name": "", "mac": "", "addresses": ["192.0.2.1/24"]},
        {"name": "", "mac": "", "addresses": []},
    ]


def test_failed_scripts_with_names_that_are_none():
    world = Memory("web1")
    world.say(*report.guest("b1", "1"))
    world.say(report.CONFIGURATION, json.dumps({"boot": "b1", "state": "failed", "failed": [DEEP, 7, "net"]}).encode())
    assert LastKnown(world, world.machines["web1"], world.from_guest["web1"], []).failed == ["net"]


def test_a_machine_whose_id_is_no_text_that_can_be_written():
    world = Memory("web1")
    world.machines["web1"] = Vm("id" + HALF, "web1", RUNNING)
    (facts,) = census.take(world, census.Query(messages=census.NONE))
    assert facts["id"] == "id\\ud800"
