# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task consists of: the payload that is sent to a guest, and where its time goes."""

import os
import pathlib
import re
import shutil

from .measure import playbook, run, side_by_side
from .module_side import PYTHON, ModuleSide

KEYS = 100
#: Each module with options that let it come as far as its payload; what it then does is of no interest.
MODULES = {
    "ovm_guest_event": {"event": "reconfigure"},
    "ovm_guest_param": {"params": {"a": "b"}},
    "ovm_guest_param_info": {},
    "ovm_template_config": {"target": "cleanup"},
    "ovm_template_script": {"name": "bench", "state": "absent"},
    "ovm_vm_message": {"host": "localhost", "username": "u", "password": "p", "vm": "v", "messages": {"a": "b"}},
    "ovm_vm_message_info": {"host": "localhost", "username": "u", "password": "p", "vm": "v"},
}
_IMPORT = re.compile(r"^import time: +([0-9]+) \| +[0-9]+ \| +(\S+)$", re.MULTILINE)


class TaskSide(ModuleSide):
    """The benchmarks, each a method of one letter."""

    letters = "mn"

    def payloads(self, *tasks):
        """Run tasks as they are run on a target, and keep what was sent there.

        :returns: module -> the file that was sent.
        """
        place = os.path.join(self.folder, "payloads")
        shutil.rmtree(place, ignore_errors=True)
        environment = dict(
            self.environment,
            ANSIBLE_KEEP_REMOTE_FILES="1",
            ANSIBLE_PIPELINING="0",
            ANSIBLE_REMOTE_TMP=place,
        )
        playbook(self.folder, "payloads", [dict(task, ignore_errors=True) for task in tasks], environment)()
        found = pathlib.Path(place).glob("*/AnsiballZ_*.py")
        return {path.stem.partition("_")[2]: str(path) for path in found}

    def m(self):
        """The size of what is sent to a target."""
        files = self.payloads(
            {"ansible.builtin.ping": {}},
            *({"ovm.messaging." + name: options, "check_mode": True} for name, options in MODULES.items()),
        )
        missing = sorted({"ping", *MODULES} - set(files))
        if missing:
            raise SystemExit("bench: nothing was sent for %s" % ", ".join(missing))
        sizes = {name: os.path.getsize(files[name]) / 1024 for name in ("ping", *MODULES)}
        largest = max(MODULES, key=sizes.get)
        self.report.add(
            "(m) what is sent for a task: the largest of our modules against ping",
            "KiB",
            sizes,
            sizes[largest] / sizes["ping"],
            2.0,
            at_most=True,
        )

    def n(self):
        """Where the time of a task goes."""
        task = {"ovm.messaging.ovm_guest_param": {"params": self.params("same", KEYS)}}
        ping = {"ansible.builtin.ping": {}}
        self.playbook("unchanged", task)()
        files = self.payloads(ping, task)
        piped = dict(self.environment, ANSIBLE_PIPELINING="1")
        copied = dict(self.environment, ANSIBLE_PIPELINING="0")

        def module(name, *options):
            return run([PYTHON, *options, files[name]], env=self.environment)

        works = {
            "interpreter": lambda: run([PYTHON, "-c", "pass"]),
            "empty": playbook(self.folder, "empty", [], piped),
        }
        for name, tasks in (("ping", [ping]), ("ovm_guest_param", [task])):
            works["process " + name] = lambda name=name: module(name)
            works["piped " + name] = playbook(self.folder, "piped-" + name, tasks, piped)
            works["copied " + name] = playbook(self.folder, "copied-" + name, tasks, copied)
        found = side_by_side(7, **works)
        known = dict(_imports(module("ping", "-X", "importtime")))
        tries = [_imports(module("ovm_guest_param", "-X", "importtime")) for _unused in range(7)]
        ours = min(sum(seconds for name, seconds in each if name not in known) for each in tries)
        bars = {}
        for name in "ping", "ovm_guest_param":
            process = found["process " + name]
            bars[name] = {
                "Ansible's start and end": found["empty"],
                "the task in Ansible": found["piped " + name] - found["empty"] - process,
                "transfer by files": found["copied " + name] - found["piped " + name],
                "interpreter": found["interpreter"],
                "Ansible's module code": found["process ping"] - found["interpreter"],
            }
        more = found["process ovm_guest_param"] - found["process ping"]
        bars["ovm_guest_param"].update({"our imports": ours, "our work": more - ours})
        # A difference of two measurements may be less than nothing where it is little.
        bars = {run: {part: max(0.0, time) for part, time in parts.items()} for run, parts in bars.items()}
        self.report.share("profile", "(n) where the time of a task goes that has nothing to do", "s", bars)
        self.report.add(
            "(n) the module's process alone, %d parameters that are already set, against that of ping" % KEYS,
            "s",
            {name: found["process " + name] for name in bars},
            found["process ovm_guest_param"] / found["process ping"],
            1.5,
            at_most=True,
        )


def _imports(said):
    """What -X importtime has said: pairs of a module, and the seconds that it alone took."""
    return [(name, int(time) / 1e6) for time, name in _IMPORT.findall(said)]
