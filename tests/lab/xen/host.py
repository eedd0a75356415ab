# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dom0 and its guests: Xen's own toolstack over ssh."""

import json
import os
import threading

from .. import LabError
from .machine import KERNEL_ARGUMENTS, wait_until
from .ssh import PATIENCE, Shell

#: Seconds that xl may take.
_PATIENCE = 300
_FOLDER = "/run/ovm-lab"
_LOGS = "/var/log/xen/console"
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_server.py"), encoding="utf-8") as _stream:
    _STORE_SERVER = _stream.read()


class Host:
    """A Xen host.

    :param Shell shell: commands in its dom0.
    :param Key key: who logs in to guests.
    :ivar Store store: its XenStore, as dom0 sees it.
    """

    def __init__(self, shell, key):
        self.shell, self._key = shell, key
        self.store = Store(shell)
        self._addresses = 1
        self._shells = []
        self._lock = threading.Lock()

    def xl(self, *arguments, **options):
        """Run xl; see Shell.run."""
        options.setdefault("timeout", _PATIENCE)
        return self.shell.run("xl", *arguments, **options)

    def domains(self):
        """Guests that there are: name -> domain number. Domain-0 is none."""
        rows = [line.split() for line in self.xl("list").out.splitlines()[1:]]
        return {row[0]: int(row[1]) for row in rows if row[1] != "0"}

    def create(self, name, kind="pv", memory=192, wait=True, timeout=PATIENCE, arguments="", **configuration):
        """Create a guest of the light system.

        :param str kind: "pv" or "pvh".
        :param int memory: megabytes.
        :param bool wait: until it can be reached by ssh.
        :param str arguments: more for its kernel.
        :param configuration: more for xl's configuration, such as ``on_crash="restart"`` or ``vcpus=2``; None
            leaves out what is usual.
        :rtype: Domain
        :raises LabError: xl fails, with what it says; or the guest cannot be reached.
        """
        with self._lock:
            self._addresses += 1
            high, low = divmod(self._addresses, 256)
        address = "10.9.%d.%d" % (high, low)
        options = {
            "name": name,
            "type": kind,
            "kernel": "/boot/vmlinux",
            "ramdisk": "/boot/initrd",
            "extra": ("%s ovm.name=%s ovm.address=%s %s" % (KERNEL_ARGUMENTS, name, address, arguments)).strip(),
            "memory": memory,
            "vcpus": 1,
            # Else Xen computes each look at the time, which makes a PVH guest four times slower.
            "tsc_mode": "native",
            "vif": ["mac=00:16:3e:09:%02x:%02x,bridge=xenbr0" % (high, low)],
        }
        options.update(configuration)
        lines = ["%s = %s\n" % (option, json.dumps(value)) for option, value in options.items() if value is not None]
        path = "%s/%s.cfg" % (_FOLDER, name)
        self.shell.put("".join(lines), path)
        self.xl("create", "-q", path)
        self._shells.append(Shell("guest " + name, address, self._key, via=self.shell))
        domain = Domain(self, name, kind, self._shells[-1], path)
        if wait:
            domain.wait(timeout)
        return domain

    def destroy(self, name):
        """End a guest at once; no error if there is none.

        :raises LabError: xl fails, with what it says.
        """
        done = self.xl("destroy", name, check=False)
        if done.code and name in self.domains():
            raise LabError("guest %s cannot be destroyed: %s" % (name, done.err))

    def close(self):
        """End all connections; the guests run on."""
        self.store.close()
        for shell in self._shells:
            shell.close()


class Domain:
    """A guest.

    :ivar str name: its name.
    :ivar str kind: "pv" or "pvh".
    :ivar Host host: where it is.
    :ivar Shell shell: commands in it.
    """

    def __init__(self, host, name, kind, shell, configuration):
        self.host, self.name, self.kind, self.shell, self._configuration = host, name, kind, shell, configuration

    def __repr__(self):
        return "<Domain %s>" % self.name

    @property
    def domid(self):
        """Its number, asked at each time: it changes with each life.

        :raises LabError: there is no such domain.
        """
        return int(self.host.xl("domid", self.name).out)

    def alive(self):
        """Whether there is a domain of that name, which may be on its way out."""
        return self.name in self.host.domains()

    def wait(self, timeout=PATIENCE):
        """Wait until it can be reached by ssh.

        :raises LabError: with the end of its console's log.
        """
        try:
            self.shell.wait(timeout, self.alive)
        except LabError as problem:
            raise LabError("%s; it ends with: %s" % (problem, self.console()[-500:])) from problem

    def wait_gone(self, timeout=PATIENCE):
        """Wait until there is no domain of that name."""
        wait_until(lambda: not self.alive(), timeout, "the end of guest %s" % self.name)
        self.shell.close()

    def wait_other(self, domid, timeout=PATIENCE):
        """Wait until it has another number than that, as after a reboot, and can be reached."""
        wait_until(
            lambda: self.host.domains().get(self.name, domid) != domid,
            timeout,
            lambda: "another life of guest %s than %d; there is %r" % (self.name, domid, self.host.domains()),
        )
        self.shell.close()
        self.wait(timeout)

    def console(self):
        """What it has written to its console, in all lives of that name.

        :rtype: str
        """
        done = self.host.shell.run("cat", "%s/guest-%s.log" % (_LOGS, self.name), check=False)
        return done.out if done.code == 0 else ""

    # What a toolstack does with it

    def destroy(self):
        """End it at once; no error if it has ended already."""
        self.shell.close()
        self.host.destroy(self.name)

    def shutdown(self, wait=True):
        """Have it shut down."""
        self.host.xl("shutdown", self.name)
        if wait:
            self.wait_gone()

    def reboot(self, wait=True):
        """Have it reboot; it is another domain then."""
        domid = self.domid
        self.host.xl("reboot", self.name)
        if wait:
            self.wait_other(domid)

    def crash(self):
        """Have its kernel panic. What follows is up to ``on_crash``: a domain is destroyed unless told otherwise."""
        self.host.xl("sysrq", self.name, "c")

    def pause(self):
        self.host.xl("pause", self.name)

    def unpause(self):
        self.host.xl("unpause", self.name)

    def save(self, path):
        """Save it to a file in dom0; it is gone then."""
        self.host.xl("save", self.name, path)

    def restore(self, path, wait=True):
        """Restore it from a file in dom0."""
        self.host.xl("restore", path)
        if wait:
            self.wait()

    def migrate(self, wait=True):
        """Migrate it to this very host; it is another domain then."""
        # An empty -s has the last argument run in place of ssh.
        self.host.xl("migrate", "-s", "", self.name, "xl migrate-receive")
        if wait:
            self.wait()


class Store:
    """XenStore as dom0 sees it: one process there, that is asked. Values are bytes; paths may be text."""

    def __init__(self, shell):
        self._shell, self._process = shell, None
        self._lock = threading.Lock()

    def close(self):
        with self._lock:
            if self._process:
                self._process.kill()
                self._process.communicate()
                self._process = None

    def _ask(self, request, *arguments):
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                command = "env", "PYTHONPATH=/usr/lib/ovm", "python3", "-u", "-c", _STORE_SERVER
                self._process = self._shell.start(*command)
            texts = [_text(argument) for argument in arguments]
            try:
                self._process.stdin.write(json.dumps([request, *texts]) + "\n")
                self._process.stdin.flush()
            except OSError:
                pass  # what it has said about it is read below
            line = self._process.stdout.readline()
            if not line:
                _out, said = self._process.communicate()
                self._process = None
                raise LabError("the process that asks dom0's XenStore has ended: %s" % said)
        answer = json.loads(line)
        if "error" in answer:
            raise LabError("XenStore in dom0: %s" % answer["error"])
        return answer["value"]

    def read(self, path):
        """A node's value, or None where there is no such node."""
        value = self._ask("read", path)
        return None if value is None else value.encode("latin-1")

    def write(self, path, value):
        self._ask("write", path, value)

    def remove(self, path):
        """Remove a node and all below; no error if there is none."""
        self._ask("remove", path)

    def ls(self, path):
        """The names of a node's children, or None where there is no such node."""
        return self._ask("ls", path)

    def tree(self, path):
        """All nodes below a path, with their values: relative path -> bytes. None where there is no such node."""
        found = self._ask("tree", path)
        return None if found is None else {name: value.encode("latin-1") for name, value in found.items()}

    def permissions(self, path):
        """A node's permissions, or None where there is no such node: ``["n0", "r5"]``; the first names the owner."""
        return self._ask("permissions", path)

    def set_permissions(self, path, permissions):
        self._ask("set_permissions", path, ",".join(permissions))


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
