# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon over the kernel driver's device."""

import json
import os
import signal

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.tests.integration.daemon.conftest import until
from lab.ovmapi import Device

NEVER = "86400"


@pytest.fixture
def device(folder):
    return Device(folder)


@pytest.fixture
def environment(device, folder, template_config):
    environment = device.environment(
        {name: value for name, value in os.environ.items() if name.startswith(("COV", "PYTHON", "PATH", "LC_"))}
    )
    return dict(
        environment,
        OVM_STATE_DIR=os.path.join(folder, "state"),
        OVM_DEVICE=device.path,
        OVM_TEMPLATE_CONFIG=str(template_config.path),
        OVM_TEMPLATE_DIR=str(template_config.scripts),
    )


def reported(device):
    return report.Report({key: b"".join(pieces) for key, pieces in device.sent()})


def test_what_the_host_sends_is_reported_at_once(start, run, device):
    start("-t", NEVER)
    assert device.inject(b"k", b"v")
    until(lambda: reported(device).holds(b"k", b"v"), "that k is held")
    assert run("-g", "k") == (0, b"v\n", b"")
    assert run("-r", "k")[0] == 0
    until(lambda: reported(device).holds_key(b"k") is False, "that k is gone")


def test_events_run_their_targets(start, run, device, template_config):
    template_config.enable("suspend", "reconfigure")
    ovmd = start("-t", NEVER)
    device.inject(b"k", b"v")
    device.inject(b"VMAPIEvent", b"reconfig")
    template_config.wait_for("begin reconfigure", "end reconfigure")
    assert json.loads(template_config.input("reconfigure").splitlines()[0]) == {"k": "v"}
    until(lambda: reported(device).configuration().get("state") == report.DONE, "done")
    assert run("-e", "suspend")[0] == 0
    template_config.wait_for("begin reconfigure", "end reconfigure", "begin suspend", "end suspend")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("status: backend ovmapi, 1 parameters, no event waits, no telling what the host")
    assert ovmd.stop() == 0
    until(lambda: device.counts()[0] == 0, "that no handle stays open")
    assert device.counts()[1] == 0


def test_an_event_that_makes_no_sense_is_told(start, device):
    ovmd = start("-t", NEVER)
    device.inject(b"VMAPIEvent", b"nonsense:SECRET")
    ovmd.wait_for("was passed over: there is no event 'nonsense'")
    assert "SECRET" not in ovmd.said()


def test_a_killed_daemons_successor_goes_on(start, device):
    start("-t", NEVER).kill()
    device.inject(b"k", b"v")
    start("-t", NEVER)
    until(lambda: reported(device).holds(b"k", b"v"), "that k is held")
