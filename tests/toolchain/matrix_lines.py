# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make matrix` runs: the lines of ansible-core, and the Pythons that each has on controllers and targets.

The one home of these facts. Each run holds it against what the installed ansible-core says of itself, and a test holds
the README against it.
"""

from collections import namedtuple


def minor(version):
    """The number after the first dot: 12 of ``3.12`` and of ``3.12.1``."""
    return int(version.split(".")[1])


def between(first, last):
    """:returns: all Pythons from one to another: ``3.9``, ``3.10``, ``3.11``."""
    return ["3.%d" % number for number in range(minor(first), minor(last) + 1)]


class Line(namedtuple("Line", ("core", "controllers", "targets", "state", "beta"), defaults=(None,))):
    """A line of ansible-core.

    :ivar str core: what its releases start with.
    :ivar list controllers: the Pythons that it runs on, oldest first.
    :ivar list targets: the Pythons that its modules run on and ours are for, oldest first.
    :ivar str state: what upstream does for it.
    :ivar beta: the release to start from where there is no final one, or None.
    """

    __slots__ = ()

    @property
    def requirement(self):
        """What pip is asked for: the newest release of the line."""
        return "ansible-core>=%s,<2.%d" % (self.beta or self.core + ".0", minor(self.core) + 1)


#: From the oldest that meta/runtime.yml admits. Upstream maintains the newest three.
LINES = (
    Line("2.16", between("3.10", "3.12"), between("3.6", "3.12"), "ended; the last for Python 3.6"),
    Line("2.17", between("3.10", "3.12"), between("3.7", "3.12"), "ended; the last for Python 3.7"),
    Line("2.18", between("3.11", "3.13"), between("3.8", "3.13"), "ended"),
    Line("2.19", between("3.11", "3.13"), between("3.8", "3.13"), "maintained; the last for Python 3.8"),
    Line("2.20", between("3.12", "3.14"), between("3.9", "3.14"), "maintained"),
    Line("2.21", between("3.12", "3.14"), between("3.9", "3.14"), "maintained, current"),
    Line("2.22", between("3.13", "3.15"), between("3.9", "3.15"), "release candidate", "2.22.0rc1"),
)
#: The Pythons of all targets.
TARGETS = sorted({version for line in LINES for version in line.targets}, key=minor)
