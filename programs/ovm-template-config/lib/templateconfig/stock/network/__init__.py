# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host name, /etc/hosts and network interfaces, by whichever service manages these in the guest."""

from ..machine import Failed
from ..parameters import PREFIX, describe
from . import names
from .ifcfg import Ifcfg, NetworkService
from .ifupdown import IfUpDown
from .keyfile import KeyFile
from .netplan import Netplan
from .networkd import Networkd
from .settings import find, parse

#: In the order in which they are asked whether they manage this system's network. Each is above those that it uses,
#: and above those that are often installed without being used.
RENDERERS = (Netplan, Ifcfg, KeyFile, NetworkService, IfUpDown, Networkd)
_STATIC = {"depends": [PREFIX + "network.bootproto.0=static"]}
_CONFIGURE = [
    describe("network.hostname", 'System host name, e.g., "localhost.localdomain".'),
    describe("network.host.0", 'Hostname entry for /etc/hosts, e.g., "127.0.0.1 localhost".', hidden=True),
    describe("network.device.0", 'Network device to configure, e.g., "eth0".'),
    describe("network.hwaddr.0", 'Network device hardware address, e.g., "00:16:3E:28:0F:4E".', hidden=True),
    describe("network.mtu.0", 'Network device MTU, e.g., "1500".', hidden=True),
    describe("network.onboot.0", "Activate interface on system boot: yes or no.", choices=["yes", "no"]),
    describe("network.bootproto.0", "Boot protocol: dhcp, static or none.", choices=["dhcp", "static", "none"]),
    describe("network.ipaddr.0", "IP address of the interface.", **_STATIC),
    describe("network.netmask.0", "Netmask of the interface.", **_STATIC),
    describe("network.gateway.0", "Gateway IP address.", **_STATIC),
    describe("network.dns-servers.0", 'DNS servers separated by comma, e.g., "8.8.8.8,8.8.4.4".'),
    describe("network.dns-search-domains.0", 'DNS search domains separated by comma, e.g., "us.example.com".'),
]
DESCRIBED = {"configure": _CONFIGURE, "reconfigure": _CONFIGURE, "cleanup": []}

# Who had which address, and by what name this machine was known to whoever gave it.
_LEASES = (
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/dhcpcd.duid",
    "/var/lib/NetworkManager/*.lease",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/NetworkManager/timestamps",
    "/var/lib/dhclient/*",
    "/var/lib/dhcp/*",
    "/var/lib/dhcpcd/*",
    "/var/lib/systemd/network/*",
)


def configure(machine, parameters):
    """Write what is given; where the network is up already, apply it."""
    settings = parse(parameters)
    interfaces, renderer = [], None
    if settings.interfaces:
        interfaces = find(settings.interfaces, _present(machine, settings.interfaces))
        settings = settings._replace(interfaces=interfaces)
        renderer = choose(machine)(machine)
        renderer.check(interfaces)
    hosts = names.hosts(machine, settings) if settings.hostname is not None or settings.hosts is not None else None
    resolv = names.resolv_conf(machine, interfaces) if renderer is not None and not renderer.resolves else None

    if settings.hostname is not None:
        names.set_hostname(machine, settings.hostname)
    if hosts is not None:
        names.set_hosts(machine, hosts)
    if resolv is not None:
        names.set_resolv_conf(machine, resolv)
    if renderer is not None:
        _write(machine, renderer, interfaces)


reconfigure = configure


def cleanup(machine, parameters):
    """Make the files those of any machine. What runs goes on running, so that this works over the network, too."""
    for renderer in RENDERERS:
        renderer.seal(machine)
    for pattern in _LEASES:
        for path in machine.glob(pattern):
            machine.remove(path)
    names.seal(machine)


def choose(machine):
    """The renderer for this system.

    :returns: a class.
    :raises Failed: there is none.
    """
    for question in "used", "usable":
        for renderer in RENDERERS:
            if getattr(renderer, question)(machine):
                return renderer
    raise Failed(
        "nothing here manages network interfaces: install and enable one of NetworkManager, netplan, ifupdown"
        " and systemd-networkd"
    )


def _present(machine, interfaces):
    """The system's interfaces and their MAC addresses; None where it does not run."""
    if not machine.live:
        return None
    present = _interfaces(machine)
    if not all(_there(interface, present) for interface in interfaces) and machine.has("udevadm"):
        # Drivers may still be loading.
        machine.output(["udevadm", "settle", "--timeout=30"], ok=None)
        present = _interfaces(machine)
    return present


def _there(interface, present):
    return interface.device in present if interface.device is not None else interface.hwaddr in present.values()


def _interfaces(machine):
    found = {path.split("/")[4]: machine.read(path) or "" for path in machine.glob("/sys/class/net/*/address")}
    return {name: address.strip().lower() for name, address in found.items() if name != "lo"}


def _write(machine, renderer, interfaces):
    """Do it; the service is told of those that were not yet as they shall be."""
    changed = [interface for interface in interfaces if _differs(machine, renderer, interface)]
    renderer.before(changed)
    for interface in interfaces:
        for description, command in renderer.others(interface):
            machine.run(description, command)
    for interface in interfaces:
        # Only now, as two of them may have a file in common.
        for path, content in renderer.files(interface).items():
            if content is None:
                machine.remove(path)
            else:
                machine.write(path, content, mode=renderer.mode(path))
    renderer.after(changed)


def _differs(machine, renderer, interface):
    files = renderer.files(interface)
    return bool(renderer.others(interface)) or any(machine.read(path) != text for path, text in files.items())
