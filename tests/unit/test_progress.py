# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown with -v while modules wait. That real runs show it is tested with the modules."""

import io
import json
import os
import types

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.vm_module import Progress
from ansible_collections.ovm.messaging.plugins.plugin_utils import progress


def written(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_module_writes_what_is_new(tmp_path):
    path = tmp_path / "progress"
    path.touch()
    with Progress(str(path)) as tell:
        for text in ("one", "one", "tw\u00f6\n", "one"):
            tell(text)
    assert written(path) == ["one", "tw\u00f6\n", "one"]


def test_what_cannot_be_told_stops_nothing(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    (tmp_path / "file").touch()
    for path in (None, str(tmp_path / "none"), str(link), str(tmp_path), "/dev/full"):
        with Progress(path) as tell:
            tell("text")
    assert (tmp_path / "file").read_text() == "" and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "given, found", [(None, []), ("a,b", ["a", "b"]), (["a", 1], ["a", "1"]), ({"a": "^x"}, ["a"]), (object(), [])]
)
def test_names_of_an_option(given, found):
    assert progress.names(given) == found


def test_options_that_are_none_are_the_modules_to_refuse():
    assert progress.truth("yes") and not progress.truth(None) and not progress.truth("perhaps")
    assert (progress.seconds("5", 300.0), progress.seconds(None, 300.0), progress.seconds("x", 300.0)) == (5, 300, 300)


def test_names_in_a_line():
    assert progress.listed(["a", "b\n", "a"]) == "a, b\\n"
    assert progress.listed(map(str, range(7))) == "0, 1, 2, 3, 4 and 2 more"


class Clock:
    """Goes on whenever it is waited for, and has things happen then."""

    def __init__(self, happen, end):
        self.now, self.happen, self.end = 0.0, happen, end

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.happen if moment <= self.now]:
            self.happen.pop(moment)()
        return self.now >= self.end


def test_how_things_stand_is_told_rarely_and_when_it_has_changed(monkeypatch):
    file, told = io.StringIO(), []

    def write(text):
        def do():
            at = file.tell()
            file.seek(0, io.SEEK_END)
            file.write(json.dumps(text) + "\n")
            file.seek(at)

        return do

    clock = Clock({1: write("one"), 20: write("two"), 21: write("three"), 40: write("four")}, 81)
    monkeypatch.setattr(progress, "time", clock)
    progress._watch(file, clock, told.append)
    shown = [(int(line.split()[1]), line.partition(" s: ")[2]) for line in told]
    assert shown == [(5, "one"), (20, "two"), (25, "three"), (40, "four"), (70, "four")]


def test_on_another_machine_there_is_nothing_to_be_read():
    action = types.SimpleNamespace(_connection=types.SimpleNamespace(transport="ssh"))
    with progress.watching(action, {}) as options:
        assert options == {}


def test_the_file_is_gone_afterwards_whatever_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(progress.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    action = types.SimpleNamespace(_connection=types.SimpleNamespace(transport="local"))
    with pytest.raises(KeyError), progress.watching(action, {}) as options:
        assert os.stat(options["_progress"]).st_mode & 0o777 == 0o600
        raise KeyError
    assert list(tmp_path.iterdir()) == []
