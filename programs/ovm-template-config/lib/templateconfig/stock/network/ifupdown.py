# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's ifupdown: /etc/network/interfaces."""

from ..machine import Failed
from .renderer import MARK, Renderer, installed, switched_on
from .settings import DHCP, NONE, key

_MAIN = "/etc/network/interfaces"
_FOLDER = "/etc/network/interfaces.d/"
_SOURCE = "source /etc/network/interfaces.d/*\n"
_SERVICE = "networking"
# What begins a part of the file. "allow-" has many ends.
_KEYWORDS = (
    "iface",
    "mapping",
    "auto",
    "source",
    "source-directory",
    "template",
    "rename",
    "no-auto-down",
    "no-scripts",
)


class IfUpDown(Renderer):
    """Stanzas of ifupdown."""

    name = "ifupdown"

    @classmethod
    def used(cls, machine):
        return cls.usable(machine) and any(name != "lo" for path in _paths(machine) for name in _defined(machine, path))

    @classmethod
    def usable(cls, machine):
        return installed(machine, "ifquery") and machine.exists(_MAIN) and switched_on(machine, _SERVICE)

    def files(self, interface):
        result = dict(forget(self.machine, interface.device))
        main = result.get(_MAIN, self.machine.read(_MAIN)) or ""
        if not any(line.split()[:1] in (["source"], ["source-directory"]) and "interfaces.d" in line
                   for line in main.splitlines()):  # fmt: skip
            result[_MAIN] = main + ("" if main.endswith("\n") or not main else "\n") + "\n" + _SOURCE
        result[_own(interface.device)] = stanzas(interface)
        return result

    def check(self, interfaces):
        for interface in interfaces:
            if interface.method == DHCP and interface.servers and not keeps_servers(self.machine):
                raise Failed(
                    "%s is given and %s is dhcp: ifupdown can only do both where resolvconf or systemd-resolved is"
                    % (key("dns-servers", interface.number), key("bootproto", interface.number))
                )

    def before(self, interfaces):
        # By the stanzas that it was set up with.
        for interface in self._up(interfaces):
            self.machine.run("take down " + interface.device, ["ifdown", interface.device], ok=None)

    def after(self, interfaces):
        if self.machine.service_active(_SERVICE):
            for interface in interfaces:
                if interface.onboot:
                    self.machine.run("set up " + interface.device, ["ifup", interface.device])

    def _up(self, interfaces):
        if not self.machine.service_active(_SERVICE):
            return []
        state = (self.machine.read("/run/network/ifstate") or "").splitlines()
        up = [line.partition("=")[0] for line in state]
        return [interface for interface in interfaces if interface.device in up]

    @classmethod
    def seal(cls, machine):
        for path in _paths(machine):
            if path.startswith(_FOLDER + "ovm-"):
                machine.remove(path)
                continue
            content = machine.read(path) or ""
            for device in _defined(machine, path, "static"):
                if device != "lo":
                    content = without(content, device)
            machine.write(path, content)


def stanzas(interface):
    """The part of the file for an interface. Every value in it has been checked."""
    lines = ["auto " + interface.device] if interface.onboot else []
    if interface.method == NONE:
        parts = [("inet", "manual", ["up ip link set dev %s up" % interface.device])]
    elif interface.method == DHCP:
        parts = [("inet", "dhcp", [])]
    else:
        parts = [_static(interface, address) for address in interface.addresses]
    if interface.mtu:
        # Not every method knows 'mtu'.
        parts[0][2].append("pre-up ip link set dev %s mtu %d" % (interface.device, interface.mtu))
    if interface.servers:
        parts[0][2].append("dns-nameservers " + " ".join(str(server) for server in interface.servers))
    if interface.search:
        parts[0][2].append("dns-search " + " ".join(interface.search))
    for family, method, options in parts:
        lines.append("iface %s %s %s" % (interface.device, family, method))
        lines += ["    " + option for option in options]
    return MARK + "\n".join(lines) + "\n"


def _static(interface, address):
    options = ["address %s" % address]
    # One gateway, so it stands with the first address of its protocol.
    if interface.addresses_of(address.version)[0] == address and interface.gateway_of(address.version):
        options.append("gateway %s" % interface.gateway_of(address.version))
    if address.version == 6:
        options.append("accept_ra 0")
    return "inet6" if address.version == 6 else "inet", "static", options


def keeps_servers(machine):
    """:returns: whether somebody puts together the name servers of all interfaces."""
    return installed(machine, "resolvconf") or switched_on(machine, "systemd-resolved")


def forget(machine, device):
    """What is to be done that ifupdown leaves an interface to others.

    :returns: ``{path: text}`` of the files that are to be changed; None for those that have to go.
    """
    result = {}
    for path in _paths(machine):
        content = machine.read(path) or ""
        if path == _own(device):
            result[path] = None
        elif without(content, device) != content:
            result[path] = without(content, device)
    return result


def without(content, device):
    """The text of a file without an interface's stanzas."""
    result, skipping = [], False
    for line in _lines(content):
        words = line.split()
        if words and (words[0] in _KEYWORDS or words[0].startswith("allow-")):
            skipping = words[0] == "iface" and words[1:2] == [device]
            if (words[0] == "auto" or words[0].startswith("allow-")) and device in words[1:]:
                rest = [word for word in words[1:] if word != device]
                line = " ".join(words[:1] + rest) + "\n" if rest else ""
        # Comments at the left stay: what they are about may be the next stanza.
        if not skipping or line.startswith("#") or not line.strip():
            result.append(line)
    return "".join(result)


def _lines(content):
    """Its lines, each with those that continue it."""
    result, open_line = [], False
    for line in content.splitlines(True):
        if open_line:
            result[-1] += line
        else:
            result.append(line)
        open_line = line.rstrip("\n").endswith("\\")
    return result


def _defined(machine, path, method=None):
    """:returns: names of the interfaces that a file has stanzas for, perhaps only those of one method."""
    result = []
    for line in (machine.read(path) or "").splitlines():
        words = line.split()
        if words[:1] == ["iface"] and len(words) > 1 and (method is None or method in words[2:]):
            result.append(words[1])
    return result


def _paths(machine):
    return [_MAIN] * machine.exists(_MAIN) + machine.glob(_FOLDER + "*")


def _own(device):
    # Some versions pass over names that have a dot.
    return "%sovm-%s" % (_FOLDER, device.replace(".", "_"))
