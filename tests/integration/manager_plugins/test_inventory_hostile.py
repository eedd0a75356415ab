# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin, with guests that mean harm."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report


@pytest.fixture
def web1(make_guest):
    return make_guest("web1")


@pytest.fixture
def evil(tmp_path):
    """A template that leaves a trace where it is carried out."""
    return "{{ lookup('pipe', 'touch %s') }}" % (tmp_path / "trace")


@pytest.fixture(autouse=True)
def no_trace(tmp_path):
    yield
    assert not (tmp_path / "trace").exists()


def test_no_text_of_a_guest_is_a_template(ansible, web1, say, evil):
    configuration = {"boot": "b1", "state": "done", "target": evil, "failed": [evil], "scripts": [{"message": evil}]}
    say(
        web1,
        dict(
            [
                report.guest("b1", "1"),
                (report.CONFIGURATION, json.dumps(configuration).encode()),
                (report.ADDRESSES, json.dumps({"interfaces": [{"name": evil, "addresses": [evil]}]}).encode()),
                (b"evil", evil.encode()),
                (evil.encode(), b"{% raw %}"),
                (b"half", b"{"),
            ]
        ),
    )
    path = ansible.write(
        {
            "compose": {"copy": "ovm_received['evil']", "made": "ovm_received['evil'] ~ 'x'"},
            "keyed_groups": [{"key": "ovm_received['evil']", "prefix": "is"}],
            "groups": {"odd": "ovm_received['evil'] == 'x' or true"},
            "filters": ["ovm_received['evil'] != ''"],
            "hostnames": ["ovm_received['evil']"],
        }
    )
    told = {"vars": "{{ [ovm_received, ovm_report, ovm_interfaces] }}"}
    [shown, used] = ansible.play(
        {"ansible.builtin.debug": {"msg": [told, "{{ copy }}", "{{ made }}"]}},
        {"ansible.builtin.set_fact": {"again": "{{ ovm_received['evil'] }}{{ copy }}"}},
        hosts="odd",
        arguments=["-i", path, "-vvv"],
    )
    [(host, result)] = shown.items()
    received, told, interfaces = result["msg"][0]["vars"]
    assert received == {"evil": evil, evil: "{% raw %}", "half": "{"} and result["msg"][1:] == [evil, evil + "x"]
    assert told["configuration"]["target"] == evil and told["configuration"]["scripts"] == [{"message": evil}]
    assert interfaces == [{"name": evil, "mac": "", "addresses": [evil]}]
    assert used[host]["ansible_facts"]["again"] == evil * 2
    assert not set(host) & set("{}'()/ ")


def test_guests_cannot_have_anything_but_an_address_connected_to(ansible, web1, say):
    bad = ["127.0.0.1/8", "::1/128", "169.254.169.254/16", "-oProxyCommand=id", "localhost", ""]
    interfaces = [{"name": "eth0", "addresses": [*bad, {"a": 1}, None]}, "x", {"addresses": "192.0.2.9"}]
    say(web1, {report.ADDRESSES: json.dumps({"interfaces": interfaces}).encode()})
    variables, _groups = ansible.inventory()
    assert "ansible_host" not in variables["web1"] and variables["web1"]["ovm_addresses"] == []


@pytest.mark.parametrize(
    "state", [b"\xff", b"[1]", b"null", b"[" * 4000, b'{"boot": {"a": []}}', b'{"boot":"b","state":5}']
)
def test_reports_of_any_shape_do_no_harm(ansible, web1, say, state):
    say(web1, {report.GUEST: state, report.CONFIGURATION: state, report.ADDRESSES: state})
    variables, _groups = ansible.inventory()
    assert variables["web1"]["ovm_report"]["configuration"] == {} and variables["web1"]["ovm_interfaces"] == []


def test_groups_that_guests_name_are_names(ansible, web1, say):
    say(web1, {b"a": b"../../etc", b"b": b"x:y,!z [1]\x1b[2J\n", b"c": "ä{{ 1 }}".encode(), b"d": b"n" * 300})
    keyed = [{"key": "ovm_received['%s']" % key, "prefix": "is"} for key in "abcd"]
    _variables, groups = ansible.inventory(keyed_groups=keyed)
    made = {name for name, hosts in groups.items() if hosts == ["web1"]}
    assert {"is_______etc", "is_x_y__z__1___2J_", "is_" + "n" * 300} < made and len(made) == 4
    assert all(name.replace("ä", "").replace("_", "").isalnum() for name in made)


def test_no_warning_steers_a_terminal(ansible, make_guest, tell):
    for name in ("\x1b[2J\u202eone", "\x1b[2J\u202etwo"):
        tell(make_guest(name), eth0=["192.0.2.5/24"])
    ansible.inventory()
    said = " ".join(ansible.errors.split())
    assert "'\\x1b[2J\\u202eone' has no ansible_host: other machines claim its address 192.0.2.5, too" in said
    assert not {"\x1b", "\u202e"}.intersection(ansible.errors)


def test_a_cache_keeps_what_it_is_given(ansible, web1, say, evil):
    """Text that means something to Ansible's own files, as keys and as values."""
    say(web1, {b"__ansible_vault": b"x", b"__ansible_unsafe": b"y", b"evil": evil.encode()})
    kept = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(ansible.folder / "kept")}
    for _unused in range(2):
        path = ansible.write(kept)
        [shown] = ansible.play(
            {"ansible.builtin.debug": {"msg": "{{ ovm_received | dict2items }}"}}, hosts="all", arguments=["-i", path]
        )
        received = {each["key"]: each["value"] for each in shown["web1"]["msg"]}
        assert received == {"\\x5f_ansible_vault": "x", "\\x5f_ansible_unsafe": "y", "evil": evil}
