# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own way with a gateway: it ends with whoever started it, or lives on where that is wanted."""

import os
import shlex
import signal
import subprocess
import sys

from lab.process import Process

PATIENCE = 120
_STARTS_ONE = """
import sys, time
from lab.daemon import Daemon
from lab.gateway import Gateway
with Daemon("c") as daemon, Gateway(daemon) as gateway:
    print(gateway.process.pid, gateway.process.started, daemon.directory, flush=True)
    time.sleep(600)
"""


def test_a_gateway_ends_with_the_process_that_has_started_it(lab_parts, until):
    with subprocess.Popen([sys.executable, "-c", _STARTS_ONE], stdout=subprocess.PIPE, text=True) as starter:
        pid, started, directory = starter.stdout.readline().split()
        gateway = Process(int(pid), started)
        assert gateway.alive()
        starter.send_signal(signal.SIGKILL)
    until(lambda: not gateway.alive())
    subprocess.run(["rm", "-r", directory], check=True)


def test_the_command(lab_parts, tmp_path, connect_to):
    def lab(*arguments):
        command = [sys.executable, "-m", "lab", "--dir", str(tmp_path / "lab"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        return [line for line in shlex.split(done.stdout) if line.startswith("OVM_")]

    lab("up")
    try:
        lines = lab("gateway")
        assert lab("gateway") == lines and lab("status") == lines
        found = dict(line.split("=", 1) for line in lines)

        class Running:
            ca, password = found["OVM_CA_FILE"], found["OVM_PASSWORD"]
            url = "https://%s:%s" % (found["OVM_HOST"], found["OVM_PORT"])

        assert connect_to(Running, found["OVM_USER"]).get("/Manager").status_code == 200
    finally:
        lab("down")
    assert not os.path.exists(found["OVM_CA_FILE"])
