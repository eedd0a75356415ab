# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The targets: what scripts can be run for. In the order in which ``ovm-chkconfig --list`` shows them."""

from .errors import UnknownTarget

CONFIGURE = "configure"
CLEANUP = "cleanup"
TARGETS = (CONFIGURE, "unconfigure", "reconfigure", CLEANUP, "suspend", "resume", "migrate", "shutdown")


def check_target(name: str) -> str:
    """:returns: the name itself.

    :raises UnknownTarget: listing those that there are.
    """
    if name not in TARGETS:
        raise UnknownTarget("there is no target '%s'" % name, "use one of " + ", ".join(TARGETS))
    return name
