# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parameters ask for, checked. Pure: it knows nothing of the system that gets it."""

import ipaddress
import re
from collections import namedtuple

from ..machine import Failed
from ..parameters import PREFIX, indexed, plain, text

DHCP, STATIC, NONE = "dhcp", "static", "none"
# Linux has room for 15 bytes. A colon would be an old alias.
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(r"%s(\.%s)*" % (_LABEL, _LABEL))
_DOMAIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*")
_DOTTED = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}")
_YES, _NO = ("yes", "true", "on"), ("no", "false", "off")


class Settings(namedtuple("Settings", ("hostname", "hosts", "interfaces"))):
    """All that is asked for.

    :ivar str hostname: None where it is not given.
    :ivar list hosts: lines for /etc/hosts; None where there are none.
    :ivar list interfaces: of Interface.
    """

    __slots__ = ()


class Interface(
    namedtuple(
        "Interface",
        ("number", "device", "hwaddr", "mtu", "onboot", "method", "addresses", "gateways", "servers", "search"),
    )
):
    """One network interface, as it shall be.

    :ivar int number: its index in the parameters.
    :ivar str device: its name; None until it is found by its MAC address.
    :ivar str hwaddr: that, in lower case; or None.
    :ivar int mtu: or None.
    :ivar bool onboot: whether it goes up at boot.
    :ivar str method: DHCP, STATIC or NONE.
    :ivar list addresses: of ipaddress.IPv4Interface and IPv6Interface; some where it is STATIC.
    :ivar list gateways: of addresses, one for each of the two protocols at most.
    :ivar list servers: of addresses: name servers.
    :ivar list search: domains.
    """

    __slots__ = ()

    def addresses_of(self, version):
        """:returns: list of its addresses of IPv4 or IPv6."""
        return [address for address in self.addresses if address.version == version]

    def gateway_of(self, version):
        """:returns: its gateway of IPv4 or IPv6, or None."""
        return next((gateway for gateway in self.gateways if gateway.version == version), None)


def key(member, number):
    """:returns: a full key, as errors name it."""
    return "%snetwork.%s.%d" % (PREFIX, member, number)


def parse(parameters):
    """Read the parameters, all of them.

    :rtype: Settings
    :raises Failed: naming the first that is not as it must be, and what it may be.
    """
    members = indexed(parameters, "network")
    hosts = [_hosts_line(found["host"], number) for number, found in members.items() if found.get("host", "").strip()]
    interfaces = [interface for number, found in members.items() for interface in _interface(found, number)]
    _check_together(interfaces)
    return Settings(_hostname(parameters), hosts or None, interfaces)


def find(interfaces, present):
    """Give each interface its device, and see that it is there.

    :param dict present: the names of the system's interfaces and their MAC addresses; None: it cannot be asked.
    :rtype: list of Interface
    :raises Failed: naming those that there are.
    """
    found = [_found(interface, present) for interface in interfaces]
    seen = {}
    for interface in found:
        other = seen.setdefault(interface.device, interface)
        if other is not interface:
            raise Failed(
                "network interfaces %d and %d are both %s: give each interface once; %s takes several addresses"
                % (other.number, interface.number, interface.device, key("ipaddr", other.number))
            )
    return found


# --- names ------------------------------------------------------------------------------


def _hostname(parameters):
    name = text(parameters, "network.hostname")
    if name is None:
        return None
    if not _HOST.fullmatch(name) or len(name) > 64 or name.split(".")[0].lower() == "localhost":
        raise Failed(
            PREFIX + "network.hostname is no host name: use labels of letters, digits and '-' with dots between them,"
            " 64 characters in all, and not 'localhost'"
        )
    return name


def _hosts_line(value, number):
    line = plain(value.replace("\t", " "), key("host", number))
    fields = line.partition("#")[0].split()
    good = len(fields) > 1 and _address(fields[0]) is not None and all(_DOMAIN.fullmatch(name) for name in fields[1:])
    if not good:
        raise Failed("%s is no line for /etc/hosts: give an address and then host names" % key("host", number))
    return line


# --- interfaces -------------------------------------------------------------------------


def _interface(found, number):
    """:returns: list of one Interface, or of none where nothing is said of it."""
    values = {}
    for member in _MEMBERS:
        value = plain(found.get(member, ""), key(member, number))
        if value:
            values[member] = value
    if not values:
        return []
    device, hwaddr = _device(values, number), _hwaddr(values, number)
    if device is None and hwaddr is None:
        raise Failed(
            "%s is given, but not whose it is: give %s or %s, too"
            % (key(next(iter(values)), number), key("device", number), key("hwaddr", number))
        )
    addresses = _addresses(values, number)
    method = _method(values, number, addresses)
    gateways = _gateways(values, number, addresses)
    return [
        Interface(
            number,
            device,
            hwaddr,
            _mtu(values, number, addresses),
            _onboot(values, number),
            method,
            addresses,
            gateways,
            _servers(values, number),
            _search(values, number),
        )
    ]


_MEMBERS = (
    "device",
    "hwaddr",
    "mtu",
    "onboot",
    "bootproto",
    "ipaddr",
    "netmask",
    "gateway",
    "dns-servers",
    "dns-search-domains",
)


def _device(values, number):
    device = values.get("device")
    if device is not None and (not _DEVICE.fullmatch(device) or device == "lo"):
        raise Failed(
            "%s is no network interface: use a name such as eth0, of 15 characters at most" % key("device", number)
            + ("; several addresses go into one ipaddr, with commas" if ":" in device else "")
        )
    return device


def _hwaddr(values, number):
    if "hwaddr" not in values:
        return None
    hwaddr = values["hwaddr"].lower().replace("-", ":")
    if not _MAC.fullmatch(hwaddr) or int(hwaddr[:2], 16) & 1 or hwaddr == "00:00:00:00:00:00":
        raise Failed("%s is no interface's MAC address: write it as 00:16:3e:12:34:56" % key("hwaddr", number))
    return hwaddr


def _mtu(values, number, addresses):
    if "mtu" not in values:
        return None
    # IPv6 does not work over less.
    least = 1280 if any(address.version == 6 for address in addresses) else 68
    if not re.fullmatch(r"[1-9][0-9]{1,4}", values["mtu"]) or not least <= int(values["mtu"]) <= 65535:
        raise Failed("%s must be a number from %d to 65535" % (key("mtu", number), least))
    return int(values["mtu"])


def _onboot(values, number):
    value = values.get("onboot", "yes").lower()
    if value not in _YES + _NO:
        raise Failed("%s must be yes or no" % key("onboot", number))
    return value in _YES


def _method(values, number, addresses):
    given = values.get("bootproto", STATIC if addresses else DHCP).lower()
    if given not in (DHCP, STATIC, NONE):
        raise Failed("%s must be dhcp, static or none" % key("bootproto", number))
    if given == STATIC and not addresses:
        raise Failed("%s is missing: %s is static" % (key("ipaddr", number), key("bootproto", number)))
    for member in ("ipaddr", "netmask", "gateway"):
        if member in values and given == DHCP:
            raise Failed(
                "%s cannot be given, as %s is dhcp: leave it out, or use static"
                % (key(member, number), key("bootproto", number))
            )
        if member in values and not addresses:
            raise Failed("%s is given without %s: give both, or neither" % (key(member, number), key("ipaddr", number)))
    # 'none' with an address is how some settings' files say 'static'.
    return STATIC if addresses else given


def _addresses(values, number):
    """The addresses with their networks.

    Each may have its prefix with it; those without one take the netmasks, one for all or one for each.
    """
    here = key("ipaddr", number)
    given = [address.partition("/") for address in _split(values.get("ipaddr", ""))]
    masks = _split(values.get("netmask", ""))
    bare = [address for address, slash, prefix in given if not slash]
    if bare and not masks:
        raise Failed("%s is missing: %s has an address without a prefix" % (key("netmask", number), here))
    if given and len(masks) not in (1, len(bare)) and masks:
        raise Failed("%s must have one value, or one for each address in %s" % (key("netmask", number), here))
    if given and masks and not bare:
        raise Failed("%s cannot be given, as the address in %s has a prefix" % (key("netmask", number), here))
    masks = iter(masks if len(masks) == len(bare) else masks * len(bare))
    result = []
    for word, slash, prefix in given:
        address = _address(word)
        if address is None:
            raise Failed("%s must be an IPv4 or IPv6 address, or several with commas" % here)
        mask = prefix if slash else next(masks)
        length = _prefix_length(mask, address.version)
        if length is None:
            raise Failed(
                "%s must be a netmask such as 255.255.255.0, or a prefix's length such as 24 (IPv6: 64)"
                % (here if slash else key("netmask", number))
            )
        found = ipaddress.ip_interface("%s/%d" % (address, length))
        _check_address(found, here)
        result.append(found)
    return result


def _check_address(found, here):
    network, address = found.network, found.ip
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise Failed("%s has an address that no interface can have" % here)
    whole = network.prefixlen >= network.max_prefixlen - 1
    if not whole and (
        address == network.network_address or found.version == 4 and address == network.broadcast_address
    ):
        raise Failed("%s has the address of a network, or of all in it, and not of one interface" % here)


def _gateways(values, number, addresses):
    here, result = key("gateway", number), []
    for word in _split(values.get("gateway", "")):
        gateway = _address(word)
        if gateway is None:
            raise Failed("%s must be an IPv4 or IPv6 address" % here)
        if any(gateway.version == other.version for other in result):
            raise Failed("%s must have one address only, or one of IPv4 and one of IPv6" % here)
        mine = [address for address in addresses if address.version == gateway.version]
        near = gateway.version == 6 and gateway.is_link_local or any(gateway in address.network for address in mine)
        if not mine or not near or any(gateway == address.ip for address in mine):
            raise Failed("%s must be another address in the network of %s" % (here, key("ipaddr", number)))
        result.append(gateway)
    return result


def _servers(values, number):
    result = []
    for word in _split(values.get("dns-servers", "")):
        server = _address(word)
        if server is None or server.is_multicast or server.is_unspecified:
            raise Failed("%s must be addresses of name servers, with commas" % key("dns-servers", number))
        if server not in result:
            result.append(server)
    return result


def _search(values, number):
    result = []
    for word in _split(values.get("dns-search-domains", "")):
        domain = word.rstrip(".")
        if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
            raise Failed("%s must be names of domains, with commas" % key("dns-search-domains", number))
        if domain not in result:
            result.append(domain)
    return result


def _check_together(interfaces):
    seen = {}
    for interface in interfaces:
        for address in interface.addresses:
            other = seen.setdefault(address.ip, interface)
            # also twice in one
            if other is not interface or [one.ip for one in interface.addresses].count(address.ip) > 1:
                raise Failed(
                    "%s has an address that is in %s, too"
                    % (key("ipaddr", interface.number), key("ipaddr", other.number))
                )


def _found(interface, present):
    device, hwaddr = interface.device, interface.hwaddr
    names = key("device", interface.number), key("hwaddr", interface.number)
    if present is None:
        if device is None:
            raise Failed("%s is missing: a system that does not run has no interfaces to search" % names[0])
        return interface
    there = "there is " + ", ".join("%s (%s)" % (name, present[name]) for name in sorted(present))
    if not present:
        there = "there is no network interface at all"
    if device is not None and device not in present:
        raise Failed("%s is '%s', which is not here: %s" % (names[0], device, there))
    if hwaddr is None:
        return interface
    named = [name for name in sorted(present) if present[name] == hwaddr]
    if not named:
        raise Failed("no interface has the MAC address of %s: %s" % (names[1], there))
    if device is None:
        if len(named) > 1:
            raise Failed("%s is missing: %s all have the MAC address of %s" % (names[0], ", ".join(named), names[1]))
        device = named[0]
    elif device not in named:
        raise Failed(
            "%s is '%s', but the MAC address of %s is that of %s" % (names[0], device, names[1], " and ".join(named))
        )
    return interface._replace(device=device)


# --- details ----------------------------------------------------------------------------


def _split(value):
    return value.replace(",", " ").split()


def _address(word):
    """:returns: an address; None where it is none. Stricter than ipaddress, which in old Pythons takes 010 for 10."""
    if ":" not in word and not _DOTTED.fullmatch(word):
        return None
    try:
        return ipaddress.ip_address(word) if "%" not in word else None
    except ValueError:
        return None


def _prefix_length(mask, version):
    """:returns: the length that a netmask or a prefix stands for; None where it is none."""
    longest = 32 if version == 4 else 128
    if re.fullmatch(r"[1-9][0-9]{0,2}", mask):
        return int(mask) if int(mask) <= longest else None
    dotted = _address(mask) if version == 4 else None
    if dotted is None or dotted.version != 4:
        return None
    bits = "{:032b}".format(int(dotted))
    return bits.count("1") if re.fullmatch("1+0*", bits) else None
