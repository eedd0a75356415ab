# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host over a real XenStore, and what is needed to try it."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host import collector
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Vm, canonical_id

LONG = 20.0


@pytest.fixture(autouse=True)
def watches_alone(monkeypatch):
    """Nothing is found only because all domains are looked at now and then."""
    monkeypatch.setattr(collector, "_LOOK_AGAIN", 3600.0)


@pytest.fixture
def directory(tmp_path):
    """Where the message store is to be."""
    return str(tmp_path / "host")


@pytest.fixture
def open_host(xenstored, directory):
    """Opens a Host, as one more process would."""
    opened = []

    def open_one(**options):
        opened.append(Host(xenstored.path, directory, **dict({"timeout": LONG}, **options)))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def here(open_host):
    """A Host that collects and prepares, as the gateway's does."""
    return open_host(prepare=True)


@pytest.fixture
def vm_of():
    """A guest's Vm."""
    return lambda guest: Vm(canonical_id(guest.uuid), guest.name, RUNNING)


@pytest.fixture
def say():
    """Sends from a guest: pairs of bytes, in order."""

    def send(guest, *pairs):
        # oxenstored lets those wait for seconds whose transactions collide.
        with XenStore(guest.path, timeout=LONG) as store:
            end = GuestEnd(store)
            for key, value in pairs:
                end.send(Message(key, value), LONG)

    return send


@pytest.fixture
def hear():
    """What a guest receives: pairs of bytes; it is removed."""

    def receive(guest):
        with XenStore(guest.path) as store:
            return [(arrival.message.key, arrival.message.value) for arrival in GuestEnd(store).inbox.receive()]

    return receive


@pytest.fixture
def stored():
    """What a host has stored of a guest's messages: pairs of bytes."""

    def messages(host, guest):
        return [(m.key, m.value) for m in host.store.messages(canonical_id(guest.uuid), RECEIVED)]

    return messages
