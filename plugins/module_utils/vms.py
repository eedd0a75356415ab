# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual machines as a manager knows them, whichever it is; and which one a person means. Pure."""

from collections import namedtuple

from .problem import Problem

#: What the Manager calls the states of a VM (``vmRunState``).
RUNNING, STOPPED, TEMPLATE = "RUNNING", "STOPPED", "TEMPLATE"

#: The message that ends the wait of the vendor's first-boot configuration: whatever comes after it is too late.
ROOT_PASSWORD = b"com.oracle.linux.root-password"

#: Bytes of the longest value that the vendor's Manager takes where it is to log the message. What
#: works with a Xen host must work there, so this holds everywhere.
LOGGED_VALUE_LIMIT = 1024


class Vm(namedtuple("Vm", ("id", "name", "state"))):
    """A virtual machine.

    :ivar str id: its UUID, lower case, without dashes: the Manager's form.
    :ivar str name: its name, which others may have, too.
    :ivar str state: ``vmRunState``: TEMPLATE, STARTING, RUNNING, STOPPING, STOPPED or SUSPENDED.
    """

    __slots__ = ()


class Record(namedtuple("Record", ("key", "value", "time"))):
    """A message that was sent or received.

    :ivar bytes key: its key.
    :ivar bytes value: its value.
    :ivar float time: when, in seconds since 1970, or None where nobody knows.
    """

    __slots__ = ()

    def __repr__(self):
        # A value may be a secret, and a repr ends up in tracebacks and logs.
        return "Record(key=%r, value=<%d bytes>, time=%r)" % (self.key, len(self.value), self.time)


class VmNotFound(Problem):
    """No virtual machine has this name, id or UUID."""


class VmAmbiguous(Problem):
    """Several virtual machines have this name.

    :ivar list ids: of Vm.id.
    """

    def __init__(self, wanted, ids):
        super().__init__("%d virtual machines are called '%s'" % (len(ids), wanted), "give an id: " + ", ".join(ids))
        self.ids = ids


class VmNotRunning(Problem):
    """A template, or a virtual machine that is in no state to be sent anything.

    :ivar str state: which state it is in.
    """

    def __init__(self, vm):
        if vm.state == TEMPLATE:
            text, remedy = "'%s' is a template", "send to a virtual machine made from it"
        else:
            text, remedy = "the virtual machine '%s' is not running (" + vm.state + ")", "start it first"
        super().__init__(text % vm.name, remedy)
        self.state = vm.state


def canonical_id(text: str) -> str:
    """An id as the Manager writes it: lower case, without dashes. Any other text comes out as nothing's id."""
    return text.replace("-", "").lower()


def find(vms, wanted: str) -> Vm:
    """The virtual machine that a person means: by its whole name, its id, or its UUID with or without dashes.

    :param vms: all that there are, of Vm.
    :param str wanted: name, id or UUID.
    :raises VmNotFound: none is called so.
    :raises VmAmbiguous: several are; names are not unique (Oracle VM Manager).
    """
    vms = list(vms)
    found = [vm for vm in vms if vm.id == canonical_id(wanted)] or [vm for vm in vms if vm.name == wanted]
    if not found:
        raise VmNotFound("there is no virtual machine '%s'" % wanted, "give its exact name, its id or its UUID")
    if len(found) > 1:
        raise VmAmbiguous(wanted, sorted(vm.id for vm in found))
    return found[0]


def require_running(vm: Vm) -> Vm:
    """The same virtual machine.

    :raises VmNotRunning: nothing can be sent to it.
    """
    if vm.state != RUNNING:
        raise VmNotRunning(vm)
    return vm


class Event(namedtuple("Event", ("id", "vm", "time", "severity", "type", "summary", "description"))):
    """What a manager tells to have happened to a virtual machine.

    :ivar str id: the event's id.
    :ivar str vm: Vm.id of the machine it is about, or an empty string.
    :ivar float time: when, in seconds since 1970, or None.
    :ivar str severity: UNKNOWN, CRITICAL, WARNING or INFORMATIONAL.
    :ivar str type: the kind of event.
    :ivar str summary: one line.
    :ivar str description: all that is to be said; of a message it holds key, value and time.
    """

    __slots__ = ()


def root_password_last(messages) -> list:
    """The same messages in the same order, but for the root password, which comes last.

    :param messages: pairs of key and value, both bytes.
    """
    return sorted(messages, key=lambda message: message[0] == ROOT_PASSWORD)
