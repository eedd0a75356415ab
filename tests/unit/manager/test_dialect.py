# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not certain of the vendor's Manager can be switched, and both sides understand each other."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import (
    Dialect,
    decode_text,
    description_tells,
    encode_text,
    event_description,
)
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import BadDialect
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Event

RAW = st.binary(max_size=30)
INCOMING = "Virtual Machine API Incoming Message"


@given(RAW)
def test_every_byte_survives_json(raw):
    assert decode_text(json.loads(json.dumps(encode_text(raw)))) == raw


@given(st.text(alphabet=st.characters(), max_size=20))
def test_any_text_that_json_can_hold_becomes_bytes(text):
    assert isinstance(decode_text(text), bytes)


@pytest.mark.parametrize("text", ["\ud800", "a\udc00b", "\udcff\ud800"])
def test_surrogates_that_nobody_of_us_made_become_bytes(text):
    assert isinstance(decode_text(text), bytes)


@given(st.text(max_size=10), RAW, RAW, RAW, RAW)
def test_a_description_tells_of_its_own_message_only(name, key, value, other_key, other_value):
    description = event_description(name, key, value, 1767225600.25)
    assert description_tells(description, key, value)
    assert description_tells(description, other_key, other_value) == ((key, value) == (other_key, other_value))


def test_a_description_shows_the_pair_and_the_time():
    assert event_description("web", b"key1", b"value1", 1767225600.9) == (
        'Message received from virtual machine "web": {"key": "key1", "value": "value1"} at 2026-01-01T00:00:00Z'
    )


@pytest.mark.parametrize(
    ("description", "tells"),
    [
        ("key: key1, value: value1, 2 minutes ago", True),
        ("key1=value1", True),
        ("key: key10, value: value1", False),
        ("key: key1, value: value12", False),
        ("value1", False),
    ],
)
def test_a_description_in_unknown_words_tells_if_it_has_both(description, tells):
    assert description_tells(description, b"key1", b"value1") == tells


def test_an_empty_value_is_in_every_description_with_the_key():
    assert description_tells("key1 was set", b"key1", b"")


@pytest.mark.parametrize("options", [None, {}])
def test_the_usual_dialect(options):
    dialect = Dialect.from_options(options)
    assert {name: getattr(dialect, name) for name in Dialect.names()} == {
        "base_path": "/ovm/core/wsapi/rest",
        "basic_login": "first",
        "ca_certificate": "Utilities/Certificate/CaCertificate",
        "default_direction": "RECEIVED",
        "direction_parameter": "messageDirection",
        "incoming_event_summary": INCOMING,
        "incoming_event_type": "VM_API_INCOMING_MESSAGE",
        "received": "RECEIVED",
        "sent": "SENT",
    }


def test_options_change_one_dialect_only():
    dialect = Dialect.from_options({"base_path": "rest/", "sent": "Out"})
    assert (dialect.base_path, dialect.sent, dialect.received) == ("/rest", "Out", "RECEIVED")
    assert Dialect().sent == "SENT"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"colour": "red"}, "there is no option 'colour' of the dialect: use base_path, basic_login, "),
        ({"from_options": "red"}, "there is no option 'from_options'"),
        ({"sent": ""}, "the option 'sent' of the dialect is no text: give it a text that is not empty"),
        ({"sent": 1}, "the option 'sent' of the dialect is no text"),
        ({"basic_login": "never"}, "the dialect's basic_login is 'never': use first or always"),
        ({"default_direction": "both"}, "the dialect's default_direction is 'both': use RECEIVED or SENT"),
    ],
)
def test_a_bad_option_is_refused(options, says):
    with pytest.raises(BadDialect) as refusal:
        Dialect.from_options(options)
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize(
    ("kind", "summary", "incoming"),
    [("other", INCOMING, True), ("VM_API_INCOMING_MESSAGE", "", True), ("other", "Virtual Machine started", False)],
)
def test_an_incoming_message_is_known_by_summary_or_type(kind, summary, incoming):
    assert Dialect().incoming(Event("1", "", 1.0, "INFORMATIONAL", kind, summary, "")) == incoming


def test_the_dialect_needs_no_library():
    name = Dialect.__module__
    code = "import sys; sys.modules['requests'] = sys.modules['urllib3'] = None; import %s" % name
    subprocess.run([sys.executable, "-c", code], check=True)
