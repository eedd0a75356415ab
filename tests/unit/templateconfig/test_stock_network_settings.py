# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parameters of the stock script network may be."""

import ipaddress

import pytest

from templateconfig.stock.machine import Failed
from templateconfig.stock.network import settings
from templateconfig.stock.parameters import PREFIX

MAC = "00:16:3e:12:34:56"


def parse(**given):
    """Keys without prefix and number; an underscore for '-'. Those of a second interface end in _1."""
    return settings.parse({full(name): value for name, value in given.items()})


def full(name):
    if name == "hostname":
        return PREFIX + "network.hostname"
    member, _end, number = name.partition("__")
    return "%snetwork.%s.%s" % (PREFIX, member.replace("_", "-"), number or "0")


def one(**given):
    (interface,) = parse(device="eth0", **given).interfaces
    return interface


def text(values):
    return [str(value) for value in values]


# --- what may be ------------------------------------------------------------------------


def test_nothing():
    assert parse() == settings.Settings(None, None, [])
    assert parse(device="", ipaddr=" ", hostname="", host="").interfaces == []


def test_other_keys_are_none_of_ours():
    given = {PREFIX + "network.firewall": "True", PREFIX + "network.color.0": "red", "x.network.device.0": "eth0"}
    assert settings.parse(given) == settings.Settings(None, None, [])


def test_an_interface():
    interface = one(
        hwaddr="00-16-3E-12-34-56",
        mtu="9000",
        onboot="no",
        bootproto="static",
        ipaddr="192.0.2.5",
        netmask="255.255.255.0",
        gateway="192.0.2.1",
        dns_servers="192.0.2.53, 192.0.2.54,192.0.2.53",
        dns_search_domains="example.com.,a.test a.test",
    )
    assert interface.hwaddr == MAC
    assert interface.mtu == 9000
    assert interface.onboot is False
    assert interface.method == settings.STATIC
    assert interface.addresses == [ipaddress.ip_interface("192.0.2.5/24")]
    assert text(interface.gateways) == ["192.0.2.1"]
    assert text(interface.servers) == ["192.0.2.53", "192.0.2.54"]
    assert interface.search == ["example.com", "a.test"]


@pytest.mark.parametrize(
    "given, addresses",
    [
        (dict(ipaddr="192.0.2.5", netmask="24"), ["192.0.2.5/24"]),
        (dict(ipaddr="192.0.2.5/25"), ["192.0.2.5/25"]),
        (dict(ipaddr="192.0.2.5/255.255.255.128"), ["192.0.2.5/25"]),
        (dict(ipaddr="192.0.2.5/32"), ["192.0.2.5/32"]),
        (dict(ipaddr="192.0.2.4/31"), ["192.0.2.4/31"]),
        (dict(ipaddr="2001:DB8:0::5", netmask="64"), ["2001:db8::5/64"]),
        (dict(ipaddr="192.0.2.5,192.0.2.6", netmask="24"), ["192.0.2.5/24", "192.0.2.6/24"]),
        (dict(ipaddr="192.0.2.5,10.0.0.6", netmask="24,8"), ["192.0.2.5/24", "10.0.0.6/8"]),
        (dict(ipaddr="192.0.2.5,2001:db8::5", netmask="255.255.255.0,64"), ["192.0.2.5/24", "2001:db8::5/64"]),
        (dict(ipaddr="2001:db8::5/64,192.0.2.5", netmask="255.255.255.0"), ["2001:db8::5/64", "192.0.2.5/24"]),
    ],
)
def test_addresses(given, addresses):
    assert text(one(**given).addresses) == addresses


@pytest.mark.parametrize(
    "given, method",
    [
        ({}, settings.DHCP),
        (dict(bootproto="DHCP"), settings.DHCP),
        (dict(bootproto="none"), settings.NONE),
        (dict(ipaddr="192.0.2.5/24"), settings.STATIC),
        (dict(ipaddr="192.0.2.5/24", bootproto="none"), settings.STATIC),
    ],
)
def test_methods(given, method):
    assert one(**given).method == method


@pytest.mark.parametrize("value, onboot", [("yes", True), ("True", True), ("NO", False), ("false", False)])
def test_onboot(value, onboot):
    assert one(onboot=value).onboot is onboot


@pytest.mark.parametrize("gateway", ["192.0.2.1", "fe80::1", "2001:db8::1", "192.0.2.1,fe80::1"])
def test_gateways(gateway):
    assert ",".join(text(one(ipaddr="192.0.2.5/24,2001:db8::5/64", gateway=gateway).gateways)) == gateway


@pytest.mark.parametrize("name", ["db1", "db1.example.com", "3com", "a" * 63, "a." * 31 + "bb"])
def test_host_names(name):
    assert parse(hostname=name).hostname == name


def test_lines_for_hosts():
    lines = parse(host="192.0.2.9\tdb2.example.com  db2 # the other", host__7="::5 x_y").hosts
    assert lines == ["192.0.2.9 db2.example.com  db2 # the other", "::5 x_y"]


def test_numbers_need_not_be_in_a_row():
    interfaces = parse(device__3="eth1", device__10="eth2", device__2="eth0").interfaces
    assert [(interface.number, interface.device) for interface in interfaces] == [
        (2, "eth0"),
        (3, "eth1"),
        (10, "eth2"),
    ]


# --- what may not -----------------------------------------------------------------------

STATIC = dict(ipaddr="192.0.2.5", netmask="24")


@pytest.mark.parametrize(
    "given, named, why",
    [
        (dict(device="lo"), "device", "is no network interface"),
        (dict(device="eth0:1"), "device", "several addresses go into one ipaddr"),
        (dict(device="eth0/../x"), "device", "is no network interface"),
        (dict(device="-eth0"), "device", "is no network interface"),
        (dict(device="e" * 16), "device", "15 characters"),
        (dict(device="eth0\nIPADDR=10.0.0.1"), "device", "control character"),
        (dict(hwaddr="00:16:3e:12:34"), "hwaddr", "write it as"),
        (dict(hwaddr="01:16:3e:12:34:56"), "hwaddr", "write it as"),
        (dict(hwaddr="00:00:00:00:00:00"), "hwaddr", "write it as"),
        (dict(device="", hwaddr="", mtu="1500"), "mtu", "give com.oracle.linux.network.device.0 or"),
        (dict(mtu="67"), "mtu", "from 68 to 65535"),
        (dict(mtu="65536"), "mtu", "from 68 to 65535"),
        (dict(mtu="1e3"), "mtu", "from 68 to 65535"),
        (dict(mtu="1279", ipaddr="2001:db8::5/64"), "mtu", "from 1280 to 65535"),
        (dict(onboot="maybe"), "onboot", "yes or no"),
        (dict(bootproto="bootp"), "bootproto", "dhcp, static or none"),
        (dict(bootproto="static"), "ipaddr", "is missing"),
        (dict(bootproto="static", netmask="24"), "ipaddr", "is missing"),
        (dict(bootproto="dhcp", ipaddr="192.0.2.5/24"), "ipaddr", "is dhcp"),
        (dict(bootproto="dhcp", gateway="192.0.2.1"), "gateway", "is dhcp"),
        (dict(netmask="24"), "netmask", "is dhcp"),
        (dict(bootproto="none", netmask="24"), "netmask", "without com.oracle.linux.network.ipaddr.0"),
        (dict(ipaddr="192.0.2.5"), "netmask", "is missing"),
        (dict(ipaddr="192.0.2.5/24", netmask="24"), "netmask", "has a prefix"),
        (dict(ipaddr="192.0.2.5,192.0.2.6,192.0.2.7", netmask="24,24"), "netmask", "one for each address"),
        (dict(ipaddr="192.0.2.256/24"), "ipaddr", "must be an IPv4 or IPv6 address"),
        (dict(ipaddr="192.0.2.05/24"), "ipaddr", "must be an IPv4 or IPv6 address"),
        (dict(ipaddr="fe80::1%eth0/64"), "ipaddr", "must be an IPv4 or IPv6 address"),
        (dict(ipaddr="3221225989/24"), "ipaddr", "must be an IPv4 or IPv6 address"),
        (dict(ipaddr="192.0.2.5/24/24"), "ipaddr", "must be a netmask"),
        (dict(ipaddr="192.0.2.5", netmask="255.0.255.0"), "netmask", "must be a netmask"),
        (dict(ipaddr="192.0.2.5", netmask="0.0.0.255"), "netmask", "must be a netmask"),
        (dict(ipaddr="192.0.2.5", netmask="33"), "netmask", "must be a netmask"),
        (dict(ipaddr="192.0.2.5", netmask="0"), "netmask", "must be a netmask"),
        (dict(ipaddr="2001:db8::5", netmask="129"), "netmask", "must be a netmask"),
        (dict(ipaddr="2001:db8::5", netmask="255.255.255.0"), "netmask", "must be a netmask"),
        (dict(ipaddr="192.0.2.0/24"), "ipaddr", "not of one interface"),
        (dict(ipaddr="192.0.2.255/24"), "ipaddr", "not of one interface"),
        (dict(ipaddr="2001:db8::/64"), "ipaddr", "not of one interface"),
        (dict(ipaddr="127.0.0.1/8"), "ipaddr", "no interface can have"),
        (dict(ipaddr="224.0.0.5/8"), "ipaddr", "no interface can have"),
        (dict(ipaddr="0.0.0.0/8"), "ipaddr", "no interface can have"),
        (dict(STATIC, gateway="gw"), "gateway", "must be an IPv4 or IPv6 address"),
        (dict(STATIC, gateway="192.0.2.1,192.0.2.2"), "gateway", "one address only"),
        (dict(STATIC, gateway="198.51.100.1"), "gateway", "another address in the network"),
        (dict(STATIC, gateway="192.0.2.5"), "gateway", "another address in the network"),
        (dict(STATIC, gateway="fe80::1"), "gateway", "another address in the network"),
        (dict(dns_servers="ns.example.com"), "dns-servers", "addresses of name servers"),
        (dict(dns_servers="0.0.0.0"), "dns-servers", "addresses of name servers"),
        (dict(dns_search_domains="a..b"), "dns-search-domains", "names of domains"),
        (dict(dns_search_domains="a;b"), "dns-search-domains", "names of domains"),
        (dict(dns_search_domains=".".join(["a" * 60] * 5)), "dns-search-domains", "names of domains"),
        (dict(ipaddr="192.0.2.5/24,192.0.2.5/25"), "ipaddr", "in com.oracle.linux.network.ipaddr.0, too"),
        (dict(ipaddr="192.0.2.5/24", device__1="eth1", ipaddr__1="192.0.2.5/24"), "ipaddr__1", "ipaddr.0, too"),
        (dict(host="db2"), "host", "an address and then host names"),
        (dict(host="192.0.2.9"), "host", "an address and then host names"),
        (dict(host="192.0.2.9 a/b"), "host", "an address and then host names"),
        (dict(host="# BEGIN"), "host", "an address and then host names"),
        (dict(host="192.0.2.9 a\n192.0.2.8 b"), "host", "control character"),
        (dict(hostname="a b"), "hostname", "is no host name"),
        (dict(hostname="-a"), "hostname", "is no host name"),
        (dict(hostname="a_b"), "hostname", "is no host name"),
        (dict(hostname="a" * 64), "hostname", "is no host name"),
        (dict(hostname="a." * 32 + "b"), "hostname", "is no host name"),
        (dict(hostname="localhost.localdomain"), "hostname", "is no host name"),
        (dict(hostname="\u00e4"), "hostname", "is no host name"),
    ],
)
def test_refused(given, named, why):
    with pytest.raises(Failed) as failed:
        parse(**dict({"device": "eth0"}, **given))
    assert str(failed.value).startswith(full(named))
    assert why in str(failed.value)


# --- which interface it is --------------------------------------------------------------

PRESENT = {"eth0": "00:16:3e:00:00:00", "eth1": MAC, "eth2": "00:16:3e:00:00:02", "vlan": "00:16:3e:00:00:02"}
THERE = "there is eth0 (00:16:3e:00:00:00), eth1 (%s), eth2 (00:16:3e:00:00:02), vlan (00:16:3e:00:00:02)" % MAC


def found(present=None, **given):
    return [interface.device for interface in settings.find(parse(**given).interfaces, present)]


def test_found():
    assert found(PRESENT, device="eth0", hwaddr__1=MAC) == ["eth0", "eth1"]
    assert found(PRESENT, device="vlan", hwaddr="00:16:3E:00:00:02") == ["vlan"]
    assert found(None, device="eth7", hwaddr=MAC) == ["eth7"]


@pytest.mark.parametrize(
    "present, given, why",
    [
        (PRESENT, dict(device="eth7"), "network.device.0 is 'eth7', which is not here: " + THERE),
        ({}, dict(device="eth7"), "there is no network interface at all"),
        (PRESENT, dict(hwaddr="00:16:3e:00:00:0f"), "network.hwaddr.0: " + THERE),
        (PRESENT, dict(hwaddr="00:16:3e:00:00:02"), "network.device.0 is missing: eth2, vlan all have"),
        (PRESENT, dict(device="eth0", hwaddr=MAC), "network.hwaddr.0 is that of eth1"),
        (PRESENT, dict(device="eth1", hwaddr__1=MAC), "network interfaces 0 and 1 are both eth1"),
        (None, dict(hwaddr=MAC), "network.device.0 is missing"),
    ],
)
def test_not_found(present, given, why):
    with pytest.raises(Failed) as failed:
        found(present, **given)
    assert why in str(failed.value)
