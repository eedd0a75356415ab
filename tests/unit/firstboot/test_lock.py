# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time."""

import os
import subprocess
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import Busy, FirstBootError
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.lock import Lock


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "lock")


def test_only_one_at_a_time_holds_it(path):
    told = []
    with Lock(path):
        with pytest.raises(
            Busy, match=r"^another run \(process %d\) is going on, and did not .* 0.2 seconds" % os.getpid()
        ):
            with Lock(path, 0.2, told.append):
                pass
        with pytest.raises(Busy):
            with Lock(path):
                pass
    with Lock(path):
        pass
    assert told == [os.getpid()] and os.stat(path).st_mode & 0o777 == 0o600


def test_the_next_one_waits_and_gets_it(path):
    waiting, got = threading.Event(), threading.Event()

    def second():
        with Lock(path, 60, lambda _process: waiting.set()):
            got.set()

    other = threading.Thread(target=second, daemon=True)
    with Lock(path):
        other.start()
        assert waiting.wait(60) and not got.is_set()
    other.join(60)
    assert got.is_set()


def test_what_is_started_within_does_not_hold_it(path):
    with Lock(path):
        left = subprocess.Popen(["sleep", "300"], close_fds=False)
    try:
        with Lock(path):
            pass
    finally:
        left.kill()
        left.wait()


def test_an_error_within_lets_it_go(path):
    with pytest.raises(KeyError):
        with Lock(path):
            raise KeyError("x")
    with Lock(path):
        pass


def test_a_lock_that_cannot_be_had(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    for bad in (tmp_path / "link", tmp_path, tmp_path / "no" / "lock"):
        with pytest.raises(FirstBootError, match=r"^the lock .* cannot be had \("):
            with Lock(str(bad)):
                pass
    assert not os.path.exists(path)


def test_a_full_disk_is_no_defect():
    with pytest.raises(FirstBootError, match=r"^the lock /dev/full cannot be had \("):
        with Lock("/dev/full"):
            pass
