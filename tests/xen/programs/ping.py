# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In dom0: sends messages to a guest whose echo.py sends each back; prints the seconds that each took, as JSON.

usage: ping.py DOMID ROUNDS
"""

import json
import sys
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

#: Seconds that one answer may take.
PATIENCE = 60


def answer(end):
    deadline = time.monotonic() + PATIENCE
    while True:
        arrived = [arrival.message for arrival in end.inbox.receive()]
        if arrived:
            return arrived
        if time.monotonic() > deadline:
            sys.exit("no answer in %d s" % PATIENCE)
        end.store.wait(1.0)


def main(domid, rounds):
    with XenStore(role="host") as store:
        end = HostEnd(store, int(domid))
        end.inbox.watch(b"answer")
        times = []
        for number in range(int(rounds)):
            sent = Message(b"ping", b"%d" % number)
            start = time.perf_counter()
            end.send(sent, PATIENCE)
            received = answer(end)
            times.append(time.perf_counter() - start)
            if received != [sent]:
                sys.exit("sent %r, and %r came back" % (sent, received))
        print(json.dumps(times))


main(*sys.argv[1:])
