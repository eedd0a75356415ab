# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovmd makes of an error of its own. All else it does is tested with a guest."""

import pathlib

import pytest

from ansible_collections.ovm.messaging.programs import build


@pytest.fixture
def ovmd(monkeypatch):
    """The program's main module, imported as the program does."""
    monkeypatch.syspath_prepend(pathlib.Path(build.ROOT, "programs", "ovmd"))
    import ovmd

    return ovmd


def test_a_defect_is_told_in_one_line_without_any_value(ovmd, monkeypatch, capfd):
    def broken(*_arguments):
        raise ValueError("SECRET\nSECRET")

    monkeypatch.setattr(ovmd, "_run", broken)
    assert ovmd.main() == 70
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "SECRET" not in err
    assert err.startswith("ovmd: this is a defect of ovmd (ValueError in ") and "test_ovmd.py, line " in err


def test_every_option_that_acts_has_an_action(ovmd):
    from ovmd_options import OWN, VENDOR

    names = {option.name for option in VENDOR + OWN}
    assert set(ovmd._ACTIONS) | ovmd.DAEMON | {"debug", "version", "help"} == names
