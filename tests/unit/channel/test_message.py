# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a message fit to be sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message, display

BYTES = st.binary().filter(lambda raw: b"\0" not in raw)


@given(BYTES.filter(lambda raw: 0 < len(raw) <= 255), BYTES.filter(lambda raw: len(raw) <= 8191))
def test_any_bytes_within_the_limits_are_a_message(key, value):
    assert Message(key, value).check(255) == (key, value)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (Message(b"", b"v"), "the key is empty: give every parameter a name"),
        (Message(b"a\0b", b"v"), r"the key 'a\x00b' has a NUL byte: the channel carries every byte but NUL"),
        (Message(b"k" * 256, b"v"), "the key '" + "k" * 64 + "...' has 256 bytes, the limit is 255: use a shorter key"),
        (
            Message(b"k", b"\0"),
            "the value of 'k' has a NUL byte: the channel carries every byte but NUL; encode the value",
        ),
        (
            Message(b"k", b"v" * 8192),
            "the value of 'k' has 8192 bytes, the limit is 8191: split the value over several keys",
        ),
    ],
)
def test_what_the_channel_would_garble_is_refused(message, says):
    with pytest.raises(InvalidMessage) as refusal:
        message.check(255)
    assert str(refusal.value) == says


def test_the_limit_of_a_key_is_that_of_its_direction():
    assert Message(b"k" * 255, b"").check(255)
    with pytest.raises(InvalidMessage, match="has 255 bytes, the limit is 254"):
        Message(b"k" * 255, b"").check(254)


def test_a_message_does_not_show_its_value():
    assert "hunter2" not in repr(Message(b"password", b"hunter2")) + str(Message(b"password", b"hunter2"))


@given(st.binary())
def test_what_is_displayed_is_one_printable_line(raw):
    assert display(raw).isprintable() and len(display(raw)) <= 67


def test_an_error_without_a_remedy_is_its_text():
    assert str(ChannelError("it broke")) == "it broke"
