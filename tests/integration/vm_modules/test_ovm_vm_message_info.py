# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_vm_message_info, run by ansible-playbook."""

import json
import os
import re
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from tests.integration.vm_modules.conftest import said

SECRET = "Xq7-hunter2-Xq7"
ONE_DAEMON = pytest.mark.parametrize("xenstored", ["c"], indirect=True)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def info(check=False, **options):
    return {"ovm_vm_message_info": dict({"vm": "web1"}, **options), "check_mode": check}


def test_all_or_some_of_either_direction(play, web1, say):
    say(web1, {b"a": b"1", b"b": b"\xff", b"c\xff": b"3", b"app.token": SECRET.encode()})
    say(web1, dict([report.guest("boot-1", "1"), (b"a", b"2"), (report.CONFIGURATION, b'{"boot":"boot-1"}')]))
    check, _sent, every, some, received, sent = play(
        info(check=True, keys=["a"], patterns={"b": ""}, wait=True),
        {"ovm_vm_message": {"vm": "web1", "messages": {"x": "1", "a": "5"}}},
        info(keys=None, history=True, events=True),
        info(keys=["a", "none", "ovmd.report.guest"]),
        info(direction="received", reports=True),
        info(direction="sent"),
    )
    assert check["received"] == {"a": "2"} and check["binary_received"] == {"b": "/w=="}
    assert every["received"] == {"a": "2", r"c\xff": "3", "app.token": "********"} and every["sent"] == {
        "x": "1",
        "a": "5",
    }
    assert every["binary_received"] == {"b": "/w=="} and every["masked"] == ["app.token"]
    assert set(every["times"]) == {"a", "b", r"c\xff", "app.token"} and set(every["sent_ages"]) == {"x", "a"}
    assert all(TIME.fullmatch(time) for time in [*every["times"].values(), *every["sent_times"].values()])
    assert all(0 <= age < 120 for age in [*every["ages"].values(), *every["sent_ages"].values()])
    assert every["report"] == {"present": True, "boot": "boot-1", "configuration": {"boot": "boot-1"}}
    assert every["waiting"] == 2 and every["missing"] == [] and every["waited"] == 0 and not every["changed"]
    history = [(one["direction"], one["key"], one.get("value", one.get("binary_value"))) for one in every["history"]]
    assert history == [
        ("received", "a", "1"),
        ("received", "b", "/w=="),
        ("received", r"c\xff", "3"),
        ("received", "app.token", "********"),
        ("received", "a", "2"),
        ("sent", "x", "1"),
        ("sent", "a", "5"),
    ]
    incoming = [event for event in every["events"] if "Incoming Message" in event["summary"]]
    assert len(incoming) == 7 and all(TIME.fullmatch(event["time"]) for event in incoming)
    assert sum("********" in event["description"] for event in incoming) == 1
    assert SECRET not in json.dumps(every) and SECRET not in play.output
    assert set(some["received"]) == {"a", "ovmd.report.guest"} and set(some["sent"]) == {"a"}
    assert len(received["received"]) == 5 and received["sent"] == {} and "history" not in received
    assert sent["received"] == {} and sent["sent"] == every["sent"] and sent["report"]["present"]


@ONE_DAEMON
def test_secrets_are_shown_only_where_they_are_asked_for(play, web1, say):
    boot = report.guest("b", "1")
    mine = (SECRET + '"\n').encode()
    held = report.held("b", b"mine", mine, secret=True)
    say(web1, dict([boot, (b"mine", mine), held, (b"my.password", (SECRET * 2).encode()), (b"other", b"1")]))
    masked, other, shown = play(
        info(events=True, history=True),
        info(events=True, keys=["other"], direction="sent"),
        dict(info(show_secrets=True, events=True, history=True), no_log=True),
        arguments=["-vvvv"],
    )
    assert masked["received"] == {"mine": "********", "my.password": "********", "other": "1"}
    assert masked["masked"] == ["mine", "my.password"]
    assert SECRET not in json.dumps([masked, other]) and SECRET not in play.output
    for result in (masked, other):
        assert any("other" in event["description"] for event in result["events"])
    assert shown["received"] == {"mine": mine.decode(), "my.password": SECRET * 2, "other": "1"}
    assert shown["masked"] == [] and sum(SECRET in event["description"] for event in shown["events"]) >= 1


def test_messages_are_waited_for(play, web1, web2, say):
    say(web2, {b"state": b"ready"})
    say(web1, {b"state": b"starting"})
    sender = threading.Timer(2.0, say, [web1, {b"other": b"1", b"state": b"ready, now"}])
    sender.start()
    result = play(
        {
            "ovm_vm_message_info": dict(
                vms=["web1", "web2"], keys=["state"], patterns={"state": "^ready"}, wait=True, wait_timeout=60
            )
        }
    )
    sender.join()
    assert not result["failed"] and [one["received"] for one in result["vms"]] == [
        {"state": "ready, now"},
        {"state": "ready"},
    ]
    assert all(one["waited"] < 60 for one in result["vms"])


@ONE_DAEMON
def test_waiting_ends_in_time_and_says_what_is_missing(play, web1, web2, say):
    say(web1, {b"a": b"1", b"b": b"2"})
    late, several, sent = play(
        info(keys=["a", "zz"], patterns={"b": "^3$"}, wait=True, wait_timeout=0.3),
        {"ovm_vm_message_info": dict(vms=["web1", "web2", "nobody"], keys=["a"], wait=True, wait_timeout=0.3)},
        info(keys=["a"], wait=True, direction="sent"),
    )
    assert late["failed"] and re.fullmatch(
        r"after 0.3 seconds 'web1' still lacks zz \(not sent\); b \(does not match\); it is RUNNING, its guest was "
        r"last heard \d+ seconds? ago \(b\), no messages wait for it: see that what is to answer runs in the guest, "
        "or wait longer",
        late["msg"],
    )
    assert TIME.fullmatch(late["last"].pop("heard")) and 0 <= late["last"].pop("age") < 120
    assert late["last"] == dict(
        heard_key="b", said={"a": "1", "b": "2"}, waiting=0, reports=False, configuration="", failed_scripts=[]
    )
    assert late["missing"] == ["zz", "b"] and late["received"] == {"a": "1", "b": "2"} and late["waited"] >= 0.3
    assert [one["status"] for one in several["vms"]] == ["ok", "failed", "failed"]
    assert several["msg"].startswith("2 of 3 virtual machines failed. web2: after 0.3 seconds")
    assert several["vms"][0]["received"] == {"a": "1"}
    assert sent["msg"] == "only what guests send can be waited for: use direction=received or both"
    assert said(play.output, "ovm_vm_message_info") == []  # without -v


@ONE_DAEMON
def test_how_things_stood_tells_of_the_configuration_and_hides_secrets(play, web1, say):
    boot, mine = report.guest("b", "1"), SECRET.encode()
    held = report.held("b", b"mine", mine, secret=True)
    failed = report.configuration("b", "failed", target="configure", failed=["network"])
    say(web1, dict([boot, (b"mine", mine), held, (b"my.password", mine), (b"blob", b"\xff"), failed]))
    masked, shown = play(
        info(patterns=dict.fromkeys(["mine", "my.password", "blob"], "^never"), wait_timeout=0),
        dict(info(patterns={"mine": "^never"}, wait_timeout=0, show_secrets=True), no_log=True),
    )
    assert masked["last"]["said"] == {"mine": "********", "my.password": "********", "blob": "base64:/w=="}
    assert masked["last"]["reports"] and masked["last"]["configuration"] == "failed"
    assert masked["last"]["failed_scripts"] == ["network"] and "its configuration is failed (network)" in masked["msg"]
    assert masked["msg"].endswith(": see the guest's /var/log/ovm-template-config.log")
    assert shown["last"]["said"] == {"mine": SECRET} and SECRET not in play.output


@ONE_DAEMON
def test_while_it_waits_verbose_runs_tell_for_what(play, web1, web2, say):
    say(web2, {b"state": b"ready", b"app.token": SECRET.encode()})
    options = dict(vms=["web1", "web2"], patterns={"state": "^r", "app.token": ""})
    late, hidden, read = play(
        {"ovm_vm_message_info": dict(options, wait_timeout=9)},
        {"ovm_vm_message_info": dict(options, wait_timeout=0), "no_log": True},
        info(keys=["state"]),
        arguments=["-v"],
    )
    assert late["failed"] and hidden["failed"] and not read["failed"] and "_progress" not in json.dumps(late)
    lines = said(play.output, "ovm_vm_message_info")
    assert [line for line in lines if line.startswith("waiting")] == [
        "waiting up to 9 s for state, app.token of web1, web2"
    ]
    lacking = r"after \d+ s: web1 lacks state \(not sent\), app.token \(not sent\)"
    assert any(re.fullmatch(lacking, line) for line in lines) and SECRET not in play.output


@ONE_DAEMON
def test_a_machine_that_is_gone_is_still_remembered(play, web1, say):
    say(web1, {b"a": b"1"})
    play(info())
    web1.destroy()
    result = play(info(keys=["a"]))
    assert result["received"] == {"a": "1"} and result["state"] == "STOPPED" and result["status"] == "ok"


@ONE_DAEMON
def test_text_from_guests_is_never_a_template(play, web1, say, tmp_path):
    evil = "{{ lookup('pipe', 'touch %s/evil') }}" % tmp_path
    say(web1, {b"{{ evil }}": evil.encode()})
    read, shown = play(info(), {"ansible.builtin.debug": {"msg": "{{ result0.received }}"}})
    assert read["received"] == {"{{ evil }}": evil} == shown["msg"] and not os.path.exists(str(tmp_path / "evil"))


@ONE_DAEMON
def test_bad_options(rest, web1):
    nothing, unknown, negative = rest(info(wait=True), info(direction="up"), info(wait_timeout=-1))
    assert "wait is True but any of the following are missing: keys, patterns" in nothing["msg"]
    assert "value of direction must be one of: received, sent, both" in unknown["msg"]
    assert negative["msg"] == "wait_timeout is -1: give 0 to 864000 seconds"
