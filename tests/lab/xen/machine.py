# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A computer in QEMU that runs Xen."""

import contextlib
import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from .. import LabError
from ..making import cache
from ..process import last_words
from .packages import CACHE, qemu
from .ssh import PATIENCE, Shell

#: What QEMU's processor has not: each of these breaks Xen or a guest where QEMU computes it. With smap, dom0 faults at
#: its first return from an interrupt; with rdtscp, Xen cannot emulate what a PVH guest does; with xsave and avx, PVH
#: guests meet an undefined instruction.
CPU = "max,-smap,-rdtscp,-xsave,-avx,-avx2,-erms"
#: For the kernels of dom0 and of guests. Where all programs are in their usual places, QEMU translates them once and
#: not at each start; the rest is work that no test is about.
KERNEL_ARGUMENTS = "console=hvc0 quiet norandmaps mitigations=off init_on_alloc=0 audit=0 apparmor=0 selinux=0"
# In a run's folder: locked by the process that runs it.
_LOCK = "lock"
_held = []
# Ends a process with the one that has started it, however that ends.
_TIED = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == parent:
    os.execvp(sys.argv[2], sys.argv[2:])
"""


class Machine:
    """A computer that boots Xen and a dom0. A context manager, which ends it.

    :param Images images: what it boots.
    :param Key key: who logs in to dom0.
    :param str folder: for its logs and whatever else belongs to this run; None makes one in the cache, which goes
        with the machine.
    :param int memory: megabytes of the computer.
    :param int dom0_memory: megabytes of dom0.
    :param arguments: more for dom0's kernel, one text.
    :param options: more for QEMU, such as disks: list.
    :param ports: dom0's ports that are to be reached from here.
    :param str cpu: QEMU's name of a processor.
    :ivar str folder: see above.
    :ivar Key key: see above.
    :ivar Shell dom0: commands in dom0.
    """

    def __init__(
        self, images, key, folder=None, memory=2048, dom0_memory=1100, arguments="", options=(), ports=(22,), cpu=CPU
    ):
        self._own_folder = folder is None
        self.folder = folder or make_folder()
        self._images, self.key, self._memory, self._dom0_memory = images, key, memory, dom0_memory
        self._arguments, self._options, self._ports, self._cpu = arguments, list(options), ports, cpu
        self._process = self._log = None
        self._lock = threading.Lock()
        self.dom0 = None

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.stop()

    # Its life

    def start(self, timeout=PATIENCE):
        """Start it; dom0 can be reached when this returns.

        :param timeout: seconds until then; None does not wait.
        :raises LabError: QEMU cannot be had, or dom0 not be reached; with a remedy.
        """
        command = self._command()
        for name in ("hypervisor", "kernel", "initrd"):
            # QEMU splits its argument at commas and spaces.
            _link(getattr(self._images, name), os.path.join(self.folder, name))
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _TIED, str(os.getpid()), *command],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._receive()
        self._execute("qmp_capabilities")
        self.dom0 = Shell("dom0", "127.0.0.1", self.key, self.port(22))
        if timeout is not None:
            try:
                self.dom0.wait(timeout, self.alive)
            except LabError as problem:
                raise LabError("%s; it ends with: %s" % (problem, last_words(self.serial))) from problem
        return self

    def _command(self):
        forwarded = "".join(",hostfwd=tcp:127.0.0.1:0-:%d" % port for port in self._ports)
        xen = "console=com1 com1=115200,8n1 dom0_mem=%dM,max:%dM dom0_max_vcpus=1 loglvl=warning noreboot"
        arguments = "%s %s" % (KERNEL_ARGUMENTS, self._arguments)
        return [
            qemu(),
            *("-accel", "tcg", "-cpu", self._cpu, "-smp", "2", "-m", str(self._memory)),
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-serial", "file:serial.log", "-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control"),
            # restrict: nothing leaves this computer.
            *("-netdev", "user,id=net,restrict=on" + forwarded, "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-kernel", "hypervisor", "-append", xen % (self._dom0_memory, self._dom0_memory)),
            *("-initrd", "kernel %s,initrd" % arguments.replace(",", ",,")),
            *self._options,
        ]

    def alive(self):
        return bool(self._process and self._process.poll() is None)

    def wait(self):
        """Wait until it ends by itself."""
        self._process.wait()

    def stop(self):
        """End it at once, and remove what belongs to it but a folder that was given."""
        if self.dom0:
            self.dom0.close()
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def serial(self):
        """The log of what the hypervisor and dom0's kernel have said."""
        return os.path.join(self.folder, "serial.log")

    def keep_logs(self, folder):
        """Copy the logs of all consoles: the hypervisor's, dom0's and, where dom0 answers, the guests'."""
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(self.folder):
            if name.endswith(".log"):
                shutil.copy(os.path.join(self.folder, name), folder)
        if self.alive() and self.dom0.reachable():
            done = self.dom0.run("tar", "-c", "-C", "/var/log/xen", ".", check=False)
            if done.code == 0:
                subprocess.run(
                    ["tar", "-x", "-C", folder], input=done.out.encode("utf-8", "surrogateescape"), check=False
                )

    # The monitor

    def port(self, port):
        """The port of this machine that leads to one of dom0's."""
        found = re.search(r"HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+%d\s" % port, self.monitor("info usernet"))
        if not found:
            raise LabError("dom0's port %d is not forwarded: name it when the machine is made" % port)
        return int(found[1])

    def monitor(self, command):
        """Have QEMU do something, as by its monitor: ``savevm ready``.

        :returns: what it says.
        """
        return self._execute("human-monitor-command", {"command-line": command})

    def _execute(self, command, arguments=None):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            except OSError as problem:
                raise LabError("QEMU has ended: %s" % self._said()) from problem
            while True:
                answer = self._receive()
                if "error" in answer:
                    raise LabError("QEMU refuses %s: %s" % (command, answer["error"].get("desc")))
                if "return" in answer:
                    return answer["return"]

    def _receive(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise LabError("QEMU has ended: %s" % self._said())
        return json.loads(line)

    def _said(self):
        return last_words(os.path.join(self.folder, "qemu.log"))


def make_folder():
    """A folder for a run, which is this process's as long as it lives. What others have left is removed."""
    place = cache(CACHE)
    folder = tempfile.mkdtemp(prefix="run-", dir=place)
    held = open(os.path.join(folder, _LOCK), "wb")  # noqa: SIM115
    fcntl.flock(held, fcntl.LOCK_EX)
    _held.append(held)
    for other in glob.glob(os.path.join(place, "run-*", _LOCK)):
        with contextlib.suppress(OSError):
            with open(other, "rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(os.path.dirname(other), ignore_errors=True)
    return folder


@contextlib.contextmanager
def run_folder():
    """A folder for a run, removed at its end."""
    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _link(source, path):
    if source != path:
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(source, path)


def wait_until(condition, timeout, what):
    """Wait until a condition holds.

    :param condition: a function; what it returns, if true, is returned.
    :param what: what is waited for, for the error: a text, or a function that makes it at the end.
    :raises LabError: it does not in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError("waited %.0f s in vain: %s" % (timeout, what() if callable(what) else what))
        time.sleep(0.1)
