# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage says: the vendor's words, ages, and bytes that a terminal may have."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.programs.ovm_vmmessage import ovm_vmmessage_text as text


@pytest.mark.parametrize(
    "seconds, age",
    [
        (-3600, "0 seconds"),
        (-0.5, "0 seconds"),
        (0, "0 seconds"),
        (0.99, "0 seconds"),
        (1, "1 second"),
        (1.9, "1 second"),
        (2, "2 seconds"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (7 * 60 + 59, "7 minutes"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (7199, "1 hour"),
        (7200, "2 hours"),
        (86399, "23 hours"),
        (86400, "1 day"),
        (2 * 86400, "2 days"),
        (400 * 86400, "400 days"),
    ],
)
def test_an_age_is_in_the_biggest_unit_that_it_fills(seconds, age):
    assert text.age(seconds) == age
    assert text.key_set(seconds) == b"Key set %s ago." % age.encode()


@pytest.mark.parametrize(
    "state, shown", [("RUNNING", b"Running"), ("STOPPED", b"Stopped"), ("TEMPLATE", b"Template"), ("\x1b", b"\\x1b")]
)
def test_a_state_is_in_title_case(state, shown):
    assert text.status(b"MyVM02", state) == b"VM : 'MyVM02' has status : %s." % shown


def test_the_quote_that_the_vendors_utility_never_closes():
    assert text.querying(b"key1") == b"Querying for key 'key1."


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda value: value.encode("utf-8"))))
def test_visible_bytes_steer_no_terminal_and_are_one_line(raw):
    shown = text.visible(raw).decode("utf-8")
    assert len(shown.splitlines()) <= 1
    # Cc: control characters; Cf: among them those that turn the direction of text.
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") for character in shown)


@pytest.mark.parametrize(
    "raw, shown",
    [
        (b"value1", b"value1"),
        ("Zürich €".encode(), "Zürich €".encode()),
        (b"\x1b]0;owned\x07\x1b[2J", b"\\x1b]0;owned\\x07\\x1b[2J"),
        (b"two\nlines\r\t", b"two\\nlines\\r\\t"),
        (b"\xff\x9b0m", b"\\xff\\x9b0m"),
        ("\u202eevil\u2028\x9b".encode(), b"\\u202eevil\\u2028\\x9b"),
    ],
)
def test_how_it_looks(raw, shown):
    assert text.visible(raw) == shown
