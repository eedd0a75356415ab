# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How machines become hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.inventory.hosts import (
    LONGEST,
    good_prefix,
    safe_name,
    unique_names,
    variables,
)

FACTS = {
    "id": "1" * 32,
    "name": "web1",
    "state": "RUNNING",
    "interfaces": [
        {"name": "eth0", "mac": "", "addresses": ["192.0.2.5/24", "::1/128", "2001:db8::5/64"]},
        {"name": "eth1", "mac": "", "addresses": ["192.0.2.5/24"]},
    ],
    "shared": [],
}
MESSAGES = {
    "received": {"text": {"a": "1"}, "binary": {"b": "/w=="}, "times": {"a": "2026-01-31T12:30:00.000Z"}},
    "masked": ["app.password"],
    "report": {"present": False, "boot": "", "configuration": {}},
}
SENT = {"text": {"c": "1"}, "binary": {}, "times": {}}


def test_the_variables_of_a_machine():
    assert variables(FACTS, "ovm_") == {
        "ovm_id": "1" * 32,
        "ovm_name": "web1",
        "ovm_state": "RUNNING",
        "ovm_interfaces": FACTS["interfaces"],
        "ovm_addresses": ["192.0.2.5", "2001:db8::5"],
    }
    told = variables(dict(FACTS, **MESSAGES), "x_")
    assert told["x_received"] == {"a": "1"} and told["x_binary_received"] == {"b": "/w=="}
    assert told["x_times"] == {"a": "2026-01-31T12:30:00.000Z"} and told["x_masked"] == ["app.password"]
    assert told["x_report"] == MESSAGES["report"] and "x_sent" not in told and "x_shared" not in told
    told = variables(dict(FACTS, sent=SENT, **MESSAGES), "")
    assert (told["sent"], told["binary_sent"], told["sent_times"]) == ({"c": "1"}, {}, {})


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("web1", "web1"),
        ("web1.example.com", "web1.example.com"),
        ("db 2", "db_2"),
        ("Straße", "Straße"),
        ("a:b,c!d&e[1:2]", "a_b_c_d_e_1_2_"),
        ("{{ 1 }}", "_1_"),
        ("../../etc/passwd", "_etc_passwd"),
        ("..", "_"),
        ("-oProxyCommand=id", "_oProxyCommand_id"),
        ("@file", "_file"),
        ("~.*", "_"),
        ("a\nb\x1b[2Jc\0", "a_b_2Jc_"),
        ("", ""),
    ],
)
def test_names_lose_what_has_a_meaning_elsewhere(name, host):
    assert safe_name(name) == host


@given(st.text())
def test_no_name_is_anything_else_than_a_name(name):
    host = safe_name(name)
    assert len(host.encode("utf-8")) <= LONGEST and host.isprintable()
    assert not set(host) & set(" \t\n/\\:,!&[]{}()*?|;$`'\"<>#%~") and host[:1] not in ("-", ".", "@", "+")


def test_names_that_several_want_get_ids():
    wanted = [("1", "web"), ("2", "web"), ("3", "db")]
    assert unique_names(wanted) == ({"1": "web_1", "2": "web_2", "3": "db"}, ["web"])
    assert unique_names([]) == ({}, [])


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "all", "ungrouped"])
def test_no_machine_gets_a_name_that_means_something_else(name):
    assert unique_names([("1", name)]) == ({"1": name + "_1"}, [name])


@given(st.lists(st.text(alphabet="12_", max_size=4), max_size=5))
def test_no_two_machines_ever_have_the_same_name(names):
    # Ids and names of the same few characters, so that they meet.
    wanted = [(str(number), name) for number, name in enumerate(names, 1)]
    found, _ambiguous = unique_names(wanted)
    assert len(found) == len(wanted) == len(set(found.values()))


def test_no_machine_is_called_as_the_id_of_another():
    assert unique_names([("1", "2"), ("2", "web")])[0] == {"1": "2_1", "2": "web"}
    assert unique_names([("1", "1")])[0] == {"1": "1"}


@pytest.mark.parametrize(
    ("prefix", "good"), [("ovm_", True), ("_", True), ("A1", True), ("", False), ("1", False), ("a-", False)]
)
def test_prefixes_of_variables(prefix, good):
    assert good_prefix(prefix) == good
