# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers: in dom0 and in a guest."""

import os
import sqlite3
import time

from guest_core import LONG, STATE
from values import text

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import FILE, ParameterList


def all_at_host(domid):
    """Receive what a guest has sent: pairs of key and value, as text."""
    with XenStore(timeout=LONG, role="host") as store:
        arrivals = HostEnd(store, domid).inbox.receive()
        return [(text(arrival.message.key), text(arrival.message.value)) for arrival in arrivals]


def wait_for_list(count, timeout):
    """Wait until this guest's parameter list has so many.

    :returns: its keys and values, as text; fewer of them where it took too long.
    """
    deadline = time.monotonic() + timeout
    base = sqlite3.connect("file:%s?mode=ro" % os.path.join(STATE, FILE), uri=True, timeout=LONG)
    try:
        while time.monotonic() < deadline:
            if base.execute("SELECT COUNT(*) FROM parameter").fetchone()[0] >= count:
                break
            time.sleep(0.1)
    finally:
        base.close()
    with ParameterList(STATE) as parameters:
        return [(text(entry.key), text(entry.value)) for entry in parameters.entries()]
