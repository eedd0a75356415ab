# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source, called as ansible-rulebook calls it, over TLS to a real gateway and on the Xen host itself.

Those of a file share a gateway; each test has guests of its own, and names them to the source.
"""

import asyncio
import pathlib
import runpy
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.daemon import Daemon
from lab.gateway import Gateway
from tests.integration.manager import conftest as shared

# Fixtures of those tests are these tests', too.
domids, make_guest = shared.domids, shared.make_guest

#: Seconds that nothing may take.
PATIENCE = 60
PLUGIN = pathlib.Path(__file__).resolve().parents[3] / "extensions" / "eda" / "plugins" / "event_source"


@pytest.fixture(scope="module")
def xenstored(lab_parts):
    # The source does not speak to it, so one kind will do.
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(xenstored):
    with Gateway(xenstored, options=shared.ROOMY) as running:
        yield running


@pytest.fixture
def web1(make_guest):
    return make_guest(name="web1")


@pytest.fixture
def say():
    """A function with which a guest sends messages, given as pairs."""

    def send(guest, *messages):
        with XenStore(guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for key, value in messages:
                end.send(Message(key, value), PATIENCE)

    return send


class Source:
    """The source at work, in a thread with a loop of its own. A context manager.

    :param arguments: what a rulebook gives it.
    :ivar list events: those that were taken.
    :ivar problem: what it has raised, or None.
    """

    def __init__(self, arguments, hold=None):
        self.arguments = arguments
        self.events, self.problem = [], None
        self._news, self._hold = threading.Condition(), hold
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_exc):
        self.end()

    def end(self):
        """Cancel it, as ansible-rulebook does when it ends."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _run(self):
        entry = runpy.run_path(str(PLUGIN / "vm_message.py"))["main"]
        assert asyncio.iscoroutinefunction(entry)
        self._loop = asyncio.get_running_loop()
        # As big as ansible-rulebook's.
        queue = asyncio.Queue(1)
        self._task = asyncio.create_task(entry(queue, self.arguments))
        take = asyncio.create_task(self._take(queue))
        self._ready.set()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        except Exception as problem:
            self.problem = problem
        take.cancel()
        with self._news:
            self._news.notify_all()

    async def _take(self, queue):
        while self._hold is None or len(self.events) < self._hold:
            event = await queue.get()
            with self._news:
                self.events.append(event)
                self._news.notify_all()
            if "eda_feedback_queue" in self.arguments:
                await self.arguments["eda_feedback_queue"].put(event)

    def await_events(self, count):
        """The first events, when so many have come."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.events) >= count or self.problem, PATIENCE), self.events
        assert not self.problem, self.problem
        return self.events[:count]

    def await_problem(self):
        self._thread.join(PATIENCE)
        assert self.problem is not None
        return self.problem


@pytest.fixture
def rest(gateway):
    """Arguments to read from the gateway."""
    return {
        "host": gateway.host,
        "port": gateway.port,
        "username": gateway.username,
        "password": gateway.password,
        "ca_path": gateway.ca,
        "interval": 0.2,
    }


@pytest.fixture
def listen(rest):
    """A function that makes a Source; takes more arguments of it. By default it begins at the beginning."""
    made = []

    def make(hold=None, **arguments):
        made.append(Source({"since": "beginning", **rest, **arguments}, hold))
        return made[-1]

    yield make
    for source in made:
        source.end()
