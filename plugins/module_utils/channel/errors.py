# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Everything the channel can say went wrong, each as a type of its own."""

from ..problem import Problem


class ChannelError(Problem):
    """Base of every error of the channel and of the guest's side."""


class InvalidMessage(ChannelError, ValueError):
    """A key or value that the channel cannot carry; nothing was sent."""


class XenStoreError(ChannelError):
    """XenStore refused a request, or could not be asked.

    :ivar str code: the name of XenStore's error (``ENOENT``, ``EQUOTA``...), or an
        empty string where the error did not come from XenStore.
    """

    code = ""


class XenStoreUnavailable(XenStoreError):
    """There is no XenStore to talk to, or it cannot be opened."""


class ConnectionLost(XenStoreError):
    """XenStore went away.

    :ivar bool unsent: the request was not sent whole, so it had no effect; otherwise
        one in flight may or may not have taken effect.
    """

    unsent = False


class DeadlineExceeded(XenStoreError):
    """No answer in time. A request in flight may or may not have taken effect."""


class ProtocolError(XenStoreError):
    """XenStore's answer made no sense; the connection was given up."""


class NotFound(XenStoreError):
    """The node does not exist (``ENOENT``)."""


class PermissionDenied(XenStoreError):
    """The node may not be read or written by this domain (``EACCES``, ``EPERM``)."""


class QuotaExceeded(XenStoreError):
    """The domain's share of XenStore is used up (``ENOSPC``, ``EQUOTA``)."""


class TooBig(XenStoreError):
    """A request or reply over what XenStore carries at once (``E2BIG``)."""


class Conflict(XenStoreError):
    """A transaction met another writer (``EAGAIN``) until its deadline passed."""


class NotSupported(XenStoreError):
    """This xenstored does not know the request (``ENOSYS``)."""
