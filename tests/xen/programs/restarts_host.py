# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In dom0: ovm-gateway, which is ended and started again, and a client that sends through it."""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

from lives_host import sent, stop_file
from lives_values import value_of
from processes import Child

from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import INCOMING, RECEIVED, MessageStore

_USER, _PASSWORD, _PORT = "admin", "a password for tests", 7002
#: Seconds that a start or an end may take.
_LONG = 120.0
_PAUSE = 0.05
_SIZES = 0, 200, 3000
_gateways, _clients = {}, {}


class _Gateway:
    def __init__(self, directory):
        self.folder = pathlib.Path(directory, "gateway")
        self.folder.mkdir(exist_ok=True)
        self.configuration, self.log = self.folder / "gateway.conf", self.folder / "log"
        self.configuration.write_text(
            "[server]\naddress = 127.0.0.1\nport = %d\nnames = localhost\ndirectory = %s\nusers = %s\n"
            % (_PORT, directory, self.folder / "users")
        )
        self._add_user()

    def _add_user(self):
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        # A hash carries its cost. One for people would take longer than all else here.
        scheme = Argon2id(salt=os.urandom(16), length=32, iterations=1, lanes=1, memory_cost=8)
        users = self.folder / "users"
        users.write_text("%s:%s\n" % (_USER, scheme.derive_phc_encoded(_PASSWORD.encode())))
        users.chmod(0o600)

    def start(self):
        path = str(self.folder / "notify")
        if os.path.exists(path):
            os.unlink(path)
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(path)
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    ["ovm-gateway", "serve", "--config", str(self.configuration)],
                    env=dict(os.environ, NOTIFY_SOCKET=path),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while not (select.select([notified], [], [], 0.05)[0] and b"READY=1" in notified.recv(4096).split(b"\n")):
                if self.process.poll() is not None or time.monotonic() > began + _LONG:
                    raise RuntimeError("ovm-gateway does not start: %s" % self.log.read_text(errors="replace"))
        return time.monotonic() - began

    def end(self, number):
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(_LONG), time.monotonic() - began


def start(directory):
    """Start the gateway over a state directory; it serves requests when this returns.

    :returns: seconds that it took.
    """
    if directory not in _gateways:
        _gateways[directory] = _Gateway(directory)
    return _gateways[directory].start()


def end(directory, number):
    """End it by a signal.

    :returns: its exit code, or the negative number of the signal; and seconds that it took.
    """
    return _gateways[directory].end(number)


def log(directory):
    """What it has said, in all of its lives."""
    return _gateways[directory].log.read_text(errors="replace")


def start_client(directory, name):
    """Send to a virtual machine through the gateway, one message after the other, until stop_client().

    Keys are ``host.NUMBER``. It tries again where the gateway cannot be reached.
    """
    _clients[directory] = Child(lambda: _send(directory, name))


def _send(directory, name):
    from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
    from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
        ManagerError,
        OutcomeUnknown,
        Unreachable,
    )
    from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager

    ca = os.path.join(directory, "certificate.pem")
    connection = Connection("localhost", _PORT, username=_USER, password=_PASSWORD, ca_path=ca, retries=0)
    manager, told, done, parent = Manager(connection), [], 0, os.getppid()
    [vm] = [vm for vm in manager.vms() if vm.name == name]
    while not stop_file(directory).exists() and os.getppid() == parent:
        number, when = len(told), time.time()
        try:
            manager.send(vm, [(b"host.%d" % number, value_of(number, _SIZES[number % len(_SIZES)]))])
            outcome = "sent"
            done += 1
        except Unreachable:  # so nothing was sent
            time.sleep(_PAUSE)
            continue
        except OutcomeUnknown:
            outcome = "unknown"
        except ManagerError as problem:
            outcome = "%s: %s" % (type(problem).__name__, problem)
        told.append((number, outcome, when, time.time()))
        sent(directory, name, done)
        time.sleep(_PAUSE)
    manager.close()
    return json.dumps(told)


def stop_client(directory):
    """End the client.

    :returns: for each message its number, what was said of it, and when its sending began and ended.
    """
    stop_file(directory).touch()
    return json.loads(_clients.pop(directory).join())


def close(directory):
    """End whatever still runs."""
    if directory in _clients:
        stop_client(directory)
    gateway = _gateways.pop(directory, None)
    if gateway and gateway.process.poll() is None:
        gateway.end(signal.SIGKILL)


def events(directory, name, key):
    """How many events and how many messages there are of keys that begin so, of a virtual machine."""
    with MessageStore(directory) as store:
        [vm] = [vm.id for vm in store.vms() if vm.name == name]
        stored = {message.id for message in store.messages(vm, RECEIVED) if message.key.startswith(key.encode())}
        told = [event.message.id for event in store.events(vm) if event.type == INCOMING and event.message]
        return len([found for found in told if found in stored]), len(stored)
