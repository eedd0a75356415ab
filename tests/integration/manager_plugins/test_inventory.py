# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin, as ansible-inventory and ansible-playbook use it."""

import os
import re

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.tests.integration.manager_plugins.conftest import SECRET
from lab import faults as actions
from lab.daemon import Daemon
from lab.guest import Guest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ETH0 = {"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]}
CONFIGURED = {"target": "configure", "failed": [], "scripts": [{"name": "network", "status": "done", "changed": True}]}


def facts_of(state="done"):
    """What a guest of ours reports."""
    mine = report.held("b1", b"mine", SECRET.encode(), secret=True)
    return [report.guest("b1", "1"), report.interfaces([ETH0]), report.configuration("b1", state, **CONFIGURED), mine]


@pytest.fixture
def web1(make_guest):
    return make_guest("web1")


@pytest.fixture
def db1(make_guest):
    return make_guest("db1")


def test_machines_are_hosts_with_what_their_guests_say(ansible, web1, db1, say):
    say(web1, dict([*facts_of(), (b"app.role", b"front"), (b"blob", b"\xff"), (b"k\xff", b"")]))
    say(web1, {b"mine": SECRET.encode(), b"app.password": SECRET.encode()})
    variables, groups = ansible.inventory("-vvvv")
    assert "Parsed %s inventory source" % (ansible.folder / "ovm.yml") in ansible.output
    assert set(variables) == {"web1", "db1"} and groups["ungrouped"] == ["db1", "web1"]
    told = variables["web1"]
    assert set(told.pop("ovm_times")) == {"app.role", "blob", r"k\xff"}
    assert told == {
        "ansible_host": "192.0.2.5",
        "ovm_id": web1.uuid.replace("-", ""),
        "ovm_name": "web1",
        "ovm_state": "RUNNING",
        "ovm_interfaces": [ETH0],
        "ovm_addresses": ["192.0.2.5", "2001:db8::5"],
        "ovm_received": {"app.role": "front", r"k\xff": ""},
        "ovm_binary_received": {"blob": "/w=="},
        "ovm_masked": ["app.password", "mine"],
        "ovm_report": {"present": True, "boot": "b1", "configuration": dict(CONFIGURED, state="done")},
    }
    nothing = variables["db1"]
    assert "ansible_host" not in nothing and nothing["ovm_addresses"] == [] == nothing["ovm_interfaces"]
    assert nothing["ovm_received"] == {} and nothing["ovm_report"]["present"] is False
    assert SECRET not in ansible.output + ansible.errors
    assert ansible.environment["OVM_PASSWORD"] not in ansible.output + ansible.errors
    assert "[WARNING]" not in ansible.errors and "[DEPRECATION" not in ansible.errors


def test_a_xen_host_needs_no_manager_and_nothing_is_taken_from_xenstore(on_host):
    with Daemon("ocaml") as daemon:  # one without a gateway, which would take what is sent
        guest = Guest(daemon, 5, name="web1")
        with XenStore(guest.path) as store:
            for pair in [*facts_of(), (b"app.role", b"front")]:
                GuestEnd(store).send(Message(*pair), 30)
        on_host.environment["XENSTORED_PATH"] = daemon.path
        variables, _groups = on_host.inventory()
        with XenStore(daemon.path) as store:
            waiting = layout.numbers(store.directory(layout.child(layout.home(5), layout.FROM_GUEST)))
    assert variables["web1"]["ansible_host"] == "192.0.2.5" and variables["web1"]["ovm_received"] == {
        "app.role": "front"
    }
    assert variables["web1"]["ovm_report"]["configuration"]["state"] == "done"
    assert len(waiting) == 5 and not os.path.exists(on_host.environment["OVM_GATEWAY_DIR"])


def test_groups_and_variables_are_made_of_messages(ansible, web1, db1, say):
    say(web1, {b"app.role": b"front", b"app.port": b"8080"})
    say(db1, {b"app.role": b"data base/1", b"app.state": b"down"})
    variables, groups = ansible.inventory(
        keyed_groups=[
            {"key": "ovm_received['app.role']", "prefix": "role", "parent_group": "roles"},
            {"key": "ovm_state | lower", "prefix": "state"},
        ],
        groups={
            "down": "ovm_received['app.state'] | default('up') == 'down'",
            "with_port": "'app.port' in ovm_received",
        },
        compose={
            "app_port": "ovm_received['app.port'] | int",
            "ansible_host": "ovm_name ~ '.example.com'",
            "ansible_ssh_common_args": "'-o HostKeyAlias=' ~ ovm_id",
        },
    )
    assert groups["role_front"] == ["web1"] == groups["with_port"] and groups["role_data_base_1"] == ["db1"]
    assert groups["down"] == ["db1"] and groups["state_running"] == ["db1", "web1"]
    assert groups["roles"] == ["role_data_base_1", "role_front"]
    assert variables["web1"]["app_port"] == 8080 or variables["web1"]["app_port"] == "8080"
    assert variables["web1"]["ansible_host"] == "web1.example.com"
    assert variables["db1"]["ansible_ssh_common_args"] == "-o HostKeyAlias=" + db1.uuid.replace("-", "")


def test_a_play_uses_addresses_and_messages(ansible, web1, db1, say, tell):
    say(web1, {b"app.role": b"front"})
    tell(web1, eth0=["192.0.2.5/24"])
    tell(db1, eth0=["192.0.2.6/24"])
    path = ansible.write({"keyed_groups": [{"key": "ovm_received['app.role']", "prefix": "role"}]})
    [seen] = ansible.play(
        {"ansible.builtin.debug": {"msg": "{{ ansible_host }} {{ ovm_received | to_json }}"}},
        hosts="role_front",
        arguments=["-i", path],
    )
    assert {host: result["msg"] for host, result in seen.items()} == {"web1": '192.0.2.5 {"app.role": "front"}'}


def test_which_machines_become_hosts(ansible, web1, db1, make_guest, say):
    gone = make_guest("gone")
    say(gone, {b"a": b"1"})
    gone.destroy()
    say(web1, dict(facts_of("running")))
    say(db1, dict(facts_of("done")))
    assert set(ansible.inventory()[0]) == {"web1", "db1"}
    variables, _groups = ansible.inventory(states=["STOPPED"], include=["gone"])
    assert [variables[name]["ovm_state"] for name in variables] == ["STOPPED"]
    assert {"web1", "db1", "gone"} <= {name.split("_")[0] for name in ansible.inventory(states=["all"])[0]}
    assert set(ansible.inventory(include=["w*"])[0]) == {"web1"} == set(ansible.inventory(include=[web1.uuid])[0])
    assert set(ansible.inventory(exclude=["w*"])[0]) == {"db1"}
    done = ["ovm_report.configuration.state == 'done'", "true"]
    assert set(ansible.inventory(filters=done)[0]) == {"db1"}
    assert ansible.inventory(include=["nothing"])[0] == {}


def test_conditions_that_cannot_be_evaluated(ansible, web1, db1, say):
    say(web1, {b"app.role": b"front"})
    condition = ["ovm_received['app.role'] == 'front'"]
    assert set(ansible.inventory(filters=condition)[0]) == {"web1"}
    said = ansible.refusal(filters=condition, strict=True)
    assert "the filter 'ovm_received['app.role'] == 'front'' cannot be evaluated for 'db1'" in said
    assert ansible.inventory(filters=["ovm_name"])[0] == {}  # a name is neither true nor false
    assert "the filter 'ovm_name' cannot be evaluated" in ansible.refusal(filters=["ovm_name"], strict=True)
    assert "Could not set x for host" in ansible.refusal(compose={"x": "nothing_of_this_name"}, strict=True)


def test_names_of_hosts(ansible, web1, db1, make_guest, say):
    make_guest("odd name:[1]")
    say(web1, {b"app.fqdn": b"web1.example.com"})
    names = ["ovm_received['app.fqdn']", "'x-' ~ ovm_name if ovm_name == 'db1' else ''"]
    assert set(ansible.inventory(hostnames=names)[0]) == {"web1.example.com", "x-db1", "odd_name_1_"}
    said = ansible.refusal(hostnames=names, strict=True)
    assert "the name 'ovm_received['app.fqdn']' cannot be evaluated for 'db1'" in said


def test_names_that_several_machines_have_or_that_mean_the_controller(ansible, web1, db1, make_guest, say):
    other = make_guest("web1")
    say(db1, {b"app.fqdn": b"localhost"})
    variables, _groups = ansible.inventory(hostnames=["ovm_received['app.fqdn']"])
    ids = {guest: guest.uuid.replace("-", "") for guest in (web1, other, db1)}
    assert set(variables) == {"web1_" + ids[web1], "web1_" + ids[other], "localhost_" + ids[db1]}
    assert variables["web1_" + ids[other]]["ovm_id"] == ids[other]
    assert "ids were appended to them: localhost, web1" in " ".join(ansible.errors.split())


def test_which_address_is_used(ansible, web1, tell):
    tell(web1, docker0=["172.17.0.1/16"], eth0=["192.0.2.5/24", "2001:db8::5/64"], eth1=["198.51.100.5/24"])

    def used(**options):
        return ansible.inventory(**options)[0]["web1"].get("ansible_host")

    assert used() == "172.17.0.1"
    assert used(interfaces=["eth*"]) == "192.0.2.5"
    assert used(networks=["198.51.100.0/24", "192.0.2.0/24"]) == "198.51.100.5"
    assert used(networks=["203.0.113.0/24"]) is None
    assert used(address_families=["ipv6"]) == "2001:db8::5"
    assert used(set_ansible_host=False) is None


def test_an_address_that_two_machines_claim_is_used_for_neither(ansible, web1, db1, tell):
    tell(web1, docker0=["172.17.0.1/16"], eth0=["192.0.2.5/24"])
    tell(db1, eth0=["172.17.0.1/16"])
    variables, _groups = ansible.inventory()
    assert variables["web1"]["ansible_host"] == "192.0.2.5" and "ansible_host" not in variables["db1"]
    said = " ".join(ansible.errors.split())
    assert (
        "'db1' has no ansible_host: other machines claim its address 172.17.0.1, too" in said and "'web1'" not in said
    )
    # Also if the other one is not in the inventory, as far as the manager knows its address.
    variables, _groups = ansible.inventory(include=["db1"])
    assert "ansible_host" not in variables["db1"]


def test_requests_are_few(ansible, web1, db1, say, tell, faults):
    tell(web1, eth0=["192.0.2.5/24"])
    say(web1, {b"a": b"1"})
    ansible.environment.update(OVM_PORT=str(faults.port), OVM_CA_FILE=faults.ca)
    variables, _groups = ansible.inventory(messages="none")
    assert variables["web1"]["ansible_host"] == "192.0.2.5"
    assert set(variables["web1"]) == {"ansible_host"} | {
        "ovm_" + name for name in ("id", "name", "state", "interfaces", "addresses")
    }
    assert [request.path.split("/rest/")[1] for request in faults.requests] == ["Manager", "Vm", "VirtualNic"]
    faults.clear()
    ansible.inventory(include=["web1"])
    assert faults.count("GET", "/messages$") == 1 and faults.count() == 4
    assert faults.count("PUT") == 0 and faults.connections == 1


def test_what_was_sent_and_logged_can_be_had_too(ansible, web1):
    task = {"vm": web1.uuid, "messages": {"app.role": "front", "app.port": "8080"}, "log": True}
    ansible.play({"ovm.messaging.ovm_vm_message": task})
    variables, groups = ansible.inventory(
        messages="both", keyed_groups=[{"key": "ovm_sent['app.role']", "prefix": "role"}]
    )
    assert variables["web1"]["ovm_sent"] == {"app.role": "front", "app.port": "8080"} and groups["role_front"] == [
        "web1"
    ]
    assert all(TIME.fullmatch(time) for time in variables["web1"]["ovm_sent_times"].values())
    assert variables["web1"]["ovm_binary_sent"] == {}


def test_variables_can_have_another_prefix(ansible, web1):
    variables, _groups = ansible.inventory(hostvars_prefix="vm_", filters=["vm_name == 'web1'"])
    assert all(name.startswith("vm_") for name in variables["web1"])
    assert "no variable's name can start with 'vm-': use letters" in ansible.refusal(hostvars_prefix="vm-")


def test_a_manager_that_knows_addresses_by_itself(ansible, web1, faults):
    """As the vendor's does, of guests with the vendor's programs: these report nothing."""
    identity = {"type": "com.oracle.ovm.mgr.ws.model.Vm", "value": web1.uuid, "uri": "https://elsewhere/", "name": None}
    address = {"address": "192.0.2.5", "netmask": "255.255.255.0", "configType": "DHCP", "type": "IPV4"}
    nic = {"id": None, "name": "nic1", "vmId": identity, "macAddress": "00:21:F6:00:00:01", "ipAddresses": [address]}
    faults.add(actions.edit(lambda _answer: [nic]), "GET", "/VirtualNic$")
    ansible.environment.update(OVM_PORT=str(faults.port), OVM_CA_FILE=faults.ca)
    variables, _groups = ansible.inventory()
    assert variables["web1"]["ansible_host"] == "192.0.2.5"
    assert variables["web1"]["ovm_interfaces"] == [
        {"name": "nic1", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.5/24"]}
    ]
