# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run went, as others get to see it."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.result import (
    FAILED,
    OK,
    SKIPPED,
    Result,
    ScriptResult,
)


def script(name, status, changed):
    return ScriptResult(name, 50, status, changed, 0.5, "why" if status == FAILED else "")


def test_as_json_and_without_the_parameters():
    result = Result("configure", [script("a", OK, False), script("b", FAILED, None)], {"k": "hunter2"})
    assert json.loads(json.dumps(result.as_dict())) == {
        "target": "configure",
        "failed": ["b"],
        "changed": True,
        "scripts": [
            {"name": "a", "priority": 50, "status": "ok", "changed": False, "seconds": 0.5, "message": ""},
            {"name": "b", "priority": 50, "status": "failed", "changed": None, "seconds": 0.5, "message": "why"},
        ],
    }
    assert "hunter2" not in repr(result)


@pytest.mark.parametrize(
    "said, changed", [([], False), ([False], False), ([False, True], True), ([False, None], True), ([None], True)]
)
def test_who_does_not_say_may_have_changed_something(said, changed):
    assert Result("configure", [script("a", SKIPPED, each) for each in said], {}).changed is changed
