# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A guest's parameters, wherever its kernel keeps them: the choice, and the interface.

Every backend offers the same; keys and values are bytes. All of it is bounded in time
and raises a ChannelError that says what happened and what to do.

``receive()``
    Take what the host has sent into the list; returns the messages, a list of Message.
``pending()``
    What receive() would put into the list, without taking it; a list of Message.
``faults``
    What could not be read at the last receive(), pending() or, of the kernel's events, attend():
    pairs of a message's number and why.
``entries()``
    All parameters in order; a list of Entry.
``get(key)``
    One value, or None.
``check(message)``
    The message, if it can be sent; raises InvalidMessage otherwise.
``set(messages, secret=())``
    Check all, then transmit and store each in turn; ``secret`` are the keys to mark.
    Raises InvalidMessage before anything was sent, SendFailed naming what was.
``conceal(keys)``
    Mark parameters as secret, where the backend can.
``delete(keys)``
    Delete here only, nothing is sent; returns the keys that were there.
``delete_all()``
    The same for all; returns how many there were.
``wait(timeout)``
    Wait up to so many seconds for the list to change; returns whether it may have.
``close()``
    Every backend is a context manager, too.

Whatever changes the list also knocks (see wake), so that the daemon looks.

What there is for the daemon and its like:

``state``
    The ParameterList with the events that wait and what was reported, wherever the parameters are.
``knocking``
    Whether to knock. The daemon itself turns it off.
``fileno()``
    A descriptor that becomes readable when the host has sent something. Another one after XenStore
    was lost and found again, and -1 in between: so to be asked before each poll.
``attend()``
    Take what made it readable: set watches, connect again, put the kernel's events into ``state``.
    Returns whether something happened; receive() then. What happens during any other call may be known
    already and show in no poll: so call attend() until it returns False, then poll.
``post(event)``
    Pass an event of this guest on to the daemon. Raises EventNotHeard.
``tell(messages)``
    Transmit without storing, up to TOGETHER messages. Never waits for room: raises QuotaExceeded.
    Returns the number of the last one, or None where that cannot be known.
``uncollected()``
    How many messages the host has not collected yet, or None where that cannot be known.
``announced()``
    The number of the last message to the host, which falls where the host's tree was made anew;
    or None where that cannot be known.
``tree()``
    What tells the place in XenStore from those that this guest has had and will have; or None where that
    cannot be known. It may come again on another host.
``expect_room(wanted)``
    Whether what the host collects makes fileno() readable.
"""

import os

from ..channel.errors import XenStoreUnavailable
from .errors import UnknownBackend
from .parameter_list import DIRECTORY

#: The device of the vendor's kernel driver; only Oracle's UEK kernels have it.
DEVICE = "/dev/ovmapi"
#: The backends by name. Where the device exists the kernel takes the messages out of
#: XenStore, and a second reader of the tree would race with it: so it comes first.
AUTO, OVMAPI, XENSTORE = "auto", "ovmapi", "xenstore"
BACKENDS = (AUTO, OVMAPI, XENSTORE)


def open_backend(name=AUTO, xenstore_path=None, device=DEVICE, state_directory=DIRECTORY, timeout=10.0):
    """Open the backend of that name, or the one that fits this guest.

    :param str name: one of BACKENDS. ``auto`` means the device where it exists, else XenStore.
    :param xenstore_path: XenStore's socket or device; naming it means XenStore.
    :param str device: the kernel driver's device.
    :param str state_directory: where the list lives if the kernel does not keep it.
    :param float timeout: seconds that one operation may take.
    :raises UnknownBackend: no backend has that name.
    :raises XenStoreUnavailable: there is neither, saying what was tried.
    """
    if name not in BACKENDS:
        raise UnknownBackend("there is no backend '%s'" % name, "use one of " + ", ".join(BACKENDS))
    has_device = name == AUTO and not xenstore_path and os.path.exists(device)
    if name == OVMAPI or has_device:
        from .ovmapi import OvmapiBackend

        return OvmapiBackend(device, timeout, state_directory)
    from .xenstore_backend import XenStoreBackend

    try:
        return XenStoreBackend(xenstore_path, state_directory, timeout)
    except XenStoreUnavailable as problem:
        if name == AUTO and not xenstore_path:
            problem.text += "; there is no " + device + " either"
        raise
