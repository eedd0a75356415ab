# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a secret may be, and why. Everywhere else it is a leak."""

import re
from collections import namedtuple

#: The kinds of place.
OUTPUT, COMMAND_LINE, ENVIRONMENT, FILE, LEFT, SOCKET, NETWORK, SYSLOG, PROCESSES, XENSTORE, PAGE = KINDS = (
    "output", "command line", "environment", "file written", "file left", "local socket or pipe", "network",
    "syslog", "process list", "XenStore", "page or answer",
)  # fmt: skip


class Allowed(namedtuple("Allowed", ("name", "kinds", "pattern", "who", "why"))):
    """A place where a secret may be.

    :ivar str name: what people call it.
    :ivar tuple kinds: of those above.
    :ivar str pattern: of the place's own name: a path, a variable, what strace calls a socket.
    :ivar str who: who can read it there. For a file this was checked: its mode, or that of a folder that it is in.
    :ivar str why: it has to be there, and how long.
    """

    __slots__ = ()

    def fits(self, kind, place):
        return kind in self.kinds and re.search(self.pattern, place) is not None


ALLOWED = (
    Allowed(
        "the guest's parameter list", (FILE, LEFT), r"/parameters\.db(-wal|-journal|-shm)?$",
        "its owner, root: mode 600", "the guest's programs read it; until it is deleted, wiped, or the guest reboots",
    ),
    Allowed(
        "the gateway's store", (FILE, LEFT), r"/messages\.db(-wal|-journal|-shm)?$",
        "its owner, root: mode 600", "what guests have sent waits for who asks; until its retention ends",
    ),
    Allowed(
        "the gateway's private key", (FILE, LEFT), r"/(key|private)[^/]*\.pem[^/]*$",
        "its owner, root: mode 600", "the gateway proves with it who it is",
    ),
    Allowed(
        "Ansible's temporary files", (FILE,), r"/\.ansible/tmp/ansible-|/ansible-tmp-",
        "the user of the run: mode 600, or in a folder of mode 700", "a module's arguments, until the module has run",
    ),
    Allowed(
        "the manager's password in the environment", (ENVIRONMENT,), r"^OVM_PASSWORD=",
        "the user of the process, and root", "the user has put it there",
    ),
    Allowed(
        "pipes", (SOCKET,), r"^(pipe:|UNIX-|UNIX<|socket:|anon_inode)",
        "the processes at its two ends", "how a process hands a secret to another one, instead of a command line",
    ),
    Allowed(
        "XenStore while a message waits", (XENSTORE,), r"/control/oracle-vmapi/",
        "root in dom0, and in the guest that it is for", "until it is received",
    ),
    Allowed(
        "what the vendor's driver writes to XenStore", (FILE,), r"/ovmapi\.lab/xenstore-writes$",
        "root in dom0, and in the guest: the lab's file stands for XenStore", "until the host has received it",
    ),
    Allowed(
        "pip's settings in the gateway's environment", (FILE, LEFT), r"/venv/pip\.conf$",
        "root: mode 600", "the address of a package index may have a password; until another index is set",
    ),
    Allowed(
        "terminals", (SOCKET,), r"^/dev/(pts|tty)",
        "who sits there", "what was asked for with -g, -l or -q",
    ),
)  # fmt: skip


def reason(kind, place, allowed=ALLOWED):
    """The Allowed that fits a place, or None."""
    return next((each for each in allowed if each.fits(kind, place)), None)


def listed():
    """The list, as a table in Markdown."""
    lines = ["| place | who can read it | why it is there, and how long |", "| --- | --- | --- |"]
    lines += ["| %s | %s | %s |" % (each.name, each.who, each.why) for each in ALLOWED]
    return "\n".join(lines)
