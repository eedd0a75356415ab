# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source on a Xen host without any gateway, which would take the messages first."""

import time

import pytest

from lab.daemon import KINDS, Daemon
from tests.integration.eda.conftest import PATIENCE, Source


@pytest.fixture(scope="module", params=KINDS)
def xenstored(request, lab_parts):
    with Daemon(request.param) as daemon:
        yield daemon


@pytest.fixture
def rest(xenstored, tmp_path):
    """Arguments to read from XenStore."""
    return {
        "transport": "xenstore",
        "xenstore_path": xenstored.path,
        "state_dir": str(tmp_path / "state"),
        "timeout": 2,
    }


def test_messages_come_as_they_are_sent(listen, say, web1):
    # Far sooner than the interval: XenStore tells.
    with listen(vms=[web1.uuid], interval=3600) as source:
        for n in range(3):
            say(web1, (b"a", b"%d" % n))
            assert source.await_events(n + 1)[-1]["value"] == str(n)
    assert isinstance(source, Source) and [event["vm"]["name"] for event in source.events] == ["web1"] * 3


def test_a_daemon_that_is_gone_for_a_while_is_waited_for(listen, say, web1, xenstored, caplog):
    with listen(vms=[web1.uuid], interval=0.2) as source:
        say(web1, (b"a", b"1"))
        source.await_events(1)
        xenstored.pause()
        try:
            deadline = time.monotonic() + PATIENCE
            while "the next try comes in" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            xenstored.resume()
        say(web1, (b"b", b"2"))
        assert [event["key"] for event in source.await_events(2)] == ["a", "b"]
