# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How `make xen` runs its parts, and what it tells of them. The parts are small ones here, without any machine."""

import os
import signal
import sys
import threading

import pytest

from toolchain import xen

GOOD = """
def test_good():
    print("never shown")
"""
BAD = """
import pytest

@pytest.fixture
def machine():
    yield
    print("the machine has ended")

def test_bad(machine):
    print("what the test has seen")
    assert 1 == 2
"""
#: Waits to be interrupted.
SLOW = """
import pathlib, signal, pytest

@pytest.fixture
def machine():
    yield
    pathlib.Path("{0}.ended").touch()

def test_slow(machine):
    open("{0}.there", "w").close()
    signal.pause()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no options of those who run these tests."""
    path = tmp_path / "cache"
    monkeypatch.setenv("OVM_CACHE", str(path))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return path


@pytest.fixture
def part(tmp_path):
    """A function that makes the command of a part from its test's text."""

    def make(name, text, *arguments):
        path = tmp_path / ("test_%s.py" % name)
        path.write_text(text)
        own = "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "-c", os.devnull, "--rootdir", str(tmp_path)
        return [sys.executable, "-m", "pytest", *own, "-v", str(path), *arguments]

    return make


@pytest.mark.parametrize("at_once", [2, 1])
def test_all_goes_well(part, capfd, at_once):
    ended = xen.in_parts({"light": part("light", GOOD), "full": part("full", GOOD)}, at_once)
    assert [(one.name, one.code) for one in ended] == [("light", 0), ("full", 0)]
    told = capfd.readouterr().out
    for name in "light", "full":
        assert "%-7s  passed: test_%s.py::test_good\n" % (name, name) in told
        assert "%-7s  exit code 0; 1 passed in " % name in told
    assert xen.report(ended) == 0
    told = capfd.readouterr().out
    assert told.startswith("\n--- light\n") and "\n--- full\n" in told and "never shown" not in told


def test_no_more_run_at_once_than_there_is_room_for(part, tmp_path):
    alone = """
import os

def test_alone():
    os.mkdir({0!r})
    os.rmdir({0!r})
""".format(str(tmp_path / "taken"))
    ended = xen.in_parts({name: part(name, alone) for name in "abc"}, 1)
    assert [(one.name, one.code) for one in ended] == [("a", 0), ("b", 0), ("c", 0)]


def test_every_file_is_in_one_part():
    arguments = [argument for part in xen.PARTS.values() for argument in part]
    chosen = [argument for argument in arguments if not argument.startswith("--ignore=")]
    chosen.remove("tests/xen")
    assert sorted(chosen) == sorted(argument.partition("=")[2] for argument in arguments if "=" in argument)
    assert all(os.path.exists(os.path.join(xen.ROOT, path)) for path in chosen)


def test_what_has_failed_is_told_last(part, capfd, cache):
    ended = xen.in_parts({"light": part("light", BAD), "full": part("full", GOOD)}, 2)
    assert "light    failed: test_light.py::test_bad\n" in capfd.readouterr().out
    xen.Figures().add("a figure", 7, "s")
    assert xen.report(ended) == 1
    told = capfd.readouterr().out
    whole, figures, tail = told.partition("\nmeasured, in a machine that QEMU computes:\na figure  7 s\n")
    assert figures and "what the test has seen" in whole and "the machine has ended" in whole
    assert "full has failed" not in tail
    [kept] = (cache / "xen" / "logs").iterdir()
    assert tail.startswith("\nlight has failed with exit code 1. Its output is in %s and ends with:\n" % kept)
    assert "test_light.py::test_bad" in tail
    assert "what the test has seen" in kept.read_text()


def test_a_choice_may_leave_one_out(part, capfd):
    ended = xen.in_parts(
        {"light": part("light", GOOD, "-k", "good"), "full": part("full", BAD, "-k", "good")}, at_once=2
    )
    assert [one.code for one in ended] == [0, xen.NONE_CHOSEN]
    assert xen.report(ended) == 0
    assert "full" not in capfd.readouterr().out


def test_a_choice_of_nothing_is_an_error(part, capfd):
    ended = xen.in_parts({name: part(name, GOOD, "-k", "absent") for name in ("light", "full")}, at_once=2)
    assert xen.report(ended) == xen.NONE_CHOSEN
    told = capfd.readouterr().out
    assert "light has failed with exit code 5" in told and "1 deselected" in told


def test_an_interrupt_has_both_end_and_clean_up(part, tmp_path):
    parts = {name: part(name, SLOW.format(tmp_path / name)) for name in ("light", "full")}
    for name in parts:
        os.mkfifo(tmp_path / (name + ".there"))

    def interrupt():
        # Each opens its own once its test runs.
        for name in parts:
            (tmp_path / (name + ".there")).read_text()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        xen.in_parts(parts, at_once=2)
    interrupter.join()
    assert all((tmp_path / (name + ".ended")).exists() for name in parts)


def test_the_memory_that_is_available():
    assert 0 < xen.room() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
