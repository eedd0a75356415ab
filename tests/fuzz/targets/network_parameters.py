# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of the stock script for networks, and the files that are made of them, for each kind of network."""

import configparser
import ipaddress
import re

from fuzz.checks import visible
from fuzz.draw import Draw
from templateconfig.common import Failed
from templateconfig.stock.network import ifcfg, ifupdown, keyfile, netplan, networkd, settings
from templateconfig.stock.parameters import PREFIX

MEMBERS = (*settings._MEMBERS, "host")
WORDS = (
    "eth0", "ens3", "lo", "br-0.1", "00:16:3e:12:34:56", "00-16-3E-12-34-57", "1500", "9000", "yes", "no", "dhcp",
    "static", "none", "192.0.2.5", "192.0.2.5/24", "2001:db8::5/64", "192.0.2.5,198.51.100.7", "255.255.255.0", "24",
    "64", "192.0.2.1", "fe80::1", "192.0.2.53 2001:db8::53", "example.com", "a.b.c, d", "192.0.2.9 db db.example.com",
    "eth0\nDHCP=yes", "eth0; reboot", "$(reboot)", "'", '"', "#", "host1", "host1.example.com", "localhost",
)  # fmt: skip
TOKENS = [word.encode() for word in (*WORDS, *MEMBERS)]
SEEDS = [
    b"",
    b"\x00\x01",
    b"\x01\x00\x60\x00\x01",
    bytes(range(255)),
    b"\x01\x00\x60\x00\x05\x60\x0d\x06\x60\x11" * 9,
    b"\x02\x09\x20\x03" * 40,
]
_GOOD = {
    "device": "eth0", "hwaddr": "00:16:3e:12:34:56", "mtu": "1500", "onboot": "no", "bootproto": "static",
    "ipaddr": "192.0.2.5,2001:db8::5/64", "netmask": "24", "gateway": "192.0.2.1,fe80::1", "dns-servers": "192.0.2.53",
    "dns-search-domains": "example.com", "host": "192.0.2.9 db db.example.com # what it is",
}  # fmt: skip
# What a line of each format may be.
_LINES = {
    "ifcfg": r"(#.*|[A-Z][A-Z0-9_]*=(\"[^\"]*\"|'[^']*'|[^\s\"'\\$`;&|<>()]*))?",
    "ifupdown": r"(#.*|auto \S+|allow-\S+ \S+|iface \S+ \S+ \S+|    [a-z0-9_-]+ [^\n]+)?",
    "networkd": r"(#.*|\[[A-Za-z]+\]|[A-Za-z0-9]+=[^\n]*)?",
    "keyfile": r"(#.*|\[[a-z0-9]+\]|[a-z0-9-]+=[^\n]*)?",
    "netplan": r"(#.*|\s*(- )?[^\n]+)?",
}


def run(data):
    draw = Draw(data)
    parameters = {PREFIX + "network.hostname": draw.text(20, WORDS)} if draw.flag() else {}
    if draw.flag():
        parameters.update(("%snetwork.%s.0" % (PREFIX, member), value) for member, value in _GOOD.items())
    for _number in draw.some(30):
        parameters["%snetwork.%s.%d" % (PREFIX, draw.one_of(MEMBERS), draw.below(3))] = draw.text(40, WORDS)
    try:
        found = settings.parse(parameters)
    except Failed as problem:
        visible(str(problem))
        return
    if found.hostname is not None and not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", found.hostname):
        raise AssertionError("a host is called %a" % found.hostname)
    for line in found.hosts or ():
        ipaddress.ip_address(line.split()[0])
        if re.search("[\x00-\x1f\x7f]", line):
            raise AssertionError("a line for /etc/hosts is %a" % line)
    present = {"eth0": "00:16:3e:12:34:56", "ens3": "00:16:3e:12:34:57"}
    try:
        interfaces = settings.find(found.interfaces, present)
    except Failed:
        return
    for interface in interfaces:
        if interface.device not in present:
            raise AssertionError("an interface that is not there")
        _written(interface)


def _written(interface):
    """See that nothing in a file is more than what it is there for."""
    texts = {
        "ifcfg": ifcfg.ifcfg(interface), "ifupdown": ifupdown.stanzas(interface), "keyfile": keyfile.profile(interface),
        "networkd": networkd.network(interface), "netplan": "\n".join(_flat(netplan.definition(interface))),
    }  # fmt: skip
    for kind, text in texts.items():
        text = text if isinstance(text, str) else "\n".join(text)
        if not text.isascii():
            raise AssertionError("%s: what is not ASCII" % kind)
        for line in text.split("\n"):
            if not re.fullmatch(_LINES[kind], line):
                raise AssertionError("%s: a line is %a" % (kind, line))
    again = configparser.RawConfigParser(strict=False, delimiters="=", interpolation=None)
    again.optionxform = str
    again.read_string(texts["networkd"])
    if again["Match"]["Name"] != interface.device:
        raise AssertionError("the file of another interface")
    count = texts["networkd"].count("\nAddress="), texts["networkd"].count("\nGateway=")
    if count != (len(interface.addresses), len(interface.gateways)):
        raise AssertionError("other addresses than were given: %r" % texts["networkd"])


def _flat(found):
    """The lines of something, whatever it is made of."""
    if isinstance(found, str):
        return found.split("\n")
    if isinstance(found, dict):
        return [line for pair in found.items() for part in pair for line in _flat(part)]
    return [line for part in found for line in _flat(part)] if isinstance(found, (list, tuple)) else [str(found)]
