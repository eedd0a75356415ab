# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a first boot, with sources and scripts that do as they are told."""

import contextlib
import os
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import flag, initial
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.chain import Description
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadParameters, FirstBootError
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import Parameter
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.result import FAILED, OK, Result, ScriptResult
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

KEY, PIN = initial.LAST_KEY, "org.example.pin.0"
DESCRIBED = [
    Description(50, "network", [Parameter(PIN, "PIN", password=True)]),
    Description(90, "authentication", [Parameter(KEY, "Root password", required=True)]),
]


class Source:
    """Gives what it is told to, one thing at each look."""

    interval, secrets = 0.001, ()

    def __init__(self, name, *found):
        self.name, self.found, self.events = name, list(found), []

    def start(self, described):
        self.events.append("start")

    def fileno(self):
        return -1

    def look(self):
        return self.found.pop(0) if self.found else None

    def give_up(self, reason):
        self.events.append(reason)

    def close(self):
        self.events.append("close")


class World:
    """All that a FirstBoot has to do with. What happens is noted in order."""

    def __init__(self, folder):
        self.path, self.state = str(folder / "flag"), str(folder / "state")
        self.happened, self.logged = [], []
        self.described, self.results = DESCRIBED, [OK, OK]
        self.wiping = self.running = None
        flag.switch(True, self.path)

    def describe(self, _target):
        return self.described

    def run(self, target, parameters, secret_keys=(), check=False, described=None, started=None, finished=None):
        if self.running:
            raise self.running
        self.happened.append(("run", dict(parameters), sorted(secret_keys)))
        scripts = []
        for status, (priority, name, _parameters) in zip(self.results, described, strict=True):
            started(name)
            message = "no such device" if status == FAILED else ""
            scripts.append(ScriptResult(name, priority, status, True, 0.1, message))
        return Result(target, scripts, parameters)

    def report(self, state, **details):
        self.happened.append((state, sorted(details)))

    def wipe(self, is_secret):
        self.happened.append(("wipe", [key for key in (KEY, PIN, "org.example.pin.7", "other") if is_secret(key)]))
        if self.wiping:
            raise self.wiping

    def first_boot(self, *sources, note=None):
        settings = flag.read(self.path)
        return initial.FirstBoot(
            settings,
            self.path,
            lambda: self,
            sources,
            note or initial.Note(self.state, self.path),
            self.logged.append,
            self.report,
            self.wipe,
            contextlib.nullcontext(),
            lambda: self.happened.append(("off",)),
        ).run()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_order_of_things(world):
    slow, fast = Source("console", None, {}), Source("messages", {PIN: "1"}, {PIN: "1", KEY: "2"})
    assert world.first_boot(slow, fast) == initial.DONE
    assert world.happened == [
        ("waiting", ["message", "target"]),
        ("run", {PIN: "1", KEY: "2"}, [KEY, PIN]),
        ("running", ["target"]),
        ("done", ["failed", "scripts", "target"]),
        ("wipe", [KEY, PIN, "org.example.pin.7"]),
    ]
    assert slow.events == ["start", "The configuration has come from elsewhere (messages).", "close"]
    assert not flag.read(world.path).enabled and os.listdir(world.state) == []


def test_the_flag_changes_last(world):
    """Whatever is reported or wiped, the next boot would still do it again."""

    def report(state, **details):
        assert flag.read(world.path).enabled and world.happened.append(state) is None

    def wipe(_is_secret):
        assert flag.read(world.path).enabled and os.listdir(world.state) == [initial.NOTE]

    world.report, world.wipe = report, wipe
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.DONE and world.happened[1:] == ["running", "done"]


def test_what_was_noted_is_not_run_again(world):
    note = initial.Note(world.state, world.path)
    result = Result("configure", [ScriptResult("one", 1, FAILED, None, 0.1, "why")], {KEY: "secret"})
    note.write(dict(result=result.as_dict(), secrets=["org.example.pin.N"]))
    with open(os.path.join(world.state, initial.NOTE), encoding="ascii") as source:
        assert "secret" not in source.read().replace('"secrets"', "")
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.SCRIPT_FAILED
    assert [step[0] for step in world.happened] == ["failed", "wipe"] and "one: failed: why" in world.logged
    assert flag.read(world.path).enabled  # the next boot does it again


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": 1, "noted": {}}', '{"of": null}', "\xff"])
def test_a_note_of_no_sense(world, content):
    os.makedirs(world.state)
    with open(os.path.join(world.state, initial.NOTE), "w", encoding="latin-1") as target:
        target.write(content)
    assert initial.Note(world.state, world.path).read() is None


@pytest.mark.parametrize("lost", ["note", "boot"])
def test_a_note_that_cannot_be_read_is_not_taken_for_none(world, monkeypatch, lost):
    """Else the scripts would run once more."""
    initial.Note(world.state, world.path).write({"result": {}, "secrets": []})
    # A folder is no file: reading it fails, for root, too.
    if lost == "boot":
        monkeypatch.setattr(initial, "_BOOT_ID", world.state)
        with pytest.raises(initial.FirstBootError, match="whether the scripts have run already is not known: .*: noth"):
            initial.Note(world.state, world.path)
        return
    os.unlink(os.path.join(world.state, initial.NOTE))
    os.mkdir(os.path.join(world.state, initial.NOTE))
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.IMPOSSIBLE
    assert [step[0] for step in world.happened] == ["failed"]
    assert world.logged[0].startswith("whether the scripts have run already is not known: ")
    assert flag.read(world.path).enabled


def test_a_note_of_another_time(world, monkeypatch):
    """Of another boot, where its folder outlives one; or of a flag that was set again since."""
    noted = {"result": {"target": "configure", "failed": [], "scripts": []}, "secrets": ["a"]}
    initial.Note(world.state, world.path).write(noted)
    assert initial.Note(world.state, world.path).read() == noted
    monkeypatch.setattr(initial, "_boot", lambda: "another")
    assert initial.Note(world.state, world.path).read() is None
    monkeypatch.undo()
    flag.switch(False, world.path)
    flag.switch(True, world.path)
    assert initial.Note(world.state, world.path).read() is None


def test_a_note_that_cannot_be_written(world, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(initial.Note, "write", full)
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.DONE
    start = "it cannot be noted that the scripts have run (No space left on device): "
    assert any(said.startswith(start) for said in world.logged)


def test_secrets_that_cannot_be_wiped(world):
    world.wiping = Problem("the list is damaged", "remove it")
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.IMPOSSIBLE
    assert "the secrets among the parameters are not wiped: the list is damaged: remove it" in world.logged
    assert not flag.read(world.path).enabled  # the machine is configured


def test_a_failed_script_and_its_flag(world):
    world.results = [FAILED, OK]
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.SCRIPT_FAILED
    assert flag.read(world.path).enabled and os.listdir(world.state) == []
    with open(world.path, "a", encoding="ascii") as target:
        target.write("INITIAL_CONFIG_ON_FAILURE=finish\n")
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.SCRIPT_FAILED
    assert not flag.read(world.path).enabled and "the first boot is over; failed: network" in world.logged


def test_a_flag_that_cannot_be_written(world, monkeypatch):
    def refuse(*_arguments):
        raise FirstBootError("no room")

    monkeypatch.setattr(flag, "switch", refuse)
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.IMPOSSIBLE
    assert [step[0] for step in world.happened] == ["run", "running", "done", "wipe", "failed"]
    assert os.listdir(world.state) == [initial.NOTE]  # for whoever starts it again


def test_nothing_has_run(world):
    world.running = BadParameters("required parameters are missing: x")
    assert world.first_boot(Source("ovf", {KEY: "x"})) == initial.IMPOSSIBLE
    assert world.happened == [("failed", ["message", "target"])] and flag.read(world.path).enabled
    world.described = []
    assert world.first_boot() == initial.IMPOSSIBLE and "no script is enabled for configure" in world.logged[-1]


@pytest.mark.parametrize("after, happened", [("continue", []), ("disable", []), ("poweroff", [("off",)])])
def test_the_time_is_over(world, after, happened):
    with open(world.path, "a", encoding="ascii") as target:
        target.write("INITIAL_CONFIG_TIMEOUT=1\nINITIAL_CONFIG_ON_TIMEOUT=%s\n" % after)
    began = time.monotonic()
    silent = Source("ovf")
    silent.interval = None
    assert world.first_boot(silent) == initial.IMPOSSIBLE and 1 <= time.monotonic() - began < 30
    assert world.happened == [("waiting", ["target"]), ("failed", ["message", "target"]), *happened]
    assert flag.read(world.path).enabled is (after != "disable") and silent.events[-1] == "close"


def test_what_the_messages_lack_is_reported_when_it_changes(world):
    told, other = [], "org.example.first"
    world.report = lambda state, **details: told.append((state, details.get("message")))
    world.results = [OK]
    world.described = [Description(50, "both", [Parameter(key, "x", required=True) for key in (other, KEY)])]
    messages = Source("messages", None, None, {}, {}, {other: "1"}, {other: "2"}, {other: "1", KEY: "x"})
    assert world.first_boot(messages) == initial.DONE
    assert told[:-2] == [
        ("waiting", None),
        ("waiting", "the messages lack %s, %s" % (other, KEY)),
        ("waiting", "the messages lack " + KEY),
    ]


def test_an_incomplete_source_says_so_once(world):
    few = Source("ovf", {PIN: "1"}, {PIN: "2"}, {PIN: "3", KEY: ""}, {KEY: "x"})
    assert world.first_boot(few) == initial.DONE
    assert [text for text in world.logged if "lack" in text] == ["the parameters from ovf lack " + KEY]


@pytest.mark.parametrize(
    "source, given, lacks",
    [
        ("messages", {"a": "1"}, [KEY]),
        ("messages", {KEY: "1"}, []),
        ("messages", {KEY: ""}, []),
        ("ovf", {}, []),
        ("console", {}, []),
    ],
)
def test_where_nothing_is_required(source, given, lacks):
    assert initial.lacking_in([Parameter(PIN, "PIN")], source, given) == lacks


def test_another_process_was_faster(world):
    """Between the wait and the lock the flag has changed, or the scripts have run."""

    class Faster(Source):
        def look(self):
            flag.switch(False, world.path)
            return {KEY: "x"}

    assert world.first_boot(Faster("ovf")) == initial.DONE
    assert world.happened == [] and "another process has configured this machine" in world.logged
    flag.switch(True, world.path)
    note = initial.Note(world.state, world.path)

    class AlsoFaster(Source):
        def look(self):
            note.write(dict(result=Result("configure", [], {}).as_dict(), secrets=[]))
            return {KEY: "x"}

    assert world.first_boot(AlsoFaster("ovf"), note=note) == initial.DONE
    assert [step[0] for step in world.happened] == ["done", "wipe"]


def test_what_a_source_knows_to_be_secret(world):
    marked = Source("messages", {KEY: "x", "org.example.mark": "y"})
    marked.secrets = ["org.example.mark"]
    assert world.first_boot(marked) == initial.DONE
    assert world.happened[0][2] == [KEY, "org.example.mark"]


def test_a_system_without_boot_ids(monkeypatch):
    monkeypatch.setattr(initial, "_BOOT_ID", "/no/such/file")
    assert initial._boot() == ""
