# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A XenStore that has forgotten everything: guests count anew, and nothing of what they send then is cut."""

import time

LONG = 60.0


def test_long_messages_after_a_restart_are_whole(here, xenstored, guest, say, stored):
    before = [(b"key", b"%d" % number) for number in range(5)]
    say(guest, *before)
    collected(here, lambda: stored(here, guest) == before)
    xenstored.restart()
    guest.reintroduce()
    after = [(b"key", b"x" * size) for size in (5000, 8191, 1640, 1641)]
    say(guest, *after)
    collected(here, lambda: len(stored(here, guest)) == len(before + after))
    assert stored(here, guest) == before + after


def collected(host, enough):
    deadline = time.monotonic() + LONG
    while not enough():
        assert time.monotonic() < deadline, "it takes too long"
        host.collect()
        if not enough():
            host.wait(1.0)
