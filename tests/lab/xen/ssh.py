# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the machines of the lab, over ssh: one connection each, however many commands."""

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import namedtuple

from .. import LabError
from ..making import last_error, run
from ..parts import ssh, ssh_keygen
from .light import LIBRARY

#: Seconds that a machine may take until it can be reached, when nothing else is said.
PATIENCE = 300.0
#: Seconds between two looks.
_PAUSE = 0.1
_LOST = 255


class Done(namedtuple("Done", ("code", "out", "err"))):
    """How a command went: its exit code and what it has written, as text. Other than UTF-8 is kept as surrogates."""

    __slots__ = ()


class Key:
    """A pair of keys to log in with, in a folder; made where it is not there yet.

    :ivar str path: the private key.
    :ivar str public: the public key, as a line.
    """

    def __init__(self, folder):
        self.path = os.path.join(folder, "key")
        if not os.path.exists(self.path):
            command, environment = ssh_keygen()
            done = run([*command, "-q", "-t", "ed25519", "-N", "", "-C", "ovm-lab", "-f", self.path], **environment)
            if done.returncode:
                raise LabError("ssh-keygen makes no key%s: see %s" % (last_error(done), folder))
        with open(self.path + ".pub", encoding="ascii") as stream:
            self.public = stream.read().strip()


class Shell:
    """Commands on one machine. Nothing is connected before the first one.

    :param str name: what to call the machine in errors.
    :param str host: its address.
    :param Key key: who logs in.
    :param int port: where its ssh server is.
    :param Shell via: the machine through which it is reached; None reaches it from here.
    :param str user: as whom to log in.
    """

    def __init__(self, name, host, key, port=22, via=None, user="root"):
        self.name, self.host, self.port, self._key, self._via, self.user = name, host, port, key, via, user
        self._folder = self._master = None
        self._lock = threading.RLock()
        [self._ssh], self._environment = ssh()

    @property
    def destination(self):
        """Options and address for ssh; Ansible takes all but the last as ``ansible_ssh_common_args``.

        :rtype: list of str
        """
        options = ["-F", "none", "-i", self._key.path, "-p", str(self.port), "-o", "IdentitiesOnly=yes"]
        # The machine was just made, and is reached through our own port.
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=12"]
        if self._via:
            options += ["-o", "ProxyCommand=" + self._via.forwarding()]
        return [*options, "%s@%s" % (self.user, self.host)]

    def program(self):
        """The path of ssh, and its environment."""
        return self._ssh, self._environment

    def forwarding(self):
        """A command that connects to a machine behind this one, as ssh's ProxyCommand wants it."""
        return (
            shlex.join([self._ssh, *self._shared(), "-W"]).replace("%", "%%")
            + " %h:%p "
            + "%s@%s"
            % (
                self.user,
                self.host,
            )
        )

    def _shared(self):
        """Options that use this connection."""
        self._make_folder()
        return ["-S", self._socket, "-o", "ControlMaster=no", *self.destination[:-1]]

    # The connection

    @property
    def _socket(self):
        return os.path.join(self._folder, "ssh")

    def _make_folder(self):
        # Names of sockets are short.
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="ovm-xen-", dir="/tmp")

    def connect(self, timeout=30.0):
        """Connect, unless that was done.

        :raises LabError: with what ssh says.
        """
        with self._lock:
            if self._master and self._master.poll() is None:
                return
            self.close()
            if self._via:
                self._via.connect(timeout)
            self._make_folder()
            log = os.path.join(self._folder, "log")
            with open(log, "wb") as output:
                self._master = subprocess.Popen(
                    [self._ssh, "-M", "-N", "-S", self._socket, "-o", "ControlPersist=no"]
                    + ["-o", "ConnectTimeout=%d" % max(timeout, 1), *self.destination],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env=self._environment,
                )
            deadline = time.monotonic() + timeout
            while not os.path.exists(self._socket):
                ended = self._master.poll() is not None
                if ended or time.monotonic() > deadline:
                    with open(log, encoding="utf-8", errors="replace") as stream:
                        said = stream.read().strip().replace("\n", "; ")
                    self.close()
                    raise LabError(
                        "%s cannot be reached by ssh (%s): see its console's log"
                        % (self.name, said or ("ssh ended" if ended else "no answer in %.0f s" % timeout))
                    )
                time.sleep(0.02)

    def close(self):
        """End the connection, if there is one, and whatever runs over it. The next command makes a new one."""
        with self._lock:
            if self._master:
                self._master.kill()
                self._master.wait()
                self._master = None
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def reachable(self):
        """Whether it answers now."""
        if self._master:
            # What was connected once need not be there any more.
            try:
                return self.run("true", check=False, timeout=30).code == 0
            except LabError:
                self.close()
                return False
        try:
            if self._via is None and not self._answers():
                return False
            self.connect(10.0)
        except LabError:
            return False
        return True

    def _answers(self):
        # A port that QEMU forwards takes connections long before there is anybody behind it.
        try:
            with socket.create_connection((self.host, self.port), 1.0) as connection:
                connection.settimeout(2.0)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def wait(self, timeout=PATIENCE, still=lambda: True):
        """Wait until it can be reached.

        :param still: says whether there is any hope left.
        :raises LabError: it is not in time.
        """
        deadline = time.monotonic() + timeout
        while not self.reachable():
            if not still():
                raise LabError("%s has ended before it could be reached by ssh: see its console's log" % self.name)
            if time.monotonic() > deadline:
                raise LabError("%s cannot be reached by ssh after %.0f s: see its console's log" % (self.name, timeout))
            time.sleep(_PAUSE)

    # Commands

    def _command(self, command):
        self.connect()
        return [self._ssh, *self._shared(), "%s@%s" % (self.user, self.host), shlex.join(command)]

    def run(self, *command, input=b"", timeout=120, check=True):
        """Run a command to its end.

        :param command: program and arguments; ``"sh", "-c", text`` for a script.
        :param input: bytes or text for its standard input.
        :param timeout: seconds.
        :param bool check: whether another exit code than 0 is an error.
        :rtype: Done
        :raises LabError: it failed, with all its output; or took too long; or the machine was lost.
        """
        if isinstance(input, str):
            input = input.encode()
        try:
            done = subprocess.run(
                self._command(command),
                input=input,
                capture_output=True,
                timeout=timeout,
                check=False,
                env=self._environment,
            )
        except subprocess.TimeoutExpired as late:
            raise LabError(
                "%s: '%s' is not done after %d s; it has said: %s"
                % (self.name, _shown(command), timeout, _text(late.stdout) + _text(late.stderr))
            ) from late
        done = Done(done.returncode, _text(done.stdout), _text(done.stderr))
        if check and done.code:
            raise LabError(
                "%s: '%s' %s:\n%s%s"
                % (
                    self.name,
                    _shown(command),
                    "was cut off" if done.code == _LOST else "failed with exit code %d" % done.code,
                    done.out,
                    done.err,
                )
            )
        return done

    def start(self, *command):
        """Start a command that runs on. Its standard streams are pipes, for text.

        As a context manager it is no longer waited for than its block: then the connection to it is cut.

        :rtype: subprocess.Popen
        """
        return _Started(
            self._command(command),
            env=self._environment,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def put(self, content, path, mode=0o644):
        """Write a file there.

        :param content: bytes or text.
        """
        folder, new = os.path.dirname(path), path + ".new"
        script = 'mkdir -p "$1" && cat > "$2" && chmod "$3" "$2" && mv "$2" "$4"'
        self.run("sh", "-c", script, "sh", folder, new, "%o" % mode, path, input=content)

    def python(self, name, *arguments, **options):
        """Run tests/xen/programs/NAME.py there; see run()."""
        return self.run(*self.python_command(name, *arguments), **options)

    def python_command(self, name, *arguments):
        """The command that runs tests/xen/programs/NAME.py there, for start()."""
        return _PYTHON + ("%s/programs/%s.py" % (LIBRARY, name), *(str(argument) for argument in arguments))

    def script(self, text, *arguments, **options):
        """Run Python source there; see run()."""
        return self.run(*_PYTHON, "-c", text, *(str(argument) for argument in arguments), **options)


class _Started(subprocess.Popen):
    def __exit__(self, *exc):
        self.kill()
        return super().__exit__(*exc)


_PYTHON = "env", "PYTHONPATH=" + LIBRARY, "PYTHONUNBUFFERED=1", "python3"


def _shown(command):
    text = shlex.join(command).replace("\n", " ")
    return text if len(text) < 200 else text[:200] + "..."


def _text(output):
    return (output or b"").decode("utf-8", "surrogateescape")
