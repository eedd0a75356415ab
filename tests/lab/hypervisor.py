# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a toolstack asks the hypervisor for, done to the folder that fakexen.c describes.

Everywhere, ``machine`` is that folder and ``domid`` the number of a domain.
"""

import errno
import os
import struct

from . import LabError

#: The size of a domain's XenStore page, in bytes.
PAGE = 4096
#: States of a domain that does not run.
SHUT_DOWN, CRASHED = b"s", b"c"
_PORT_VIRQ = 1
#: The port of a domain in the daemon, less the domain's number.
PORT_BASE = 2


def create(machine, domid):
    """Make a domain: alive, with its page empty.

    :raises LabError: there is such a domain.
    """
    require_free(machine, domid)
    with open(_state(machine, domid), "xb"):
        pass
    with open(page(machine, domid), "wb") as stream:
        stream.truncate(PAGE)


def require_free(machine, domid):
    """:raises LabError: there is such a domain."""
    if os.path.exists(_state(machine, domid)):
        raise LabError("there is a domain %d already: destroy it first, or choose another number" % domid)


def change(machine, domid, state):
    """Stop a domain: SHUT_DOWN or CRASHED. XenStore is told."""
    with open(_state(machine, domid), "wb") as stream:
        stream.write(state)
    _tell(machine)


def destroy(machine, domid):
    """Remove a domain. XenStore is told."""
    for path in (_state(machine, domid), page(machine, domid), notifications(machine, domid)):
        if os.path.lexists(path):
            os.unlink(path)
    _tell(machine)


def page(machine, domid):
    """:returns: the path of the page that a domain shares with XenStore."""
    return os.path.join(machine, "ring-%d" % domid)


def notifications(machine, domid):
    """:returns: the path of the datagram socket on which a domain hears of XenStore's events."""
    return os.path.join(machine, "evt-%d" % domid)


def events(machine):
    """:returns: the path of the FIFO on which the daemon hears of events."""
    return os.path.join(machine, "evtchn")


def _state(machine, domid):
    return os.path.join(machine, "dom-%d" % domid)


def _tell(machine):
    try:
        channel = os.open(events(machine), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno in (errno.ENXIO, errno.ENOENT):
            return  # no daemon runs
        raise
    try:
        os.write(channel, struct.pack("=I", _PORT_VIRQ))
    finally:
        os.close(channel)
