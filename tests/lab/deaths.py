# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a process die at any of its exchanges with XenStore, one after the other."""

import os
import signal

from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.batching import BatchingXenStore

#: Before an exchange: nothing of it has happened. After it: the process never heard of its answer.
MOMENTS = ("before", "after")
#: What exchanges with XenStore: one request, and several together.
EXCHANGES = ((XenStore, "_exchange"), (BatchingXenStore, "_exchange_together"))


def dies(moment, step, work):
    """Do work in a forked child that is killed (SIGKILL) at its nth exchange.

    :param str moment: one of MOMENTS.
    :param int step: which exchange, from 1.
    :returns: whether it came to that; otherwise the work was done.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen by the measurement
        status = 1
        try:
            _die_at(moment, step)
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


def _die_at(moment, step):  # pragma: no cover - in that child
    steps = [0]

    def dying(exchange):
        def exchanging(self, *arguments):
            steps[0] += 1
            if steps[0] == step and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = exchange(self, *arguments)
            if steps[0] == step and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return exchanging

    for kind, name in EXCHANGES:
        setattr(kind, name, dying(getattr(kind, name)))
