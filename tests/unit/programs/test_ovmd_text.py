# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A parameter as a line of JSON, whatever its bytes."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.programs.ovmd.ovmd_text import line

RAW = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode("utf-8")))


@given(RAW, RAW)
def test_a_line_gives_the_bytes_back(key, value):
    found = json.loads(line(key, value).decode("utf-8"))
    assert [tuple(part.encode("utf-8", "surrogateescape") for part in pair) for pair in found.items()] == [(key, value)]


@given(RAW, RAW)
def test_a_line_is_one_line_and_steers_no_terminal(key, value):
    text = line(key, value).decode("utf-8")
    assert len(text.splitlines()) == 1
    assert not any(unicodedata.category(character) == "Cc" for character in text)


def test_every_single_byte():
    for byte in range(256):
        raw = bytes([byte])
        assert json.loads(line(b"k", raw))["k"].encode("utf-8", "surrogateescape") == raw


@pytest.mark.parametrize(
    "value, text",
    [
        (b"value1", b"value1"),
        ("Zürich €".encode(), "Zürich €".encode()),
        (b'say "hi" \\ no/yes', b'say \\"hi\\" \\\\ no/yes'),
        (b"a\tb\nc\r\x08\x0c\x1b[0m\x7f", b"a\\tb\\nc\\r\\b\\f\\u001b[0m\\u007f"),
        (b"\xff\x80ok", b"\\udcff\\udc80ok"),
        ("\u2028\x9b".encode(), b"\\u2028\\u009b"),
    ],
)
def test_how_it_looks(value, text):
    assert line(b"k", value) == b'{"k":"' + text + b'"}'
