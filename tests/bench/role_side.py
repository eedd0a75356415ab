# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role ovmd, beside the least that a role can be: one task that copies, and one for a service."""

import json
import os
import subprocess
import sys
import time

from toolchain import ROOT, containers, guests

from .measure import run

#: The guest, and the lab that it is in.
NAME = SCENARIO = "bench"
_MINIMAL = [
    {"ansible.builtin.copy": {"content": "nothing\n", "dest": "/etc/minimal", "mode": "0644"}},
    {"ansible.builtin.systemd_service": {"name": "dbus.service", "state": "started"}},
]


class RoleSide:
    """The benchmark of one letter."""

    letters = "j"
    #: For podman; so it runs only if it is named.
    needs_root = True

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        try:
            containers.prepare({"ssh": "openssh-client"})
        except containers.ContainerError as problem:
            sys.exit("bench: %s" % problem)
        self._guests("guests", SCENARIO, NAME + "=debian12")
        self.inventory = os.path.join(self.folder, "inventory.json")
        connect = "%s -m toolchain.guests connect %s" % (sys.executable, NAME)
        ssh = "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ProxyCommand='%s'" % connect
        known = dict(
            ansible_user="root",
            ansible_ssh_private_key_file=str(guests.FOLDER / "access" / "key"),
            ansible_ssh_common_args=ssh,
            ansible_ssh_pipelining=True,
        )
        with open(self.inventory, "w", encoding="utf-8") as target:
            json.dump({"all": {"hosts": {NAME: known}}}, target)
        self.environment = dict(os.environ, ANSIBLE_HOST_KEY_CHECKING="false")
        return self

    def __exit__(self, *_exc):
        self._guests("down", SCENARIO)

    def j(self):
        """The first run and the second."""
        minimal = self._play("minimal", tasks=_MINIMAL)
        role = self._play("role", roles=["ovm.messaging.ovmd"])
        # Connected, and known to have a Python, before anything is timed.
        self._time(self._play("ping", tasks=[{"ansible.builtin.ping": {}}]))
        first = {"role ovmd": self._time(role), "minimal role": self._time(minimal)}
        second = {"role ovmd": self._time(role), "minimal role": self._time(minimal)}
        for which, figures in (("first", first), ("second", second)):
            ratio = figures["role ovmd"] / figures["minimal role"]
            self.report.add("role ovmd, %s run, against copy and service" % which, "s", figures, ratio, 6, True)

    def _play(self, name, **what):
        path = os.path.join(self.folder, name + ".yml")
        with open(path, "w", encoding="utf-8") as target:
            json.dump([dict(what, hosts=NAME, gather_facts=False)], target)
        return path

    def _time(self, playbook):
        start = time.perf_counter()
        run(["ansible-playbook", "-i", self.inventory, playbook], env=self.environment)
        return time.perf_counter() - start

    @staticmethod
    def _guests(*arguments):
        subprocess.run([sys.executable, "-m", "toolchain.guests", *arguments], check=True, cwd=ROOT)
