# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ovm-gateway, run over a daemon of the lab."""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from . import LabError
from .process import PATIENCE, Process, last_words

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "programs", "ovm-gateway")
_RECORD = "gateway.json"
# Runs a program as `python PROGRAM` does, until the pipe that is its standard input ends: with the test.
_TIED = """
import os, runpy, signal, sys, threading
def tie():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=tie, daemon=True).start()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Gateway:
    """A gateway with a user, ``admin``. A context manager, which starts and ends it.

    :param Daemon daemon: the XenStore daemon that it is to serve.
    :param str directory: its state directory; None makes one in the daemon's folder.
    :param options: more of its configuration: ``{"limits.body_bytes": 1000}``.
    :param bool detached: it shall outlive this process.
    :param command: what to run instead of the program in this checkout: a list.
    :ivar str host: where it listens.
    :ivar int port: the same for life, once it was started.
    :ivar str url: both, with ``https://``.
    :ivar str ca: file of the certificate to trust.
    :ivar str username: of a user.
    :ivar str password: of that user.
    :ivar str directory: its state.
    :ivar str configuration: its configuration file.
    :ivar str users: its users file.
    :ivar str log: what it has said.
    :ivar Process process: it.
    """

    def __init__(self, daemon, directory=None, options=(), detached=False, command=None):
        self.folder = tempfile.mkdtemp(prefix="gateway-", dir=daemon.directory)
        self._daemon, self._detached, self._command = daemon, detached, command
        self.directory = directory or os.path.join(self.folder, "state")
        self.options = dict(options)
        self.username, self.password = "admin", secrets.token_urlsafe(12)
        self.host, self.port = "127.0.0.1", 0
        self._locate()
        self.add_user(self.username, self.password)

    def _locate(self):
        self.ca = os.path.join(self.directory, "certificate.pem")
        self.configuration = os.path.join(self.folder, "gateway.conf")
        self.users = os.path.join(self.folder, "users")
        self.log = os.path.join(self.folder, "log")
        self.process = self._child = None

    @classmethod
    def load(cls, daemon):
        """The detached gateway that an earlier process has started over a daemon, or None."""
        for name in os.listdir(daemon.directory):
            path = os.path.join(daemon.directory, name, _RECORD)
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as stream:
                record = json.load(stream)
            self = cls.__new__(cls)
            self._daemon, self._detached, self.folder = daemon, True, os.path.dirname(path)
            for attribute in ("directory", "host", "port", "username", "password"):
                setattr(self, attribute, record[attribute])
            self._locate()
            self.process = Process(*record["process"])
            return self
        return None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.close()

    @property
    def url(self):
        return "https://%s:%d" % (self.host, self.port)

    def start(self):
        """Start it; it serves requests when this returns.

        :raises LabError: with its last words.
        """
        self._configure()
        path = os.path.join(self.folder, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(path)
            self._spawn(path)
            deadline = time.monotonic() + PATIENCE
            while not (select.select([notified], [], [], 0.05)[0] and b"READY=1" in notified.recv(4096).split(b"\n")):
                if not self.process.alive() or time.monotonic() > deadline:
                    self.kill()
                    raise LabError("ovm-gateway did not start; %s says: %s" % (self.log, last_words(self.log)))
        with open(os.path.join(self.directory, "address"), encoding="ascii") as stream:
            self.port = int(stream.readline().rpartition(":")[2])
        if self._detached:
            self._save()
        return self

    def stop(self):
        """End it as systemd does, with SIGTERM.

        :returns: its exit code; None where that is another process's to know.
        """
        if not self.process:
            return None
        self.process.signal(signal.SIGTERM)
        code = self._child.wait(PATIENCE) if self._child else None
        self.kill()
        return code

    def kill(self):
        """End it at once, with SIGKILL."""
        if self.process:
            self.process.kill()

    def restart(self):
        """End it, and start it again at the same port."""
        self.stop()
        return self.start()

    def close(self):
        """End it, and remove all but a state directory that was given."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_user(self, name, password):
        """Add a user, whose password is quicker to check than any real one's: a hash carries its cost."""
        scheme = Argon2id(salt=os.urandom(16), length=32, iterations=1, lanes=1, memory_cost=8)
        with open(self.users, "a", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="ascii") as stream:
            stream.write("%s:%s\n" % (name, scheme.derive_phc_encoded(password.encode())))

    def environment(self):
        """The variables that point clients of all kinds to it."""
        return {
            "OVM_HOST": self.host,
            "OVM_PORT": str(self.port),
            "OVM_USER": self.username,
            "OVM_PASSWORD": self.password,
            "OVM_CA_FILE": self.ca,
        }

    def said(self):
        """:returns: its log so far."""
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def command(self, *arguments):
        """:returns: the command line that runs the program with these arguments and this configuration."""
        return [*(self._command or [sys.executable, PROGRAM]), *arguments, "--config", self.configuration]

    def _configure(self):
        settings = {
            "server.address": self.host,
            "server.port": self.port,
            "server.names": "localhost",
            "server.directory": self.directory,
            "server.users": self.users,
            "server.xenstore": self._daemon.path,
            **self.options,
        }
        sections = {}
        for name, value in settings.items():
            section, _dot, setting = name.partition(".")
            sections.setdefault(section, []).append("%s = %s\n" % (setting, value))
        with open(self.configuration, "w", encoding="utf-8") as stream:
            for section, lines in sections.items():
                stream.write("[%s]\n%s" % (section, "".join(lines)))

    def _spawn(self, notify):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XENSTORED_")}
        command = self.command("serve")
        if not self._detached and not self._command:
            command[1:1] = ["-c", _TIED]
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(
                command,
                env=dict(environment, NOTIFY_SOCKET=notify),
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=self._detached,
                cwd="/",
            )
        self.process = Process.of(self._child)

    def _save(self):
        record = {name: getattr(self, name) for name in ("directory", "host", "port", "username", "password")}
        record["process"] = [self.process.pid, self.process.started]
        with open(os.path.join(self.folder, _RECORD), "w", encoding="utf-8") as stream:
            json.dump(record, stream)
