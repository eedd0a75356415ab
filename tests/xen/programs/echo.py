# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: sends the host's messages back, so many; says "ready" before.

usage: echo.py COUNT
"""

import sys

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore


def main(count):
    left = int(count)
    with XenStore() as store:
        end = GuestEnd(store)
        end.inbox.watch(b"news")
        print("ready", flush=True)
        while left:
            store.wait(60.0)
            for arrival in end.inbox.receive():
                end.send(arrival.message, 60.0)
                left -= 1


main(*sys.argv[1:])
