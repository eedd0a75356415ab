# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: how they are written, and what they ask for."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest import events
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import UnknownEvent
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import Event, parse

BYTES = bytes(range(1, 256))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reconfig", ("reconfig", "immediate", b"")),
        (b"reconfig", ("reconfig", "immediate", b"")),
        ("RECONFIG:Post", ("reconfig", "post", b"")),
        (" snapshot : pre : a b ", ("snapshot", "pre", b" a b ")),
        ("IP_ADDRESS", ("ip-address", "immediate", b"")),
        ("new-param:immediate:a:b", ("new-param", "immediate", b"a:b")),
        (b"user:immediate:" + BYTES, ("user", "immediate", BYTES)),
        ("user:pre:é\udcff", ("user", "pre", b"\xc3\xa9\xff")),
        ("suspend", ("snapshot", "pre", b"")),
        ("suspend:now", ("snapshot", "pre", b"now")),
        ("Resume", ("snapshot", "post", b"")),
        ("reconfigure:post:x", ("reconfig", "post", b"x")),
    ],
)
def test_what_is_written(text, expected):
    event = parse(text)
    assert (event.type, event.phase, event.payload) == expected and event.severity == "info"


def test_a_phase_may_be_left_empty():
    assert parse("user::text") == Event("user", "info", "immediate", b"text")
    assert parse("user:") == parse("user::") == parse("user")


@pytest.mark.parametrize("text", ["", ":", "configure", "snap", "0x8", b"\xff\x00\n" * 5000, "snapshot-pre"])
def test_what_is_no_event(text):
    with pytest.raises(UnknownEvent, match="^there is no event '") as problem:
        parse(text)
    assert "snapshot" in problem.value.remedy and "suspend" in problem.value.remedy
    assert len(problem.value.text) < 200 and problem.value.text.isprintable()


def test_what_is_no_phase():
    with pytest.raises(UnknownEvent) as problem:
        parse("snapshot:before:hunter2")
    assert str(problem.value) == (
        "there is no phase 'before' of the event 'snapshot': "
        "write NAME:PHASE:TEXT, where PHASE is one of pre, immediate, post"
    )


@pytest.mark.parametrize(("text", "says"), [(b"a\0b", "has a NUL byte"), (b"x" * 4072, "has 4072 bytes, the limit is")])
def test_texts_that_cannot_be_carried(text, says):
    with pytest.raises(UnknownEvent, match=says):
        parse(b"user:immediate:" + text)
    assert parse(b"user:immediate:" + text[:1] * 4071).payload == text[:1] * 4071


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("snapshot", "suspend"),
        ("snapshot:pre", "suspend"),
        ("snapshot:post", "resume"),
        ("migrate", "migrate"),
        ("migrate:post", "migrate"),
        ("shutdown", "shutdown"),
        ("reconfig", "reconfigure"),
        ("ip-address", None),
        ("user", None),
        ("new-param", None),
        ("system", None),
    ],
)
def test_targets(text, target):
    assert events.target(parse(text)) == target


def test_the_numbers_of_the_driver():
    assert [events.numbers(parse(name)) for name in events.TYPES] == [(1 << bit, 1, 1) for bit in range(8)]
    for text in ("snapshot:pre", "user:post"):
        event = parse(text)
        assert events.of_numbers(*events.numbers(event)) == event
    assert events.of_numbers(0x8, 4, 2, b"x") == Event("reconfig", "critical", "post", b"x")
    assert events.of_numbers(0x8, 77, 77) == Event("reconfig", "info", "immediate", b"")
    with pytest.raises(UnknownEvent, match="there is no event of type 0x9"):
        events.of_numbers(0x9, 1, 1)


def test_what_it_shows_is_not_its_text():
    event = parse("user:pre:hunter2")
    assert str(event) == "user:pre" and repr(event) == "Event(user, info, pre, <7 bytes>)"
