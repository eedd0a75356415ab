# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix: what is in it, and what counts as a fault."""

import re

import pytest
import yaml

from toolchain import ROOT, matrix, matrix_pythons
from toolchain.matrix_lines import LINES, TARGETS, between
from toolchain.matrix_run import faults_of, unexpected


def test_it_has_each_line_from_the_oldest_that_is_admitted():
    floor = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    assert floor == ">=%s.0" % LINES[0].core
    assert [line.core for line in LINES] == ["2.%d" % number for number in range(16, 16 + len(LINES))]
    ignored = {path.stem.partition("-")[2] for path in (ROOT / "tests" / "sanity").glob("ignore-*.txt")}
    assert ignored == {line.core for line in LINES}


def test_it_has_each_python_from_that_of_the_oldest_guests():
    assert between("3.9", "3.11") == ["3.9", "3.10", "3.11"]
    assert between("3.6", LINES[-1].targets[-1]) == TARGETS
    assert {line.targets[-1] for line in LINES} == {line.controllers[-1] for line in LINES}


def test_a_line_is_asked_for_in_its_newest_release():
    assert LINES[0].requirement == "ansible-core>=2.16.0,<2.17"
    assert LINES[0]._replace(core="2.30", beta="2.30.0b1").requirement == "ansible-core>=2.30.0b1,<2.31"


def test_the_readme_states_a_run_of_all_that_is_in_it():
    section = (ROOT / "README.md").read_text().partition("\n### Versions\n")[2].partition("\n## ")[0]
    stated = re.findall(r"^\| (2\.\d+)\.\S+ \| (3\.\d+)\.\S+ \| ([\d., ]+) \|$", section, re.MULTILINE)
    assert [core for core, _controller, _targets in stated] == [line.core for line in LINES]
    for (_core, controller, targets), line in zip(stated, LINES):
        assert controller in line.controllers
        assert [full.rpartition(".")[0] for full in targets.split(", ")] == line.targets


def test_the_newest_python_of_the_controller_is_chosen():
    here = dict.fromkeys(["3.9", "3.10", "3.12", "3.13"], "/a/path")
    assert [matrix.choose_controller(line, here) for line in LINES[:3]] == ["3.12", "3.12", "3.13"]
    assert matrix.choose_controller(LINES[-1], {"3.9": "/a/path"}) is None


@pytest.fixture
def no_pythons(monkeypatch):
    monkeypatch.setattr(matrix_pythons, "PYTHONS", {})
    monkeypatch.setattr(matrix, "PYTHONS", {})


@pytest.mark.parametrize("available", [False, True])
def test_what_is_missing_is_an_error_that_names_it_and_what_to_do(no_pythons, capsys, available):
    with pytest.raises(SystemExit) as ended:
        matrix.plan(LINES[:1], ["3.6", "3.7"], available)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and all("install" in line for line in said)
    assert re.search(r"no Python 3\.6: .* OVM_TARGET_PYTHONS", said[0])
    assert "ansible-core 2.16 runs on Python 3.10 or 3.11 or 3.12, and this machine has none" in said[2]
    remedy = "nothing of it can be run" if available else "ARGS=--available runs what can be had"
    assert remedy in str(ended.value)


DONE = dict(ok=9, failures=0, unreachable=0, changed=3, skipped=0, rescued=0, ignored=1, faults=[])


@pytest.mark.parametrize(
    "numbers, faults",
    [
        (DONE, []),
        (None, ["no task was run"]),
        (dict(DONE, ok=3, failures=1, faults=["a task: why"]), ["a task: why"]),
        (dict(DONE, failures=1), ["unreachable 0, skipped 0, failed 1"]),
        (dict(DONE, skipped=1), ["unreachable 0, skipped 1, failed 0"]),
        (dict(DONE, ok=8), ["8 tasks were done, 9 elsewhere"]),
    ],
)
def test_a_host_has_to_do_as_much_as_the_others_and_skip_nothing(numbers, faults):
    assert faults_of(numbers, {"other": DONE, "localhost": dict(DONE, ok=99)}) == faults


def test_warnings_of_ansible_are_faults_but_for_those_that_are_meant():
    output = """\
TASK [Send] ********
[WARNING]: in check mode nothing is sent and nothing is
waited for
changed: [one]
[DEPRECATION WARNING]: The thing is deprecated. This feature will be removed
from ansible-core version 2.30.

[WARNING]: odd
"""
    assert unexpected(output) == [
        "The thing is deprecated. This feature will be removed from ansible-core version 2.30.",
        "odd",
    ]


def test_only_a_whole_run_without_a_fault_is_for_the_readme():
    whole = [
        dict(core=line.core + ".1", controller=line.controllers[-1] + ".0", faults=[], daemons=["a", "b"],
             targets=[version + ".10" for version in line.targets])
        for line in LINES
    ]  # fmt: skip
    assert matrix.complete(whole) and not matrix.complete(whole[1:])
    for lacking in (dict(faults=["a"]), dict(daemons=["a"]), dict(targets=whole[0]["targets"][1:])):
        assert not matrix.complete([dict(whole[0], **lacking), *whole[1:]])
    rows = matrix.statement(whole).splitlines()
    assert rows[2] == "| 2.16.1 | 3.12.0 | 3.6.10, 3.7.10, 3.8.10, 3.9.10, 3.10.10, 3.11.10, 3.12.10 |"


def test_the_table_tells_what_was_run_and_how_it_ended():
    record = dict(core="2.16.19", controller="3.12.1", targets=["3.6.15", "3.7.16"], daemons=["xenstored"], seconds=7)
    rows = matrix.table([dict(record, faults=[]), dict(record, faults=["a", "b"])]).splitlines()
    assert re.split(r"  +", rows[1]) == ["2.16.19", "3.12.1", "3.6.15 3.7.16", "xenstored", "ok", "7"]
    assert re.split(r"  +", rows[2])[4:] == ["2 failed", "7"]
