# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that tests on a real Xen host note."""

import subprocess
import sys

import pytest

from lab.xen.figures import Figure, Figures, record, share


def test_what_was_noted_is_told_in_order(tmp_path):
    figures = Figures(tmp_path / "figures")
    figures.add("round trip, p50", 12.3456, "ms")
    figures.add("messages from guest to host", 61, "/s")
    figures.add("gateway", "as a service")
    # another process of the same run
    Figures(tmp_path / "figures").add("boot", 1234.5, "s")
    assert figures.read()[0] == Figure("round trip, p50", 12.3456, "ms")
    assert figures.table().splitlines() == [
        "round trip, p50                      12.3 ms",
        "messages from guest to host            61 /s",
        "gateway                      as a service",
        "boot                                 1234 s",
    ]


def test_a_name_again_replaces_what_was_noted(tmp_path):
    figures = Figures(tmp_path / "figures")
    for name, value in (("a", 1), ("b", 2), ("a", 3)):
        figures.add(name, value)
    assert figures.read() == [Figure("a", 3, ""), Figure("b", 2, "")]


NOTING = """
import sys
from lab.xen.figures import Figures

figures = Figures(sys.argv[1])
print(flush=True)
input()
for number in range(300):
    figures.add("%s %d" % (sys.argv[2], number), number)
figures.add("both", sys.argv[2])
"""


def test_processes_note_at_the_same_time(tmp_path):
    path = tmp_path / "figures"
    pipe = subprocess.PIPE
    noting = [
        subprocess.Popen([sys.executable, "-c", NOTING, path, name], stdin=pipe, stdout=pipe) for name in ("a", "b")
    ]
    for process in noting:
        process.stdout.readline()
    for process in noting:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in noting:
        process.communicate()
        assert process.returncode == 0
    told = [figure.name.split()[0] for figure in Figures(path).read()]
    assert sorted(told) == ["a"] * 300 + ["b"] * 300 + ["both"]
    # Those of one process stay together.
    first, second = sorted("ab", key=told.index)
    told.remove("both")
    assert told == [first] * 300 + [second] * 300


def test_a_run_begins_with_nothing(tmp_path):
    figures = Figures(tmp_path / "figures")
    assert figures.read() == [] and figures.table() == ""
    figures.add("a", 1)
    figures.clear()
    assert figures.read() == [] and figures.table() == ""


def test_the_usual_place_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    record("a", 1, "s")
    assert Figures().read() == [Figure("a", 1, "s")]
    assert (tmp_path / "xen" / "figures.jsonl").exists()


@pytest.mark.parametrize("percent, value", [(1, 1), (50, 50), (50.5, 51), (99, 99), (99.5, 100), (100, 100)])
def test_shares(percent, value):
    assert share(range(100, 0, -1), percent) == value


def test_shares_of_few_samples():
    assert share([7], 50) == share([7], 99) == 7
    assert share([3, 1, 2], 50) == 2 and share([4, 3, 1, 2], 50) == 2
