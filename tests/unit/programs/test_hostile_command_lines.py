# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that look like numbers, on command lines and in rulebooks: found by fuzzing."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import event_source
from fuzz.targets import command_lines


@pytest.mark.parametrize("text", ["\u00b2", "9" * 5000, "\u2460"])
def test_a_descriptor_that_is_none(text):
    with pytest.raises(command_lines.command_line.BadUsage, match="is no descriptor for --input"):
        command_lines.template_config.parse(["--input", text, "configure"])


def test_a_period_of_very_many_digits():
    with pytest.raises(command_lines.ovmd_options.BadUsage, match="is not a number of seconds from 1 to 86400"):
        command_lines.ovmd_daemon.settings([("time-period", b"9" * 5000)], {}, b"2")
    assert command_lines.ovmd_daemon.settings([("time-period", b"0010")], {}, b"2").period == 10


@pytest.mark.parametrize(("name", "value"), [("port", float("inf")), ("interval", 10**400), ("retries", float("nan"))])
def test_a_rulebooks_number_that_is_none(name, value):
    with pytest.raises(event_source.BadArgument, match="the source's argument '%s' cannot be used" % name):
        event_source.parse({"host": "manager", name: value}, {})
