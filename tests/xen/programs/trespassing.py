# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: tries what a guest must not do, over its kernel's own device."""

from guest_core import LONG

from ansible_collections.ovm.messaging.plugins.module_utils._vendor.pyxs._internal import Op
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import XenStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

# Operations that pyxs does not know.
_LATER = {"DIRECTORY_PART": 22}


def attempt(deeds):
    """Ask XenStore for several things.

    :param deeds: of lists: an operation's name in pyxs, such as "READ", and the request's parts, as text.
    :returns: for each deed "done", or the name of XenStore's error.
    """
    outcomes = []
    with XenStore(timeout=LONG) as store:
        for operation, *parts in deeds:
            end = b"" if operation == "WRITE" else b"\0"
            try:
                number = _LATER.get(operation) or getattr(Op, operation)
                store._request(number, [part.encode() for part in parts], end=end)
                outcomes.append("done")
            except XenStoreError as problem:
                outcomes.append(problem.code or type(problem).__name__)
    return outcomes


def listen(paths, end):
    """Watch several paths until one of this guest's own changes.

    :param str end: that one.
    :returns: the paths whose changes were told, but for what a watch tells at once; and the names of the errors of
        watches that were refused, by path.
    """
    heard, refused = [], {}
    with XenStore(timeout=LONG) as store:
        for path in [*paths, end]:
            try:
                store.watch(path.encode(), path.encode())
                store.wait(LONG, path.encode())
            except XenStoreError as problem:
                refused[path] = problem.code or type(problem).__name__
        store.write(b"data/listening", b"yes")
        while end not in heard:
            event = store.wait(LONG)
            if event is None:
                raise RuntimeError("nobody has changed %s in %d s" % (end, LONG))
            heard.append(event[0].decode())
    return heard, refused
