# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces, counters and numbers: pure functions, so mostly properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout

VALUES = st.binary(max_size=layout.VALUE_LIMIT)


@given(VALUES, st.integers(1, 4096))
def test_a_value_survives_being_cut_and_joined(value, size):
    pieces = layout.split(value, size)
    assert layout.join(pieces) == value
    assert all(len(piece) == size for piece in pieces[:-1]) and len(pieces[-1]) <= size


@given(VALUES)
def test_a_value_of_ours_survives_what_the_drivers_defect_calls_for(value):
    assert layout.join_from_guest(layout.split(value)) == value


def test_an_empty_value_is_one_empty_piece():
    assert layout.split(b"") == [b""]


def test_the_longest_value_takes_five_pieces_that_a_stock_guest_may_store():
    pieces = layout.split(b"x" * layout.VALUE_LIMIT)
    assert len(pieces) == 5 and max(map(len, pieces)) <= 2015 - 8 * 46


@given(st.integers(0, 3), st.binary(min_size=2047, max_size=2047), st.binary(max_size=2048))
def test_the_drivers_stray_piece_is_dropped(full, last, stray):
    value = b"v" * 2048 * full + last
    pieces = [b"v" * 2048] * full + [last]
    assert layout.join_from_guest(pieces + [stray]) == value
    assert layout.join_from_guest(pieces) == value


def test_a_host_may_use_the_sizes_of_the_stray_piece():
    assert layout.join([b"a" * 2047, b"b"]) == b"a" * 2047 + b"b"


@given(VALUES, VALUES)
def test_what_was_written_over_an_older_message_has_no_tail_of_it(new, old):
    fresh = layout.split(new, layout.DRIVER_PIECE)
    if len(new) % layout.DRIVER_PIECE == 0 and new:
        fresh.append(b"")  # the driver counts the terminating NUL, so it needs one more piece
    stale = layout.split(old, layout.DRIVER_PIECE)[len(fresh) :]
    assert layout.join_from_guest(fresh + stale, overwritten=True) == new


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"1", 1),
        (b"58\n", 58),
        (b"  060 xyz", 60),
        (b"0", 0),
        (b"4294967295", 4294967295),
        (b"7abc", 7),
        (b"", None),
        (None, None),
        (b"abc", None),
        (b"x7", None),
        (b"-1", None),
        (b"   ", None),
        (b"9" * 11, None),
        (b"\xff", None),
        ("٣".encode(), None),
    ],
)
def test_a_counter_is_read_as_the_driver_reads_it(text, number):
    assert layout.counter(text) == number


@given(st.integers(0, 2**32 - 1))
def test_every_counter_comes_back(number):
    assert layout.counter(b"%d" % number) == layout.number(b"%d" % number) == number


@given(st.binary(max_size=40))
def test_no_text_breaks_the_reading_of_a_number(text):
    for found in (layout.counter(text), layout.number(text)):
        assert found is None or 0 <= found < 10**10


def test_numbers_come_in_numeric_order_and_nothing_else_does():
    assert layout.numbers([b"10", b"last-write", b"9", b"01", b"0", b"x", b"", b"1" * 11]) == [9, 10]


@pytest.mark.parametrize(
    ("names", "whole"),
    [
        ([], True),
        ([b"0"], True),
        ([b"1", b"0"], True),
        ([b"0", b"2"], False),
        ([b"1"], False),
        ([b"0", b"x"], False),
        ([b"00", b"01"], False),
        ([b"0", b"1", b"3"], False),
    ],
)
def test_pieces_are_whole_without_a_gap(names, whole):
    assert layout.whole(names) is whole


def test_paths():
    assert layout.child(layout.home(5), layout.TO_GUEST) == b"/local/domain/5/control/oracle-vmapi/to-guest"
    assert layout.child(layout.TO_GUEST, 12) == b"control/oracle-vmapi/to-guest/12"
