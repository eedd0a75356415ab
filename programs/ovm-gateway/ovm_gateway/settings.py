# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: which settings there are, what they mean and what they are unless set."""

import configparser
import ipaddress
import os
import re

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

#: Where the configuration is unless told otherwise.
PATH = "/etc/ovm-gateway/ovm-gateway.conf"


class BadSettings(Problem):
    """The configuration cannot be used."""

    exit_code = 3


def _path(text):
    if text and not text.startswith("/"):
        raise ValueError("give an absolute path")
    return text


def _number(lowest, highest):
    def parse(text):
        if not re.fullmatch("[0-9]{1,10}", text) or not lowest <= int(text) <= highest:
            raise ValueError("give a whole number from %d to %d" % (lowest, highest))
        return int(text)

    return parse


def _addresses(text):
    found = [part.strip() for part in text.split(",")]
    for part in found:
        if part != "*":
            try:
                ipaddress.ip_address(part)
            except ValueError:
                raise ValueError("give IP addresses separated by commas, or * for all") from None
    return tuple(found)


def _names(text):
    found = [part.strip() for part in text.split(",") if part.strip()]
    for part in found:
        # Into the certificate, and into the addresses in answers.
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", part):
            try:
                ipaddress.ip_address(part)
            except ValueError:
                raise ValueError("give host names or IP addresses, separated by commas") from None
    return tuple(found)


_DAY = 86400
#: Section -> setting -> its default as it would stand in the file, and what reads it.
SETTINGS = {
    "server": {
        "address": ("*", _addresses),
        "port": ("7002", _number(0, 65535)),
        "names": ("", _names),
        "directory": ("/var/lib/ovm-gateway", _path),
        "users": ("/etc/ovm-gateway/users", _path),
        "xenstore": ("", _path),
    },
    "tls": {
        "certificate": ("", _path),
        "key": ("", _path),
        "client_ca": ("", _path),
    },
    "sessions": {
        "idle_seconds": ("1800", _number(1, _DAY)),
        "per_user": ("64", _number(1, 10000)),
    },
    "limits": {
        "connections": ("500", _number(1, 10000)),
        "connections_per_client": ("100", _number(1, 10000)),
        "requests_per_second": ("500", _number(1, 100000)),
        "requests_burst": ("1000", _number(1, 100000)),
        "failed_logins_per_minute": ("10", _number(1, 10000)),
        "header_bytes": ("16384", _number(1024, 1 << 20)),
        "body_bytes": ("1048576", _number(1024, 1 << 30)),
        "request_seconds": ("30", _number(1, 3600)),
        "keep_alive_seconds": ("60", _number(1, 3600)),
        "shutdown_seconds": ("10", _number(1, 600)),
    },
    "retention": {
        "days": ("90", _number(1, 36500)),
        "messages": ("10000", _number(1, 10000000)),
        "events": ("10000", _number(1, 10000000)),
    },
}


class Settings:
    """All settings, as attributes: ``settings.port``, ``settings.body_bytes``...

    Names are unique over all sections, but for retention's, which start with ``retention_``,
    and those of sessions, which start with ``session_``.
    """

    def __init__(self, values=None):
        """:param values: ``{(section, name): text}``; the defaults count for all others."""
        values = values or {}
        for section, settings in SETTINGS.items():
            for name, (default, parse) in settings.items():
                text = values.get((section, name), default)
                try:
                    value = parse(text)
                except ValueError as problem:
                    what = "the setting '%s' in [%s] is '%s'" % (name, section, text)
                    raise BadSettings(what, str(problem)) from None
                setattr(self, _PREFIXES.get(section, "") + name, value)
        if bool(self.certificate) != bool(self.key):
            raise BadSettings("of 'certificate' and 'key' in [tls] only one is set", "set both, or neither")

    @classmethod
    def read(cls, path):
        """Read a configuration file.

        :param str path: the file. The default one may be missing; then all is at its default.
        :raises BadSettings: naming the file and what in it is wrong.
        """
        parser = configparser.RawConfigParser(strict=True, default_section="\0", empty_lines_in_values=False)
        parser.optionxform = str  # setting names are not folded: one spelling
        try:
            with open(path, encoding="utf-8") as stream:
                parser.read_file(stream)
        except FileNotFoundError:
            if path != PATH:
                raise BadSettings("there is no configuration file %s" % path, "make it, or name another") from None
        except OSError as problem:
            raise BadSettings("%s cannot be read (%s)" % (path, problem.strerror), "run this as root") from None
        except (configparser.Error, UnicodeDecodeError) as problem:
            raise BadSettings("%s: %s" % (path, " ".join(str(problem).split())), "mend that line") from None
        values = {}
        for section in parser.sections():
            if section not in SETTINGS:
                raise BadSettings(
                    "%s: there is no section [%s]" % (path, section), "there are: " + ", ".join(sorted(SETTINGS))
                )
            for name, text in parser.items(section):
                if name not in SETTINGS[section]:
                    raise BadSettings(
                        "%s: there is no setting '%s' in [%s]" % (path, name, section),
                        "there are: " + ", ".join(sorted(SETTINGS[section])),
                    )
                values[section, name] = text
        try:
            return cls(values)
        except BadSettings as problem:
            raise BadSettings("%s: %s" % (path, problem.text), problem.remedy) from None

    def in_directory(self, name):
        """The path of a file in the state directory."""
        return os.path.join(self.directory, name)


_PREFIXES = {"retention": "retention_", "sessions": "session_"}
