# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From guests to whoever asks the gateway, and back: everything real, at full speed."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import NotFound
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager

#: Seconds after which messages are taken to be stuck.
PATIENCE = 60


class Progress:
    """How far messages have got, by what is in XenStore."""

    def __init__(self, store, guests):
        self._store = store
        self._directories = [layout.child(layout.home(guest.domid), layout.FROM_GUEST) for guest in guests]
        for directory in self._directories:
            store.watch(directory, b"progress")

    def _counter(self, directory):
        try:
            return layout.counter(self._store.read(layout.child(directory, layout.LAST_WRITE)))
        except NotFound:
            return 0

    def sent(self):
        return sum(map(self._counter, self._directories))

    def collected(self):
        """How many messages have left XenStore, which is what the gateway does last with them."""
        waiting = [len(layout.numbers(self._store.directory(directory))) for directory in self._directories]
        return self.sent() - sum(waiting)

    def wait_until_collected(self, count):
        while self.collected() < count:
            assert self._store.wait(PATIENCE), "nothing moves any more"
            while self._store.wait(0):
                pass


@pytest.fixture
def watch_progress(host):
    """A function that gives the Progress of some guests."""
    return lambda guests: Progress(host, guests)


@pytest.fixture
def make_manager(gateway):
    """A function that makes a Manager for the gateway as it runs at present."""
    made = []

    def make(**options):
        login = {"username": gateway.username, "password": gateway.password, "ca_path": gateway.ca}
        made.append(Manager(Connection(gateway.host, gateway.port, **login, **options)))
        return made[-1]

    yield make
    for manager in made:
        manager.close()
