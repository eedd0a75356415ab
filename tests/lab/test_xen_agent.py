# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent that works for tests on real Xen; here on this machine."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from ansible_collections.ovm.messaging.programs import build
from lab import LabError
from lab.xen.agent import Agent

PROGRAMS = pathlib.Path(build.ROOT, "tests", "xen", "programs")
#: A program with functions that a test may have called.
SOURCE = """
import os, sys, time
def add(a, b):
    print("noise")
    return {"sum": a + b}
def fail():
    raise ValueError("on purpose")
def end():
    print("farewell", file=sys.stderr, flush=True)
    os._exit(7)
def sleep(seconds):
    time.sleep(seconds)
"""


@pytest.fixture
def agent(tmp_path):
    (tmp_path / "something.py").write_text(SOURCE)
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "agent.py")],
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with Agent("here", process) as running:
        yield running


def test_it_calls_functions_one_after_the_other(agent):
    assert agent("something.add", a=1, b=2) == {"sum": 3}
    assert agent("something.add", a="ä", b="\xff") == {"sum": "ä\xff"}
    end = agent.begin("something.sleep", seconds=0.1)
    assert end() is None
    os.kill(agent.pid, 0)


def test_a_failure_is_told_and_is_no_end(agent):
    with pytest.raises(LabError, match=r"here: something\.fail failed: (?s:.*)ValueError: on purpose"):
        agent("something.fail")
    with pytest.raises(LabError, match="no_such"):
        agent("no_such.thing")
    assert agent("something.add", a=1, b=2) == {"sum": 3}


def test_its_end_is_told(agent):
    for _unused in range(2):
        with pytest.raises(LabError, match=r"ended with code 7 at something\.(?s:.*)farewell"):
            agent("something.end")


def test_it_may_take_too_long(agent):
    started = time.monotonic()
    with pytest.raises(LabError, match=r"something\.sleep is not done after 0 s"):
        agent("something.sleep", 0.2, seconds=60)
    assert time.monotonic() - started < 30
