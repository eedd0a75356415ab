# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling systemd how the service is doing (sd_notify)."""

import os
import socket


def notify(text, environ=None):
    """Send a state such as ``READY=1``; without effect where nobody asked.

    :param environ: the environment, if not this process's own.
    """
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall(text.encode("utf-8"))
    except OSError:
        pass  # the service does not depend on being watched


def watchdog_seconds(environ=None):
    """How often systemd wants to hear ``WATCHDOG=1``, or None where it does not."""
    environ = os.environ if environ is None else environ
    period, who = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not period.isdigit() or who not in ("", str(os.getpid())):
        return None
    return int(period) / 1e6
