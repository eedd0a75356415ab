# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From YAML to bytes and back."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils import values
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("text", b"text"),
        ("", b""),
        ("ünï", "ünï".encode()),
        (5, b"5"),
        (-1, b"-1"),
        (1.5, b"1.5"),
        (True, b"True"),
        (False, b"False"),
        ([1, "a", None, True], b'[1,"a",null,true]'),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'.encode()),
        ([], b"[]"),
        ({}, b"{}"),
        (10**30, b"1" + b"0" * 30),
        ("yes", b"yes"),
        ("1.10", b"1.10"),
    ],
)
def test_a_yaml_value_becomes_what_the_docs_say(value, raw):
    assert values.encode("k", value) == raw


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back(text):
    assert values.text(values.encode("k", text)) == text


@given(st.binary())
def test_bytes_come_back_through_base64(raw):
    assert values.decode_base64("k", values.base64_text(raw)) == raw


def test_base64_may_be_wrapped():
    assert values.decode_base64("k", base64.encodebytes(b"x" * 100).decode()) == b"x" * 100


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: values.encode("k", None), "the value of 'k' is null: write '' for an empty value, or"),
        (lambda: values.encode("k", "\ud800"), "the value of 'k' is not valid Unicode"),
        (lambda: values.encode_key("\ud800"), r"the key '\ud800' is not valid Unicode"),
        (lambda: values.decode_base64("k", "%%%"), "the value of 'k' is not base64"),
        (lambda: values.decode_base64("k", "é"), "the value of 'k' is not base64"),
        (lambda: values.decode_base64("k", None), "the value of 'k' is not base64"),
        (lambda: values.decode_base64("k", "YQ"), "the value of 'k' is not base64"),
        (
            lambda: values.messages(
                ({"a": 1, "b": 2}, values.encode), (None, values.encode), ({"b": "x"}, values.encode)
            ),
            "the key 'b' is given twice: give each parameter once",
        ),
        (lambda: values.messages(({1: "a", "1": "b"}, values.encode)), "the key '1' is given twice"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_name(call, says):
    with pytest.raises(InvalidMessage) as refusal:
        call()
    assert str(refusal.value).startswith(says)


def test_messages_keep_their_order():
    found = values.messages(({"z": 1, "a": 2}, values.encode), ({"m": "eA=="}, values.decode_base64))
    assert found == [(b"z", b"1"), (b"a", b"2"), (b"m", b"x")]


def test_bytes_that_are_no_text_have_none():
    assert values.text(b"\xff") is None and values.key_text(b"a\xff") == r"a\xff"


@pytest.mark.parametrize("raw", [b"__ansible_type", b"__ansible_unsafe", b"__ansible_vault", b"__ansible_"])
def test_no_key_is_one_by_which_ansible_knows_how_to_read_a_result(raw):
    """Else one such message of a guest would have the task fail that reads it, for all machines."""
    assert values.key_text(raw) == "\\x5f" + raw.decode()[1:]
    assert values.key_text(b"a" + raw) == "a" + raw.decode()


def test_times_are_iso_8601_in_utc_as_far_as_calendars_go():
    assert values.iso(0) == "1970-01-01T00:00:00.000Z" and values.iso(1769862600.1239) == "2026-01-31T12:30:00.123Z"
    for nothing in (None, "x", float("nan"), float("inf"), 1e20, -1e20):
        assert values.iso(nothing) is None


def test_text_from_elsewhere_can_be_written():
    assert values.clean("a\udcffb") == "a\\udcffb" and values.clean("ä") == "ä" and values.clean(5) == "5"
