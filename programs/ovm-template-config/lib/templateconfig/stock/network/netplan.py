# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan."""

import os
import shutil
import tempfile

from ..machine import Failed
from .ifupdown import forget
from .networkd import reload
from .renderer import MARK, Renderer, installed
from .settings import DHCP

_NETWORKD = "systemd-networkd"
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

    def __init__(self, machine):
        super().__init__(machine)
        self._merged = merged(machine) if self.used(machine) else {}
        self._backend = self._merged.get("renderer") or _NETWORKD
        #: NetworkManager does, networkd does not.
        self.resolves = self._backend == "NetworkManager"

    def files(self, interface):
        result = dict(forget(self.machine, interface.device))
        result[_own(interface.device)] = definition(interface)
        return result

    def others(self, interface):
        device = interface.device
        mac = interface.hwaddr or (self.machine.read("/sys/class/net/%s/address" % device) or "").strip()
        found = []
        for name, defined in _ethernets(self._merged).items():
            match = defined.get("match") or {}
            same_name = device in (match.get("name", "" if match else name), defined.get("set-name"))
            # Definitions for many interfaces stay; ours comes before them.
            if name != _id(device) and (same_name or (mac and match.get("macaddress", "").lower() == mac)):
                found.append(("remove netplan's other definition of " + device, _without(self.machine, name)))
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
        if not interfaces or not machine.booted:
            return
        if machine.service_active(self._backend) and self._backend != _NETWORKD:
            machine.run("apply netplan's settings", ["netplan", "apply"])
            return
        machine.run("make the settings of netplan's services", ["netplan", "generate"])
        if machine.service_active(self._backend):
            # Leaves the other interfaces in peace, as netplan's own way does not.
            reload(machine, interfaces)
            return
        # It is boot. systemd asked netplan which services there are to start before these settings were written.
        machine.run("reload systemd", ["systemctl", "daemon-reload"])
        machine.run("start " + self._backend, ["systemctl", "start", "--no-block", self._backend])

    @staticmethod
    def mode(path):
        return 0o600 if path.startswith(_FOLDER) else None

    @classmethod
    def seal(cls, machine):
        for path in machine.glob(_FOLDER + "90-ovm-*.yaml"):
            machine.remove(path)
        if not cls.used(machine):
            return
        for name, defined in _ethernets(merged(machine)).items():
            match = defined.get("match") or {}
            if not name.startswith(_id("")) and ("macaddress" in match or "addresses" in defined):
                machine.run(
                    "remove netplan's definition '%s', which is of this machine" % name, _without(machine, name)
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
        lines += [
            '        - to: "%s"' % ("0.0.0.0/0" if gateway.version == 4 else "::/0"),
            '          via: "%s"' % gateway,
        ]
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


def merged(machine):
    """What netplan makes of all its files: the members of ``network``, down to where lists begin.

    :rtype: nested dicts of str
    """
    # Its own way of writing YAML, which is a simple one.
    levels = [(-1, {})]
    for line in machine.output(_rooted(machine, "get", "all")).splitlines():
        indent, (name, colon, value) = len(line) - len(line.lstrip()), line.strip().partition(":")
        if not colon or name.startswith(("-", "#")):
            continue
        while indent <= levels[-1][0]:
            levels.pop()
        found = {}
        levels[-1][1][_plain(name)] = _plain(value) or found
        levels.append((indent, found))
    return levels[0][1].get("network") or {}


def _plain(text):
    return text.strip().strip("\"'")


def _ethernets(network):
    found = network.get("ethernets") or {}
    return {name: defined for name, defined in found.items() if isinstance(defined, dict)}


def _without(machine, name):
    """The command that removes a definition, from whatever file it is in."""
    return _rooted(machine, "set", "network.ethernets.%s=null" % name.replace(".", "\\."))


def _rooted(machine, verb, argument):
    # --root-dir may not be the first.
    root = [] if machine.root == "/" else ["--root-dir", machine.root]
    return ["netplan", verb] + root + [argument]


def _id(device):
    # netplan's services take the first that fits, by the names of files that netplan makes of these.
    return "00-ovm-" + device


def _own(device):
    return "%s90-ovm-%s.yaml" % (_FOLDER, device)
