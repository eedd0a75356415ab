# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd is told."""

import os
import shutil
import socket
import tempfile
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.readiness import Readiness


@pytest.fixture(params=["path", "abstract"])
def supervisor(request):
    """A socket, and what NOTIFY_SOCKET says of it."""
    folder = tempfile.mkdtemp(prefix="notify-")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = os.path.join(folder, "socket")
    listener.bind(name if request.param == "path" else "\0" + name)
    listener.settimeout(60)
    yield listener, name if request.param == "path" else "@" + name
    listener.close()
    shutil.rmtree(folder)


def test_what_is_told(supervisor):
    listener, address = supervisor
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "OTHER": "x"}
    readiness = Readiness(environ)
    assert environ == {"OTHER": "x"} and readiness.watchdog == 1.5
    readiness.status("works")
    readiness.status("works")
    readiness.ready()
    readiness.alive()
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    readiness.reloading()
    readiness.status("\udcff")
    readiness.stopping()
    heard = [listener.recv(4096).decode() for _unused in range(6)]
    assert heard[:3] == ["STATUS=works", "READY=1", "WATCHDOG=1"] and heard[4:] == ["STATUS=\\udcff", "STOPPING=1"]
    kind, moment = heard[3].split("\nMONOTONIC_USEC=")
    assert kind == "RELOADING=1" and before - 1 <= int(moment) / 1e6 <= time.clock_gettime(time.CLOCK_MONOTONIC)


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "1000000"}, {"NOTIFY_SOCKET": "/missing/socket"}])
def test_nobody_to_tell(environ):
    readiness = Readiness(dict(environ))
    assert readiness.watchdog is None
    readiness.ready()
    readiness.alive()
    readiness.stopping()


@pytest.mark.parametrize(
    "more", [{"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}]
)
def test_no_watchdog(more):
    assert Readiness(dict(more, NOTIFY_SOCKET="/missing")).watchdog is None
