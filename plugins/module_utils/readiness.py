# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Telling systemd how a service is, by the protocol of sd_notify(3)."""

import os
import time
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

_SOCKET, _INTERVAL, _FOR = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Readiness:
    """Tells whoever started the service, where they asked; else does nothing.

    What is told gets lost where nobody takes it: that must not stop a service.

    :param environ: the environment. The variables are removed from it: they are not for the
        programs that the service starts.
    :ivar watchdog: how often to give a sign of life, in seconds: half of what systemd allows; None for never.
    """

    def __init__(self, environ) -> None:
        self._address = environ.pop(_SOCKET, "")
        interval, whose = environ.pop(_INTERVAL, ""), environ.pop(_FOR, "")
        meant = self._address and interval.isdigit() and int(interval) and whose in ("", str(os.getpid()))
        self.watchdog = int(interval) / 2e6 if meant else None  # type: float | None
        self._status = ""

    def ready(self) -> None:
        """The service does its work; also after reloading()."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The service starts anew in place."""
        self._tell("RELOADING=1\nMONOTONIC_USEC=%d" % (time.monotonic() * 1e6))

    def stopping(self) -> None:
        """The service ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """A sign of life."""
        if self.watchdog:
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """What ``systemctl status`` shows; told when it changes."""
        if text != self._status:
            self._status = text
            self._tell("STATUS=" + text)

    def _tell(self, text):
        if not self._address:
            return
        # An abstract address starts with a NUL, written as @.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        try:
            sender.settimeout(1.0)
            sender.sendto(text.encode("utf-8", "backslashreplace"), address)
        except OSError:
            pass
        finally:
            sender.close()
