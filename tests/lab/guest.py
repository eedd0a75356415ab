# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest: a domain of the lab, its kernel, and what a toolstack does with it."""

import contextlib
import json
import os
import shutil
import socket
import sys
import uuid

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

from . import LabError, hypervisor, toolstack
from .process import PATIENCE, Process, last_words, spawn

_KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel.py")
_RECORD = "guest.json"
#: The lowest number that Xen keeps for other things (DOMID_FIRST_RESERVED).
_DOMID_END = 0x7FF0


class Guest:
    """A guest that runs, or has run. Its programs reach XenStore by ``path`` or by ``device``.

    Both stay where they are when the guest gets another domain number, as /dev/xen/xenbus
    does in a real one.

    :param Daemon daemon: the daemon, which must run.
    :param int domid: the number it is to have as a domain.
    :param str name: its name; ``guest-<domid>`` if None.
    :param bool prepare: whether the host opens the message channel for it.
    :param bool detached: its kernel shall outlive this process.
    :ivar int domid: the number of its domain at present.
    :ivar str path: unix socket.
    :ivar str device: character device; for programs that open a device by name.
    :ivar str uuid: of the virtual machine: the same for life.
    :raises LabError: the number is taken, or is none.
    """

    def __init__(self, daemon, domid, name=None, prepare=True, detached=False):
        if not 0 < domid < _DOMID_END:
            raise LabError("%d is no guest's domain number: use one from 1 to %d" % (domid, _DOMID_END - 1))
        self.name = name or "guest-%d" % domid
        self.uuid = str(uuid.uuid4())
        self._prepare, self._detached = prepare, detached
        self._locate(daemon, os.path.join(daemon.directory, "guest-%d" % domid))
        try:
            os.mkdir(self.directory, 0o700)
        except FileExistsError as problem:
            raise LabError("there is a guest %d already: destroy it first" % domid) from problem
        try:
            self._create(domid)
        except LabError:
            os.rmdir(self.directory)
            raise
        try:
            self._boot()
        except BaseException:
            self.close()
            hypervisor.destroy(daemon.directory, domid)
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        daemon.domains.append(self)

    def _locate(self, daemon, directory):
        self._daemon, self.directory = daemon, directory
        self.path = os.path.join(directory, "xenbus")
        self.device = os.path.join(directory, "xenbus-device")
        self._kernel = None

    # Finding it again in another process

    @classmethod
    def load(cls, daemon, directory):
        """The guest that an earlier process has made in a folder.

        :rtype: Guest
        """
        self = cls.__new__(cls)
        self._locate(daemon, directory)
        with open(os.path.join(directory, _RECORD), encoding="utf-8") as stream:
            record = json.load(stream)
        self.domid, self.name, self.uuid = record["domid"], record["name"], record["uuid"]
        self._prepare, self._detached = record["prepare"], True
        if record["kernel"]:
            self._kernel = Process(*record["kernel"])
        daemon.domains.append(self)
        return self

    def _save(self):
        kernel = self._kernel and [self._kernel.pid, self._kernel.started]
        record = {"domid": self.domid, "name": self.name, "uuid": self.uuid, "prepare": self._prepare, "kernel": kernel}
        path = os.path.join(self.directory, _RECORD)
        with open(path + ".new", "w", encoding="utf-8") as stream:
            json.dump(record, stream)
        os.rename(path + ".new", path)

    # Life

    def running(self):
        """:returns: whether its kernel runs."""
        return bool(self._kernel and self._kernel.alive())

    def destroy(self):
        """Remove domain and guest, as ``xl destroy`` does. Its programs lose their connections."""
        self._halt()
        self._remove_domain()
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def crash(self):
        """The kernel crashes; the domain stays, as with ``on_crash="preserve"``, until destroy or reboot."""
        self._halt(hypervisor.CRASHED)

    def shut_down(self):
        """The guest ends by itself; the domain stays, as with ``on_poweroff="preserve"``."""
        self._halt(hypervisor.SHUT_DOWN)

    def reboot(self, domid=None):
        """Destroy the domain and make a new one for the same virtual machine.

        :param int domid: its number; the next one if None.
        """
        domid = self._free(domid)
        self._halt()
        self._remove_domain()
        self._create(domid)
        self._boot()

    def restore(self, domid=None):
        """Save the guest and restore it as a new domain. Its programs run on, connected, and
        their watches are set again and fire; open transactions are lost.

        :param int domid: the new number; the next one if None.
        """
        domid = self._free(domid)
        self._control(b"suspend")
        hypervisor.change(self._daemon.directory, self.domid, hypervisor.SHUT_DOWN)
        self._remove_domain()
        self._create(domid)
        self._control(b"reset %d" % self.domid)
        self._introduce()
        self._control(b"resume")
        self._save()

    def checkpoint(self):
        """Suspend the guest and let the same domain go on, as ``xl save -c`` does."""
        self._control(b"suspend")
        self._control(b"resume")

    def reintroduce(self):
        """Make XenStore know the domain again after the daemon was restarted and so forgot everything.

        The guest's programs stay connected, and their watches are set again and fire. What
        they had asked for when the daemon ended is never answered.
        """
        self._control(b"reset %d" % self.domid)
        self._introduce()
        self._control(b"resume")

    def pause(self):
        """Let the guest's kernel hang: it neither takes nor answers anything until resume()."""
        self._kernel.stop()

    def resume(self):
        self._kernel.go_on()

    def cut_off(self):
        """How many transactions were open when their programs ended. After one, Linux hangs at the next suspend."""
        return int(self._ask(b"cut-off"))

    def close(self):
        """End the kernel and leave everything else."""
        if self._kernel:
            self._kernel.kill()
        if self in self._daemon.domains:
            self._daemon.domains.remove(self)

    # Steps of it

    def _free(self, domid):
        """The number for this guest's next domain, of which there must be none yet."""
        domid = self.domid + 1 if domid is None else domid
        if domid != self.domid:
            hypervisor.require_free(self._daemon.directory, domid)
        return domid

    def _create(self, domid):
        hypervisor.create(self._daemon.directory, domid)
        self.domid = domid

    def _boot(self):
        """Start the kernel of a new domain."""
        log = os.path.join(self.directory, "kernel.log")
        # Isolated, and without site-packages: it starts in half the time.
        command = [sys.executable, "-I", "-S", _KERNEL, self._daemon.directory, str(self.domid), self.directory]
        self._kernel = Process.of(spawn(command, log, self._detached))
        self._introduce()
        self._save()

    def _introduce(self):
        with self._host() as host:
            toolstack.build(host, self.domid, self.name, self.uuid)
            if self._prepare:
                HostEnd(host, self.domid).prepare()
            host.introduce(self.domid, 1, 1)

    def _halt(self, state=None):
        if self._kernel:
            self._kernel.kill()
        if state:
            with self._host() as host, _released(host):
                hypervisor.change(self._daemon.directory, self.domid, state)

    def _remove_domain(self):
        with self._host() as host:
            with _released(host):
                hypervisor.destroy(self._daemon.directory, self.domid)
            toolstack.demolish(host, self.domid, self.uuid)

    def _host(self):
        return XenStore(self._daemon.path, timeout=PATIENCE)

    def _control(self, command):
        answer = self._ask(command)
        if answer != b"ok\n":
            raise self._disobeys(answer)

    def _ask(self, command):
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(PATIENCE)
                control.connect(os.path.join(self.directory, "control"))
                control.sendall(command + b"\n")
                return control.recv(16)
        except OSError as problem:
            raise self._disobeys(problem) from problem

    def _disobeys(self, answer):
        log = os.path.join(self.directory, "kernel.log")
        return LabError("the kernel of %s does not obey (%s); %s says: %s" % (self.name, answer, log, last_words(log)))


@contextlib.contextmanager
def _released(host):
    """Leave the block only when XenStore has noticed that a domain ended within it."""
    host.watch(b"@releaseDomain", b"lab")
    try:
        if not host.wait(PATIENCE, b"lab"):  # the one that comes at once
            raise LabError("XenStore sends no watch events: see the daemon's log")
        yield
        if not host.wait(PATIENCE, b"lab"):
            raise LabError("XenStore did not notice the end of a domain: see the daemon's log")
    finally:
        host.unwatch(b"@releaseDomain", b"lab")
