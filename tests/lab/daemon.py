# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running XenStore daemon: Xen's C xenstored or its OCaml oxenstored, unmodified."""

import os
import shutil
import tempfile

from . import parts
from .process import Process, spawn

#: The kinds of daemon, and how Xen calls them.
NAMES = {"c": "xenstored", "ocaml": "oxenstored"}
KINDS = tuple(NAMES)
#: oxenstored's configuration as Xen ships it: its quotas are those of a stock host.
_CONFIGURATION = "etc/xen/oxenstored.conf"


class Daemon:
    """A XenStore daemon and its folder, which is the machine that fakexen.c describes.

    :param str kind: ``c`` or ``ocaml``.
    :param str directory: its folder; None makes one, which close() removes.
    :param arguments: more command line options, such as ``-E 50`` of the C daemon.
    :param dict settings: of oxenstored's configuration, such as ``{"quota-maxentity": 50}``.
    :param bool detached: it shall outlive this process.
    :ivar str path: the socket.
    :ivar domains: its guests: restart() introduces them again, close() ends them.
    """

    def __init__(self, kind="c", directory=None, arguments=(), settings=(), detached=False):
        if kind not in KINDS:
            raise ValueError("no such daemon: %r" % (kind,))
        self.kind, self._arguments, self._settings, self._detached = kind, list(arguments), dict(settings), detached
        self._own = directory is None
        self.directory = directory or make_directory()
        self.path = os.path.join(self.directory, "socket")
        self.log = os.path.join(self.directory, "daemon.log")
        self.domains = []
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.close()

    def start(self):
        """Start it; it serves requests when this returns.

        :raises LabError: with its last words.
        """
        made = parts.get()
        self.process = Process.of(spawn(self._command(made), self.log, self._detached, self._environment(made)))
        return self

    def stop(self):
        """End it; a paused one, too. All that it stored is lost, as with any xenstored."""
        # Neither daemon does anything useful on SIGTERM, and oxenstored may ignore it.
        if self.process:
            self.process.kill()

    kill = stop

    def pause(self):
        """Let it hang: it takes and answers nothing until resume()."""
        self.process.stop()

    def resume(self):
        self.process.go_on()

    def restart(self):
        """End it, start it again at the same place, and introduce its domains again."""
        self.stop()
        self.start()
        for domain in list(self.domains):
            domain.reintroduce()

    def close(self):
        """End its guests and it, and remove its folder if that is its own."""
        for domain in list(self.domains):
            domain.close()
        self.stop()
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _command(self, made):
        if self.kind == "c":
            return [made.program(NAMES["c"]), "--no-fork", *self._arguments]
        configuration = os.path.join(self.directory, "oxenstored.conf")
        shutil.copyfile(os.path.join(made.root, _CONFIGURATION), configuration)
        with open(configuration, "a", encoding="utf-8") as stream:
            stream.write("".join("\n%s = %s" % setting for setting in self._settings.items()))
            stream.write("\n")
        options = ["--no-fork", "--no-access-log", "--config-file", configuration]
        return [made.program(NAMES["ocaml"]), *options, *self._arguments]

    def _environment(self, made):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XENSTORED_")}
        return dict(
            environment,
            LD_LIBRARY_PATH=made.library_path(),
            LD_PRELOAD=made.shim,
            FAKEXEN_DIR=self.directory,
            FAKEXEN_ROOT=made.root,
        )


def make_directory():
    """A new folder for a daemon, only for this user.

    Its path is short, since that of a unix socket has at most 107 bytes; so it is not in
    the cache folder.

    :rtype: str
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = len(base) <= 40 and os.path.isdir(base) and os.access(base, os.W_OK)
    return tempfile.mkdtemp(prefix="ovm-lab-", dir=base if usable else "/tmp")
