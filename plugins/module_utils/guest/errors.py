# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong in a guest besides the channel itself."""

from ..channel.errors import ChannelError


class ParameterListError(ChannelError):
    """The parameter list cannot be opened, read or written; it is as it was before."""


class SendFailed(ChannelError):
    """A parameter could not be transmitted, so it was not stored either.

    :ivar list sent: the keys (bytes) transmitted and stored before it, in order.
    """

    def __init__(self, text, remedy, sent):
        super().__init__(text, remedy)
        self.sent = sent


class DeviceUnavailable(ChannelError):
    """There is no working ``/dev/ovmapi``."""


class UnknownBackend(ChannelError, ValueError):
    """A backend was asked for by a name that no backend has."""


class UnknownEvent(ChannelError, ValueError):
    """A text that names no event."""


class EventNotHeard(ChannelError):
    """An event was not passed on: nobody listens, or too many wait already."""


class AlreadyListening(ChannelError):
    """There is a daemon already."""


class AddressesUnavailable(ChannelError):
    """The kernel does not tell the addresses of this guest."""
