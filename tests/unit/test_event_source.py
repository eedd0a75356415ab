# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the event source is made of: its arguments, against its documentation and the modules' options; its texts."""

import ast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils import event_source, values, vm_module
from toolchain import ROOT

PLUGIN = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "vm_message.py"
TEXTS = {
    node.targets[0].id: node.value.value
    for node in ast.parse(PLUGIN.read_text()).body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
}
DOCUMENTED = yaml.safe_load(TEXTS["DOCUMENTATION"])["options"]
PARSED = {"host": "manager"}


def test_the_documented_arguments_are_those_that_there_are():
    options = {name: default for name, (_kind, default, _variable) in event_source.OPTIONS.items()}
    assert set(DOCUMENTED) == set(options) | {"feedback"}
    for name, default in options.items():
        about = DOCUMENTED[name]
        assert about.get("default") == default, name
        variable = event_source.OPTIONS[name][2]
        assert not variable or "E(%s) is the fallback" % variable in " ".join(about["description"]), name
        for choice in about.get("choices", ()):
            given = [choice] if about["type"] == "list" else choice
            assert event_source.parse({**PARSED, name: given}, {})[name] == given


def test_what_the_modules_have_too_is_the_same_there():
    modules = vm_module.MANAGER_OPTIONS
    # Which machines, and jobs, are other things here.
    assert set(modules) - set(event_source.OPTIONS) == {"vm", "job_timeout"}
    for name in set(modules) & set(event_source.OPTIONS) - {"vms"}:
        _kind, default, variable = event_source.OPTIONS[name]
        assert modules[name].get("default") == default, name
        assert modules[name].get("fallback", (None, [None]))[1] == [variable], name
        assert DOCUMENTED[name]["type"] == modules[name]["type"], name


def test_the_examples_and_the_collections_rulebook_are_accepted():
    books = yaml.safe_load((ROOT / "extensions" / "eda" / "rulebooks" / "guests.yml").read_text())
    sources = yaml.safe_load(TEXTS["EXAMPLES"]) + [source for book in books for source in book["sources"]]
    assert len(sources) == 3
    for source in sources:
        event_source.parse(source["ovm.messaging.vm_message"] or {}, {"OVM_HOST": "manager"})


def test_types_of_what_comes_from_a_rulebook_or_the_environment():
    environ = {"OVM_HOST": "manager", "OVM_PORT": "7003", "OVM_VALIDATE_CERTS": "no", "HOME": "/home/me"}
    found = event_source.parse({"vms": "web1, web2", "interval": "5", "timeout": 7}, environ)
    assert (found["port"], found["validate_certs"], found["vms"]) == (7003, False, ["web1", "web2"])
    assert (found["interval"], found["timeout"], found["checkpoint"]) == (5.0, 7.0, None)
    assert event_source.parse({**PARSED, "port": 1}, environ)["port"] == 1
    assert event_source.parse({"transport": "xenstore"}, {})["host"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"host": ["a"]},
        {"port": True},
        {"interval": True},
        {"interval": "nan"},
        {"vms": 7},
        {"vms": [{}]},
        {"\ud800": 1},
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(event_source.BadArgument):
        event_source.parse({**PARSED, **arguments}, {})


@given(st.text(alphabet=st.sampled_from("{%#}a\ud800 j:inja2")) | st.text())
def test_no_text_is_a_template(text):
    found = event_source.safe(text)
    assert not any(mark in found for mark in ("{{", "{%", "{#", "#jinja2:"))
    found.encode("utf-8")


def test_times():
    assert values.iso(0.25) == "1970-01-01T00:00:00.250Z"
    assert [values.iso(odd) for odd in (None, 1e30, float("nan"))] == [None] * 3
