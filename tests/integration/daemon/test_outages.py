# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon lives through: the end of xenstored, suspend, restore, migration, files that are removed."""

import contextlib
import os
import resource
import shutil
import sqlite3

import pytest

NEVER = "86400"
NO_CHANNEL = 3


def test_xenstored_restarts(start, run, other_side, xenstored, host_end):
    ovmd = start("-t", "1")
    other_side.send(b"before", b"1")
    other_side.wait_until_held(b"before", b"1")
    xenstored.restart()
    other_side.send(b"after", b"2")
    # The host has forgotten what it was told: it hears all of it again.
    del other_side.messages[:]
    other_side.wait_until_held(b"after", b"2")
    other_side.wait_until_held(b"before", b"1")
    assert ovmd.stop() == 0


def test_a_long_outage_is_told_once_and_ends_by_itself(start, run, other_side, xenstored, guest):
    ovmd = start("-t", "1")
    guest.close()  # its kernel: there is no XenStore for this guest any more
    ovmd.wait_for("XenStore")
    ovmd.supervisor.wait_for("STATUS=trying again: ")
    assert run("-e", "user")[0] == 3  # one-shot commands say so, too
    text = ovmd.said()
    guest._boot()
    ovmd.wait_for("it works again after ")
    other_side.send(b"after", b"2")
    other_side.wait_until_held(b"after", b"2")
    assert text.count("\n") == ovmd.said()[: ovmd.said().index("it works again")].count("\n")
    assert ovmd.stop() == 0


def test_it_ends_at_once_in_an_outage_too(start, guest):
    ovmd = start("-t", NEVER)
    guest.close()
    ovmd.supervisor.wait_for("STATUS=trying again: ")
    assert ovmd.stop() == 0
    assert ovmd.said().endswith("ovmd: ended\n")


def test_it_ends_at_once_while_xenstored_hangs(start, xenstored, other_side):
    ovmd = start("-t", "1")
    xenstored.pause()
    try:
        assert ovmd.stop() == 0
    finally:
        xenstored.resume()


def test_xenstored_hangs_for_a_while(start, xenstored, other_side, run):
    ovmd = start("-t", "1")
    xenstored.pause()
    ovmd.supervisor.wait_for("STATUS=trying again: ")
    xenstored.resume()
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    ovmd.wait_for("it works again after ")


@pytest.mark.parametrize("event", ["checkpoint", "restore", "reboot"])
def test_the_domain_is_suspended_restored_or_made_anew(start, make_host, guest, event):
    """After a restore and a reboot the tree and the domain's number are new, and the counters start again."""
    ovmd = start("-t", "1")
    first = make_host()
    for number in range(3):
        first.send(b"before-%d" % number, b"1")
    first.wait_until_held(b"before-2", b"1")
    getattr(guest, event)()
    second = make_host()
    if event == "checkpoint":
        second.messages += first.messages
    for number in range(3):
        second.send(b"after-%d" % number, b"2")
    second.wait_until_held(b"after-2", b"2")
    if event != "checkpoint":
        second.wait_until_held(b"before-2", b"1")  # a new host hears of all
    assert ovmd.stop() == 0


def test_messages_that_come_before_a_restore_and_after_it_under_the_same_numbers(start, make_host, guest):
    ovmd = start("-t", NEVER)
    for generation in range(4):
        host = make_host()
        host.send(b"k", b"%d" % generation)
        host.wait_until_held(b"k", b"%d" % generation)
        guest.restore()
    assert ovmd.said().count("received 'k'") == 4


def test_no_xenstore_at_the_start(start, tmp_path):
    ovmd = start(more={"XENSTORED_PATH": str(tmp_path / "missing")}, ready=False)
    assert ovmd.wait() == NO_CHANNEL
    assert ovmd.said().startswith("ovmd: XenStore at %s cannot be opened" % (tmp_path / "missing"))
    assert ovmd.said().count("\n") == 1


def test_a_channel_that_the_host_opens_later(start, run, make_guest, make_host):
    closed = make_guest(6, prepare=False)
    ovmd = start("-t", "1", more={"XENSTORED_PATH": closed.path})
    ovmd.wait_for("not everything could be reported: this domain may not write to control/oracle-vmapi/from-guest")
    later = make_host(closed)
    later._end.prepare()
    later.send(b"k", b"v")
    later.wait_until_held(b"k", b"v")
    assert ovmd.said().count("not everything could be reported") == 1


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
@pytest.mark.parametrize("what", ["parameters.db", "wake", ""])
def test_somebody_removes_its_files(start, run, other_side, environment, what):
    ovmd = start("-t", "1")
    other_side.send(b"before", b"1")
    other_side.wait_until_held(b"before", b"1")
    state = environment["OVM_STATE_DIR"]
    if what:
        os.unlink(os.path.join(state, what))
    else:
        shutil.rmtree(state)
    other_side.send(b"after", b"2")
    other_side.wait_until_held(b"after", b"2")
    expected = b'{"before":"1"}\n{"after":"2"}\n' if what == "wake" else b'{"after":"2"}\n'
    assert run("-l") == (0, expected, b"")
    assert run("-e", "user") == (0, b"", b"")
    assert ovmd.stop() == 0


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_another_process_keeps_the_list_to_itself(start, other_side, environment):
    ovmd = start("-t", "1")
    other_side.send(b"before", b"1")
    other_side.wait_until_held(b"before", b"1")
    database = os.path.join(environment["OVM_STATE_DIR"], "parameters.db")
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        other_side.send(b"after", b"2")
        ovmd.wait_for("another process is writing to it")
        blocker.execute("ROLLBACK")
    other_side.wait_until_held(b"after", b"2")
    ovmd.wait_for("it works again after ")


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_a_full_disk(start, other_side, environment, host):
    """What cannot be kept stays in XenStore until it can."""
    ovmd = start("-t", "1")
    other_side.send(b"before", b"1")
    other_side.wait_until_held(b"before", b"1")
    database = os.path.join(environment["OVM_STATE_DIR"], "parameters.db")
    before = resource.prlimit(ovmd.pid, resource.RLIMIT_FSIZE)
    # No file may get bigger than this one is.
    resource.prlimit(ovmd.pid, resource.RLIMIT_FSIZE, (os.path.getsize(database), before[1]))
    for number in range(20):
        other_side.send(b"after-%d" % number, b"2" * 8000)
    ovmd.wait_for("ovmd: the parameter list %s: " % database)
    assert host.directory(b"/local/domain/5/control/oracle-vmapi/to-guest") != [b"last-write"]
    resource.prlimit(ovmd.pid, resource.RLIMIT_FSIZE, before)
    other_side.wait_until_held(b"after-19", b"2" * 8000)
    other_side.wait_until_held(b"after-0", b"2" * 8000)
    ovmd.wait_for("it works again after ")
