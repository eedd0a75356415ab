# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first boot where the kernel has the vendor's driver, as far as the stand-in for /dev/ovmapi goes."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from lab.ovmapi import Device

from .conftest import HOSTNAME, ONCE, ROOT_PASSWORD, Machine


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


@pytest.fixture
def machine(tmp_path, device):
    made = Machine(tmp_path, "")
    made.environment = device.environment(dict(made.environment, OVM_DEVICE=device.path))
    return made


def test_messages_configure_the_machine(start, machine, device):
    assert device.inject(HOSTNAME.encode(), b"web1")
    running = start()
    running.expect("waiting for parameters")
    assert device.inject(b"org.example.note", b"kept") and device.inject(ROOT_PASSWORD.encode(), b"s3cr3t")
    assert running.end() == 0 and machine.done == ONCE and not machine.asked
    assert machine.given("network") == {HOSTNAME: "web1", "org.example.note": "kept", ROOT_PASSWORD: "s3cr3t"}
    sent = {key: b"".join(pieces) for key, pieces in device.sent()}
    assert report.Report(sent).configuration()["state"] == "done"
    # The kernel's list has no secrets any more, either.
    machine.ask_for_it(TIMEOUT=1)
    running = start()
    assert running.end() == 3 and "the messages lack %s: " % ROOT_PASSWORD in running.said
