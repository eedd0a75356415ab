# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux: enforcing, permissive or disabled."""

from .machine import Failed, with_setting
from .parameters import PREFIX, choice, describe

_KEY = "selinux"
_MODES = ("enforcing", "permissive", "disabled")
_PARAMETERS = [describe(_KEY, "SELinux mode: enforcing, permissive or disabled.", hidden=True, choices=list(_MODES))]
DESCRIBED = {"configure": _PARAMETERS, "reconfigure": _PARAMETERS}
_CONFIG = "/etc/selinux/config"
_RELABEL = "/.autorelabel"


def configure(machine, parameters):
    """Set the mode for the next boot, and for the running system as far as it can be changed."""
    mode = choice(parameters, _KEY, _MODES)
    if mode is None:
        return
    settings = machine.read(_CONFIG)
    if settings is None:
        if mode != "disabled":
            raise Failed("%s is '%s', but there is no SELinux here: no %s" % (PREFIX + _KEY, mode, _CONFIG))
        return
    if mode != "disabled":
        _check(machine, settings, mode)
        if _setting(settings, "SELINUX") == "disabled" or (machine.live and not machine.selinux_on):
            # Files made without SELinux have no labels; a system with a policy would not let anybody in.
            machine.write(_RELABEL, "")
    machine.write(_CONFIG, with_setting(settings, "SELINUX", mode))
    # One that is on can only be switched off by the next boot; until then it forbids nothing.
    wanted = "1" if mode == "enforcing" else "0"
    if machine.selinux_on and (machine.read("/sys/fs/selinux/enforce") or "").strip() != wanted:
        machine.run("set the running SELinux to " + ("enforcing", "permissive")[wanted == "0"], ["setenforce", wanted])


reconfigure = configure


def _check(machine, settings, mode):
    """Refuse what would leave a system that does not boot, or that has no SELinux all the same."""
    policy = _setting(settings, "SELINUXTYPE") or "targeted"
    if not machine.glob("/etc/selinux/%s/policy/policy.*" % policy):
        raise Failed(
            "%s is '%s', but the policy '%s' is not installed: the system would not boot"
            % (PREFIX + _KEY, mode, policy)
        )
    options = (machine.read("/proc/cmdline") or "").split() if machine.live else []
    if "selinux=0" in options:
        raise Failed(
            "%s is '%s', but the kernel is booted with selinux=0: take that out of its command line"
            % (PREFIX + _KEY, mode)
        )
    if "enforcing=1" in options and mode == "permissive":
        raise Failed(
            "%s is '%s', but the kernel is booted with enforcing=1: take that out of its command line"
            % (PREFIX + _KEY, mode)
        )


def _setting(settings, name):
    found = None
    for line in settings.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == name:
            found = value.strip().strip("\"'").lower()
    return found
