# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's modules, run by a real ansible-playbook: over TLS to a real gateway, and on the Xen host itself."""

import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from tests.integration.modules.conftest import Playbook

#: Seconds that the guests' and the tests' own calls may take.
PATIENCE = 60


class VmPlaybook(Playbook):
    """Runs tasks of the manager's side, with the same connection for all.

    :ivar dict defaults: the options for all of them.
    """

    def __init__(self, folder, defaults):
        self.folder, self.defaults, self.output = folder, {}, ""
        self.manager = defaults

    def __call__(self, *tasks, **options):
        defaults = {"group/ovm.messaging.manager": self.manager}
        return super().__call__(*[dict(task, module_defaults=defaults) for task in tasks], **options)


def said(output, module):
    """What was told of a module with -v: lines, without who says them."""
    start = "<localhost> ovm.messaging.%s: " % module
    return [line[len(start) :] for line in output.splitlines() if line.startswith(start)]


class Agent:
    """What runs in a guest: takes messages, and answers. A context manager.

    :param Guest guest: where.
    :param reports: the boot under which it reports, as our ovmd does, or None.
    :param answer: a function of a key and a value that gives the messages to answer with.
    """

    def __init__(self, guest, reports=None, answer=lambda key, value: ()):
        self._guest, self._boot, self._answer = guest, reports, answer
        self._end = threading.Event()
        self._ready = threading.Event()
        self.taken = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_exc):
        self._end.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self):
        with XenStore(self._guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            if self._boot:
                end.send(Message(*report.guest(self._boot, "1")), PATIENCE)
            end.inbox.watch(b"arrived")
            self._ready.set()
            while not self._end.is_set():
                for arrival in list(end.inbox.receive()):
                    key, value = arrival.message
                    self.taken.append((key, value))
                    if self._boot:
                        end.send(Message(*report.held(self._boot, key, value)), PATIENCE)
                    for pair in self._answer(key, value):
                        end.send(Message(*pair), PATIENCE)
                store.wait(0.1)


@pytest.fixture
def say():
    """A function that sends from a guest: ``say(guest, {b"key": b"value"})``."""

    def send(guest, messages):
        with XenStore(guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for pair in dict(messages).items():
                end.send(Message(*pair), PATIENCE)

    return send


@pytest.fixture
def hear():
    """A function that takes what waits for a guest, as a list of pairs."""

    def take(guest):
        with XenStore(guest.path, timeout=PATIENCE) as store:
            return [tuple(arrival.message) for arrival in GuestEnd(store).inbox.receive()]

    return take


@pytest.fixture
def web1(make_guest):
    return make_guest(5, name="web1")


@pytest.fixture
def web2(make_guest):
    return make_guest(6, name="web2")


def over_rest(request):
    gateway = request.getfixturevalue("gateway")
    return dict(
        host=gateway.host,
        port=gateway.port,
        username=gateway.username,
        password=gateway.password,
        ca_path=gateway.ca,
        wait_interval=0.3,
    )


def over_xenstore(request):
    return dict(
        transport="xenstore",
        xenstore_path=request.getfixturevalue("xenstored").path,
        state_dir=str(request.getfixturevalue("tmp_path") / "state"),
    )


@pytest.fixture
def rest(request, tmp_path):
    """A playbook that works through the gateway."""
    return VmPlaybook(tmp_path, over_rest(request))


@pytest.fixture
def xenstore(request, tmp_path):
    """A playbook that works on the Xen host."""
    return VmPlaybook(tmp_path, over_xenstore(request))


@pytest.fixture(params=["rest", "xenstore"])
def play(request):
    """Either; the test runs once with each."""
    return request.getfixturevalue(request.param)
