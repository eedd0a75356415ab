# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that means harm to other guests, and to the host: it speaks for itself, and for nobody else.

Half messages, wrong numbers and floods: tests/integration/host. What a real Xen forbids: tests/xen/test_store.py.
"""

import contextlib
import json
import time
import uuid

import pytest
import requests

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

PATIENCE = 60
BASE = "/ovm/core/wsapi/rest"


@pytest.fixture
def client(gateway):
    with requests.Session() as session:
        session.auth, session.verify, session.trust_env = (gateway.username, gateway.password), gateway.ca, False
        yield lambda path: session.get(gateway.url + BASE + path, timeout=PATIENCE).json()


def test_a_guest_cannot_change_who_it_is(make_guest, host):
    """What the host takes a domain for is what the toolstack has written, which the guest may read at most."""
    make_guest(5)
    evil, before = make_guest(6), {}
    nodes = [b"/local/domain/6/vm", b"/local/domain/6/name", b"/local/domain/6/domid", b"/local/domain/5/name"]
    nodes += [b"/local/domain/5/control/oracle-vmapi/from-guest/1", b"/local/domain/7/name", b"/vm/x", b"/tool/x"]
    for node in nodes:
        try:
            before[node] = host.read(node)
        except ChannelError:
            before[node] = None
    with XenStore(evil.path) as store:
        for node in nodes:
            with pytest.raises(ChannelError):
                store.write(node, b"/vm/" + b"0" * 32)
            with contextlib.suppress(ChannelError):  # some daemons take it for done where there is nothing
                store.remove(node)
    for node in nodes:
        if before[node] is None:
            with pytest.raises(ChannelError):
                host.read(node)
        else:
            assert host.read(node) == before[node]


def test_what_a_guest_says_is_its_own(make_guest, gateway, client):
    victim, evil = make_guest(5, name="web"), make_guest(6, name="web")
    theirs, mine = uuid.UUID(victim.uuid).hex, uuid.UUID(evil.uuid).hex
    interface = {"name": "eth0", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.7/24"]}
    claims = dict(interface, vmId=theirs, id=theirs, vm=theirs, domid=5)
    about = {"boot": "b1", "version": "1", "id": theirs, "vm": theirs, "name": "web", "domid": 5}
    with XenStore(victim.path) as store:
        GuestEnd(store).send(Message(*report.interfaces([interface])), PATIENCE)
    said = [
        (report.GUEST, json.dumps(about).encode()),
        (report.ADDRESSES, json.dumps({"interfaces": [claims], "vm": theirs, "domid": 5}).encode()),
        (b"../../../5/control/oracle-vmapi/from-guest/9", b"x"),
        (b"/local/domain/5/name", b"x"),
        (theirs.encode(), b"x"),
        (b"ovmd.report.held./../" + theirs.encode(), b"{}"),
    ]
    with XenStore(evil.path) as store:
        for pair in said:
            GuestEnd(store).send(Message(*pair), PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while len(client("/Vm/%s/messages" % mine)) < len(said) or not client("/Vm/%s/messages" % theirs):
        assert time.monotonic() < deadline, "the gateway does not collect"
        time.sleep(0.05)
    assert [message["key"] for message in client("/Vm/%s/messages" % theirs)] == [report.ADDRESSES.decode()]
    assert client("/Vm/" + theirs)["vmApiVersion"] is None and client("/Vm/" + mine)["vmApiVersion"] == "1"
    owners = {nic["id"]["value"]: nic["vmId"]["value"] for nic in client("/VirtualNic")}
    assert sorted(owners.values()) == sorted([theirs, mine])
    assert {event["associatedObjectId"]["value"] for event in client("/Event")} == {theirs, mine}
    assert len([event for event in client("/Event") if event["associatedObjectId"]["value"] == theirs]) == 1
