# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In dom0: a sender that goes on whatever happens to its virtual machine, and what is stored of that one."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

from collecting import wait_for
from lives_values import number_of, value_of
from processes import Child

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED, MessageStore
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Vm

_SIZES = 0, 200, 3000
# Messages that wait for the guest, and seconds between two: what is full is another test's.
_WAITING, _PAUSE = 5, 0.03
_children = {}


# The sender


def start_sending(directory, name):
    """Send to a virtual machine, one message after the other, until stop_sending(). Keys are ``host.NUMBER``.

    :param str directory: the message store.
    :param str name: the virtual machine's.
    """
    _children[directory] = Child(lambda: _send(directory, name))


def stop_file(directory):
    """The file that ends a sender."""
    return pathlib.Path(directory, "stop")


def _send(directory, name):
    told, done, parent = [], 0, os.getppid()
    with Host(directory=directory, collect=False) as host:
        [vm] = [vm.id for vm in host.vms() if vm.name == name]
        vm = Vm(vm, name, RUNNING)
        while not stop_file(directory).exists() and os.getppid() == parent:
            number, when = len(told), time.time()
            try:
                if (host.waiting(vm) or 0) > _WAITING:
                    time.sleep(_PAUSE)
                    continue
                host.send(vm, [(b"host.%d" % number, value_of(number, _SIZES[number % len(_SIZES)]))], log=False)
                outcome = "sent"
                done += 1
            except Problem as problem:
                outcome = "%s: %s" % (type(problem).__name__, problem)
            told.append((number, outcome, when, time.time()))
            sent(directory, name, done)
            time.sleep(_PAUSE)
    return json.dumps(told)


def stop_sending(directory, name):
    """End the sender.

    :returns: for each message its number, what was said of it, and when its sending began and ended.
    """
    stop_file(directory).touch()
    return json.loads(_children.pop(directory).join())


def sent(directory, name, count=None):
    """How many messages were sent; or note that it is so many."""
    path = pathlib.Path(directory, "sent")
    if count is not None:
        path.with_suffix(".new").write_text("%d" % count)
        path.with_suffix(".new").rename(path)
    return int(path.read_text()) if path.exists() else 0


def wait_for_sent(directory, name, count, timeout):
    """Wait until so many are; gives how many."""
    return _wait(lambda: sent(directory, name), count, timeout)


def _wait(look, count, timeout):
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def wait_until_waiting(directory, name, domid, timeout):
    """Wait until the sender does, since a domain takes nothing; whether that came."""
    return _wait(lambda: len(counters(directory, name, domid)["to"][1]), _WAITING + 1, timeout) > _WAITING


def close(directory, name):
    """End the sender if it still runs."""
    if directory in _children:
        stop_sending(directory, name)


def xl(arguments):
    """Run xl.

    :returns: when it began and ended, its exit code, and what it has said.
    """
    began = time.time()
    done = subprocess.run(
        ["xl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return began, time.time(), done.returncode, done.stdout.decode(errors="backslashreplace")


# What there is


@contextlib.contextmanager
def _messages(directory, name):
    """A function that gives what a virtual machine has sent."""
    with MessageStore(directory) as store:
        yield lambda: [message for vm in store.vms() if vm.name == name for message in store.messages(vm.id, RECEIVED)]


def stored(directory, name):
    """What the virtual machine has sent: for each message its key, the number in its value, and when it was stored.

    The number is null where the value is not what a writer has sent.
    """
    with _messages(directory, name) as messages:
        return [(message.key.decode("latin-1"), number_of(message.value), message.time) for message in messages()]


def count(directory, name, key):
    """How many messages are stored whose keys begin so."""
    return wait_for(directory, name, 0, key, 0)


def reports(directory, name, key):
    """All reports of a kind: pairs of the value, a JSON object, and when it was stored."""
    with _messages(directory, name) as messages:
        key = report.PREFIX + key.encode()
        return [(json.loads(message.value), message.time) for message in messages() if message.key == key]


def since(directory, name, boot):
    """How many messages there are from the guest's first report of a life of its list on."""
    with _messages(directory, name) as messages:
        found = messages()
        for at, message in enumerate(found):
            if message.key == report.GUEST and json.loads(message.value)["boot"] == boot:
                return len(found) - at
        return 0


def known(directory, name):
    """The virtual machines of that name that the store knows: state and number of each."""
    with MessageStore(directory) as store:
        return [(vm.state, vm.domid) for vm in store.vms() if vm.name == name]


def wait_until_stopped(directory, name, timeout):
    """Wait until the virtual machine is known to have no domain: what it had sent is stored then; whether that came."""
    return bool(_wait(lambda: known(directory, name) == [("STOPPED", None)], True, timeout))


def troubles(directory, name):
    """Events that are no messages: type and description."""
    with MessageStore(directory) as store:
        return [(event.type, event.description) for event in store.events() if event.message is None]


def counters(directory, name, domid):
    """The number of the last message ``from`` and ``to`` a domain, and the numbers of those that wait there."""
    found = {}
    with XenStore(role="host") as store:
        for direction, path in (("from", layout.FROM_GUEST), ("to", layout.TO_GUEST)):
            path = layout.child(layout.home(domid), path)
            last = layout.counter(store.read(layout.child(path, layout.LAST_WRITE)))
            found[direction] = last, layout.numbers(store.directory(path))
    return found


def prepare(domid):
    """Open a domain's channel."""
    with XenStore(role="host") as store:
        HostEnd(store, domid).prepare()


def clock(directory, name):
    """Seconds since 1970, by which messages have their times."""
    return time.time()
