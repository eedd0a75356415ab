# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for parameters, by a clock of our own."""

from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry
from ansible_collections.ovm.messaging.plugins.module_utils.guest.waiting import wait_for


class Arriving:
    """A list that gets one more entry each time it is waited for; waiting takes a second."""

    def __init__(self, *arriving):
        self.now, self.entries, self.arriving = 0.0, [], list(arriving)

    def wait(self, timeout):
        assert timeout > 0
        self.now += min(1.0, timeout)
        self.entries += self.arriving[:1]
        del self.arriving[:1]

    def wait_for(self, conditions, timeout):
        return wait_for(self, lambda: list(self.entries), conditions, timeout, clock=lambda: self.now)


A, B = Entry(b"a", b"1", False), Entry(b"b", b"2", False)


def test_it_ends_as_soon_as_all_is_there():
    source = Arriving(A, B)
    assert source.wait_for({b"a": None, b"b": lambda value: value == b"2"}, 10) == ([A, B], [])
    assert source.now == 2.0


def test_it_ends_at_its_deadline_and_says_what_is_missing():
    source = Arriving(A)
    assert source.wait_for({b"a": lambda value: False, b"z": None}, 2.5) == ([A], [b"a", b"z"])
    assert source.now == 2.5


def test_no_time_means_one_look():
    source = Arriving(A)
    assert source.wait_for({b"a": None}, 0) == ([], [b"a"]) and source.now == 0.0
