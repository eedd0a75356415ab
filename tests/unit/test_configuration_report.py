# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a report that a guest has made up. What else is kept of a good one: test_census."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.configuration_report import passed_on, with_boot

GOOD = {"boot": "b1", "state": "done", "target": "configure", "failed": [], "scripts": []}


def deep(levels):
    return json.loads("[" * levels + "]" * levels)


def test_a_good_report_is_passed_on():
    assert with_boot(GOOD) == GOOD and "boot" not in passed_on(GOOD)
    assert with_boot(dict(GOOD, left_out=3)) == dict(GOOD, left_out=3)
    assert with_boot({}) == {} and with_boot({"boot": "b1"}) == {"boot": "b1"}


@pytest.mark.parametrize(
    "more",
    [
        {"__ansible_type": "x"},
        {"deep": deep(900)},
        {"left_out": True},
        {"left_out": 10**400},
        {"left_out": -1},
        {"message": {"__ansible_type": "x"}},
        {"message": 5},
    ],
)
def test_nothing_else_is(more):
    assert with_boot(dict(GOOD, **more)) == GOOD


def test_nor_is_it_where_a_script_is_expected():
    scripts = [{"__ansible_type": "x", "name": "a"}, {"name": deep(900), "status": "\ud800"}, deep(900), "x"]
    found = with_boot(dict(GOOD, scripts=scripts, failed=[{"a": 1}, "\ud800", "b"]))
    assert found["scripts"] == [{"name": "a"}, {"status": "\\ud800"}] and found["failed"] == ["\\ud800", "b"]
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("state", ["DONE", ["done"], None, {"state": "done"}, 1])
def test_a_state_that_there_is_not_makes_it_none(state):
    assert passed_on(dict(GOOD, state=state)) == {}
