# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest at its first boot: a flag, scripts, and folders of its own for all that is the machine's."""

import json
import os
import pathlib
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from ansible_collections.ovm.messaging.programs import build
from lab import shell_script

#: Seconds after which something counts as hanging.
PATIENCE = 60
ROOT_PASSWORD = "com.oracle.linux.root-password"
HOSTNAME = "com.oracle.linux.network.hostname"

# It shows what it was given, notes that it began and ended, and passes its parameters on.
SCRIPT = (
    r"""#!/bin/sh
### BEGIN PLUGIN INFO
# name: {name}
# configure: {priority}
# description: of the tests
### END PLUGIN INFO
"""
    + shell_script.beginning("{described}")
    + r"""echo 'begin {name}' >> {place}/done
{work}
echo "$given" > {place}/{name}.given
echo 'end {name}' >> {place}/done
echo "$given" > "/dev/fd/$output"
"""
)
#: What the scripts describe.
NETWORK = [
    {"key": HOSTNAME, "description": "Host name", "choices": []},
    {"key": "org.example.pin", "description": "PIN", "password": True},
]
AUTHENTICATION = [{"key": ROOT_PASSWORD, "description": "Root password", "required": True, "password": True}]


class Machine:
    """The files of a guest, and what happens with them.

    :ivar pathlib.Path place: where all of them are.
    :ivar dict environment: for the program.
    """

    def __init__(self, place, xenstore):
        self.place = place
        self.flag, self.log, self.state = place / "flag", place / "log", place / "state"
        self.environment = {
            "PATH": os.environ["PATH"],
            "XENSTORED_PATH": str(xenstore),
            "OVM_DEVICE": "/no/device",
            "OVM_STATE_DIR": str(self.state),
            "OVM_TEMPLATE_DIR": str(place / "template.d"),
            "OVM_TEMPLATE_LOCK": str(place / "lock"),
            "OVM_INITIAL_CONFIG": str(self.flag),
            "OVM_CONSOLE": "/no/console",
            "OVM_OVF_DEVICES": "/no/disc",
            "OVM_POWEROFF": "touch %s" % (place / "powered-off"),
        }
        self.arguments = ["--initial-config", "--logfile", str(self.log)]
        (place / "template.d" / "scripts").mkdir(parents=True)
        (place / "template.d" / "configure.d").mkdir()
        self.add_script("network", 50, NETWORK)
        self.add_script("authentication", 90, AUTHENTICATION)
        self.ask_for_it()

    def ask_for_it(self, **settings):
        """Have the flag say yes."""
        lines = ["INITIAL_CONFIG=yes", *("INITIAL_CONFIG_%s=%s" % pair for pair in settings.items())]
        self.flag.write_text("\n".join(lines) + "\n", encoding="ascii")

    def add_script(self, name, priority, described, work=""):
        """Make and enable a script; ``work`` is shell."""
        path = self.place / "template.d" / "scripts" / name
        names = dict(name=name, priority=priority, described=json.dumps(described), place=self.place, work=work)
        text = SCRIPT
        for key, value in names.items():
            text = text.replace("{%s}" % key, str(value))
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        link = self.place / "template.d" / "configure.d" / ("%d%s" % (priority, name))
        if not link.is_symlink():
            link.symlink_to("../scripts/" + name)

    def remove_script(self, name):
        """Disable a script."""
        for link in (self.place / "template.d" / "configure.d").glob("*" + name):
            link.unlink()

    @property
    def asked(self):
        """Whether the flag says that the next boot is a first one."""
        return "INITIAL_CONFIG=yes" in self.flag.read_text(encoding="ascii").splitlines()

    @property
    def done(self):
        """What the scripts noted: that they began, and ended."""
        path = self.place / "done"
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def given(self, name):
        """The parameters that a script got."""
        return json.loads((self.place / (name + ".given")).read_text(encoding="utf-8"))

    def held(self):
        """The guest's list of parameters."""
        with ParameterList(str(self.state)) as parameters:
            return {entry.key.decode(): entry.value.decode() for entry in parameters.entries()}

    def logged(self):
        return self.log.read_text(encoding="utf-8")

    def boot(self):
        """What is in memory is gone."""
        shutil.rmtree(self.state, ignore_errors=True)


#: What each script notes when it runs once.
ONCE = ["begin network", "end network", "begin authentication", "end authentication"]


class Host:
    """The host's end of a guest's channel."""

    def __init__(self, store, domid):
        self._end = HostEnd(store, domid)
        self._store, self._domid = store, domid
        self.heard = []

    def send(self, *pairs):
        for key, value in pairs:
            self._end.send(Message(key.encode(), value.encode()), PATIENCE)

    def reports(self):
        """All reports of the configuration so far, as dicts."""
        self.heard += [tuple(arrival.message) for arrival in self._end.inbox.receive()]
        return [json.loads(value) for key, value in self.heard if key == report.CONFIGURATION]

    def states(self):
        """What was reported, less that it waits: whether it had to is a matter of chance."""
        return [found["state"] for found in self.reports() if found["state"] != "waiting"]

    def wait_for(self, state):
        """The report of that state."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [found for found in self.reports() if found["state"] == state]
            if found:
                return found[0]
            assert time.monotonic() < deadline, self.heard
            self._store.wait(0.1)

    def wait(self, seconds):
        self._store.wait(seconds)

    def boot(self):
        """The guest's tree is made anew, and with it what is in it."""
        root = b"/local/domain/%d/control/oracle-vmapi" % self._domid
        self._store.remove(root)
        self._end.prepare()
        self.heard = []


class Running:
    """The program, running.

    :ivar subprocess.Popen process: it.
    """

    def __init__(self, command, environment, limit=None):
        def set_limit():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            preexec_fn=set_limit,
        )
        self.said = ""

    def expect(self, text):
        """Wait until it has said that on standard error."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            ready = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, "not said: %r but %r" % (text, self.said)
            piece = os.read(self.process.stderr.fileno(), 65536).decode()
            assert piece, "not said: %r but %r" % (text, self.said)
            self.said += piece

    def end(self):
        """:returns: its exit code."""
        code = self.process.wait(PATIENCE)
        self.said += self.process.stderr.read().decode()
        return code


@pytest.fixture(scope="session")
def program():
    """The built program."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="first-"))
    folder.chmod(0o755)
    python = folder / "python"
    python.symlink_to(sys.executable)
    yield build.build("ovm-template-config", folder, str(python), [sys.executable])[0]
    shutil.rmtree(folder)


@pytest.fixture
def machine(guest, tmp_path):
    """The guest's files."""
    return Machine(tmp_path, guest.path)


@pytest.fixture
def other_side(guest, host):
    """The host's end of its channel."""
    return Host(host, guest.domid)


@pytest.fixture
def start(program, machine):
    """A function that starts the first boot, with more for its environment; and a limit of its files' sizes."""
    started = []

    def begin(*arguments, limit=None, **environment):
        command = [str(program), *machine.arguments, *arguments]
        started.append(Running(command, dict(machine.environment, **environment), limit))
        return started[-1]

    yield begin
    for running in started:
        running.process.kill()
        running.process.wait()
        running.process.stderr.close()
