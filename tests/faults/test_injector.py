# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The injector strikes where it says that it does."""

import os
import subprocess
import sys
import time

import pytest

from faults.clock import Clock
from faults.injector import Traced, chosen, fail, kill, slow
from lab import LabError

# Appends ten lines to a file, makes another one of it, and removes a third.
WORK = """
import os, sys
os.chdir(sys.argv[1])
for n in range(10):
    file = os.open("lines", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"line\\n")
    os.close(file)
os.rename("lines", "done")
os.unlink("there")
"""


@pytest.fixture
def traced(tmp_path):
    """A function that does that work, with a fault, in a fresh folder."""
    folder = tmp_path / "work"

    def run(fault=(), **options):
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        (folder / "there").touch()
        command = [sys.executable, "-I", "-S", "-c", WORK, folder]
        with Traced(command, tmp_path / "trace", [folder], fault, stderr=subprocess.PIPE, **options) as process:
            process.code, _out, process.said = process.communicate()
        return process

    run.folder = folder
    return run


def test_points_are_what_matters_in_order(traced):
    points = traced().points()
    assert [point.call for point in points] == ["openat", "write", "close"] * 10 + ["rename", "unlink"]
    assert points[0].place == points[3].place
    assert [point.again for point in points[1:30:3]] == list(range(10))
    assert [point.nth for point in points[1:30:3]] == list(range(1, 11))


def test_each_kill_is_before_the_call_is_done(traced):
    for number, point in enumerate(traced().points()):
        run = traced(kill(point))
        assert run.code == -9
        assert run.hit == point
        lines = (traced.folder / "lines", traced.folder / "done")
        written = sum(path.read_text().count("line\n") for path in lines if path.exists())
        assert written == min(10, (number + 1) // 3), point
        assert (traced.folder / "done").exists() == (point.call == "unlink")
        assert (traced.folder / "there").exists()


def test_a_call_fails_once_or_from_then_on(traced):
    point = [point for point in traced().points() if point.call == "write"][4]
    run = traced(fail(point, "ENOSPC"))
    assert (run.code, run.hit, run.hits) == (1, point, [point])
    assert b"No space left on device" in run.said
    assert (traced.folder / "lines").read_text() == "line\n" * 4
    # What Python has to say of it fails, too.
    assert traced(fail(point, "ENOSPC", onwards=True)).said == b""


def test_a_call_comes_late(traced):
    point = traced().points()[-1]
    before = time.monotonic()
    run = traced(slow(point, 1))
    assert run.code == 0
    assert run.hit == point
    assert time.monotonic() - before >= 1


def test_a_fault_that_is_not_come_to_is_no_hit(traced):
    run = traced(kill(traced().points()[-1]._replace(nth=99)))
    assert (run.code, run.hit) == (0, None)


def test_some_of_each_place(traced):
    points = traced().points()
    some = chosen(points, 3)
    assert [point.again for point in some if point.call == "write"] == [0, 4, 9]
    assert len(some) == 3 * 3 + 2
    assert chosen(points) == points


def test_signals_reach_the_process_itself(tmp_path):
    command = ["sh", "-c", "echo $$; exec sleep 60"]
    with Traced(command, tmp_path / "trace", stdout=subprocess.PIPE) as run:
        assert int(run.process.stdout.readline()) == run.process.pid
        run.process.terminate()
        assert run.wait() == -15


def test_one_that_hangs_is_ended_and_told_of(tmp_path):
    command = [sys.executable, "-c", "import time; open('%s/last', 'w'); time.sleep(60)" % tmp_path]
    with Traced(command, tmp_path / "trace", [tmp_path]) as run:
        with pytest.raises(AssertionError, match=r"it hangs after 2 seconds; the last it did was .*"):
            run.wait(2)
        assert run.process.returncode == -9


def test_what_children_do_is_counted_where_it_is_wanted(tmp_path):
    command = ["sh", "-c", "echo > %s/one; (echo > %s/two)" % (tmp_path, tmp_path)]
    with Traced(command, tmp_path / "trace", [tmp_path]) as run:
        run.wait()
        assert [point.place for point in run.points() if point.call == "openat"] == ["/one"]
    with Traced(command, tmp_path / "trace", [tmp_path], follow=True) as run:
        run.wait()
        assert [point.place for point in run.points() if point.call == "openat"] == ["/one", "/two"]


def test_a_strace_that_is_not_let_is_told_of_with_a_remedy(tmp_path, monkeypatch):
    script = tmp_path / "strace"
    script.write_text("#!/bin/sh\necho 'strace: ptrace(PTRACE_SEIZE): Operation not permitted' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("faults.injector._tracer", [])
    with pytest.raises(LabError, match=r"strace cannot trace here \(.*not permitted\): .*SYS_PTRACE"):
        Traced(["true"], tmp_path / "trace")


def test_a_clock_that_jumps_while_a_process_runs(tmp_path):
    clock = Clock(str(tmp_path))
    script = "import time\nfor n in range(2):\n    print(time.time(), time.monotonic(), flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=dict(os.environ, **clock.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline().split()
        clock.jump(-86400)
        process.stdin.write("\n")
        process.stdin.flush()
        second = process.stdout.readline().split()
        process.stdin.close()
    assert -86400 <= float(second[0]) - float(first[0]) < -86300
    assert 0 <= float(second[1]) - float(first[1]) < 100
