# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock, time zone, and who keeps the clock right."""

import re
from collections import namedtuple
from datetime import datetime

from .machine import Failed, with_setting
from .parameters import PREFIX, boolean, describe, text, words

_CLOCK, _ZONE, _UTC = "datetime.datetime", "datetime.timezone", "datetime.utc"
_NTP, _SERVERS, _LOCAL = "datetime.ntp", "datetime.ntp-servers", "datetime.ntp-local-time-source"
_FLAG = dict(hidden=True, choices=["True", "False"])
_PARAMETERS = [
    describe(
        _CLOCK,
        'System date and time in format year-month-day-hour-minute-second, e.g., "2011-4-7-9-2-42".',
        hidden=True,
    ),
    describe(_ZONE, 'System time zone, e.g., "America/New_York".', hidden=True),
    describe(_UTC, "Whether to keep hardware clock in UTC: True or False.", **_FLAG),
    describe(_NTP, "Whether to enable NTP service: True or False.", **_FLAG),
    describe(_SERVERS, 'NTP servers separated by comma, e.g., "time.example.com,0.example.com".', hidden=True),
    describe(_LOCAL, "Whether to enable NTP local time source: True or False.", **_FLAG),
]
DESCRIBED = {"configure": _PARAMETERS, "reconfigure": _PARAMETERS, "cleanup": []}
_ZONES = "/usr/share/zoneinfo/"
#: The last time that the clock was set to. Setting it twice would turn it back.
_DONE = "/var/lib/ovm-template-config/datetime"


def configure(machine, parameters):
    """Time zone first, as the clock is given in it; NTP last, as it keeps what was set."""
    zone = _zone(machine, text(parameters, _ZONE))
    utc, ntp = boolean(parameters, _UTC), boolean(parameters, _NTP)
    clock = _clock(text(parameters, _CLOCK))
    if clock is not None and not machine.live:
        raise Failed("%s%s is given, but this system does not run: leave it out in an image" % (PREFIX, _CLOCK))
    servers = _servers(words(parameters, _SERVERS))
    local = boolean(parameters, _LOCAL)
    keepers, keeper, settings = [], None, []
    if any(value is not None for value in (ntp, servers, local)):
        keepers = _installed(machine)
        keeper = _chosen(machine, keepers)
        settings = _settings(machine, keeper, ntp, servers, local)

    if zone is not None:
        _set_zone(machine, zone)
    if utc is not None:
        _set_utc(machine, utc)
    if clock is not None:
        _set_clock(machine, clock)
    changed = [machine.write(name, content) for name, content in settings]
    if ntp:
        active = machine.service_active(keeper.service)
        machine.enable(keeper.service)
        if any(changed) and active:
            machine.restart(keeper.service)
    elif ntp is None and any(changed):
        machine.restart(keeper.service)
    elif ntp is False:
        for one in keepers:
            machine.disable(one.service)


reconfigure = configure


def cleanup(machine, parameters):
    """Let the clock of a machine that is made of this one be set again."""
    machine.remove(_DONE)


# --- time zone and clock ----------------------------------------------------------------


def _zone(machine, zone):
    if zone is None:
        return None
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", zone):
        raise Failed("%s%s is no time zone: use a name such as Europe/Oslo" % (PREFIX, _ZONE))
    file = _ZONES + zone
    if machine.is_directory(file) or not (machine.read_bytes(file) or b"").startswith(b"TZif"):
        raise Failed("%s%s is '%s', and there is no %s: tzdata has it" % (PREFIX, _ZONE, zone, file))
    return zone


def _set_zone(machine, zone):
    # Before timedatectl, which writes it on some systems.
    if machine.read("/etc/timezone") is not None:
        machine.write("/etc/timezone", zone + "\n")
    now = machine.linked("/etc/localtime")
    if now is not None and now.endswith("/zoneinfo/" + zone):
        return
    done = machine.dbus_works and machine.has("timedatectl")
    if not (done and machine.attempt("set the time zone to " + zone, ["timedatectl", "set-timezone", zone])):
        machine.link("/etc/localtime", ".." + _ZONES + zone)


def _set_utc(machine, utc):
    lines = (machine.read("/etc/adjtime") or "").splitlines()
    if (lines[2:3] == ["LOCAL"]) != utc:
        return
    what = "keep the hardware clock in " + ("UTC" if utc else "local time")
    done = machine.dbus_works and machine.has("timedatectl")
    if done and machine.attempt(what, ["timedatectl", "set-local-rtc", "0" if utc else "1"]):
        return
    lines = (lines[:2] if len(lines) > 1 else ["0.0 0 0.0", "0"]) + ["UTC" if utc else "LOCAL"]
    machine.write("/etc/adjtime", "\n".join(lines) + "\n")


def _clock(value):
    if value is None:
        return None
    try:
        numbers = [int(number) for number in re.fullmatch(r"(\d{4})" + r"-(\d{1,2})" * 5, value).groups()]
        if numbers[0] < 1971:
            raise ValueError
        return datetime(*numbers)
    except (AttributeError, ValueError):
        raise Failed(
            "%s%s is no date and time: use year-month-day-hour-minute-second, as in 2011-4-7-9-2-42" % (PREFIX, _CLOCK)
        ) from None


def _set_clock(machine, clock):
    now = clock.strftime("%Y-%m-%d %H:%M:%S")
    if machine.read(_DONE) == now + "\n":
        return
    machine.run("set the clock", ["date", "--set", now])
    if machine.glob("/dev/rtc*") and machine.has("hwclock"):
        machine.run("set the hardware clock", ["hwclock", "--systohc"])
    machine.write(_DONE, now + "\n")


# --- NTP --------------------------------------------------------------------------------


class _Keeper(namedtuple("_Keeper", ("service", "settings", "form"))):
    """A service that keeps the clock right: its settings' files, of which one is there, and their form."""

    __slots__ = ()


_TIMESYNCD = "timesyncd"
_CHRONY = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
_KEEPERS = (
    _Keeper("chrony", _CHRONY, "chrony"),
    _Keeper("chronyd", _CHRONY, "chrony"),
    _Keeper("ntpsec", ("/etc/ntpsec/ntp.conf",), "ntp"),
    _Keeper("ntpd", ("/etc/ntp.conf",), "ntp"),
    _Keeper("ntp", ("/etc/ntp.conf",), "ntp"),
    _Keeper("systemd-timesyncd", ("/etc/systemd/timesyncd.conf.d/ovm-template-config.conf",), _TIMESYNCD),
)
# The local clock, as a server: what it says is believed where nobody else says anything.
_LOCAL_LINES = {"chrony": ["local stratum 10"], "ntp": ["server 127.127.1.0", "fudge 127.127.1.0 stratum 10"]}
_LOCAL_PATTERN = {"chrony": re.compile(r"\s*local\b"), "ntp": re.compile(r"\s*(server|fudge)\s+127\.127\.1\.\d+\b")}
_SERVER_PATTERN = re.compile(r"\s*(server|pool|peer)\s+(?!127\.127\.)")


def _servers(servers):
    for server in servers or ():
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.:_-]{0,252}[A-Za-z0-9.:])?|::[A-Fa-f0-9:.]+", server):
            raise Failed(
                "%s%s has what is no host name or address: give names or addresses, with commas" % (PREFIX, _SERVERS)
            )
    return servers


def _installed(machine):
    """The services that there are; of a form only the first one, as the others are other names of it."""
    found = {}  # type: dict[str, _Keeper]
    for keeper in _KEEPERS:
        if keeper.form not in found and machine.service_installed(keeper.service):
            found[keeper.form] = keeper
    return list(found.values())


def _chosen(machine, keepers):
    """The one that is in use, else the first that there is."""
    for used in (machine.service_active, machine.service_enabled):
        for keeper in keepers:
            if used(keeper.service):
                return keeper
    return keepers[0] if keepers else None


def _settings(machine, keeper, ntp, servers, local):
    """The settings' files to write.

    :rtype: list of (path, text)
    """
    if keeper is None:
        given = [name for name, value in ((_NTP, ntp), (_SERVERS, servers), (_LOCAL, local)) if value]
        if given:
            raise Failed("%s%s is given, and no NTP service is installed: chrony is one" % (PREFIX, given[0]))
        return []
    if servers is None and local is None:
        return []
    if keeper.form == _TIMESYNCD:
        if local:
            raise Failed("%s%s is True, which systemd-timesyncd cannot do: chrony can" % (PREFIX, _LOCAL))
        path = keeper.settings[0]
        present = machine.read(path) or "[Time]\n"
        return [(path, with_setting(present, "NTP", " ".join(servers)))] if servers else []
    found = [path for path in keeper.settings if machine.exists(path)]
    if not found:
        raise Failed("there is no %s, where %s has its settings" % (keeper.settings[-1], keeper.service))
    content = machine.read(found[0])
    if servers:
        content = _replaced(content, _SERVER_PATTERN, ["server %s iburst" % server for server in servers])
    if local is not None:
        content = _replaced(content, _LOCAL_PATTERN[keeper.form], _LOCAL_LINES[keeper.form] if local else [])
    return [(found[0], content)]


def _replaced(content, pattern, new):
    """A text with lines in place of all that match: where the first of them was, else at the end."""
    lines = content.splitlines()
    place = next((number for number, line in enumerate(lines) if pattern.match(line)), len(lines))
    kept = [[line for line in part if not pattern.match(line)] for part in (lines[:place], lines[place:])]
    return "\n".join(kept[0] + new + kept[1]) + "\n"
