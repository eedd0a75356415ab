# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""At which of its addresses a machine is to be reached. Pure.

Addresses come from guests, and a guest may claim any. What no machine of a network can have
is passed over, and so is an address that several machines claim: else one of them would be
taken for the other.
"""

import ipaddress
from fnmatch import fnmatchcase

from ..problem import Problem

#: Families of addresses.
IPV4, IPV6 = "ipv4", "ipv6"
_VERSIONS = {IPV4: 4, IPV6: 6}


class BadNetwork(Problem):
    """What was given as a network is none."""


def merged(known: "list[dict]", reported: "list[dict]") -> "list[dict]":
    """A machine's interfaces: as its guest reports them, then those of which only its manager knows.

    An interface is known by its MAC address, without one by its name. In a guest several may have the same MAC
    address: a bond, say, and a VLAN on it. Addresses that the manager has learnt count where the guest reports none.

    :param known: dicts of ``name``, ``mac`` and ``addresses``; so is what is returned.
    """
    result = [dict(interface) for interface in reported]
    added = []
    for nic in known:
        by = "mac" if nic["mac"] else "name"
        same = [interface for interface in result if interface[by] == nic[by]]
        if not same:
            added.append(nic)
        elif not any(interface["addresses"] for interface in same):
            same[0]["addresses"] = nic["addresses"]
    return result + added


def usable(interfaces: "list[dict]") -> "list[tuple]":
    """The addresses at which others may reach a machine, in order.

    :returns: pairs of an interface's name and an IPv4Address or IPv6Address.
    """
    found = []
    for interface in interfaces:
        for text in interface["addresses"]:
            address = _address(text)
            if address is not None and (interface["name"], address) not in found:
                found.append((interface["name"], address))
    return found


class Choice:
    """Which address to prefer.

    :param families: of IPV4 and IPV6, in order of preference; others do not count.
    :param networks: such as ``192.0.2.0/24``, in order of preference; None: any network will do.
    :param interfaces: shell patterns of interfaces' names, in order of preference; None: any will do.
    :raises BadNetwork: one of the networks is none.
    """

    def __init__(self, families=(IPV4, IPV6), networks=None, interfaces=None) -> None:
        self._versions = [_VERSIONS[family] for family in families]
        self._networks = None if networks is None else [_network(text) for text in networks]
        self._interfaces = interfaces

    def best(self, interfaces: "list[dict]", taken=()) -> "str | None":
        """The address to use.

        :param interfaces: dicts of ``name``, ``mac`` and ``addresses``.
        :param taken: addresses that do not count, as text.
        :returns: None where there is none that will do.
        """
        ranked = []
        for place, (name, address) in enumerate(usable(interfaces)):
            rank = [
                _first(self._networks, lambda network, address=address: address in network),
                _first(self._interfaces, lambda pattern, name=name: fnmatchcase(name, pattern)),
                _first(self._versions, lambda version, address=address: address.version == version),
            ]
            if None not in rank and str(address) not in taken:
                ranked.append((rank, place, str(address)))
        return min(ranked)[2] if ranked else None


def _first(wanted, fits):
    """The place of the first that fits, or None; 0 where nothing is wanted."""
    if wanted is None:
        return 0
    return next((place for place, each in enumerate(wanted) if fits(each)), None)


def _network(text):
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        raise BadNetwork("'%s' is no network" % text, "write it as 192.0.2.0/24 or 2001:db8::/32") from None


def _address(text):
    """An address without its network, or None of what is none, or cannot be another machine's."""
    if "%" in text:
        return None  # a zone is this machine's own, and may be any text
    try:
        address = ipaddress.ip_interface(text).ip
    except ValueError:
        return None
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or (address.version == 4 and address.packed[0] == 0)
        or (address.version == 6 and address.ipv4_mapped is not None)
    )
    return None if special else address
