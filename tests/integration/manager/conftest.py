# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Manager that talks to the real gateway through a proxy, in which the tests have faults happen.

Starting a gateway takes longer than most of these tests: those of a file share one, and its
daemon. Each test has guests of its own, and a proxy.
"""

import itertools
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from lab.daemon import KINDS, Daemon
from lab.faults import Faults
from lab.gateway import Gateway
from lab.guest import Guest

#: Seconds, as real time goes, that no call may take in any test.
PATIENCE = 30
#: The limits of a gateway that many tests share are not theirs to run into.
ROOMY = {
    "limits.requests_per_second": 100000,
    "limits.requests_burst": 100000,
    "limits.failed_logins_per_minute": 1000,
    "sessions.per_user": 10000,
}


@pytest.fixture(scope="module", params=KINDS)
def xenstored(request, lab_parts):
    """A running Daemon; each test runs once with each kind."""
    with Daemon(request.param) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(xenstored):
    """A running Gateway over that daemon."""
    with Gateway(xenstored, options=ROOMY) as running:
        yield running


@pytest.fixture(scope="module")
def domids():
    """The numbers of domains, each given once, as on a real host."""
    return itertools.count(5)


@pytest.fixture
def make_guest(xenstored, domids):
    """A function that makes a Guest, which ends with the test."""
    made = []

    def make(**options):
        made.append(Guest(xenstored, next(domids), **options))
        return made[-1]

    yield make
    for guest in made:
        if guest in xenstored.domains:  # the test may have destroyed it
            guest.destroy()


@pytest.fixture
def guest(make_guest):
    return make_guest()


class Time:
    """Time for a Manager: the real one, but whoever sleeps is taken there at once.

    :ivar list slept: of seconds.
    """

    def __init__(self):
        self.slept = []

    def clock(self):
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds):
        self.slept.append(seconds)


@pytest.fixture
def passing():
    """The time that passes for ``manager``."""
    return Time()


@pytest.fixture
def faults(guest, gateway):
    """The proxy before the gateway."""
    with Faults(gateway) as proxy:
        yield proxy
    assert not proxy.broken


@pytest.fixture
def connection(faults, gateway):
    """A function that makes a Connection to the proxy, from options that differ."""

    def make(**options):
        usual = {
            "host": faults.host,
            "port": faults.port,
            "username": gateway.username,
            "password": gateway.password,
            "ca_path": faults.ca,
        }
        return Connection(**dict(usual, **options))

    return make


@pytest.fixture
def make_manager(connection, passing):
    """A function that makes a Manager; takes its options and those of its Connection."""
    made = []

    def make(ready_timeout=300.0, job_timeout=300.0, dialect=None, **options):
        times = {"sleep": passing.sleep, "clock": passing.clock}
        made.append(Manager(connection(**options), dialect, ready_timeout, job_timeout, **times))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


@pytest.fixture
def manager(make_manager):
    return make_manager()


@pytest.fixture
def vm(guest, gateway, make_manager, faults):
    """The guest, as the manager knows it. No trace of having asked is left."""
    with make_manager() as asking:
        found = find(asking.vms(), guest.uuid)
    faults.clear()
    return found


@pytest.fixture
def arrived(guest):
    """What has arrived in the guest so far, as a list of pairs."""

    def look():
        with XenStore(guest.path) as store:
            return [tuple(arrival.message) for arrival in GuestEnd(store).inbox.pending()]

    return look


@pytest.fixture
def say(guest, host):
    """A function with which the guest sends messages, given as pairs; it returns when the gateway has them."""

    def send(*messages):
        with XenStore(guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for key, value in messages:
                end.send(Message(key, value), PATIENCE)
        directory = layout.child(layout.home(guest.domid), layout.FROM_GUEST)
        host.watch(directory, b"say")
        while layout.numbers(host.directory(directory)):
            assert host.wait(PATIENCE, b"say"), "the gateway does not collect"
        host.unwatch(directory, b"say")

    return send
