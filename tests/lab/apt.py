# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages, fetched and unpacked: nothing needs root, nothing is installed."""

import contextlib
import os
import re
import shutil

from . import LabError
from .making import last_error, run, say

#: Where a Debian release comes from, unless this machine has a mirror.
_MIRRORS = ("http://deb.debian.org/debian {0} main", "http://deb.debian.org/debian-security {0}-security main")
#: The keys of Debian's releases, where this system has them.
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"


def sources(suite):
    """The mirrors of a Debian release that this machine uses, if it uses any.

    :rtype: list of str
    :returns: lines of a sources.list without their options: ``["deb http://deb.debian.org/debian/ bookworm main"]``.
    """
    return sorted("deb " + " ".join(target) for target in _targets() if _belongs(target[1], suite))


def mirrors(suite):
    """Where a Debian release comes from on this system, whatever it is.

    :rtype: list of str
    :returns: lines of a sources.list.
    :raises LabError: its keys are not there; with a remedy.
    """
    own = sources(suite) if os_release().get("VERSION_CODENAME") == suite else None
    return own or _mirrors(suite, _targets())


def options():
    """How apt here reaches its mirrors: proxies, time-outs, checks.

    :returns: lines for an apt.conf.
    """
    lines = run(["apt-config", "dump", "Acquire"]).stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Acquire::IndexTargets"))


def _targets(*options):
    """Each address, suite and component that this machine's apt uses.

    :param options: for apt-get, if other settings than the system's are to count.
    :rtype: set of tuple
    """
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    found = run(["apt-get", *options, "indextargets", "--format", form, "Created-By: Packages"]).stdout
    return {tuple(line.split()) for line in found.splitlines() if len(line.split()) == 3}


def _belongs(name, release):
    """Whether a suite is one of a release's."""
    return re.fullmatch(re.escape(release) + "(-updates|-security)?", name)


def _mirrors(suite, targets):
    """Lines of a sources.list for a Debian release on a system that may be another one.

    :param targets: what its apt uses; see _targets().
    :rtype: list of str
    """
    own = os_release().get("VERSION_CODENAME", "")
    found = {target for target in targets if _belongs(target[1], suite)}
    if not found and own and os_release().get("ID") == "debian":
        # Whoever has one release has all.
        found = {(place, name.replace(own, suite), part) for place, name, part in targets if _belongs(name, own)}
    lines = sorted("%s %s %s" % target for target in found) or [line.format(suite) for line in _MIRRORS]
    keys = [path for path in _KEYS if os.path.exists(path)]
    if not keys:
        raise LabError("this system has not the keys of Debian's packages: install the package debian-archive-keyring")
    return ["deb [signed-by=%s] %s" % (keys[0], line) for line in lines]


def os_release():
    """What /etc/os-release says.

    :rtype: dict
    """
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as stream:
        pairs = [line.rstrip().split("=", 1) for line in stream if "=" in line]
        return {name: value.strip("\"'") for name, value in pairs}
    return {}


class Apt:
    """apt with the system's sources and keys but a state of its own; nothing is ever installed.

    :param str place: folder for all that it makes.
    :param str status: file that says what counts as installed.
    :param str suite: a Debian release, for x86-64, to use instead of this system's own.
    :ivar updated: how reading the package lists went.
    """

    def __init__(self, place, status, suite=None):
        for command in ("apt-get", "apt-cache", "dpkg"):
            if not shutil.which(command):
                raise LabError("there is no %s: use Debian 12 or newer, or Ubuntu; a container will do" % command)
        self._place = place
        architecture = "amd64" if suite else run(["dpkg", "--print-architecture"]).stdout.strip()
        for folder in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(place, folder))
        self._configuration = os.path.join(place, "apt.conf")
        lines = [
            'Dir::State "%s/state";' % place,
            'Dir::State::status "%s";' % status,
            'Dir::Cache "%s/cache";' % place,
            # As root, apt would become another user, who may not write here.
            'APT::Sandbox::User "root";',
            "#clear APT::Architectures;",
            'APT::Architectures { "%s"; };' % architecture,
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
        ]
        # Hooks of the system would touch the system.
        lines += ["#clear APT::Update::%s;" % hook for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")]
        self._configure(lines)
        if suite and os_release().get("VERSION_CODENAME") != suite:
            self._configure(lines + self._foreign(suite))
        whose = suite + "'s" if suite else "this system's"
        say("reading %s package lists (into the cache; the system's own stay as they are)" % whose)
        self.updated = self.run("apt-get", "update")

    def _configure(self, lines):
        with open(self._configuration, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")

    def _foreign(self, suite):
        """Settings for a release that is not this system's."""
        # A system that has never read its lists does not know what it uses.
        targets = _targets()
        if not targets:
            self.run("apt-get", "update")
            targets = _targets("--config-file", self._configuration)
        path = os.path.join(self._place, "sources.list")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(_mirrors(suite, targets)) + "\n")
        return [
            'Dir::Etc::SourceList "%s";' % path,
            'Dir::Etc::SourceParts "/dev/null";',
            # What this system prefers is about its own packages.
            'Dir::Etc::Preferences "/dev/null";',
            'Dir::Etc::PreferencesParts "/dev/null";',
            "#clear APT::Default-Release;",
        ]

    def needed(self, *names):
        """The names of packages and of all that they depend on, without what is installed.

        :rtype: list of str
        """
        plan = self.run("apt-get", "--simulate", "--no-install-recommends", "install", *names)
        # An upgrade has the installed version in square brackets.
        found = re.findall(r"^Inst (\S+) \(", plan.stdout, re.M)
        if plan.returncode or not found:
            raise LabError(
                "apt cannot resolve %s%s: see that /etc/apt is whole"
                % (" ".join(names), last_error(plan if self.updated.returncode == 0 else self.updated))
            )
        return found

    def unpack(self, names):
        """Have these packages in <place>/root."""
        say("fetching %d packages: %s" % (len(names), " ".join(names)))
        debs = os.path.join(self._place, "debs")
        os.mkdir(debs)
        fetched = self.run("apt-get", "download", *names, cwd=debs)
        if fetched.returncode:
            raise LabError(
                "apt could not fetch packages%s: see the mirrors in /etc/apt, and try again" % last_error(fetched)
            )
        for deb in sorted(os.listdir(debs)):
            unpacked = run(["dpkg", "--extract", os.path.join(debs, deb), os.path.join(self._place, "root")])
            if unpacked.returncode:
                raise LabError("cannot unpack %s%s: see that there is space left" % (deb, last_error(unpacked)))

    def run(self, command, *arguments, cwd=None):
        return run([command, "--quiet", "--config-file", self._configuration, *arguments], cwd=cwd)
