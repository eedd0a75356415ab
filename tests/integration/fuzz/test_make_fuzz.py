# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make fuzz`` makes of libFuzzer's words, and of a target that fails."""

import json
import sys

import pytest

import fuzz
from toolchain import fuzz as tool

ENGINE = """\
import pathlib, sys
given = dict(option[1:].split("=", 1) for option in sys.argv[1:] if option.startswith("-") and "=" in option)
print("#9 NEW    cov: 41 ft: 50")
print("#12 DONE   cov: 42 ft: 52 corp: 3/12b")
if %r:
    print("AssertionError: something")
    path = given["artifact_prefix"] + "crash-1"
    pathlib.Path(path).write_bytes(b"input")
    print("Test unit written to " + path)
print("stat::number_of_executed_units: 1234")
print("stat::slowest_unit_time_sec:    1")
sys.exit(77 if %r else 0)
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A function that makes a stand-in for a Python with atheris, which fails or not."""
    monkeypatch.setattr(tool, "PLACE", tmp_path)
    monkeypatch.setattr(tool, "REPORT", tmp_path / "report.json")

    def make(fails):
        script = tmp_path / "engine"
        script.write_text("#!%s\n%s" % (sys.executable, ENGINE % (fails, fails)))
        script.chmod(0o755)
        return str(script)

    return make


def test_a_target_that_holds(engine, capsys, tmp_path):
    row = tool.target(engine(False), "script_headers", 1)
    assert (row.inputs, row.edges, row.slowest, row.failures) == (1234, 42, 1, [])
    seeds = fuzz.load("script_headers").SEEDS
    corpus = tmp_path / "script_headers" / "corpus"
    assert sorted(path.read_bytes() for path in corpus.iterdir()) == sorted(set(seeds))
    assert '"\\x23\\x21' in (tmp_path / "script_headers" / "tokens").read_text()
    tool.told([row])
    said = capsys.readouterr().out
    assert "script_headers" in said and "1234" in said and "to repeat" not in said
    assert json.loads((tmp_path / "report.json").read_text())[0]["inputs"] == 1234


def test_a_target_that_fails(engine, capsys, tmp_path):
    row = tool.target(engine(True), "script_headers", 1)
    path = str(tmp_path / "script_headers" / "failures" / "crash-1")
    assert row.failures == [path]
    # Found once more, it is still a fault.
    assert tool.target(engine(True), "script_headers", 1).failures == [path]
    tool.told([row])
    said = capsys.readouterr().out
    assert "AssertionError: something" in said
    assert "to repeat: tests/bootstrap python -m fuzz script_headers %s\n" % path in said


def test_an_engine_that_cannot_start_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "PLACE", tmp_path)
    assert tool.target("/bin/false", "script_headers", 1).failures == ["exit code 1"]


def test_a_name_that_there_is_not(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fuzz", "unheard-of"])
    with pytest.raises(SystemExit) as ended:
        tool.arguments(fuzz.names())
    assert ended.value.code == 2 and "there is no target 'unheard-of': use command_lines, " in capsys.readouterr().err
