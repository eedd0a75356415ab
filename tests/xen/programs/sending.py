# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writers, each a process of its own: in a guest by every way that there is, and in dom0."""

import functools
import subprocess

from guest_core import open_backend
from processes import together

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host

#: Seconds that one message may take: several writers at once disturb each other's transactions.
LONG = 600.0
# Parameters of one run of ovmd, and of one task of a module.
_OF_A_RUN, _OF_A_TASK = 50, 50


def from_guest(writers):
    """Send messages from several writers at once.

    A writer's messages have one key, ``writer-N``, and count from 0.

    :param writers: for each of them the way that its messages go, of WAYS, and how many they are.
    """
    together([functools.partial(WAYS[way], writer, count) for writer, (way, count) in enumerate(writers)])


def _messages(writer, count):
    return [Message(b"writer-%d" % writer, b"%d" % number) for number in range(count)]


def _by_command(writer, count):
    """As a person does: ovmd -p. Who is told that others keep the list locked goes on from where that was."""
    messages = _messages(writer, count)
    sent = 0
    while sent < count:
        options = []
        for key, value in messages[sent : sent + _OF_A_RUN]:
            options += ["-p", key + b"=" + value]
        done = subprocess.run(["ovmd", "-d0", *options], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if not done.returncode:
            sent = min(sent + _OF_A_RUN, count)
        elif b"try again, or allow more time" in done.stderr:
            # The list has a parameter from the moment that it was sent.
            with open_backend(LONG) as backend:
                sent = int(backend.get(messages[0].key) or -1) + 1
        else:
            raise RuntimeError("ovmd ended with code %d: %r" % (done.returncode, done.stderr))


def _by_list(writer, count):
    """Through the guest's core, one parameter after the other."""
    with open_backend(LONG) as backend:
        for message in _messages(writer, count):
            backend.set([message])


def _by_module(writer, count):
    """Likewise, as a task of ovm_guest_param does: many parameters in one go."""
    messages = _messages(writer, count)
    with open_backend(LONG) as backend:
        for start in range(0, count, _OF_A_TASK):
            backend.set(messages[start : start + _OF_A_TASK])


def _by_channel(writer, count):
    """Past the parameter list and its lock: only XenStore keeps this one and the others apart."""
    with XenStore(timeout=LONG) as store:
        end = GuestEnd(store)
        for message in _messages(writer, count):
            end.send(message, LONG)


WAYS = {"command": _by_command, "list": _by_list, "module": _by_module, "channel": _by_channel}


def from_host(directory, name, senders, count):
    """Send so many messages from each of several processes in dom0, through the host's core, as the gateway does.

    Their keys are ``SENDER.NUMBER``.

    :param str directory: the message store.
    :param str name: the virtual machine's.
    """

    def send(sender):
        with Host(directory=directory, timeout=LONG) as host:
            [vm] = [vm for vm in host.vms() if vm.name == name]
            for start in range(0, count, _OF_A_TASK):
                numbers = range(start, min(start + _OF_A_TASK, count))
                host.send(vm, [(b"%d.%d" % (sender, number), b"value %d" % number) for number in numbers], log=False)

    together([functools.partial(send, sender) for sender in range(senders)])


def one_each(senders):
    """Send a message from so many processes of this guest, as nearly as can be at the same moment.

    :returns: nothing; all were sent.
    """

    def send(sender):
        with XenStore(timeout=LONG) as store:
            GuestEnd(store).send(Message(b"sender", b"%d" % sender), LONG)

    together([functools.partial(send, sender) for sender in range(senders)])
