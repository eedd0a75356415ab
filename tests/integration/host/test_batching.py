# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests in batches, against real daemons: the same answers as one by one, and the same care where they fail."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ConnectionLost,
    DeadlineExceeded,
    PermissionDenied,
)
from ansible_collections.ovm.messaging.plugins.module_utils.host.batching import BatchingXenStore

#: Seconds: short where the time is to run out, long where it must not.
SHORT, LONG = 0.3, 20.0


@pytest.fixture
def host(xenstored):
    with BatchingXenStore(xenstored.path) as store:
        yield store


@pytest.fixture
def other(xenstored):
    """A second connection of the host."""
    with BatchingXenStore(xenstored.path, timeout=LONG) as store:
        yield store


def under_way(store, pool, call, *arguments):
    """Have a thread make a call; returns when it is at it. The daemon has to be started by this thread."""
    future = pool.submit(call, *arguments)
    while not store._lock.locked() and not future.done():
        os.sched_yield()
    return future


def fails_in_time(call, *arguments):
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        call(*arguments)
    assert time.monotonic() - start < SHORT + 5


def test_several_nodes_are_read_together(host, guest):
    for n in range(200):
        host.write(b"/test/%d" % n, b"%d" % n)
    with BatchingXenStore(guest.path, timeout=LONG) as store, BatchingXenStore(guest.device, timeout=LONG) as device:
        for one in (host, store, device):
            home = layout.home(guest.domid)
            wanted = [(home, True), (home + b"/name", False), (home + b"/none", False), (home + b"/none", True)]
            found = one.read_together(wanted + [(home + b"/cpu/0", True)] * 100)
            assert b"control" in found[0] and found[1:4] == [guest.name.encode(), None, None]
            assert found[4:] == [[b"availability"]] * 100
            assert one.read_together([]) == []
    values = host.read_together([(b"/test/%d" % n, False) for n in range(200)])
    assert values == [b"%d" % n for n in range(200)]


def test_a_directory_that_is_too_big_for_one_answer_is_read_together_with_others(host):
    names = [b"%d-" % n + b"x" * 200 for n in range(30)]
    host.write(b"/test/a", b"v")
    for name in names:
        host.write(b"/test/big/" + name, b"")
    found = host.read_together([(b"/test/big", True), (b"/test/a", False)])
    assert sorted(found[0]) == sorted(names) and found[1] == b"v"


def test_several_nodes_are_removed_together(host):
    for n in range(150):
        host.write(b"/test/%d/deep" % n, b"v")
    host.remove_together([b"/test/none", b"/none/at/all"] + [b"/test/%d" % n for n in range(149)])
    assert host.directory(b"/test") == [b"149"]


def test_one_that_is_refused_among_others_is_an_error(make_guest):
    first, second = make_guest(5), make_guest(6)
    theirs = layout.child(layout.home(second.domid), layout.TO_GUEST)
    with BatchingXenStore(first.path, timeout=LONG) as store:
        for refused in (
            lambda: store.read_together([(b"name", False), (theirs, False), (b"name", False)]),
            lambda: store.remove_together([b"data/none", theirs]),
        ):
            with pytest.raises(PermissionDenied):
                refused()
            assert store.read(b"name") == b"guest-5"  # the next answer is that of the next request


def test_events_that_come_between_the_answers_are_kept(host, other):
    host.watch(b"/test", b"token")
    assert host.wait(LONG, b"token")
    for n in range(100):
        other.write(b"/test/%d" % n, b"v")
        assert host.read_together([(b"/test/%d" % n, False), (b"/test", True)])[0] == b"v"
    seen = set()
    while len(seen) < 100:
        event = host.wait(LONG, b"token")
        assert event
        seen.add(event[0])


def test_reads_together_over_a_restart_are_repeated_and_removals_are_not(xenstored):
    with BatchingXenStore(xenstored.path, timeout=LONG) as store, ThreadPoolExecutor() as pool:
        xenstored.pause()
        found = under_way(store, pool, store.read_together, [(b"/", True), (b"/test/none", False)])
        xenstored.restart()
        assert found.result(LONG)[1] is None
        xenstored.pause()
        removed = under_way(store, pool, store.remove_together, [b"/test/a", b"/test/b"])
        xenstored.restart()
        with pytest.raises(ConnectionLost):
            removed.result(LONG)
        assert store.read_together([(b"/test/none", False)]) == [None]


def test_a_stopped_daemon_costs_no_more_than_the_deadline_for_all_together(xenstored):
    with BatchingXenStore(xenstored.path, timeout=SHORT) as store:
        xenstored.pause()
        for call in (
            lambda: store.read_together([(b"/", True)] * 100),
            lambda: store.remove_together([b"/test/a"] * 9),
        ):
            fails_in_time(call)
        xenstored.resume()
