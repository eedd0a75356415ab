# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips: one side asks, the other answers, and who asks takes the time."""

import time

from collecting import ANSWER, QUESTION
from guest_core import LONG, open_backend

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore


def answer(count):
    """In a guest: answer so many questions of host(), through the guest's core."""
    with open_backend() as backend:
        while count:
            backend.wait(1.0)
            for message in backend.receive():
                if message.key == QUESTION:
                    backend.set([Message(ANSWER, message.value)])
                    count -= 1
        backend.delete([QUESTION, ANSWER])


def host(domid, count):
    """In dom0: ask a guest where answer() runs; the milliseconds that each answer took."""
    with XenStore(timeout=LONG, role="host") as store:
        return _ask(HostEnd(store, domid), count, ANSWER)


def guest(count):
    """In a guest: ask dom0, where a collector answers; likewise."""
    with XenStore(timeout=LONG) as store:
        return _ask(GuestEnd(store), count, ANSWER)


def daemon(domid, count):
    """In dom0: send so many parameters to a guest; the milliseconds until its daemon has told that it holds each."""
    with XenStore(timeout=LONG, role="host") as store:
        return _ask(HostEnd(store, domid), count, report.HELD + QUESTION)


def _ask(end, count, expected):
    """Send questions; each is answered by a message with the expected key."""
    times = []
    end.inbox.watch(b"answers")
    for number in range(count):
        start = time.monotonic()
        end.send(Message(QUESTION, b"%d" % number), LONG)
        while not _came(end, expected, number):
            if time.monotonic() - start > LONG:
                raise RuntimeError("question %d was not answered in %d s" % (number, LONG))
            end.store.wait(1.0)
        times.append((time.monotonic() - start) * 1000)
    return times


def _came(end, expected, number):
    found = False
    for arrival in end.inbox.pending():
        end.inbox.discard(arrival)
        if arrival.message.key == expected:
            if expected == ANSWER and arrival.message.value != b"%d" % number:
                raise RuntimeError("question %d was answered by %r" % (number, arrival.message.value))
            found = True
    return found
