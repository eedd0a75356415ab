# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host name, /etc/hosts and /etc/resolv.conf."""

import ipaddress

from ..machine import with_setting
from .ifupdown import keeps_servers
from .renderer import MARK

_HOSTS, _HOSTNAME, _RESOLV = "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"
_CLASSIC = "/etc/sysconfig/network"
_LOCAL = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
#: The name of a system that has none: systemd, NetworkManager and dhclient all know it as that.
NAMELESS = "localhost"
# Parts of /etc/hosts that are ours.
_SELF, _GIVEN = "this host", "other hosts"


def hosts(machine, settings):
    """What /etc/hosts has to be.

    :rtype: str
    """
    old = machine.read(_HOSTS)
    content = _LOCAL if old is None else old
    if settings.hostname is not None:
        content = "".join(line for line in content.splitlines(True) if line.split()[:1] != ["127.0.1.1"])
        content = _with_part(content, _SELF, _own_line(machine, settings))
    if settings.hosts is not None:
        content = _with_part(content, _GIVEN, settings.hosts)
    return content


def set_hosts(machine, content):
    """Let /etc/hosts be so."""
    machine.write(_HOSTS, content)


def set_hostname(machine, name):
    """Let this be the system's name, now and after the next boot."""
    if machine.read(_CLASSIC) is not None and "HOSTNAME=" in machine.read(_CLASSIC):
        machine.write(_CLASSIC, with_setting(machine.read(_CLASSIC), "HOSTNAME", name))
    written = (machine.read(_HOSTNAME) or "").strip() == name
    now = (machine.read("/proc/sys/kernel/hostname") or "").strip() if machine.live else name
    if written and now == name:
        return
    what = "set the host name"
    possible = machine.dbus_works and machine.has("hostnamectl")
    if possible and machine.attempt(what, ["hostnamectl", "set-hostname", name]):
        return
    machine.write(_HOSTNAME, name + "\n")
    if now != name:
        machine.run(what, ["hostname", name])


def resolv_conf(machine, interfaces):
    """What /etc/resolv.conf has to be where nobody keeps it.

    :returns: str; None where it is to be left alone.
    """
    servers = _unique(server for interface in interfaces for server in interface.servers)
    search = _unique(domain for interface in interfaces for domain in interface.search)
    if not servers and not search or machine.linked(_RESOLV) is not None or keeps_servers(machine):
        return None
    lines = ["search " + " ".join(search)] if search else []
    return MARK + "\n".join(lines + ["nameserver %s" % server for server in servers]) + "\n"


def set_resolv_conf(machine, content):
    """Let /etc/resolv.conf be so."""
    machine.write(_RESOLV, content)


def seal(machine):
    """Take away the name, and what this machine knows of others."""
    name = (machine.read(_HOSTNAME) or "").strip()
    content = machine.read(_HOSTS)
    if content is not None:
        machine.write(_HOSTS, "".join(_sealed(content, [name, name.partition(".")[0]])))
    if name:
        machine.write(_HOSTNAME, NAMELESS + "\n")
    classic = machine.read(_CLASSIC)
    if classic is not None and "HOSTNAME=" in classic:
        machine.write(_CLASSIC, with_setting(classic, "HOSTNAME", NAMELESS))
    if machine.linked(_RESOLV) is None:
        machine.truncate(_RESOLV)


# --- /etc/hosts -------------------------------------------------------------------------


def _own_line(machine, settings):
    """The line that makes the host name resolve: to an address that it has, if that is known."""
    name, short = settings.hostname, settings.hostname.partition(".")[0]
    fixed = [str(address.ip) for interface in settings.interfaces for address in interface.addresses]
    if not fixed and _resolves_itself(machine):
        return []
    return ["%s\t%s" % (fixed[0] if fixed else "127.0.1.1", name + (" " + short if short != name else ""))]


def _resolves_itself(machine):
    for line in (machine.read("/etc/nsswitch.conf") or "").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["hosts:"]:
            return "myhostname" in words
    return False


def _with_part(content, name, lines):
    """The text with a marked part of it being these lines; without the part where there are none."""
    begin, end = _marks(name)
    result, part = [], ["%s\n" % line for line in lines]
    part = [begin] + part + [end] if part else []
    old = content.splitlines(True)
    if old and not old[-1].endswith("\n"):
        old[-1] += "\n"
    if begin in old and end in old[old.index(begin) :]:
        first = old.index(begin)
        last = old.index(end, first)
        result = old[:first] + part + old[last + 1 :]
    else:
        result = old + part
    return "".join(result)


def _marks(name):
    return "# BEGIN ovm-template-config: %s\n" % name, "# END ovm-template-config: %s\n" % name


def _sealed(content, own):
    for name in _SELF, _GIVEN:
        content = _with_part(content, name, [])
    for line in content.splitlines(True):
        words = line.partition("#")[0].split()
        if not words:
            yield line
        elif _everywhere(words[0]):
            kept = [word for word in words[1:] if word not in own or word.startswith("localhost")]
            if kept == words[1:]:
                yield line
            elif kept:
                yield "%s\t%s\n" % (words[0], " ".join(kept))


def _everywhere(word):
    """Whether an address means the same on every machine: this one, or all near it."""
    try:
        address = ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return False
    return address.is_multicast or word == "fe00::0" or address.is_loopback and word != "127.0.1.1"


def _unique(values):
    result = []
    for value in values:
        if value not in result:
            result.append(value)
    return result
