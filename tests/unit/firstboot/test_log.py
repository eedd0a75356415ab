# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of runs."""

import logging
import os
import re

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import log as logs
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.log import BadSetting, Log


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


def written(path, *arguments, **more):
    """What is in the log after one write of it, with a format that says little."""
    log = Log(str(path), format="%(levelname)s|%(name)s|%(message)s", **more)
    log.write(*arguments)
    log.close()
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def test_each_line_has_time_level_and_script(path):
    log = Log(str(path))
    log.write(logs.INFO, "one\ntwo\n", "network")
    log.write(logs.ERROR, "three")
    log.close()
    lines = path.read_text().split("\n")
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert re.fullmatch(stamp + "INFO    network: one", lines[0]) and lines[1].endswith(" network: two")
    assert re.fullmatch(stamp + "ERROR   ovm-template-config: three", lines[2]) and lines[3:] == [""]


@pytest.mark.parametrize("moment", [1e9, 1795435475.0009, 1795435475.9999])
def test_the_usual_format_is_that_of_pythons_logging(path, monkeypatch, moment):
    monkeypatch.setattr(logs.time, "time", lambda: moment)
    log = Log(str(path), level=logs.DEBUG)
    expected = []
    for level in logs.LEVELS.values():
        log.write(level, "100 % of it", "network")
        record = logging.LogRecord("network", level, "", 0, "100 % of it", None, None)
        record.created, record.msecs = moment, int(moment % 1 * 1000)
        expected.append(logging.Formatter(logs.FORMAT).format(record))
    log.close()
    assert path.read_text().splitlines() == expected
    assert {name: getattr(logging, name) for name in logs.LEVELS} == logs.LEVELS


def test_a_script_can_neither_forge_lines_nor_steer_a_terminal(path):
    assert written(path, logs.INFO, "a\tb\r\n\x1b[31mred\x00\x9b\x7f", "x") == (
        "INFO|x|a\tb\nINFO|x|\\x1b[31mred\\x00\\x9b\\x7f\n"
    )


def test_bytes_that_are_not_utf_8_are_escaped(path):
    assert written(path, logs.INFO, "\u00fc \udcff %s", "x") == "INFO|x|\u00fc \\udcff %s\n"


def test_what_is_below_the_level_is_left_out(path):
    assert written(path, logs.INFO, "a", level=logs.WARNING) == ""
    assert written(path, logs.WARNING, "a", level=logs.WARNING) == "WARNING|ovm-template-config|a\n"


def test_it_is_for_its_owner_only_whatever_it_was_before(path):
    path.write_text("before\n")
    path.chmod(0o644)
    assert written(path, logs.INFO, "a").startswith("before\n") and path.stat().st_mode & 0o7777 == 0o600
    path.chmod(0o400)  # narrower is left alone
    if os.geteuid() == 0:
        written(path, logs.INFO, "a")
        assert path.stat().st_mode & 0o7777 == 0o400
    before = os.umask(0)
    try:
        fresh = path.with_name("fresh")
        written(fresh, logs.INFO, "a")
    finally:
        os.umask(before)
    assert fresh.stat().st_mode & 0o7777 == 0o600


def test_it_may_be_cut_at_any_time(path):
    log = Log(str(path), format="%(message)s")
    log.write(logs.INFO, "first")
    os.truncate(path, 0)  # copytruncate
    log.write(logs.INFO, "second")
    log.close()
    assert path.read_text() == "second\n"


def test_a_full_disk_is_told_once_and_ends_nothing():
    told = []
    log = Log("/dev/full", complain=told.append)
    log.write(logs.INFO, "a")
    log.write(logs.INFO, "b")
    log.close()
    log.write(logs.INFO, "c")
    assert told == ["the log /dev/full cannot be written (No space left on device); going on without"]


def test_a_log_that_cannot_be_opened_is_told_and_ends_nothing(path):
    told = []
    Log(str(path / "no"), complain=told.append).write(logs.INFO, "a")
    assert told == ["the log %s/no cannot be written (No such file or directory); going on without" % path]
    Log(str(path / "no")).write(logs.INFO, "a")  # nobody wants to know
    none = Log("")
    none.write(logs.INFO, "a")
    none.close()


def test_levels():
    assert logs.parse_level("debug") == 10 and logs.parse_level("Warning") == 30 and logs.parse_level("25") == 25
    for bad in ("verbose", "-1", "51", "", "1.5"):
        with pytest.raises(BadSetting, match="^there is no log level '%s': use one of DEBUG, INFO," % bad):
            logs.parse_level(bad)


def test_formats():
    assert logs.check_format("%(message)s") == "%(message)s"
    for bad in ("%(nothing)s", "%(message)d", "%(message", "%d"):
        with pytest.raises(BadSetting, match="is no log format"):
            logs.check_format(bad)
