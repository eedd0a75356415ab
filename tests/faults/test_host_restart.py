# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway is restarted, or killed and started again, in the midst of what a client asks of it.

The client finds the gateway again. It learns that what it sent has arrived, or that it has not, or that nobody knows;
nothing arrives twice, and what the guest has sent meanwhile is stored once.
"""

import contextlib
import re
import threading

import pytest

from faults.hosts import DONE, FAILED, manager_of
from faults.relay import AFTER, BEFORE

#: What an error of a gateway that is away names.
NAMED = re.compile(r"the manager at 127\.0\.0\.1:\d+ |nobody knows whether|the gateway ended")
KILLED, RESTARTED = "killed", "restarted"


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("how", [KILLED, RESTARTED])
def test_in_the_midst_of_a_job(campaign, scene, how, when):
    scene.named = NAMED

    def ended(nth):
        again = threading.Thread(target=scene.gateway.start if how == KILLED else scene.gateway.restart)

        def end():
            if how == KILLED:
                scene.gateway.kill()
            again.start()

        scene.relay.plan(nth, when, end)
        # As modules do it by default: what cannot have had an effect is asked again.
        with contextlib.closing(manager_of(scene.gateway, retries=5)) as scene.manager:
            scene.exchange()
        struck = scene.relay.struck
        if struck:
            again.join()
        return struck or None

    count = scene.requests()
    campaign("ovm-gateway", "%s %s a request to XenStore" % (how, when), scene.site.kind).run(
        list(range(1, count + 1)), ended, least=0.5
    )
    assert DONE in scene.outcomes.values()
    # In good order, nothing is broken off.
    assert how == KILLED or FAILED not in scene.outcomes.values()
