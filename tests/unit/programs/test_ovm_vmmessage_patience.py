# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage says while it waits. When it does is tested with a gateway."""

import pathlib
import re
import threading

import pytest

from ansible_collections.ovm.messaging.programs import build

PATIENCE = 60


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.syspath_prepend(pathlib.Path(build.ROOT, "programs", "ovm_vmmessage"))
    import ovm_vmmessage_patience

    return ovm_vmmessage_patience.Patience


def test_it_goes_on_telling_until_the_wait_is_over(patience):
    said, twice = [], threading.Event()

    def say(line):
        said.append(line)
        if len(said) == 2:
            twice.set()

    before = set(threading.enumerate())
    with patience(say, True, 0.01, 0.01).waiting("the manager"):
        assert twice.wait(PATIENCE)
    count = len(said)
    assert all(re.fullmatch(r"waiting for the manager, for \d+ seconds so far", line) for line in said)
    with pytest.raises(KeyError), patience(said.append, True).waiting("what fails"):
        raise KeyError
    assert len(said) == count and set(threading.enumerate()) <= before


def test_nobody_is_told_who_does_not_want_to_know(patience):
    said, before = [], set(threading.enumerate())
    with patience(said.append, False, 0, 0).waiting("the manager"):
        assert set(threading.enumerate()) <= before
    assert said == []
