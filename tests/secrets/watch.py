# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs and looks at everything that they leave or show."""

import base64
import collections
import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import subprocess
import termios
import threading
import time

from cryptography.hazmat.primitives import serialization

from faults.disk import namespace
from lab import LabError

from . import places, search
from .trace import Trace, complete, private, traced

#: Seconds after which something is taken to hang. Traced, all takes longer.
PATIENCE = 900
#: Gives what it runs a /dev of its own, where /dev/log is ours, and everything else as it was.
_OWN_DEV = r"""
set -e
place=$1 log=$2
shift 2
mkdir -p "$place"
mount --rbind /dev "$place"
mount -t tmpfs -o mode=755 dev /dev
for each in "$place"/*; do
    name=${each##*/}
    [ "$name" = log ] && continue
    if [ -L "$each" ]; then ln -s "$(readlink "$each")" "/dev/$name"
    elif [ -d "$each" ]; then mkdir "/dev/$name"; mount --rbind "$each" "/dev/$name"
    else case $name in
        null|zero|full|random|urandom|tty|ptmx) : > "/dev/$name"; mount --bind "$each" "/dev/$name" ;;
    esac fi
done
ln -s "$log" /dev/log
umount -l "$place"
exec "$@"
"""

Leak = collections.namedtuple("Leak", "kind place secret by")


class Ran(collections.namedtuple("Ran", "code out err")):
    """What came of a command."""

    __slots__ = ()

    @property
    def said(self):
        return (self.out + self.err).decode("utf-8", "replace")


class Watch:
    """One run, or several, of which everything is looked at.

    :param pathlib.Path place: a folder of its own. Others may enter it, so it protects nothing that is in it.
    :ivar list leaks: a Leak for each secret where it may not be.
    :ivar allowed: Counter of where secrets were that may be there, by name.
    :ivar looked: Counter of bytes by kind of place.
    :ivar places: Counter of places by kind.
    """

    def __init__(self, place):
        self.place = place
        self.searcher = search.Searcher()
        self.leaks, self.allowed = [], collections.Counter()
        self.looked, self.places = collections.Counter(), collections.Counter()
        self.paths = []
        self._given, self._modes = set(), {}
        self._count, self._logs, self._running = 0, [], []
        place.chmod(0o755)
        self.home, self.temporary, self.private = place / "home", place / "tmp", place / "watch"
        for folder, mode in ((self.home, 0o755), (self.temporary, 0o777), (self.private, 0o700)):
            folder.mkdir()
            folder.chmod(mode)
        self._syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A name of a socket is short.
        self._short = pathlib.Path(os.path.realpath("/tmp")) / ("ovm-log-%d-%s" % (os.getpid(), os.urandom(4).hex()))
        self._syslog.bind(str(self._short))
        self._ended = threading.Event()
        self._told, self._seen = [], set()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._sample)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc):
        for process, _log in self._running:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._syslog.close()
        self._short.unlink()

    def secret(self, name, between=search.MIXED):
        """A new secret, which is looked for from now on: its value."""
        made = search.make(name, between)
        self.searcher.add(made)
        return made.value

    def private_key(self, path):
        """The file of a private key of the curve P-256: what is secret in it. The rest is in the certificate, too."""
        text = "".join(path.read_text().splitlines()[1:-1])
        der = base64.b64decode(text)
        key = serialization.load_der_private_key(der, None)
        number = key.private_numbers().private_value.to_bytes(32, "big")
        begin = der.index(number)
        # Whole characters of base64, in lines as they are there.
        first, last = -(-begin * 8 // 6), (begin + 32) * 8 // 6
        self.known(
            "the private key", "\n".join([text[first:64], text[64:last]] if first < 64 < last else [text[first:last]])
        )

    def known(self, name, value):
        """A secret that another made."""
        self.searcher.add(search.Secret(name, value))
        return value

    def given(self, path):
        """A file that its user has written, and keeps: it is no place to look at."""
        self._given.add(str(path))
        return path

    def environment(self, **more):
        """Variables for what is run: folders, and everything of Ansible that shows or keeps something."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVM_", "XENSTORED_"))}
        kept.update(
            HOME=str(self.home),
            TMPDIR=str(self.temporary),
            ANSIBLE_HOME=str(self.home / ".ansible"),
            ANSIBLE_LOCAL_TEMP=str(self.home / ".ansible/tmp"),
            ANSIBLE_REMOTE_TMP=str(self.home / ".ansible/tmp"),
            ANSIBLE_LOG_PATH=str(self.place / "ansible.log"),
            ANSIBLE_LOG_VERBOSITY="5",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_CACHE_PLUGIN="ansible.builtin.jsonfile",
            ANSIBLE_CACHE_PLUGIN_CONNECTION=str(self.place / "facts"),
            ANSIBLE_INVENTORY_CACHE="yes",
            ANSIBLE_INVENTORY_CACHE_PLUGIN="ansible.builtin.jsonfile",
            ANSIBLE_INVENTORY_CACHE_CONNECTION=str(self.place / "inventory-cache"),
            ANSIBLE_RETRY_FILES_ENABLED="yes",
            ANSIBLE_RETRY_FILES_SAVE_PATH=str(self.place / "retry"),
            COLUMNS="500",
        )
        kept.update(more)
        return kept

    def wrapped(self, command, daemon=False):
        """A command that runs another one in sight of all this; and variables to add."""
        self._count += 1
        log = str(self.private / ("trace-%d" % self._count))
        self._logs.append(log)
        command, environment = traced(command, log, daemon)
        own = [*namespace(), "sh", "-c", _OWN_DEV, "sh", str(self.private / "dev"), str(self._short)]
        return [*own, *command], environment

    def run(self, path, command, environment, given=b"", terminal=None, wanted=(0,), shows=()):
        """Run a command to its end.

        :param str path: which way a secret goes there, for the figures.
        :param given: its standard input.
        :param terminal: its streams are this terminal, an integer.
        :param wanted: what exit codes it may have; None for any.
        :param shows: names of secrets that it was asked to show on standard output.
        """
        self.paths.append(path)
        command, more = self.wrapped(command)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE if terminal is None else terminal)
        if terminal is not None:
            # Programs that ask do it at /dev/tty.
            streams["preexec_fn"] = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        process = subprocess.Popen(
            command, env={**environment, **more}, cwd=self.place, start_new_session=True, **streams
        )
        self._running.append((process, self._logs[-1]))
        if terminal is not None:
            return process
        try:
            out, err = process.communicate(given, PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError("%s hangs: %s" % (path, (out + err)[-2000:])) from None
        ran = Ran(process.returncode, out, err)
        self.shown(path + ", standard output", out, allowed=shows)
        self.shown(path + ", standard error", err)
        if b"mount: " in err or b"unshare: " in err:
            raise LabError("a /dev of its own cannot be made (%s): run this as root" % err.decode().strip()[-200:])
        assert wanted is None or process.returncode in wanted, "%s: exit code %d: %s" % (
            path,
            ran.code,
            ran.said[-4000:],
        )
        return ran

    def start(self, path, command, environment, **streams):
        """Start a daemon: the process."""
        self.paths.append(path)
        command, more = self.wrapped(command, daemon=True)
        process = subprocess.Popen(command, env={**environment, **more}, cwd=self.place, **streams)
        self._running.append((process, self._logs[-1]))
        return process

    def shown(self, place, data, kind=places.OUTPUT, allowed=None):
        """Look at some bytes.

        :param str place: what they are.
        :param allowed: names of secrets that may be there.
        """
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.places[kind] += 1
        self.looked[kind] += len(data)
        for found in self.searcher.find(data):
            if found.split(" (")[0] not in (allowed or ()):
                self._judge(kind, place, found, place)

    def finish(self):
        """Look at all that was traced, logged, and left; call it when everything has ended.

        :raises AssertionError: a secret is where it may not be.
        """
        for log in self._logs:
            deadline = time.monotonic() + PATIENCE
            while not complete(log):
                assert time.monotonic() < deadline, "strace says nothing of the end in " + log
                time.sleep(0.01)
            self._traced(Trace(log, self._modes))
        self._logs.clear()
        self.shown("/dev/log", b"\n".join(self._told), places.SYSLOG)
        lines = self._seen.copy()  # others may be added meanwhile
        self.looked[places.PROCESSES] += sum(map(len, lines))
        self.places[places.PROCESSES] += len(lines)
        if self.searcher.find(b"\n".join(lines)):
            for line in lines:
                for found in self.searcher.find(line):
                    self._judge(
                        places.PROCESSES, "/proc/*/cmdline of " + os.fsdecode(line.split(b"\0")[0]), found, "a process"
                    )
        self._left()
        assert not self.leaks, "secrets leak:\n" + "\n".join(
            sorted({"%s: %s: %s, by %s" % leak for leak in self.leaks})
        )

    def _judge(self, kind, place, found, by):
        allowed = places.reason(kind, place)
        if allowed:
            self.allowed[allowed.name] += 1
        else:
            self.leaks.append(Leak(kind, place, found, by))

    def _traced(self, trace):
        assert not trace.cut, "calls had more than what is traced of them: %s" % sorted(set(trace.cut))
        for started in trace.started:
            by = "%s, process %d" % (started.program, started.process)
            self.shown(by, b"\0".join(started.arguments), places.COMMAND_LINE)
            self.places[places.ENVIRONMENT] += 1
            self.looked[places.ENVIRONMENT] += sum(map(len, started.environment))
            whole = self.searcher.find(b"\0".join(started.environment))
            for variable in started.environment if whole else ():
                for found in self.searcher.find(variable):
                    self._judge(places.ENVIRONMENT, os.fsdecode(variable.split(b"=")[0]) + "=", found, by)
        programs = {started.process: started.program for started in trace.started}
        for written in trace.written:
            kind = _kind(written.target)
            if kind is None:
                continue
            self.places[kind] += 1
            self.looked[kind] += len(written.data)
            for found in self.searcher.find(written.data):
                by = "%s, process %d" % (programs.get(written.process, "a child"), written.process)
                self._judge(kind, written.target, found, by)
                if kind == places.FILE and not private(written.target, trace.modes, str(self.place)):
                    modes = ["%o" % mode for mode in trace.modes.get(written.target, ())]
                    self.leaks.append(
                        Leak("file that others can read", written.target, found, by + " " + ",".join(modes))
                    )

    def _left(self):
        """Look at every file that is left."""
        for path in sorted(self.place.rglob("*")):
            if path.is_relative_to(self.private) or str(path) in self._given:
                continue
            self.shown("the name of " + str(path), os.fsencode(path.name), places.LEFT)
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes()
            self.places[places.LEFT] += 1
            self.looked[places.LEFT] += len(data)
            for found in self.searcher.find(data):
                self._judge(places.LEFT, str(path), found, "what is left")
                if not private(str(path), {}, str(self.place)):
                    self.leaks.append(Leak("file that others can read", str(path), found, "what is left"))

    def _listen(self):
        self._syslog.settimeout(0.05)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                self._told.append(self._syslog.recv(1 << 16))

    def _sample(self):
        """See what everybody can see of processes, as often as can be."""
        own = str(os.getpid())
        while not self._ended.wait(0.01):
            for name in os.listdir("/proc"):
                if name.isdigit() and name != own:
                    with contextlib.suppress(OSError):
                        with open("/proc/%s/cmdline" % name, "rb") as source:
                            self._seen.add(source.read())


def _kind(target):
    """What kind of place a target is, as strace writes it; None for what is nobody's."""
    if target.startswith(("TCP", "UDP", "NETLINK", "PACKET", "RAW")):
        return places.NETWORK
    if "/dev/log" in target or "/run/systemd/journal" in target:
        return places.SYSLOG
    if not target.startswith("/") or target.startswith(("/dev/pts", "/dev/tty", "/dev/ptmx")):
        return places.SOCKET
    return None if target.startswith(("/dev/null", "/proc/")) else places.FILE
