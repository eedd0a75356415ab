# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renderers have in common: each knows one of the services that manage network interfaces."""

from abc import ABC, abstractmethod

#: In the first line of every file that is ours.
MARK = "# Written by ovm-template-config; it writes it anew.\n"


class Renderer(ABC):
    """Makes one service's files.

    :ivar str name: what errors and documentation call the service.
    :ivar bool resolves: whether it keeps /etc/resolv.conf itself.
    """

    name = ""
    resolves = False

    def __init__(self, machine):
        self.machine = machine

    @classmethod
    @abstractmethod
    def used(cls, machine):
        """:returns: whether the service manages this system's network: it is installed, and on."""

    @classmethod
    def usable(cls, machine):
        """:returns: whether it could, where no service does."""
        return cls.used(machine)

    @abstractmethod
    def files(self, interface):
        """What there is to write for an interface.

        :returns: ``{path: text, or None for a file that has to go}``
        """

    def others(self, interface):
        """What defines the same interface and cannot be taken away by files().

        :returns: list of pairs of a description and a command that removes it.
        """
        return []

    def check(self, interfaces):  # noqa: B027 - few have to
        """Refuse what this service cannot do; nothing has been changed yet.

        :raises Failed: saying what.
        """

    def before(self, interfaces):  # noqa: B027 - few have to
        """Called before the files of these interfaces are changed."""

    def after(self, interfaces):  # noqa: B027 - few have to
        """Called when all is written, with those that were changed, if any: tell the service, if it runs already."""

    @classmethod
    @abstractmethod
    def seal(cls, machine):
        """Remove what is ours, and what belongs to this one machine."""

    @staticmethod  # noqa: B027 - few have to
    def mode(path):
        """:returns: the permissions of a file; None: the usual."""


def switched_on(machine, service, script=None):
    """Whether a service starts at boot. Looks at links only, so it works in an image, too.

    :param str service: its unit.
    :param str script: the name of its init script, where it may be one.
    """
    script = script or service
    if machine.linked("/etc/systemd/system/%s.service" % service) == "/dev/null":
        return False
    if machine.service_installed(service):
        folders = ("/etc/systemd/system/*", "/usr/lib/systemd/system/*", "/lib/systemd/system/*")
        if any(machine.glob("%s.%s/%s.service" % (f, k, service)) for f in folders for k in ("wants", "requires")):
            return True
    elif not machine.exists("/etc/init.d/" + script):
        return False
    return any(machine.glob(pattern + script) for pattern in ("/etc/rc[2345S].d/S??", "/etc/rc.d/rc[2345].d/S??"))


def installed(machine, tool):
    """:returns: whether the system has a command, be it an image."""
    return any(machine.exists(folder + tool) for folder in ("/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"))


def yes(value):
    """:returns: a boolean as settings' files spell it."""
    return "yes" if value else "no"


def value_of(content, name, section=None):
    """A value in a file of ``name=value`` lines.

    :param str section: the one that it is in, where the file has sections.
    :returns: the last one's text without quotes, or None.
    """
    found, here = None, None
    for line in content.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            here = line[1:-1]
        key, equals, value = line.partition("=")
        if equals and key.strip() == name and here == section:
            found = value.strip().strip("\"'")
    return found
