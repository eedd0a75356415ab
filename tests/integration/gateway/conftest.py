# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway as its clients see it: over TLS, by requests."""

import time

import pytest
import requests

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.gateway import Gateway

#: Seconds after which something counts as not happening.
PATIENCE = 30
BASE = "/ovm/core/wsapi/rest"


class Client(requests.Session):
    """A client of a gateway. Paths start at the REST interface's base, or with ``//`` at the server's root."""

    def __init__(self, gateway, user=None, password=None):
        super().__init__()
        self.gateway = gateway
        self.trust_env = False
        self.verify = gateway.ca
        self.headers["Accept"] = "application/json"
        if user:
            self.auth = (user, password)

    def request(self, method, path, **options):
        address = path[1:] if path.startswith("//") else BASE + path
        return super().request(method, self.gateway.url + address, timeout=PATIENCE, **options)

    def read(self, path, **query):
        """:returns: the JSON of a resource that is there."""
        answer = self.get(path, params=query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()

    def refused(self, method, path, **options):
        """:returns: status, code and message of an answer that says no, which has to be one in the Manager's shape."""
        answer = self.request(method, path, **options)
        body = answer.json()
        assert sorted(body) == ["cause", "errorCode", "message", "wsErrorCode"]
        assert body["cause"] is None and body["message"].startswith(body["errorCode"] + ":")
        return answer.status_code, body["errorCode"], body["message"][len(body["errorCode"]) + 1 :]

    def tell(self, vm, *messages, flag="No"):
        """:returns: the Job."""
        body = [{"key": key, "value": value} for key, value in messages]
        answer = self.put("/Vm/%s/sendMessage?logFlag=%s" % (vm, flag), json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def messages(self, vm, direction="RECEIVED"):
        """:returns: pairs of text."""
        found = self.read("/Vm/%s/messages" % vm, messageDirection=direction)
        return [(message["key"], message["value"]) for message in found]


@pytest.fixture
def connect_to():
    """A function that makes a Client of a gateway; logged in as its user unless told otherwise."""
    made = []

    def make(gateway, user="admin", password=None):
        made.append(Client(gateway, user, gateway.password if password is None else password))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def connect(connect_to, gateway):
    """The same for the one gateway of most tests."""
    return lambda *login: connect_to(gateway, *login)


@pytest.fixture
def client(connect):
    """A Client that is logged in."""
    return connect()


@pytest.fixture
def start(xenstored, request):
    """A function that starts a gateway with settings of its own: ``start({"limits.body_bytes": 2000})``."""

    def start(settings=()):
        made = Gateway(xenstored, options=settings)
        request.addfinalizer(made.close)
        return made.start()

    return start


@pytest.fixture
def until():
    """A function that waits for what no call waits for: until a condition gives something true, which it returns."""

    def wait(condition):
        deadline = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < deadline, "it does not happen"
            time.sleep(0.01)

    return wait


@pytest.fixture
def guest_sends():
    """A function that has a guest send messages: pairs of bytes."""

    def sends(guest, *messages):
        with XenStore(guest.path) as store:
            end = GuestEnd(store)
            for key, value in messages:
                end.send(Message(key, value), PATIENCE)

    return sends


@pytest.fixture
def guest_takes():
    """A function that gives what a guest finds, as pairs of bytes."""

    def takes(guest):
        with XenStore(guest.path) as store:
            return [tuple(arrival.message) for arrival in GuestEnd(store).inbox.receive()]

    return takes
