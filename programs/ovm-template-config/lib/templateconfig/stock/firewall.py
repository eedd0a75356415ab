# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's firewall, on or off."""

import os
from collections import namedtuple

from .machine import Failed, with_setting
from .parameters import PREFIX, boolean, describe

_KEY = "network.firewall"
_CONFIGURE = [describe(_KEY, "Whether to enable network firewall: True or False.", choices=["True", "False"])]
DESCRIBED = {"configure": _CONFIGURE, "reconfigure": _CONFIGURE}

_UFW, _UFW_SETTINGS = "ufw", "/etc/ufw/ufw.conf"
_UNITS = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
_UFW_RULES = "/etc/ufw/user.rules"


def configure(machine, parameters):
    """Switch on the firewall that is installed, or switch off every one."""
    wanted = boolean(parameters, _KEY)
    if wanted is None:
        return
    installed = [firewall for firewall in _FIREWALLS if _installed(machine, firewall.services[0])]
    if wanted:
        _enable(machine, _chosen(machine, installed))
    else:
        for firewall in installed:
            _disable(machine, firewall)


reconfigure = configure


class _Firewall(namedtuple("_Firewall", ("services", "state", "flush"))):
    """What can be the firewall.

    :ivar list services: the first is the one that counts.
    :ivar list state: a command that fails where it does not work; or None.
    :ivar list flush: a command that takes away the rules that ending its services leaves; or None.
    """

    __slots__ = ()


#: The first that is installed is taken, unless another one is on. Each of them makes the others' rules its own
#: trouble, so there is only one that is on.
_FIREWALLS = (
    _Firewall(["firewalld"], ["firewall-cmd", "--state"], None),
    _Firewall([_UFW], None, None),
    _Firewall(["nftables"], None, None),
    _Firewall(["iptables", "ip6tables"], None, None),
    _Firewall(["netfilter-persistent"], None, ["netfilter-persistent", "flush"]),
)


def _installed(machine, service):
    """Whether there is a service. One that is only another name of another is none: iptables, on Debian."""
    if not machine.service_installed(service):
        return False
    unit = service + ".service"
    paths = [folder + unit for folder in _UNITS]
    links = [link for link in (machine.linked(path) for path in paths) if link]
    return all(os.path.basename(link) in (unit, "null") for link in links)


def _chosen(machine, installed):
    for firewall in installed:
        if _is_on(machine, firewall):
            return firewall
    if not installed:
        raise Failed(
            "%s%s is True, and there is no firewall here: install firewalld, ufw, nftables or iptables' services"
            % (PREFIX, _KEY)
        )
    return installed[0]


def _is_on(machine, firewall):
    if firewall.services[0] == _UFW and not _ufw_on(machine):
        return False
    return machine.service_enabled(firewall.services[0])


def _enable(machine, firewall):
    if firewall.services[0] == _UFW and not _ufw_on(machine):
        _enable_ufw(machine)
    for service in firewall.services:
        if _installed(machine, service):
            machine.enable(service)
    if machine.booted and not machine.check and not _booting(machine):
        # firewalld first says that it has started, and then may find that it cannot work.
        if firewall.state and machine.has(firewall.state[0]):
            machine.output(firewall.state)
        if not machine.service_active(firewall.services[0]):
            raise Failed("%s has ended after its start: see its log" % firewall.services[0])


def _disable(machine, firewall):
    if firewall.services[0] == _UFW and _ufw_on(machine):
        if machine.booted:
            machine.run("switch ufw off", ["ufw", "disable"])
        else:
            _set_ufw(machine, "no")
    for service in firewall.services:
        if _installed(machine, service):
            ended = machine.service_active(service)
            machine.disable(service)
            if ended and firewall.flush:
                machine.run("flush the rules of " + service, firewall.flush)


def _booting(machine):
    """Whether services that were started may still have to wait."""
    return machine.output(["systemctl", "is-system-running"], ok=None).strip() in ("initializing", "starting")


# --- ufw, whose service is always on ----------------------------------------------------


def _ufw_on(machine):
    for line in (machine.read(_UFW_SETTINGS) or "").splitlines():
        if line.partition("=")[0].strip() == "ENABLED":
            return line.partition("=")[2].strip().strip("\"'").lower() == "yes"
    return False


def _enable_ufw(machine):
    # It comes without any rule and then refuses all, which would lock people out.
    if "### tuple ###" not in (machine.read(_UFW_RULES) or ""):
        machine.run("let ssh through ufw", ["ufw", "allow", "22/tcp"])
    if machine.booted:
        machine.run("switch ufw on", ["ufw", "--force", "enable"])
    else:
        _set_ufw(machine, "yes")


def _set_ufw(machine, value):
    machine.write(_UFW_SETTINGS, with_setting(machine.read(_UFW_SETTINGS), "ENABLED", value))
