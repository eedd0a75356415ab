# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong on a Xen host besides the channel itself."""

from ..problem import Problem


class HostError(Problem):
    """Base of the errors of the host's side. What XenStore says comes as a ChannelError."""


class MessageStoreError(HostError):
    """The message store cannot be opened, read or written; it is as it was before."""


class LoggedValueTooLong(HostError, ValueError):
    """A value is longer than what may be remembered; nothing was sent."""


class SendFailed(HostError):
    """Messages could not be sent to a virtual machine.

    :ivar list sent: the keys (bytes) of those that were sent before, in order.
    """

    def __init__(self, text, remedy, sent):
        super().__init__(text, remedy)
        self.sent = sent
