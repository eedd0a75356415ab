# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""First boots by each Python that a guest might have: from messages, from a disc, and from the console."""

import pytest

from lab.daemon import Daemon
from lab.programs import PYTHONS, Built

from .conftest import ONCE, ROOT_PASSWORD
from .test_console import PASSWORD, Screen
from .test_first_boot import MESSAGES, make_disc


@pytest.fixture(scope="module", params=list(PYTHONS))
def program(request):
    """The program as a guest with that Python has it."""
    with Built("ovm-template-config") as program:
        yield program(request.param)


@pytest.fixture
def xenstored(lab_parts):
    """One kind of daemon will do here."""
    with Daemon("c") as daemon:
        yield daemon


def test_all_sources(start, machine, other_side, tmp_path):
    screen = Screen()
    machine.environment["OVM_CONSOLE"] = screen.path
    running = start()
    screen.expect(b"Press Enter")
    other_side.send(*MESSAGES)
    screen.expect(b"The configuration has come from elsewhere (messages).\r\n")
    assert running.end() == 0 and screen.as_before()
    machine.ask_for_it()
    running = start()
    screen.expect(b"Press Enter")
    screen.type(b"\n\n")
    screen.expect(b"PIN (org.example.pin): ")
    screen.type(b"\n")
    screen.expect(PASSWORD)
    screen.type(b"s3cr3t\n")
    screen.expect(b"again: ")
    screen.type(b"s3cr3t\n")
    assert running.end() == 0 and screen.as_before()
    screen.close()
    machine.ask_for_it()
    image = make_disc(tmp_path / "disc", [(ROOT_PASSWORD, "of the disc")])
    assert start(OVM_OVF_DEVICES=str(image)).end() == 0
    assert machine.given("network") == {ROOT_PASSWORD: "of the disc"} and machine.done == ONCE * 3
    assert other_side.states() == ["running", "done"] * 3
