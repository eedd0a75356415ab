# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-networkd."""

from ..machine import Failed
from .ifupdown import forget
from .renderer import MARK, Renderer, switched_on, value_of
from .settings import DHCP, key

_FOLDER = "/etc/systemd/network/"
_SERVICE = "systemd-networkd"


class Networkd(Renderer):
    """.network files of systemd-networkd."""

    name = "systemd-networkd"

    @classmethod
    def used(cls, machine):
        return switched_on(machine, _SERVICE)

    @classmethod
    def usable(cls, machine):
        return machine.service_installed(_SERVICE) and (
            machine.linked("/etc/systemd/system/%s.service" % _SERVICE) != "/dev/null"
        )

    def files(self, interface):
        result = dict(forget(self.machine, interface.device))
        for path in self.machine.glob(_FOLDER + "*.network"):
            if value_of(self.machine.read(path) or "", "Name", "Match") == interface.device:
                result[path] = None
        result[_own(interface.device)] = network(interface)
        return result

    def check(self, interfaces):
        for interface in interfaces:
            if not interface.onboot and version(self.machine) < 248:
                raise Failed(
                    "%s is no, which this system's systemd-networkd cannot do: systemd 248 is the first that can"
                    % key("onboot", interface.number)
                )

    def after(self, interfaces):
        machine = self.machine
        if machine.service_active(_SERVICE):
            reload(machine, interfaces)
        elif not switched_on(machine, _SERVICE):
            machine.enable(_SERVICE)

    @classmethod
    def seal(cls, machine):
        for path in machine.glob(_FOLDER + "*.network") + machine.glob(_FOLDER + "*.link"):
            content = machine.read(path) or ""
            fixed = any(line.strip().startswith(("Address=", "MACAddress=", "PermanentMACAddress="))
                        for line in content.splitlines())  # fmt: skip
            if fixed or content.startswith(MARK):
                machine.remove(path)


def reload(machine, interfaces):
    """Let a systemd-networkd that runs set up these interfaces anew."""
    if interfaces and version(machine) < 244:
        machine.restart(_SERVICE)
    elif interfaces:
        machine.run("load the settings of systemd-networkd", ["networkctl", "reload"])
        for interface in interfaces:
            machine.run("set up " + interface.device, ["networkctl", "reconfigure", interface.device])


def network(interface):
    """A .network file. Every value in it has been checked."""
    lines = [MARK + "[Match]", "Name=" + interface.device]
    if interface.hwaddr:
        lines.append("MACAddress=" + interface.hwaddr)
    lines += ["", "[Link]"]
    if interface.mtu:
        lines.append("MTUBytes=%d" % interface.mtu)
    if not interface.onboot:
        lines += ["ActivationPolicy=manual", "RequiredForOnline=no"]
    lines += ["", "[Network]", "DHCP=" + ("ipv4" if interface.method == DHCP else "no")]
    lines += ["Address=%s" % address for address in interface.addresses]
    lines += ["Gateway=%s" % gateway for gateway in interface.gateways]
    if interface.addresses_of(6):
        lines.append("IPv6AcceptRA=no")
    lines += ["DNS=%s" % server for server in interface.servers]
    if interface.search:
        lines.append("Domains=" + " ".join(interface.search))
    return "\n".join(lines) + "\n"


def version(machine):
    """:returns: the number of this system's systemd, told by a library that has it in its name; 0: unknown."""
    numbers = [0]
    for folder in "/usr/lib/systemd", "/lib/systemd", "/usr/lib/*/systemd", "/lib/*/systemd", "/usr/lib64/systemd":
        for path in machine.glob(folder + "/libsystemd-shared-*.so"):
            digits = path.rpartition("-shared-")[2][:3]
            numbers.append(int(digits) if digits.isdigit() else 0)
    return max(numbers)


def _own(device):
    # Before whatever else there may be: the first file that fits counts.
    return "%s05-ovm-%s.network" % (_FOLDER, device)
