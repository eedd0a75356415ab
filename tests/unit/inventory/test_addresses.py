# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address of a machine is used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.inventory.addresses import (
    IPV4,
    IPV6,
    BadNetwork,
    Choice,
    merged,
    usable,
)


def interface(name, *addresses, mac=""):
    return {"name": name, "mac": mac, "addresses": list(addresses)}


ETH0 = interface("eth0", "192.0.2.5/24", "2001:db8::5/64", mac="00:16:3e:00:00:01")
ETH1 = interface("eth1", "198.51.100.5/24", mac="00:16:3e:00:00:02")
DOCKER = interface("docker0", "172.17.0.1/16")


def test_the_first_address_of_the_first_interface_is_best_and_ipv4_before_ipv6():
    assert Choice().best([ETH0, ETH1]) == "192.0.2.5"
    assert Choice().best([interface("eth0", "2001:db8::5/64"), ETH1]) == "198.51.100.5"
    assert Choice().best([interface("eth0", "2001:db8::5/64")]) == "2001:db8::5"
    assert Choice().best([]) is None


def test_families_are_preferred_in_their_order_and_others_do_not_count():
    assert Choice([IPV6, IPV4]).best([ETH1, ETH0]) == "2001:db8::5"
    assert Choice([IPV6]).best([ETH1]) is None
    assert Choice([]).best([ETH0, ETH1]) is None


def test_networks_are_preferred_in_their_order_and_others_do_not_count():
    choice = Choice(networks=["198.51.100.0/24", "2001:db8::/32"])
    assert choice.best([ETH0, ETH1]) == "198.51.100.5" and choice.best([ETH0]) == "2001:db8::5"
    assert choice.best([DOCKER]) is None
    # A host's address with a prefix names its network; an address alone is a network of one.
    assert Choice(networks=["192.0.2.77/24"]).best([ETH1, ETH0]) == "192.0.2.5"
    assert Choice(networks=["192.0.2.5"]).best([ETH1, ETH0]) == "192.0.2.5"
    assert Choice(networks=[]).best([ETH0]) is None


def test_interfaces_are_preferred_in_their_order_and_others_do_not_count():
    assert Choice(interfaces=["eth1", "eth*"]).best([DOCKER, ETH0, ETH1]) == "198.51.100.5"
    assert Choice(interfaces=["eth1", "eth*"]).best([DOCKER, ETH0]) == "192.0.2.5"
    assert Choice(interfaces=["ens*"]).best([DOCKER, ETH0]) is None


def test_a_network_counts_more_than_an_interface_and_that_more_than_a_family():
    both = [interface("eth0", "2001:db8::5/64"), ETH1]
    assert Choice(interfaces=["eth0", "eth1"]).best(both) == "2001:db8::5"
    choice = Choice(networks=["198.51.100.0/24", "2001:db8::/32"], interfaces=["eth0", "eth1"])
    assert choice.best(both) == "198.51.100.5"


def test_an_address_that_is_taken_does_not_count():
    assert Choice().best([DOCKER, ETH0], taken=["172.17.0.1"]) == "192.0.2.5"
    assert Choice().best([DOCKER], taken=["172.17.0.1"]) is None


@pytest.mark.parametrize("text", ["192.0.2.0/33", "eth0", "", "2001:db8::/129", None])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(BadNetwork, match="is no network: write it as"):
        Choice(networks=[text])


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1/8",
        "127.9.9.9",
        "::1/128",
        "0.0.0.0/0",
        "0.1.2.3/8",
        "::/0",
        "169.254.169.254/16",
        "fe80::1/64",
        "224.0.0.1/4",
        "ff02::1/8",
        "255.255.255.255/32",
        "240.0.0.1/4",
        "::ffff:127.0.0.1/128",
        "::ffff:192.0.2.1/128",
        "2001:db8::1%eth0/64",
        "2001:db8::1%{{ 1 }}",
        "fe80::1%-oProxyCommand=id",
        "-oProxyCommand=id",
        "192.0.2.5/24/24",
        "192.0.2.5 ",
        "localhost",
        "",
        "\ud800",
        "192.0.2.5\n",
    ],
)
def test_what_cannot_be_another_machines_address_is_passed_over(text):
    assert usable([interface("eth0", text)]) == []
    assert Choice().best([interface("eth0", text), ETH1]) == "198.51.100.5"


@given(st.text())
def test_whatever_a_guest_claims_only_addresses_come_out(text):
    best = Choice().best([interface(text, text)])
    assert best is None or all(c in "0123456789abcdef.:" for c in best)


def test_interfaces_are_as_the_guest_reports_them():
    known = [interface("0004fb", "192.0.2.5/24", mac="00:16:3e:00:00:01"), interface("0004fc", mac="00:16:3e:00:00:02")]
    reported = [interface("eth0", "192.0.2.99/24", mac="00:16:3e:00:00:01"), ETH1, DOCKER]
    assert merged(known, reported) == reported
    # Where it reports no address, what the manager has learnt counts.
    assert merged(known, [dict(reported[0], addresses=[])]) == [dict(reported[0], addresses=["192.0.2.5/24"]), known[1]]


def test_interfaces_that_only_one_side_knows_are_kept_once():
    assert merged([], [ETH0, DOCKER]) == [ETH0, DOCKER]
    assert merged([ETH0, DOCKER], []) == [ETH0, DOCKER]
    # ovm-gateway knows interfaces by the guest's report alone.
    assert merged([ETH0, DOCKER], [ETH0, DOCKER]) == [ETH0, DOCKER]
    assert merged([dict(DOCKER, addresses=[])], [DOCKER]) == [DOCKER]


def test_interfaces_with_the_same_mac_address_are_told_apart():
    bond = interface("bond0", "192.0.2.5/24", mac="00:16:3e:00:00:01")
    vlan = interface("bond0.7", "198.51.100.5/24", mac="00:16:3e:00:00:01")
    slave = interface("eth0", mac="00:16:3e:00:00:01")
    nic = interface("nic", "203.0.113.1/24", mac="00:16:3e:00:00:01")
    assert merged([slave, bond, vlan], [slave, bond, vlan]) == [slave, bond, vlan] == merged([nic], [slave, bond, vlan])
    assert merged([slave, dict(vlan)], []) == [slave, vlan]
