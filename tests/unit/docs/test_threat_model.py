# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test that the threat model names is there, and each threat names one."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "explanation" / "threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|extensions)/[^`]*\.\w+(?:::\w+)?)`", TEXT)))
TARGETS = sorted(set(re.findall(r"`make ([a-z-]+)`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_is_there(name):
    path, _colons, function = name.partition("::")
    source = (ROOT / path).read_text("utf-8")
    assert not function or re.search(r"^def %s\(" % function, source, re.MULTILINE)
    assert function or "ansible.builtin.assert" in source


@pytest.mark.parametrize("target", TARGETS)
def test_a_named_target_is_there(target):
    assert re.search(r"^%s:.* ##" % target, (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_each_threat_names_a_test():
    rows = [row for table in TEXT.split("| threat |")[1:] for row in table.split("\n\n")[0].splitlines()[2:]]
    assert len(rows) > 25
    for row in rows:
        _left, _threat, defence, tests, _right = row.split("|")
        assert defence.strip() and any("`%s`" % name in tests for name in NAMED), row
