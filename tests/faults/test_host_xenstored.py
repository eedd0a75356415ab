# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway and XenStore: connections cut at each request, the daemon stopped, killed and started anew.

The gateway goes on by itself. What a guest has sent is stored once, in order. A client learns whether what it sent has
arrived, or that nobody knows. Only what dies with a daemon is lost, which is all that it had: nothing else is.
"""

import contextlib
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from faults.hosts import DONE, FAILED, NAMED, UNKNOWN, until
from faults.injector import PATIENCE
from faults.relay import AFTER, BEFORE, REFUSED


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_cut_at_each_request(campaign, scene, when):
    count = scene.requests()

    def cut(nth):
        scene.relay.plan(nth, when)
        scene.exchange()
        return scene.relay.struck or None

    campaign("ovm-gateway", "XenStore is cut off %s a request" % when, scene.site.kind).run(
        list(range(1, count + 1)), cut, least=0.7
    )
    assert DONE in scene.outcomes.values()


def test_each_request_is_refused(campaign, scene):
    """As it is where XenStore is full: of nodes, or of memory."""
    count = scene.requests()

    def refused(nth):
        scene.relay.plan(nth, REFUSED)
        scene.exchange()
        return scene.relay.struck or None

    campaign("ovm-gateway", "XenStore refuses a request", scene.site.kind).run(
        list(range(1, count + 1)), refused, least=0.7
    )


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_stopped_for_a_moment_at_each_request(campaign, scene, when):
    """Nobody is told of anything, and nothing is lost."""
    count = scene.requests()

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
    count = scene.requests()
    # What its programs had asked for when the daemon ended is never answered.
    scene.site.hurry(2)

    def killed(nth):
        before = scene.stored()
        scene.relay.plan(nth, when, scene.site.daemon.restart)
        with contextlib.suppress(Problem):
            scene.exchange(wait=False)
        struck = scene.relay.struck
        scene.relay.plan()
        until(scene.served, scene.gateway.said)
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
