# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest reports, and how it is read on the other side."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import KEY_LIMIT_FROM_GUEST
from ansible_collections.ovm.messaging.plugins.module_utils.report import Report

BOOT = "1f0c8a34"
HELLO = report.guest(BOOT, "0.1.0")


def received(*messages):
    return Report(dict((HELLO, *messages)))


def test_what_is_held_can_be_compared_with_what_is_wanted():
    there = received(report.held(BOOT, b"app.port", b"5432"))
    assert there.present
    assert there.holds(b"app.port", b"5432") is True
    assert there.holds(b"app.port", b"5433") is False
    assert there.holds(b"app.state", b"5432") is False
    assert there.holds_key(b"app.port") is True
    assert there.holds_key(b"app.state") is False


def test_without_reports_nothing_is_known():
    there = Report(dict([report.held(BOOT, b"app.port", b"5432")]))
    assert not there.present
    assert there.holds(b"app.port", b"5432") is None
    assert there.holds_key(b"app.port") is None
    assert there.holds_secret(b"app.port") is False
    assert there.configuration() == {}


def test_what_was_held_before_a_reboot_is_held_no_more():
    there = received(report.held("another boot", b"app.port", b"5432"))
    assert there.holds(b"app.port", b"5432") is False
    assert there.holds_key(b"app.port") is False


def test_a_deleted_parameter_is_held_no_more():
    there = received(report.held(BOOT, b"app.port", None))
    assert there.holds(b"app.port", b"5432") is False
    assert there.holds_key(b"app.port") is False


@pytest.mark.parametrize(("key", "marked"), [(b"com.oracle.linux.root-password", False), (b"app.pin", True)])
def test_nothing_of_a_secret_is_reported_but_that_it_is_held(key, marked):
    name, value = report.held(BOOT, key, b"s3cret", secret=marked)
    other = report.held(BOOT, key, b"another", secret=marked)
    assert (name, value) == other
    there = received((name, value))
    assert there.holds(key, b"s3cret") is None
    assert there.holds_key(key) is True
    assert there.holds_secret(key) and not there.holds_secret(b"another")


def test_digests_are_salted_and_fit_one_key_and_value_only():
    digests = {
        report.digest(boot, key, value)
        for boot in ("a", "b")
        for key, value in [(b"k", b"v"), (b"kv", b""), (b"", b"kv"), (b"k", b"w")]
    }
    assert len(digests) == 8


@pytest.mark.parametrize(
    "key", [b"k" * 200, b"k" * KEY_LIMIT_FROM_GUEST, b"#", b"#" + b"0" * 32, b"\xff\x80", b"a" * 240]
)
def test_every_key_can_be_reported(key):
    name, _value = report.held(BOOT, key, b"v")
    assert len(name) <= KEY_LIMIT_FROM_GUEST
    assert received(report.held(BOOT, key, b"v")).holds(key, b"v") is True


def test_long_keys_are_not_mixed_up():
    assert report.held_key(b"k" * 254) != report.held_key(b"k" * 255)
    assert report.held_key(report.held_key(b"k" * 254)[len(report.HELD) :]) != report.held_key(b"k" * 254)


def test_the_configuration_of_this_boot():
    def configuration(**members):
        return received((report.CONFIGURATION, json.dumps(members).encode())).configuration()

    assert configuration(boot=BOOT, state=report.DONE)["state"] == "done"
    assert configuration(boot="another", state=report.DONE) == {}
    assert configuration(state=report.DONE) == {}


def script(n, status="ok", message=""):
    return {"name": "script-%d" % n, "status": status, "changed": True, "seconds": 0.5, "message": message}


def test_a_configuration_is_read_as_it_was_told():
    scripts = [script(1), script(2, "failed", "no such device é\n")]
    details = {"target": "configure", "failed": ["script-2"], "scripts": scripts}
    told = report.configuration(BOOT, report.FAILED, **details)
    assert told[0] == report.CONFIGURATION and told[1].isascii()
    assert received(told).configuration() == dict(details, boot=BOOT, state="failed")
    assert received(report.configuration(BOOT, report.RUNNING)).configuration() == {"boot": BOOT, "state": "running"}


@pytest.mark.parametrize("letter", ["x", "é", "\0", '"'])
def test_a_configuration_that_is_too_long_loses_messages_first(letter):
    scripts = [script(n, "failed" if n == 5 else "ok", letter * 1500) for n in range(10)]
    key, value = report.configuration(BOOT, report.FAILED, target="configure", failed=["script-5"], scripts=scripts)
    assert len(value) <= report.LIMIT
    found = received((key, value)).configuration()
    assert [s["name"] for s in found["scripts"]] == [s["name"] for s in scripts] and "left_out" not in found
    lengths = {len(s["message"]) for s in found["scripts"]}
    assert lengths in ({403}, {103}) and found["scripts"][0]["message"].endswith(letter + "...")
    assert scripts[0]["message"] == letter * 1500  # its caller's own are as they were


def test_then_the_scripts_that_went_well():
    scripts = [script(n, "failed" if n in (50, 150) else "ok", "x" * 50) for n in range(200)]
    key, value = report.configuration(BOOT, report.FAILED, failed=["script-50", "script-150"], scripts=scripts)
    assert 8000 < len(value) <= report.LIMIT
    found = received((key, value)).configuration()
    names = [s["name"] for s in found["scripts"]]
    assert {"script-0", "script-50", "script-150"} <= set(names) and found["left_out"] == 200 - len(names)
    assert names == [s["name"] for s in scripts if s["name"] in names]  # in the order in which they ran
    assert found["failed"] == ["script-50", "script-150"]


def test_and_then_everything_else_but_how_it_stands():
    names = ["script-%d" % n for n in range(2000)]
    scripts = [script(n, "failed") for n in range(2000)]
    key, value = report.configuration(BOOT, report.FAILED, failed=names, scripts=scripts)
    found = received((key, value)).configuration()
    assert len(value) <= report.LIMIT and found["scripts"] == [] and found["left_out"] == 2000
    assert found["state"] == "failed" and 100 < len(found["failed"]) < 2000 and found["failed"][0] == "script-0"
    key, value = report.configuration(BOOT, report.DONE, target="x" * 9000)
    assert received((key, value)).configuration() == {"boot": BOOT, "state": "done"}


def test_addresses_are_read_as_they_were_told():
    found = [{"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]}]
    key, value = report.interfaces(found)
    assert key == report.ADDRESSES and report.addresses(value) == found
    assert report.addresses(report.interfaces([])[1]) == []


def test_addresses_that_are_too_many_are_left_out():
    found = [{"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24"]}]
    found += [{"name": "bare%d" % n, "mac": "00:16:3e:00:00:02", "addresses": []} for n in range(200)]
    found += [{"name": "eth1", "mac": "00:16:3e:00:00:03", "addresses": ["2001:db8::%x/64" % n for n in range(100)]}]
    value = report.interfaces(found)[1]
    told = report.addresses(value)
    assert 8000 < len(value) <= report.LIMIT and told[:2] == [found[0], found[-1]]
    assert 10 < len(told) < 200
    found = [{"name": "eth%d" % n, "mac": "", "addresses": ["2001:db8::%x/64" % n] * 100} for n in range(9)]
    value = report.interfaces(found)[1]
    told = report.addresses(value)
    assert 8000 < len(value) <= report.LIMIT and told == found[: len(told) - 1] + [
        dict(found[0], name=told[-1]["name"], addresses=told[-1]["addresses"])
    ]
    assert len(found[-1]["addresses"]) == 100  # its caller's own are as they were


@pytest.mark.parametrize("value", [b"", b"\xff", b"null", b"[]", b"7", b"{", b'{"boot":', b"[" * 100000])
def test_what_is_no_report_reports_nothing(value):
    assert not Report({report.GUEST: value}).present
    there = Report(dict([HELLO, (report.held_key(b"k"), value), (report.CONFIGURATION, value)]))
    assert there.holds(b"k", b"v") is False
    assert there.configuration() == {}
    assert report.addresses(value) == []


def test_addresses():
    value = {
        "interfaces": [{"name": "eth0", "mac": "00:16:3E:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]}]
    }
    assert report.addresses(json.dumps(value).encode()) == [
        {"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]}
    ]


def test_odd_addresses_are_left_out():
    value = {"interfaces": [7, {"addresses": 7}, {"name": None, "addresses": [7, "192.0.2.5/24"]}]}
    assert report.addresses(json.dumps(value).encode()) == [
        {"name": "", "mac": "", "addresses": []},
        {"name": "", "mac": "", "addresses": ["192.0.2.5/24"]},
    ]
    assert report.addresses(b'{"interfaces": {}}') == []
    assert report.addresses(None) == []
