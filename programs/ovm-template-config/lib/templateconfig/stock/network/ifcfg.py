# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RHEL family's ifcfg files: for NetworkManager up to release 8, and for the service 'network'."""

from .keyfile import activate, profile_name
from .renderer import MARK, Renderer, switched_on, value_of, yes
from .settings import DHCP

_FOLDER = "/etc/sysconfig/network-scripts/"
# What ties a file to one machine's interface.
_BOUND = ("HWADDR", "UUID")
_KEYFILES = "/etc/NetworkManager/system-connections/*"


class Ifcfg(Renderer):
    """ifcfg files, read by NetworkManager."""

    name = "NetworkManager with ifcfg files"
    resolves = True

    @classmethod
    def used(cls, machine):
        return _release(machine) < 9 and machine.is_directory(_FOLDER) and switched_on(machine, "NetworkManager")

    def files(self, interface):
        result = {}
        for path in self.machine.glob(_FOLDER + "ifcfg-*"):
            if value_of(self.machine.read(path) or "", "DEVICE") == interface.device:
                result[path] = None
        for path in self.machine.glob(_KEYFILES):
            content = self.machine.read(path) or ""
            if value_of(content, "interface-name", "connection") == interface.device:
                result[path] = None
        result[_FOLDER + "ifcfg-" + interface.device] = ifcfg(interface)
        return result

    def after(self, interfaces):
        activate(self.machine, interfaces)

    @classmethod
    def seal(cls, machine):
        for path in machine.glob(_FOLDER + "ifcfg-*"):
            content = machine.read(path) or ""
            if path == _FOLDER + "ifcfg-lo":
                continue
            if content.startswith(MARK) or value_of(content, "IPADDR") or value_of(content, "IPADDR0"):
                machine.remove(path)
            else:
                lines = content.splitlines(True)
                machine.write(path, "".join(line for line in lines if line.partition("=")[0].strip() not in _BOUND))


class NetworkService(Ifcfg):
    """ifcfg files, read by the init script 'network'."""

    name = "the service 'network'"

    @classmethod
    def used(cls, machine):
        return machine.exists(_FOLDER + "ifup-eth") and switched_on(machine, "network")

    @classmethod
    def usable(cls, machine):
        return False

    def before(self, interfaces):
        # By the files that it was set up with.
        if self.machine.service_active("network"):
            for interface in interfaces:
                self.machine.run("take down " + interface.device, ["ifdown", interface.device], ok=None)

    def after(self, interfaces):
        if self.machine.service_active("network"):
            for interface in interfaces:
                if interface.onboot:
                    self.machine.run("set up " + interface.device, ["ifup", interface.device])


def ifcfg(interface):
    """A file. Every value in it has been checked, and only lists need quotes."""
    lines = [
        MARK + "DEVICE=" + interface.device,
        "NAME=" + profile_name(interface.device),
        "TYPE=Ethernet",
        "ONBOOT=" + yes(interface.onboot),
        "BOOTPROTO=" + ("dhcp" if interface.method == DHCP else "none"),
    ]
    if interface.hwaddr:
        lines.append("HWADDR=" + interface.hwaddr.upper())
    if interface.mtu:
        lines.append("MTU=%d" % interface.mtu)
    for number, address in enumerate(interface.addresses_of(4)):
        end = str(number or "")
        lines += ["IPADDR%s=%s" % (end, address.ip), "PREFIX%s=%d" % (end, address.network.prefixlen)]
    if interface.gateway_of(4):
        lines.append("GATEWAY=%s" % interface.gateway_of(4))
    six = [str(address) for address in interface.addresses_of(6)]
    lines.append("IPV6INIT=" + yes(six or interface.addresses or interface.method == DHCP))
    if six:
        lines += ["IPV6_AUTOCONF=no", "IPV6ADDR=" + six[0]]
    if six[1:]:
        lines.append('IPV6ADDR_SECONDARIES="%s"' % " ".join(six[1:]))
    if interface.gateway_of(6):
        gateway = interface.gateway_of(6)
        lines.append("IPV6_DEFAULTGW=%s%s" % (gateway, "%" + interface.device if gateway.is_link_local else ""))
    lines += ["DNS%d=%s" % (number, server) for number, server in enumerate(interface.servers, 1)]
    if interface.search:
        lines.append('DOMAIN="%s"' % " ".join(interface.search))
    return "\n".join(lines) + "\n"


def _release(machine):
    """:returns: the major release of a system of the RHEL family; what has no such number is newer than all."""
    content = machine.read("/etc/os-release") or machine.read("/usr/lib/os-release") or ""
    number = (value_of(content, "VERSION_ID") or "").partition(".")[0]
    old = machine.family == "redhat" and value_of(content, "ID") != "fedora" and number.isdigit()
    return int(number) if old else 99
