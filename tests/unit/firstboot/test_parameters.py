# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters as JSON: what scripts describe, and what runs are given."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadParameters, BadScript
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import (
    Parameter,
    dump_lines,
    missing,
    parse_enumeration,
    parse_lines,
    parse_object,
)


def described(**members):
    return parse_enumeration(json.dumps([dict({"key": "k"}, **members)]), "one")[0]


def test_a_description_with_all_there_is():
    text = '[{"key": "a", "description": "A: ", "required": "True", "hidden": 0, "password": true, "choices": [1, "b"],'
    text += '"depends": "c=1", "requires": null, "more": 1}, {"key": "b"}]'
    first, second = parse_enumeration(text, "one")
    assert first.as_dict() == {
        "key": "a", "description": "A: ", "required": True, "hidden": False, "password": True,
        "choices": ["1", "b"], "depends": ["c=1"],
    }  # fmt: skip
    assert second.as_dict() == {
        "key": "b", "description": "", "required": False, "hidden": False, "password": False,
    }  # fmt: skip
    assert first.secret and not second.secret and Parameter("root-password").secret


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "in what is no JSON: "),
        ("[" * 100000, "in what is no JSON: "),
        ("{}", "in what is no JSON array"),
        ("[1]", "a parameter without a key"),
        ('[{"key": ""}]', "a parameter without a key"),
        ('[{"key": 1}]', "a parameter without a key"),
    ],
)
def test_what_is_no_description(text, why):
    with pytest.raises(BadScript, match="^the script 'one' describes .*" + why):
        parse_enumeration(text, "one")


def test_lines_as_ovmd_lists_them():
    listed = '{"a":"1"}\n\n{"b":"h\u00fc \\udcff"}\n{"a":"2"}\n{"c": true, "d": 5}\n'.encode()
    assert parse_lines(listed) == ({"a": "2", "b": "h\u00fc \udcff", "c": "True", "d": "5"}, ["a"])
    assert parse_lines(b"") == ({}, []) == parse_lines(b"\n \n")
    assert parse_lines(b' {"a":\n "1"}\n') == ({"a": "1"}, [])
    again, repeated = parse_lines(dump_lines({"b": "h\u00fc \udcff", "a": "1\n"}))
    assert (list(again.items()), repeated) == ([("b", "h\u00fc \udcff"), ("a", "1\n")], [])


@pytest.mark.parametrize(
    "data, why",
    [
        (b'{"a":"1"}\n{"b":"\xff"}\n', "line 2 of the parameters is not UTF-8: write such bytes as JSON escapes"),
        (b'{"a":"1"}\nb=2\n', "line 2 of the parameters is no JSON: write it as an object, as in "),
        (b'{"a":"1"}\n\n["b"]', "line 3 of the parameters is no JSON object"),
        (b'{"a":["1"]}', "line 1 of the parameters has a value of 'a' that is no text"),
        (b'{"a":null}', "line 1 of the parameters has a value of 'a' that is no text"),
    ],
)
def test_lines_that_cannot_be_understood_show_no_value(data, why):
    with pytest.raises(BadParameters, match="^" + why) as caught:
        parse_lines(data)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_object_is_named_in_errors():
    assert parse_object('{"a": 1.5}', "it") == {"a": "1.5"}
    with pytest.raises(BadParameters, match="^it is no JSON: write it as an object"):
        parse_object("hunter2", "it")


def test_what_is_missing():
    parameters = [described(key="a", required=True), described(key="b", required=True), described(key="c")]
    assert missing(parameters + parameters, {"b": ""}) == ["a", "b"]
    assert missing(parameters, {"a": "1", "b": "2"}) == []


def test_what_depends_on_others_is_required_where_these_hold_only():
    either = described(key="a", required=True, depends=["mode=x", "mode=y", "on"])
    assert missing([either], {"mode": "x"}) == [] == missing([either], {"mode": "z", "on": "1"})
    assert missing([either], {"mode": "y", "on": "1"}) == ["a"]


def test_of_many_the_first_is_required():
    many = described(key="name.N", required=True, depends=["action.N=add"])
    assert missing([many], {"action.0": "add"}) == ["name.0"]
    assert missing([many], {"action.0": "add", "name.0": "x"}) == [] == missing([many], {"action.1": "add"})
