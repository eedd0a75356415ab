# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: Xen's real XenStore daemons in user space, and guests with a domain's true identity."""


class LabError(Exception):
    """The lab cannot do something. The text is one line that says what, and what to do about it."""
