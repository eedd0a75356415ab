# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a scripted manager, and a client of it that does not really sleep."""

import contextlib
import os

import pytest
import trustme

from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.tests.unit.manager.scripted import Server


class Time:
    """A clock that goes on when somebody sleeps, and then at once."""

    def __init__(self):
        self.slept, self.now = [], 1000.0

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now


@pytest.fixture(scope="session")
def authority():
    """Who signs certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_path(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def make_server(authority):
    """A function that makes a Server: ``make_server(certificate=None, clients=None, tls=None)``."""
    with contextlib.ExitStack() as stack:

        def make(certificate=None, **options):
            server = Server(certificate or authority.issue_cert("localhost", "127.0.0.1"), **options)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def time():
    return Time()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """No proxy, bundle or ~/.netrc of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")) or name.startswith("NETRC"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def make_manager(server, ca_path, time):
    """A function that makes a Manager: ``make_manager(manager_options, connection_option=...)``."""
    with contextlib.ExitStack() as stack:

        def make(of_manager=None, **options):
            given = dict(
                host="127.0.0.1", port=server.port, username="admin", password=server.password, ca_path=ca_path
            )
            connection = Connection(**dict(given, **options))
            found = Manager(connection, sleep=time.sleep, clock=time.clock, **(of_manager or {}))
            return stack.enter_context(found)

        yield make


@pytest.fixture
def manager(make_manager):
    return make_manager()


@pytest.fixture
def vm(manager):
    """The one that is there; the manager has been asked for all, no more."""
    return manager.vms()[0]
