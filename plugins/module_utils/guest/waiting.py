# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for parameters to be there."""

import time


def unmet(entries, conditions):
    """Which conditions a list does not fulfil.

    :param entries: the list, of Entry.
    :param dict conditions: key -> a function of the value, or None where the key will do.
    :rtype: list of bytes
    """
    now = {entry.key: entry.value for entry in entries}
    return [key for key, fits in conditions.items() if key not in now or (fits is not None and not fits(now[key]))]


def wait_for(backend, look, conditions, timeout, clock=time.monotonic):
    """Wait until a list fulfils all conditions.

    :param backend: see guest.backend; only its wait() is used.
    :param look: a function that gives the list as it is, of Entry.
    :param dict conditions: see unmet().
    :param float timeout: seconds.
    :returns: the list as it was last seen, and the keys whose conditions it does not fulfil.
    """
    deadline = clock() + timeout
    while True:
        entries = look()
        missing = unmet(entries, conditions)
        left = deadline - clock()
        if not missing or left <= 0:
            return entries, missing
        backend.wait(left)
