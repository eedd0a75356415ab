# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway and XenStore: connections cut at each request, the daemon stopped, killed and started anew.

The gateway goes on by itself. What a guest has sent is stored once, in order. A client learns whether what it sent has
arrived, or that nobody knows. Only what dies with a daemon is lost, which is all that it had: nothing else is.
"""

import contextlib
import os
import re
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED, MessageStore
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from faults.hosts import DONE, FAILED, UNKNOWN, XenHost, manager_of, until
from faults.injector import PATIENCE
from faults.relay import AFTER, BEFORE, Relay
from lab.daemon import KINDS
from lab.gateway import Gateway

ROOMY = {"limits.requests_per_second": 100000, "limits.requests_burst": 100000, "sessions.per_user": 10000}
#: What an error names: XenStore; or that a new one does not know the machine yet.
NAMED = re.compile(r"XenStore|xenstored|'web1' is not running \(STOPPED\): start it first")


class Scene:
    """A gateway over a relay, a guest, and a client; what was said, and what was told."""

    def __init__(self, site, relay, gateway):
        self.site, self.relay, self.gateway = site, relay, gateway
        self.said, self.outcomes, self.arrived, self.number = [], {}, [], 0
        self.manager = manager_of(gateway)

    def exchange(self, wait=True):
        """The guest sends two messages, the client one.

        :param bool wait: until the gateway has the guest's.
        """
        self.number += 1
        number = b"%d" % self.number
        pairs = [(b"a", number), (b"b", number + b"v" * 2500)]
        self.said += pairs
        self.site.says(pairs)
        try:
            self.manager.send(self._vm(), [(b"key", number)], log=True)
            outcome, problem = DONE, None
        except OutcomeUnknown as caught:
            outcome, problem = UNKNOWN, caught
        except Problem as caught:
            outcome, problem = FAILED, caught
        self.outcomes[number] = outcome
        assert problem is None or NAMED.search(str(problem)), str(problem)
        if wait:
            until(lambda: not self.site.uncollected(), self.gateway.said)
            self.check()
        return problem

    def _vm(self):
        if not hasattr(self, "_found"):
            self._found = find(self.manager.vms(), self.site.vm)
        return self._found

    def stored(self):
        with MessageStore(self.gateway.directory) as store:
            return [(message.key, message.value) for message in store.messages(self.site.vm, RECEIVED)]

    def check(self):
        assert self.stored() == self.said, "%d are stored, %d were sent" % (len(self.stored()), len(self.said))
        self.arrived += [value for _key, value in self.site.takes()]
        for value in set(self.outcomes) | set(self.arrived):
            count, outcome = self.arrived.count(value), self.outcomes[value]
            assert count <= 1, "it arrived %d times" % count
            assert (count, outcome) not in ((0, DONE), (1, FAILED)), "%s, and it arrived %d times" % (outcome, count)
        assert "Traceback" not in self.gateway.said()
        assert "defect" not in self.gateway.said()


@pytest.fixture(params=KINDS)
def scene(request, lab_parts):
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(XenHost(request.param))
        relay = stack.enter_context(Relay(site.daemon.path, os.path.join(site.daemon.directory, "relay")))
        options = dict(ROOMY, **{"server.xenstore": relay.path})
        made = Scene(site, relay, stack.enter_context(Gateway(site.daemon, options=options)))
        stack.callback(made.manager.close)
        with contextlib.closing(manager_of(made.gateway)) as asking:
            until(lambda: _knows(asking, site.vm), "the gateway does not know the guest")
        made.exchange()
        yield made


def _knows(manager, vm):
    manager._vms = None
    return [each for each in manager.vms() if each.id == vm]


def _requests(scene):
    """How many requests there are while messages are exchanged, undisturbed."""
    scene.relay.plan()
    scene.exchange()
    return scene.relay.requests


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_cut_at_each_request(campaign, scene, when):
    count = _requests(scene)

    def cut(nth):
        scene.relay.plan(nth, when)
        scene.exchange()
        return scene.relay.struck or None

    campaign("ovm-gateway", "XenStore is cut off %s a request" % when, scene.site.kind).run(
        list(range(1, count + 1)), cut, least=0.7
    )
    assert DONE in scene.outcomes.values()


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_stopped_for_a_moment_at_each_request(campaign, scene, when):
    """Nobody is told of anything, and nothing is lost."""
    count = _requests(scene)

    def stop():
        scene.site.daemon.pause()
        time.sleep(0.05)
        scene.site.daemon.resume()

    def stopped(nth):
        scene.relay.plan(nth, when, stop)
        assert scene.exchange() is None
        return scene.relay.struck or None

    campaign("ovm-gateway", "xenstored stops %s a request" % when, scene.site.kind).run(
        list(range(1, count + 1, 3)), stopped, least=0.7
    )


def test_stopped_for_long(scene):
    """An error in bounded time that names it; then everything goes on."""
    scene.site.says([(b"waiting", b"1")])
    scene.said.append((b"waiting", b"1"))
    until(lambda: not scene.site.uncollected(), scene.gateway.said)
    scene.site.daemon.pause()
    try:
        began = time.monotonic()
        with pytest.raises(Problem) as caught:
            scene.manager.send(scene._vm(), [(b"key", b"stopped")])
        assert time.monotonic() - began < 2 * PATIENCE
        assert NAMED.search(str(caught.value))
        until(lambda: "WARNING no messages are collected: " in scene.gateway.said(), scene.gateway.said)
    finally:
        scene.site.daemon.resume()
    scene.outcomes[b"stopped"] = UNKNOWN if isinstance(caught.value, OutcomeUnknown) else FAILED
    until(lambda: "WARNING messages are collected again" in scene.gateway.said(), scene.gateway.said)
    assert scene.exchange() is None


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_dead_at_a_request(campaign, scene, when):
    """With all that it had; what the gateway has stored is there, and what comes later is, too."""
    count = _requests(scene)
    # What its programs had asked for when the daemon ended is never answered.
    scene.site.hurry(2)

    def killed(nth):
        before = scene.stored()
        scene.relay.plan(nth, when, scene.site.daemon.restart)
        with contextlib.suppress(Problem):
            scene.exchange(wait=False)
        struck = scene.relay.struck
        scene.relay.plan()
        until(lambda: _served(scene), scene.gateway.said)
        # A connection that was idle may be found broken only now: an error that names it, and the next send is well.
        until(lambda: scene.exchange(wait=False) is None, scene.gateway.said)
        until(lambda: set(scene.said[-2:]) <= set(scene.stored()), scene.gateway.said)
        stored = scene.stored()
        assert stored[: len(before)] == before
        # Each at most once, in the order in which they were said: all are different.
        places = [scene.said.index(pair) for pair in stored]
        assert places == sorted(set(places)), "stored are %s" % places[-8:]
        return struck or None

    campaign("ovm-gateway", "xenstored dies %s a request" % when, scene.site.kind).run(
        list(range(1, count + 1, max(1, count // 8))), killed, least=0.5
    )


def _served(scene):
    try:
        return _knows(scene.manager, scene.site.vm)
    except Problem as problem:
        assert NAMED.search(str(problem)), str(problem)
        return False
