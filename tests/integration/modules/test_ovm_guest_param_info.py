# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_guest_param_info, run by ansible-playbook in a guest of the lab."""

import re
import subprocess
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore


def info(check=False, **options):
    return {"ovm_guest_param_info": options, "check_mode": check}


def test_all_or_some_with_what_has_just_arrived(play, host_end, host):
    for key, value in ((b"a", b"1"), (b"b", b"\xff"), (b"c\xff", b"3")):
        host_end.send(Message(key, value), 20)
    waiting = b"/local/domain/5/control/oracle-vmapi/to-guest/1"
    (check,) = [play(info(check=True))]
    assert host.exists(waiting)
    every, some, none = play(info(), info(keys=["b", "z"]), info(keys=[]))
    assert not host.exists(waiting)
    for result in (check, every):
        assert result["params"] == {"a": "1", r"c\xff": "3"} and result["binary_params"] == {"b": "/w=="}
        assert result["names"] == ["a", "b", r"c\xff"] and not result["changed"] and result["missing"] == []
    assert some["names"] == ["b"] and some["missing"] == ["z"] and not some["failed"]
    assert none["names"] == []


def test_waiting_is_over_when_the_last_key_is_there(play, xenstored, guest):
    def send():
        with XenStore(xenstored.path, timeout=60) as store:
            end = HostEnd(store, 5)
            store.watch(b"/ready", b"t")
            for key, value in ((b"state", b"begun"), (b"other", b"1"), (b"state", b"all done")):
                end.send(Message(key, value), 60)

    sender = threading.Timer(2.0, send)
    sender.start()
    result = play(info(keys=["other"], patterns={"state": "done$"}, wait_timeout=60))
    sender.join()
    assert not result["failed"] and result["params"] == {"state": "all done", "other": "1"} and result["missing"] == []
    assert 0 <= result["waited"] < 60


def test_a_message_that_cannot_be_read_is_warned_of(play, host_end, host):
    host.write(b"/local/domain/5/control/oracle-vmapi/to-guest/1/1", b"x")
    host_end.send(Message(b"a", b"1"), 20)
    results = play(info(check=True), info(), info(keys=["zz"], wait=True, wait_timeout=1.5))
    for result in results:
        assert result["params"] == ({} if result.get("failed") else {"a": "1"})
        assert result["warnings"] == [
            "message 1 from the host cannot be read and was passed over: its piece 0 is missing"
        ]


def test_waiting_ends_in_time_and_says_what_is_missing(play):
    _set, result, bad = play(
        {"ovm_guest_param": {"params": {"a": "1", "b": "2"}}},
        info(keys=["a", "zz"], patterns={"b": "^3$"}, wait_timeout=0.2),
        info(patterns={"b": "("}),
    )
    assert result["failed"] and result["msg"] == (
        "after 0.2 seconds this guest still lacks zz (not set), b (does not match); it holds 2 parameters in all; "
        "2 messages to the host wait to be collected: see that a manager or ovm-gateway serves the host, and that it "
        "sends these, or wait longer"
    )
    assert result["last"] == dict(backend="xenstore", parameters=2, uncollected=2, daemon=False)
    assert result["missing"] == ["zz", "b"] and result["params"] == {"a": "1", "b": "2"} and result["waited"] >= 0.2
    assert bad["failed"] and bad["msg"].startswith("the pattern for 'b' is no regular expression")


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_while_it_waits_verbose_runs_tell_for_what(play, xenstored, guest):
    def send():
        with XenStore(xenstored.path, timeout=60) as store:
            HostEnd(store, 5).send(Message(b"late", b"1"), 60)

    start = "<localhost> ovm.messaging.ovm_guest_param_info: "
    sender = threading.Timer(4.0, send)
    sender.start()
    task = info(keys=["late"], patterns={"a\nb": "^3$"}, wait=True, wait_timeout=8)
    late, hidden = play(task, dict(task, no_log=True), arguments=["-v"])
    sender.join()
    lines = [line[len(start) :] for line in play.output.splitlines() if line.startswith(start)]
    assert len(lines) == 2 and lines[0] == r"waiting up to 8 s for late, a\nb"
    # By then it has come, or it has not: that depends on how busy this machine is.
    assert re.fullmatch(r"after \d+ s: still missing: (late \(not set\), )?a\\nb \(not set\)", lines[1])
    assert late["failed"] and late["missing"][-1] == "a\nb" and 8 <= late["waited"] < 120 and "_missing" not in late
    assert late["msg"].startswith("after 8 seconds this guest still lacks ") and hidden["msg"] == late["msg"]


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_bad_options(play):
    nothing, negative = play(info(wait=True), info(keys=["a"], wait=True, wait_timeout=-1))
    assert "wait is True but any of the following are missing: keys, patterns" in nothing["msg"]
    assert negative["msg"] == "wait_timeout is -1: give 0 to 864000 seconds"


def test_no_xenstore_says_what_was_tried(play, tmp_path):
    play.defaults = {"state_dir": str(tmp_path / "state"), "ovmapi_path": "/no/such/ovmapi"}
    result = play(info(), environment={"XENSTORED_RUNDIR": str(tmp_path)})
    assert result["failed"] and "XenStore at %s/socket cannot be opened" % tmp_path in result["msg"]
    assert "there is no /no/such/ovmapi either" in result["msg"]


def test_the_documentation_can_be_read():
    for module in ("ovm_guest_param", "ovm_guest_param_info"):
        done = subprocess.run(
            ["ansible-doc", "ovm.messaging." + module], stdout=subprocess.PIPE, check=True, timeout=60
        )
        assert b"EXAMPLES" in done.stdout
