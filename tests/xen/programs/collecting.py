# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In dom0: collects as the gateway does, in a process of its own, and what it has stored."""

import json
import os
import resource
import signal
import sqlite3
import time

from processes import Child
from values import text

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import FILE, RECEIVED, MessageStore

#: What answering() answers, and with what.
QUESTION, ANSWER = b"question", b"answer"
_children = {}


def start(directory, answering=""):
    """Collect from all guests, until stop().

    :param str directory: the message store.
    :param str answering: the name of a virtual machine whose messages with the key QUESTION are sent back to it.
    """
    reading, writing = os.pipe()
    _children[directory] = Child(lambda: _collect(directory, answering, writing))
    os.close(writing)
    with os.fdopen(reading) as ready:
        if not ready.read(1):
            _children.pop(directory).join()


def stop(directory):
    """Stop it.

    :returns: what it has had: ``begin`` and ``most``, kilobytes of memory, and ``problems``, what went wrong; None
        where nothing collects there.
    """
    child = _children.pop(directory, None)
    if child is None:
        return None
    os.kill(child.pid, signal.SIGTERM)
    return json.loads(child.join())


def _collect(directory, answering, ready):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_arguments: ended.append(True))
    problems, begin, parent = [], 0, os.getppid()
    with Host(directory=directory, prepare=True) as host:
        answered = 0
        while not ended and os.getppid() == parent:
            try:
                new = host.collect()
                if not begin:
                    begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                    os.write(ready, b"+")
                    os.close(ready)
                if new and answering:
                    answered = _answer(host, answering, answered)
                host.wait(0.5)
            except ChannelError as problem:
                problems.append(str(problem))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return json.dumps({"begin": begin, "most": most, "problems": problems})


def _answer(host, name, answered):
    """Send back the questions that are newer than the last one answered; gives the newest one's number."""
    for vm in [vm for vm in host.vms() if vm.name == name]:
        for message in host.store.messages(vm.id, RECEIVED, QUESTION, limit=10):
            if message.id > answered:
                host.send(vm, [(ANSWER, message.value)], log=False)
                answered = message.id
    return answered


def stored(directory, name):
    """What a virtual machine has sent: for each message key, value and time, in order."""
    with MessageStore(directory) as store:
        return [
            (text(message.key), text(message.value), message.time)
            for vm in store.vms()
            if vm.name == name
            for message in store.messages(vm.id, RECEIVED)
        ]


def events(directory, name):
    """The events of a virtual machine: type and description."""
    with MessageStore(directory) as store:
        ids = [vm.id for vm in store.vms() if vm.name == name]
        return [(event.type, event.description) for event in store.events() if event.vm in ids]


def wait_for(directory, name, count, keys, timeout):
    """Wait until so many messages of a virtual machine are stored.

    :param str keys: what the keys of those that count begin with.
    :returns: how many there are.
    """
    deadline = time.monotonic() + timeout
    base = sqlite3.connect("file:%s?mode=ro" % os.path.join(directory, FILE), uri=True, timeout=60)
    try:
        while True:
            found = base.execute(
                "SELECT COUNT(*) FROM message JOIN vm ON message.vm = vm.id"
                " WHERE name = ? AND direction = ? AND substr(key, 1, ?) = ?",
                (name, RECEIVED, len(keys), keys.encode()),
            ).fetchone()[0]
            if found >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)
    finally:
        base.close()
