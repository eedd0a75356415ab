# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the matrix learns of a run, from a real ansible-playbook with hosts that fail in all ways."""

import json
import os
import subprocess

import pytest

from toolchain import ROOT
from toolchain.matrix_run import faults_of

TASKS = [
    {"name": "Try", "ansible.builtin.fail": {"msg": "meant"}, "ignore_errors": True},
    {"name": "Look", "ansible.builtin.assert": {"that": "inventory_hostname != 'asserts'"}},
    {
        "name": "Repeat",
        "ansible.builtin.assert": {"that": "inventory_hostname != 'loops' or item == 1"},
        "loop": [1, 2],
    },
    {"name": "Skip", "ansible.builtin.debug": None, "when": "inventory_hostname != 'skips'"},
    {"name": "Go", "ansible.builtin.ping": None},
]


@pytest.mark.timeout(600)
def test_each_host_has_its_own_faults(tmp_path):
    no_way = tmp_path / "no_way"
    no_way.write_text("#!/bin/sh\necho no way >&2\nexit 255\n")
    no_way.chmod(0o755)
    hosts = dict.fromkeys(["good", "asserts", "loops", "skips"], {"ansible_connection": "local"})
    hosts["gone"] = {"ansible_connection": "ssh", "ansible_ssh_executable": str(no_way)}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": TASKS}]))
    environment = dict(
        os.environ,
        ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "matrix" / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="outcome",
        OVM_MATRIX_OUTCOME=str(tmp_path / "outcome"),
    )
    command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.yml")]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False
    )
    outcome = json.loads((tmp_path / "outcome").read_text())
    faults = {name: faults_of(numbers, outcome) for name, numbers in outcome.items()}
    reason, count = faults.pop("gone")
    assert done.returncode and reason.startswith("Go: ") and "no way" in reason
    assert count == "unreachable 1, skipped 0, failed 0"
    assert faults == {
        "good": [],
        "asserts": ["Look: Assertion failed (assertion: inventory_hostname != 'asserts')"],
        "loops": ["Repeat: Assertion failed (assertion: inventory_hostname != 'loops' or item == 1)"],
        "skips": ["unreachable 0, skipped 1, failed 0"],
    }
