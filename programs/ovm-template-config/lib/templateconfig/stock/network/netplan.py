# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan."""

import fnmatch
import os
import shutil
import tempfile

from ..machine import Failed
from .ifupdown import forget
from .renderer import MARK, Renderer, installed, switched_on
from .settings import DHCP

_FOLDER = "/etc/netplan/"
_FOLDERS = (_FOLDER, "/run/netplan/", "/lib/netplan/", "/usr/lib/netplan/")


class Netplan(Renderer):
    """YAML files of netplan."""

    name = "netplan"

    @classmethod
    def used(cls, machine):
        return cls.usable(machine) and any(machine.glob(folder + "*.yaml") for folder in _FOLDERS)

    @classmethod
    def usable(cls, machine):
        return installed(machine, "netplan")

    @property
    def resolves(self):
        return _backend(_merged(self.machine)) == "NetworkManager"

    def files(self, interface):
        result = dict(forget(self.machine, interface.device))
        result[_own(interface.device)] = definition(interface)
        return result

    def others(self, interface):
        # Those for many interfaces stay. Ours comes before them.
        own, found = _id(interface.device), []
        for name, match in _ethernets(_merged(self.machine)).items():
            of_name = match.get("name", "" if match else name)
            exact = interface.device in (of_name, match.get("set-name")) or (
                match.get("macaddress", "").lower() in self._macs(interface)
            )
            if name != own and exact:
                found.append(
                    (
                        "remove netplan's other definition of " + interface.device,
                        _rooted(self.machine, "set", "network.ethernets.%s=null" % name.replace(".", "\\.")),
                    )
                )
        return found

    def check(self, interfaces):
        """Let netplan look at all of ours, at a place of its own."""
        folder = tempfile.mkdtemp(prefix="ovm-netplan-")
        try:
            os.makedirs(folder + _FOLDER)
            for interface in interfaces:
                path = folder + _own(interface.device)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(definition(interface))
            self.machine.output(["netplan", "generate", "--root-dir", folder])
        except OSError as problem:
            raise Failed("cannot let netplan check its settings: %s" % problem.strerror) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def after(self, interfaces):
        machine = self.machine
        if not machine.booted:
            return
        backend = _backend(_merged(machine))
        if machine.service_active(backend):
            machine.run("apply netplan's settings", ["netplan", "apply"])
            return
        # It is boot. netplan made its services' settings before there were any.
        machine.run("make the settings of netplan's services", ["netplan", "generate"])
        machine.run("reload systemd", ["systemctl", "daemon-reload"])
        if not machine.check and backend == "systemd-networkd":
            machine.output(["systemctl", "start", "--no-block", backend])

    @staticmethod
    def mode(path):
        return 0o600 if path.startswith(_FOLDER) else None

    @classmethod
    def seal(cls, machine):
        for path in machine.glob(_FOLDER + "90-ovm-*.yaml"):
            machine.remove(path)
        if not machine.glob(_FOLDER + "*.yaml"):
            return
        for name, match in _ethernets(_merged(machine)).items():
            if match.get("macaddress") or "addresses" in match:
                machine.run(
                    "remove netplan's definition %s, which is of this machine" % name,
                    _rooted(machine, "set", "network.ethernets.%s=null" % name.replace(".", "\\.")),
                )


def definition(interface):
    """A file. Strings are in quotes; every value has been checked, and has no character that needs an escape."""
    lines = [MARK + "network:", "  version: 2", "  ethernets:", '    "%s":' % _id(interface.device), "      match:"]
    lines.append('        name: "%s"' % interface.device)
    if interface.hwaddr:
        lines.append('        macaddress: "%s"' % interface.hwaddr)
    lines.append("      dhcp4: " + ("true" if interface.method == DHCP else "false"))
    if interface.mtu:
        lines.append("      mtu: %d" % interface.mtu)
    lines += _sequence("      addresses:", interface.addresses)
    if interface.addresses_of(6):
        lines.append("      accept-ra: false")
    if interface.gateways:
        lines.append("      routes:")
    for gateway in interface.gateways:
        # Old versions do not know the word "default".
        lines += ['        - to: "%s"' % ("0.0.0.0/0" if gateway.version == 4 else "::/0"), '          via: "%s"' % gateway]
    if interface.servers or interface.search:
        lines.append("      nameservers:")
        lines += _sequence("        addresses:", interface.servers)
        lines += _sequence("        search:", interface.search)
    if not interface.onboot:
        lines.append('      activation-mode: "manual"')
    return "\n".join(lines) + "\n"


def _sequence(head, values):
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    return [head] * bool(values) + ['%s- "%s"' % (indent, value) for value in values]
