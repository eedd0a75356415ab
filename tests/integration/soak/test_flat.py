# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of `make soak`: a process that keeps what it should not is found, one that does not is left alone."""

import subprocess
import sys

import pytest

from soak.flat import FEWEST, FEWEST_SAMPLES, IN_ALL, Sample, Watched, judge

# Takes messages, a line each, and does with each what it is told to; says when it is done with so many.
_PROCESS = """
import os, sys
kept, taken = [], 0
for line in sys.stdin:
    taken += 1
    # What comes and goes, as in any process at work.
    work = [os.urandom(1024) for _unused in range(20)]
    %s
    if taken %% 100 == 0:
        print(taken, flush=True)
"""
HEALTHY = "pass"
KILOBYTE = "kept.append(os.urandom(1024))"
#: No more than one in all that time.
DESCRIPTOR = "kept.extend([os.open('/dev/null', os.O_RDONLY)] if taken == 1500 else [])"


def at_work(habit):
    """The samples of a process at work, after its start."""
    command = [sys.executable, "-c", _PROCESS % habit]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        watched = Watched("process", process.pid)
        for _unused in range(30):
            process.stdin.write("message\n" * 100)
            process.stdin.flush()
            watched.look(int(process.stdout.readline()))
        process.stdin.close()
    return watched.samples[5:]


def test_a_healthy_process_is_flat():
    verdict = judge(at_work(HEALTHY))
    assert not verdict.problem and verdict.first.descriptors == verdict.last.descriptors
    assert verdict.growth < verdict.bound


def test_a_kilobyte_that_stays_behind_with_each_message_is_found():
    assert judge(at_work(KILOBYTE)).problem.startswith("memory grows: ")


def test_a_single_descriptor_that_stays_behind_is_found():
    verdict = judge(at_work(DESCRIPTOR))
    assert verdict.problem == "descriptors grow: from %d to %d" % (
        verdict.first.descriptors,
        verdict.first.descriptors + 1,
    )


def line(each, step=1000, samples=40):
    """Samples of a process that grows by so many bytes a message."""
    return [Sample(n * step, 10000000 + each * n * step, 0, 10) for n in range(samples)]


def test_what_is_little_for_a_minute_is_much_for_an_hour():
    assert not judge(line(200, step=100)).problem
    assert judge(line(200, step=1000)).problem == "memory grows: 200 bytes a message"
    assert judge(line(200, step=1000)).bound == IN_ALL


@pytest.mark.parametrize("samples", [[], line(0, samples=FEWEST_SAMPLES - 1), line(0, step=1)])
def test_too_little_is_no_verdict(samples):
    assert "tell nothing" in judge(samples).problem and str(FEWEST) in judge(samples).problem
