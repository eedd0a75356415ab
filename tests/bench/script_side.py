# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What benchmarks of scripts share: a guest in the lab with its programs, and a script that tells when it starts."""

import json
import os
import shutil
import sys
import tempfile

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.daemon import Daemon
from lab.guest import Guest

from .measure import run

DOMID = 5
#: That of the programs.
PYTHON = os.path.realpath(sys.executable)

# Tells that it has started, before anything else: started is all that counts here. With the interface of a script.
_SCRIPT = """#!/bin/sh
### BEGIN PLUGIN INFO
# name: first
# %s: 10
# description: of the benchmark
### END PLUGIN INFO
if [ "$1" = --enumerate ]; then
    echo '%s' > "/dev/fd/$3"
    exit
fi
echo > %s
cat "/dev/fd/$2" > "/dev/fd/$4"
"""


class ScriptSide:
    """A guest whose script for one target says that it has started.

    :ivar str place: the folder of the guest's files.
    :ivar str started: the pipe that the script writes to.
    :ivar dict environment: that of the guest's programs.
    """

    #: What the script is for, and the parameters that it describes.
    target, described = "", ()

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        source = os.path.join(os.path.dirname(__file__), "..", "..", "programs", "build.py")
        run([PYTHON, source, "--output", self.folder, "--python", PYTHON, "ovm-template-config", "ovmd"])
        self.daemon = Daemon().start()
        self.guest = Guest(self.daemon, DOMID)
        self.host = XenStore(self.daemon.path)
        self.end = HostEnd(self.host, DOMID)
        self.place = tempfile.mkdtemp(prefix="guest-", dir=self.folder)
        for folder in "scripts", self.target + ".d":
            os.makedirs(os.path.join(self.place, "template.d", folder))
        self.started = os.path.join(self.place, "started")
        os.mkfifo(self.started)
        # Both ends stay open, else opening either would wait.
        self._reader = os.open(self.started, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._reader, True)
        self._writer = os.open(self.started, os.O_WRONLY)
        described = json.dumps(list(self.described))
        self.write("template.d/scripts/first", _SCRIPT % (self.target, described, self.started))
        os.symlink("../scripts/first", os.path.join(self.place, "template.d", self.target + ".d", "10first"))
        self.environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_DEVICE="/no/device",
            OVM_STATE_DIR=os.path.join(self.place, "state"),
            OVM_TEMPLATE_DIR=os.path.join(self.place, "template.d"),
            OVM_TEMPLATE_LOCK=os.path.join(self.place, "lock"),
            OVM_TEMPLATE_LOG=os.path.join(self.place, "log"),
        )
        return self

    def __exit__(self, *_exc):
        os.close(self._reader)
        os.close(self._writer)
        shutil.rmtree(self.place)
        self.host.close()
        self.daemon.close()

    def program(self, name):
        """The path of a built program."""
        return os.path.join(self.folder, name)

    def write(self, name, text):
        """Write a program of the guest; returns its path."""
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="ascii") as target:
            target.write(text)
        os.chmod(path, 0o755)
        return path

    def wait_for_start(self):
        """Wait until the script has started."""
        os.read(self._reader, 1)

    def collect(self):
        """Take what the guest has sent."""
        for _arrival in self.end.inbox.receive():
            pass
