# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest at its first boot, in sight of a Watch. Scripts are stock ones, and one that says what it should not.

No script touches this machine: its tools are stand-ins, and its root is a folder.
"""

import pathlib
import signal
import subprocess
import sys
import time

from tests.secrets.watch import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, str(ROOT / "programs/ovm-template-config"))
DAEMON = [sys.executable, str(ROOT / "programs/ovmd")]
ROOT_PASSWORD, USER = "com.oracle.linux.root-password", "com.oracle.linux.user."
PIN = "org.example.pin"
#: What ends a run with success, and with a script that failed.
DONE, FAILED = 0, 1
#: Stands for a guest's Python. It puts the stand-ins of tools first.
_PYTHON = """#!/bin/sh
export FAKE={place} PATH={place}/bin:$PATH PYTHONPATH={more}$PYTHONPATH
exec {python} "$@"
"""
#: As the real one: a password comes as a hash, or is hashed here.
_CHPASSWD = """#!/bin/sh
[ "$1 $2" = "--root {place}/root" ] || exit 2
while IFS=: read -r name hash; do
    [ "$3" ] || hash=$(printf %s "$hash" | openssl passwd -6 -stdin)
    echo "$name $hash" >> {place}/root/passwords
done
"""
_TALKING = """#!{place}/python
### BEGIN PLUGIN INFO
# name: talking
# configure: {priority}
# description: Says what it should not.
### END PLUGIN INFO
import json, os, shlex, sys, time
from templateconfig.cli import main

def describe(target):
    return json.dumps([{{"key": "org.example.pin", "description": "PIN", "required": True, "password": True}}])

def configure(parameters):
    values = json.loads(parameters)
    print(parameters, values, json.dumps(values, indent=2))
    for value in values.values():
        sys.stderr.write("%s %r %s\\n" % (value, value, shlex.quote(value)))
    with open({place!r} + "/what") as source:
        what = source.read()
    if what == "raise":
        raise ValueError(values)
    if what == "fail":
        sys.exit("what is wrong is " + values["org.example.pin"])
    if what == "hang":
        open({place!r} + "/hangs", "w").close()
        time.sleep(900)
    return parameters

main(describe, {{"configure": configure}})
"""


class Boots:
    """A guest, and its first boots.

    :ivar dict environment: of its programs.
    """

    def __init__(self, watch, xenstore):
        self.watch, self.place = watch, watch.place
        self.flag, self.log, self.state = self.place / "flag", self.place / "boot.log", self.place / "guest"
        self.environment = watch.environment(
            XENSTORED_PATH=str(xenstore),
            OVM_DEVICE="/no/device",
            OVM_STATE_DIR=str(self.state),
            OVM_TEMPLATE_DIR=str(self.place / "template.d"),
            OVM_TEMPLATE_LOCK=str(self.place / "lock"),
            OVM_TEMPLATE_LOG=str(self.log),
            OVM_TEMPLATE_ROOT=str(self.place / "root"),
            OVM_INITIAL_CONFIG=str(self.flag),
            OVM_CONSOLE="/no/console",
            OVM_OVF_DEVICES="/no/disc",
            OVM_POWEROFF="true",
        )
        self._count = 0
        self._system()
        (self.place / "template.d/scripts").mkdir(parents=True)
        (self.place / "template.d/configure.d").mkdir()
        self._install("talking", 40, _TALKING.format(place=str(self.place), priority=40))
        self._install("user", 60, self._stock("user", "python-without-ctypes"))
        self._install("authentication", 90, self._stock("authentication", "python"))
        self.talking("good")
        self.seal()

    def _system(self):
        root, tools = self.place / "root", self.place / "bin"
        for folder in (root / "etc", tools, self.place / "without"):
            folder.mkdir(parents=True)
        (self.place / "without/ctypes.py").write_text("raise ImportError('as in a minimal Debian')\n")
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh"), ("shadow", "root:!:1::::::"), ("group", "")):
            (root / "etc" / name).write_text(text + "\n" * bool(text))
        stand_in = (ROOT / "tests/unit/templateconfig/tools.py").read_text()
        self.executable(tools / "useradd", "#!%s -IS\n%s" % (sys.executable, stand_in))
        self.executable(tools / "chpasswd", _CHPASSWD.format(place=self.place))
        for name, more in (("python", ""), ("python-without-ctypes", "%s/without:" % self.place)):
            text = _PYTHON.format(place=self.place, more=more, python=sys.executable)
            self.executable(self.place / name, text)

    def _stock(self, name, python):
        lines = (ROOT / "roles/ovmd/files/scripts" / name).read_text().split("\n")
        return "\n".join(["#!%s/%s" % (self.place, python), *lines[1:]])

    def _install(self, name, priority, text):
        self.executable(self.place / "template.d/scripts" / name, text)
        (self.place / "template.d/configure.d" / ("%d%s" % (priority, name))).symlink_to("../scripts/" + name)

    @staticmethod
    def executable(path, text):
        """Put a program there."""
        path.write_text(text)
        path.chmod(0o755)

    def talking(self, what):
        """What the script does that talks: raise, fail, hang, or good for nothing else."""
        (self.place / "what").write_text(what)

    def seal(self, **settings):
        """The next boot is a first one."""
        lines = ["INITIAL_CONFIG=yes", *("INITIAL_CONFIG_%s=%s" % pair for pair in settings.items())]
        self.flag.write_text("\n".join(lines) + "\n")

    @property
    def sealed(self):
        return "INITIAL_CONFIG=yes" in self.flag.read_text().split("\n")

    def was_set(self):
        """Whose passwords were set, in order."""
        path = self.place / "root/passwords"
        found = [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []
        assert all(value.startswith("$") for _name, value in found), found
        return [name for name, _value in found]

    def start(self, path, *words, command=PROGRAM, **environment):
        """Start the first boot, or what else is given.

        :param str path: for the figures.
        :rtype: Started
        """
        self._count += 1
        # Others may read it. So what is said there is looked at as what is in any file.
        said = self.place / ("said-%d" % self._count)
        words = words or ("--initial-config", "--loglevel", "DEBUG")
        with open(said, "wb") as output:
            process = self.watch.start(
                path, [*command, *words], dict(self.environment, **environment),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        return Started(process, said)

    def until(self, condition, what):
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, what + " does not come"
            time.sleep(0.05)

    def hangs(self):
        """Wait until the script has its parameters, and hangs."""
        marker = self.place / "hangs"
        self.until(marker.exists, "the script that hangs")
        marker.unlink()


class Started:
    """A program that was started.

    :ivar subprocess.Popen process: it; strace is none of its parents.
    """

    def __init__(self, process, said):
        self.process, self._said = process, said

    @property
    def said(self):
        return self._said.read_text(errors="replace")

    def expect(self, text):
        """Wait until it has said that."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            assert time.monotonic() < deadline and self.process.poll() is None, self.said
            time.sleep(0.05)

    def end(self, wanted, number=0):
        """See it end with that exit code; by a signal if one is given."""
        if number:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert code == (-number if number in (signal.SIGKILL, signal.SIGTERM) else wanted), (code, self.said)
