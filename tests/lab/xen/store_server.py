# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run in dom0: does to XenStore what it reads from standard input, one JSON list a line, and answers likewise."""

import contextlib
import json
import sys

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, NotFound
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore


def tree(store, path):
    nodes = {}
    for name in store.directory(path):
        # What goes meanwhile is not there.
        with contextlib.suppress(NotFound):
            nodes[name] = store.read(path + b"/" + name)
            nodes.update({name + b"/" + below: value for below, value in tree(store, path + b"/" + name).items()})
    return nodes


def text(value):
    if isinstance(value, dict):
        return {text(name): text(content) for name, content in value.items()}
    if isinstance(value, list):
        return [text(one) for one in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def answer(store, request, path, *more):
    actions = {
        "read": store.read,
        "write": store.write,
        "remove": store.remove,
        "ls": store.directory,
        "tree": lambda path: tree(store, path),
        "permissions": store.get_permissions,
        "set_permissions": lambda path, permissions: store.set_permissions(path, permissions.split(b",")),
    }
    try:
        return {"value": text(actions[request](path, *more))}
    except NotFound:
        return {"value": None}
    except ChannelError as problem:
        return {"error": str(problem)}


def main():
    with XenStore(role="host") as store:
        for line in sys.stdin:
            request, *arguments = json.loads(line)
            print(json.dumps(answer(store, request, *[one.encode("latin-1") for one in arguments])), flush=True)


main()
