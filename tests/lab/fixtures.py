# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: real XenStore daemons and guests, fresh for every test.

To have them, ``pytest_plugins = ["lab.fixtures"]`` in a conftest.py.
"""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

from . import parts
from .daemon import KINDS, Daemon
from .gateway import Gateway
from .guest import Guest


@pytest.fixture(scope="session")
def lab_parts():
    """Xen's programs and the shim, made where they are not there yet."""
    return parts.get()


@pytest.fixture(params=KINDS)
def xenstored(request, lab_parts):
    """A running Daemon; the test runs once with each kind."""
    with Daemon(request.param) as daemon:
        yield daemon


@pytest.fixture
def host(xenstored):
    """A connection to it as dom0."""
    with XenStore(xenstored.path) as store:
        yield store


@pytest.fixture
def make_guest(xenstored):
    """A function that makes a Guest: ``make_guest(5, name=None, prepare=True)``."""

    def make(domid=5, **options):
        return Guest(xenstored, domid, **options)

    return make


@pytest.fixture
def guest(make_guest):
    """A Guest with the domain number 5."""
    return make_guest(5)


@pytest.fixture
def host_end(guest, host):
    """The host's end of the channel to that guest."""
    return HostEnd(host, guest.domid)


@pytest.fixture
def no_room(guest, host_end):
    """That guest has no room left in XenStore: messages of the host take it up. How many they are."""
    sent = 0
    with XenStore(guest.path) as store:
        while True:
            for _unused in range(16):
                host_end.send(Message(b"key-%d" % sent, b"value"), 20)
                sent += 1
            try:
                # Together, since that does not wait for room.
                GuestEnd(store).send_together([Message(b"key", b"value")], 20)
            except QuotaExceeded:
                return sent
            for arrival in host_end.inbox.pending():
                host_end.inbox.discard(arrival)


@pytest.fixture
def gateway(xenstored):
    """A running Gateway over that daemon."""
    with Gateway(xenstored) as running:
        yield running
