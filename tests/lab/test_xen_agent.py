# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent that works for tests on real Xen; here on this machine."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.ovm.messaging.programs import build
from lab import LabError
from lab.xen import agent as agent_module
from lab.xen.agent import Agent
from lab.xen.machine import wait_until

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
def begin():
    number = os.fork()
    if not number:
        time.sleep(60)
        os._exit(0)
    return number
def detach():
    number = os.fork()
    if not number:
        time.sleep(60)
        os._exit(0)
    os.setpgid(number, number)
    return number
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
    # As with ssh, whose master holds the streams: what is told is that nobody asks any more.
    process.terminate = lambda: None
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


def test_it_ends_whatever_it_does_with_all_that_it_has_begun(agent):
    child = agent("something.begin")
    agent.begin("something.sleep", seconds=60)
    started = time.monotonic()
    agent.close()
    assert time.monotonic() - started < 30
    # Nobody here is its parent, and some inits reap nobody.
    wait_until(lambda: not alive(child), 30, "the child has ended")


def test_it_ends_even_if_somebody_keeps_its_streams(agent, monkeypatch):
    monkeypatch.setattr(agent_module, "_LAST_WORDS", 0.2)
    child = agent("something.detach")
    started = time.monotonic()
    agent.close()
    try:
        assert time.monotonic() - started < 30 and alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def alive(number):
    """Whether a process is there and is no zombie."""
    try:
        status = pathlib.Path("/proc/%d/stat" % number).read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
