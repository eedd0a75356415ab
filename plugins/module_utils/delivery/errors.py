# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong with a delivery, besides what its carrier says."""

from ..problem import Problem


class DeliveryError(Problem):
    """Base of the errors of this core."""


class BadMessages(DeliveryError):
    """Messages that cannot be sent as they were asked for; nothing was sent to anybody."""


class BadPattern(DeliveryError):
    """A pattern that is no regular expression."""


class TimeIsUp(DeliveryError):
    """What was waited for has not come; says what is missing, and how things stood at last."""


class BadCheckpoint(DeliveryError):
    """The file that says what was passed on cannot be used."""
