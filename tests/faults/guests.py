# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest whose life begins anew for each fault: the same programs, an empty list, a fresh channel."""

import errno
import os
import re
import shutil
import subprocess
import types

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from faults.injector import BREEDING, DESCRIBED, NAMING, PATIENCE, Traced, fail
from lab.daemon import KINDS, Daemon
from lab.guest import Guest
from lab.programs import PYTHONS

DOMID = 5
_TREE = b"/local/domain/%d/control/oracle-vmapi" % DOMID
# What a call of each kind may fail with, and be heard of again.
_OF_NAMES = ("EACCES", "EROFS", "ENOSPC")
_OF_FILES = ("EIO", "ENOSPC")
_MAKING = ("open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2",
           "link", "linkat", "symlink", "symlinkat")  # fmt: skip
_OF_SOCKETS = {
    "connect": ("ECONNREFUSED", "EACCES"),
    "write": ("EPIPE",),
    "sendto": ("ECONNRESET",),
    "read": ("ECONNRESET",),
    "recvfrom": ("ECONNRESET",),
    "bind": ("EACCES", "EROFS"),
}
# Calls that never fail so, or whose failure nobody can do anything about.
_NEVER = ("close", "shutdown", "kill", "listen", "utimensat")
#: What tells of a defect: a traceback, or that nobody has thought of an error.
_DEFECT = re.compile(r"Traceback|this is a defect|Unexpected")


#: The oldest Python with one kind of XenStore, the newest with the other.
PYTHON = dict(zip(KINDS, (next(iter(PYTHONS)), list(PYTHONS)[-1])))


class World:
    """A XenStore with one guest. A context manager.

    :param str kind: of daemon.
    :param folder: for all that is made.
    :ivar Guest guest: it.
    :ivar XenStore store: a connection of the host.
    """

    def __init__(self, kind, folder):
        self.kind = kind
        self._daemon, self._folder = Daemon(kind), folder

    def __enter__(self):
        self._daemon.start()
        self.guest = Guest(self._daemon, DOMID)
        self.store = XenStore(self._daemon.path)
        return self

    def __exit__(self, *_exc):
        self.store.close()
        self._daemon.close()

    def begin(self, held=()):
        """A life: nothing of those before is left.

        :param held: pairs that are in its list from the start.
        :rtype: Life
        """
        shutil.rmtree(os.path.join(self._folder, "life"), ignore_errors=True)
        end = HostEnd(self.store, DOMID)
        self.store.remove(_TREE)
        end.prepare()
        life = Life(os.path.join(self._folder, "life"), self.guest.path, self.store, end)
        if held:
            with ParameterList(life.state) as found, found.writing():
                for key, value in held:
                    found.put(Message(key, value))
        return life


class Life:
    """A life of that guest.

    :ivar str state: the directory of its list.
    :ivar dict environment: for its programs: nothing of this process's own.
    """

    def __init__(self, folder, xenstore, store, end):
        os.mkdir(folder, 0o700)
        self.folder, self.state, self._heard = folder, os.path.join(folder, "state"), []
        self._store, self._end = store, end
        self.environment = {
            "LC_ALL": "C",
            "PATH": os.environ["PATH"],
            "XENSTORED_PATH": xenstore,
            "OVM_STATE_DIR": self.state,
            "OVM_DEVICE": "/no",
        }

    def send(self, key, value):
        """The host sends a message."""
        self._end.send(Message(key, value), PATIENCE)

    def heard(self):
        """What the host has heard so far: pairs, in order."""
        self._heard += [tuple(arrival.message) for arrival in self._end.inbox.receive()]
        return self._heard

    def waiting(self):
        """How many messages the guest has not taken yet."""
        return len(layout.numbers(self._store.directory(_TREE + b"/to-guest")))

    def held(self):
        """What the guest holds: pairs, in order."""
        with ParameterList(self.state) as found:
            return [(entry.key, entry.value) for entry in found.entries()]

    def run(self, command, given=b"", **environment):
        """Run something to its end, without any fault: exit code, standard output, standard error."""
        done = subprocess.run(
            [str(word) for word in command],
            input=given,
            capture_output=True,
            env=dict(self.environment, **environment),
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def traced(self, command, log, fault=(), given=b"", **environment):
        """The same, traced and with a fault, and with the Traced as the fourth."""
        with Traced(
            command,
            log,
            [self.folder],
            fault,
            env=dict(self.environment, **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as traced:
            code, out, err = traced.communicate(given)
        return code, out.decode(), err.decode(), traced


class Failure:
    """A call that fails: a point, and with what.

    :ivar Point point: which call.
    """

    def __init__(self, point, error):
        self.point, self.error = point, error
        self.call, self.place = "%s with %s" % (point.call, error), point.place

    def __str__(self):
        return "%s fails with %s" % (self.point, self.error)

    @property
    def fault(self):
        return fail(self.point, self.error)

    @property
    def text(self):
        """What the system says of such a failure."""
        return os.strerror(getattr(errno, self.error))


#: What is told of a request that XenStore refuses.
REFUSAL = types.SimpleNamespace(text="XenStore refused to ")


def failures(points, errors=None):
    """Each way in which each of some points can fail: a list of Failure.

    :param errors: a function from a point to what it can fail with, instead of the usual.
    """
    return [Failure(point, error) for point in points for error in (errors or usual)(point)]


def usual(point):
    """What a call can fail with."""
    call, place = point.call, point.place
    if call in _NEVER or place.startswith("standard "):
        return ()
    if place == "socket":
        return _OF_SOCKETS.get(call, ())
    if place == "pipe":
        return ()
    if call in BREEDING:
        return ("EAGAIN",)
    if call in ("fcntl", "flock"):
        return ("ENOLCK",)
    if call in NAMING:
        return _OF_NAMES if call in _MAKING else _OF_NAMES[:2]
    if call in ("read", "pread64"):
        return ("EIO",)
    if call in DESCRIBED:
        return _OF_FILES if call in ("write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync") else ("EIO",)
    return ()


def told(code, said, failure, codes):
    """Look whether an error was told as it should be: one of the documented codes, in words, with its cause.

    :param codes: exit codes that stand for what the command may not be able to do.
    :raises AssertionError: it was not.
    """
    assert code in codes, "exit code %d; %s" % (code, said)
    assert not _DEFECT.search(said), said
    assert said.strip(), "it says nothing"
    assert failure.text.lower() in said.lower() or _NAMED.search(said), "the cause is not named: %s" % said


# What SQLite makes of an error, and what is as good as its name.
_NAMED = re.compile(
    r"disk I/O error|database or disk is full|unable to open database file|readonly database|locking protocol|"
    r"database is locked|disk image is malformed: see the system's log for its disk|"
    r"XenStore .*(closed|lost|gone|connection)|connection .*(lost|closed|reset)",
    re.I,
)
