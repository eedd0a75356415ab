# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager, by connection profiles of its own format."""

import uuid

from .ifupdown import forget
from .renderer import MARK, Renderer, switched_on, value_of
from .settings import DHCP, NONE, STATIC

_FOLDER = "/etc/NetworkManager/system-connections/"
_SERVICE = "NetworkManager"
# The highest there is: a profile for any interface has 0 or less.
_PRIORITY = 999


class KeyFile(Renderer):
    """NetworkManager's keyfiles."""

    name = "NetworkManager"
    resolves = True

    @classmethod
    def used(cls, machine):
        return switched_on(machine, _SERVICE, "network-manager")

    def files(self, interface):
        result = dict(forget(self.machine, interface.device))
        result[_own(interface.device)] = profile(interface)
        for path in self.machine.glob(_FOLDER + "*"):
            content = self.machine.read(path) or ""
            if path not in result and value_of(content, "interface-name", "connection") == interface.device:
                result[path] = None
        # Where it reads these, too, the older one of the two would win.
        for path in self.machine.glob("/etc/sysconfig/network-scripts/ifcfg-*"):
            if value_of(self.machine.read(path) or "", "DEVICE") == interface.device:
                result[path] = None
        return result

    def after(self, interfaces):
        activate(self.machine, interfaces)

    @staticmethod
    def mode(path):
        # Else it does not take it.
        return 0o600 if path.startswith(_FOLDER) else None

    @classmethod
    def seal(cls, machine):
        for path in machine.glob(_FOLDER + "*"):
            content = machine.read(path) or ""
            own = path.startswith(_FOLDER + "ovm-")
            wired = value_of(content, "type", "connection") in ("ethernet", "802-3-ethernet")
            bound = value_of(content, "mac-address", "ethernet") or value_of(content, "mac-address", "802-3-ethernet")
            fixed = "manual" in (value_of(content, "method", section) for section in ("ipv4", "ipv6"))
            if own or (wired and (bound or fixed)):
                machine.remove(path)


def activate(machine, interfaces):
    """Let a NetworkManager that runs set up interfaces as their profiles say now."""
    if not interfaces or not machine.service_active(_SERVICE):
        return
    machine.run("load the profiles of NetworkManager", ["nmcli", "connection", "reload"])
    for interface in interfaces:
        if interface.onboot:
            name = profile_name(interface.device)
            machine.run("set up " + interface.device, ["nmcli", "--wait", "60", "connection", "up", "id", name])


def profile_name(device):
    """:returns: what NetworkManager calls our profile of an interface."""
    return "ovm-" + device


def profile(interface):
    """A profile. Every value in it has been checked, and has no character that needs an escape."""
    lines = [
        MARK + "[connection]",
        "id=" + profile_name(interface.device),
        "uuid=%s" % uuid.uuid5(uuid.NAMESPACE_URL, "ovm.messaging/" + interface.device),
        "type=ethernet",
        "interface-name=" + interface.device,
        "autoconnect=" + ("true" if interface.onboot else "false"),
        "autoconnect-priority=%d" % _PRIORITY,
        "",
        "[ethernet]",
    ]
    if interface.hwaddr:
        lines.append("mac-address=" + interface.hwaddr.upper())
    if interface.mtu:
        lines.append("mtu=%d" % interface.mtu)
    for version in (4, 6):
        lines += ["", "[ipv%d]" % version, "method=" + _method(interface, version)]
        for number, address in enumerate(interface.addresses_of(version), 1):
            gateway = interface.gateway_of(version) if number == 1 else None
            lines.append("address%d=%s%s" % (number, address, ",%s" % gateway if gateway else ""))
        servers = [str(server) for server in interface.servers if server.version == version]
        if servers:
            lines.append("dns=%s;" % ";".join(servers))
        # Once will do: in a section that is in use.
        if interface.search and version == (6 if _method(interface, 4) == "disabled" else 4):
            lines.append("dns-search=%s;" % ";".join(interface.search))
    return "\n".join(lines) + "\n"


def _method(interface, version):
    if interface.addresses_of(version):
        return "manual"
    if interface.method == NONE:
        return "disabled" if version == 4 else "ignore"
    if version == 4:
        return "auto" if interface.method == DHCP else "disabled"
    # What routers announce, as everywhere.
    return "auto" if interface.method in (DHCP, STATIC) else "ignore"


def _own(device):
    return "%s%s.nmconnection" % (_FOLDER, profile_name(device))
