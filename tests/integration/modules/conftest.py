# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are run by a real ansible-playbook, as users run them, against a guest of the lab."""

import json
import os
import subprocess

import pytest

#: Seconds after which a playbook is taken to hang.
PATIENCE = 120


class Playbook:
    """Runs tasks on one guest, or without one on this machine, all in one ansible-playbook."""

    def __init__(self, folder, guest=None):
        self.folder = folder
        self.defaults = {"xenstore_path": guest.path, "state_dir": str(folder / "state")} if guest else {}
        self.output = ""

    def __call__(self, *tasks, arguments=(), environment=None):
        """Run tasks, going on after failures.

        :param tasks: dicts as in a playbook, with the module's name without its namespace.
        :param arguments: more for ansible-playbook.
        :returns: a task's result, or a list of those of several.
        """
        results = str(self.folder / "results.json")
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/ovm.messaging.guest": self.defaults},
            "tasks": [
                dict(
                    {
                        "ovm.messaging." + name if name.startswith("ovm_") else name: value
                        for name, value in task.items()
                    },
                    register="result%d" % n,
                    ignore_errors=True,
                )
                for n, task in enumerate(tasks)
            ]
            + [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ [%s] | to_json }}" % ", ".join("result%d" % n for n in range(len(tasks))),
                        "dest": results,
                        "mode": "0600",
                    },
                    "check_mode": False,
                    "diff": False,
                    "no_log": True,
                }
            ],
        }
        book = self.folder / "play.yml"
        book.write_text(json.dumps([play]))
        done = subprocess.run(
            ["ansible-playbook", "-c", "local", str(book), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE,
            encoding="utf-8",
            env=dict(os.environ, **environment or {}),
        )
        self.output = done.stdout
        assert done.returncode == 0, done.stdout
        with open(results, encoding="utf-8") as source:
            found = json.load(source)
        os.unlink(results)
        return found if len(found) > 1 else found[0]


@pytest.fixture
def heard(host_end):
    """What the host has received since it last looked, as a list of pairs."""
    return lambda: [tuple(arrival.message) for arrival in host_end.inbox.receive()]


@pytest.fixture
def make_play(tmp_path):
    """A function from a guest to what runs tasks in it."""
    return lambda guest: Playbook(tmp_path, guest)


@pytest.fixture
def play(guest, make_play):
    return make_play(guest)


@pytest.fixture
def local_play(tmp_path):
    """For modules that need no XenStore."""
    return Playbook(tmp_path)
