# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""News of guests, over a carrier in memory and by its clock."""

import os
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.checkpoint import Checkpoint
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import BadCheckpoint
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.watching import BEGINNING, NOW, Wanted, Watch
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Event, Vm, VmNotFound
from tests.unit.delivery.memory import Memory


class World(Memory):
    """A manager that tells what has happened, as far back as its list goes.

    :ivar int reach: how many events the list has at most.
    """

    def __init__(self, *names, **options):
        super().__init__(*names, **options)
        self.happened, self.reach, self.closed = [], 100, 0
        self.watches = []

    def say(self, key, value, vm="web1"):
        super().say(key, value, vm)
        self.happen_to(self.machines[vm].id)

    def happen_to(self, identity):
        number = str(len(self.happened) + 1)
        self.happened.append(Event(number, identity, self.clock, "INFORMATIONAL", "T", "S", "D"))

    def make(self, name):
        """One more virtual machine."""
        self.machines[name] = Vm("%032x" % (len(self.machines) + 1), name, RUNNING)
        self.from_guest[name], self.log[name], self.queue[name] = [], [], []

    def events(self, vm=None):
        self._ask("events", vm)
        return self.happened[-self.reach :]

    def dated(self, vm, records):
        self._ask("dated", vm)
        return [record._replace(time=7.0) for record in records]

    def close(self):
        self.closed += 1

    def read(self):
        """Whose messages were asked for since the last time."""
        found = [vm for call, vm in self.calls if call == "received"]
        self.calls.clear()
        return found


class Host(World):
    """A carrier that need not be asked again and again."""

    def wait_for_change(self, seconds):
        self.calls.append(("wait_for_change", seconds))


@pytest.fixture
def world():
    made = World("web1", "web2")
    yield made
    for watch in made.watches:
        watch.close()


def watching(world, checkpoint=None, wanted=None, since=BEGINNING):
    watch = Watch(lambda: world, checkpoint or Checkpoint(), wanted, since, clock=lambda: world.clock)
    world.watches.append(watch)
    return watch


def told(watch):
    """The news of a look, all passed on: name, key and value of each."""
    found = watch.look()
    for news in found:
        watch.done(news)
    return [(news.vm.name, news.record.key, news.record.value) for news in found]


def test_each_message_is_news_once_in_the_order_of_all(world):
    watch = watching(world)
    world.say(b"a", b"1", "web2")
    world.say(b"a", b"1", "web1")
    world.say(b"a", b"1", "web2")
    assert told(watch) == [("web2", b"a", b"1"), ("web1", b"a", b"1"), ("web2", b"a", b"1")]
    assert told(watch) == []
    world.say(b"a", b"1")
    assert told(watch) == [("web1", b"a", b"1")]


def test_two_that_are_alike_in_everything_are_two(world):
    watch = watching(world)
    world.say(b"a", b"1")
    world.from_guest["web1"] *= 2
    assert told(watch) == [("web1", b"a", b"1")] * 2
    assert told(watch) == []


def test_what_was_not_passed_on_stays_news(world):
    watch = watching(world)
    world.say(b"a", b"1")
    world.say(b"b", b"2")
    first, second = watch.look()
    watch.done(second)
    world.clock += 60
    assert [news.record.key for news in watch.look()] == [b"a"]
    assert first.mark != second.mark and watch.look() == []  # nothing has happened: it is not even read
    world.happen_to(world.machines["web1"].id)
    assert told(watch) == [("web1", b"a", b"1")]


def test_only_those_are_read_to_which_something_has_happened(world):
    watch = watching(world)
    world.say(b"a", b"1", "web2")
    told(watch)
    assert sorted(world.read()) == ["web1", "web2"]
    assert told(watch) == [] and world.read() == []
    world.say(b"a", b"2", "web2")
    told(watch)
    assert world.read() == ["web2"]


def test_all_are_read_where_the_list_does_not_reach_back(world):
    world.say(b"a", b"0")
    watch = watching(world)
    told(watch)
    world.read()
    world.reach = 1
    world.say(b"a", b"1", "web1")
    world.say(b"a", b"1", "web2")
    assert told(watch) == [("web1", b"a", b"1"), ("web2", b"a", b"1")]


def test_all_are_read_every_minute_whatever_has_happened(world):
    watch = watching(world)
    told(watch)
    world.say(b"a", b"1")
    world.happened.clear()
    assert told(watch) == []
    world.clock += 60
    assert told(watch) == [("web1", b"a", b"1")]
    assert world.closed == 1


def test_a_new_virtual_machine_is_noticed_as_soon_as_it_does_something(world):
    watch = watching(world, since=NOW)
    told(watch)
    world.make("new")
    world.say(b"a", b"1", "new")
    assert told(watch) == [("new", b"a", b"1")]


def test_events_of_what_is_no_virtual_machine_do_no_harm(world):
    watch = watching(world)
    told(watch)
    world.read()
    world.happen_to("")
    assert told(watch) == [] and world.read() == []
    world.happen_to("f" * 32)
    assert told(watch) == [] and sorted(world.read()) == ["web1", "web2"]
    assert told(watch) == [] and world.read() == []


def test_now_leaves_out_what_was_there_even_of_those_that_are_read_later(world):
    world.say(b"old", b"1", "web1")
    world.say(b"old", b"1", "web2")
    checkpoint = Checkpoint()
    world.faults[("received", "web2")] = Problem("not now")
    watch = watching(world, checkpoint, since=NOW)
    assert told(watch) == [] and list(watch.troubles) == ["web2"]
    world.say(b"new", b"2", "web2")
    del world.faults[("received", "web2")]
    assert told(watch) == [("web2", b"new", b"2")] and watch.troubles == {}
    # Whoever was read once is like all others.
    world.from_guest["web2"].insert(0, world.from_guest["web2"][0]._replace(value=b"0"))
    world.happen_to(world.machines["web2"].id)
    assert told(watch) == [("web2", b"old", b"0")]


def test_without_times_now_leaves_out_all_that_is_there():
    world = World("web1", history=False, times=False)
    world.say(b"a", b"1")
    watch = watching(world, since=NOW)
    assert told(watch) == []
    world.say(b"a", b"2")
    (news,) = watch.look()
    assert news.record.value == b"2" and news.record.time == 7.0
    watch.done(news)
    # What comes back is another message, as far as anybody can tell.
    world.say(b"a", b"1")
    assert told(watch) == [("web1", b"a", b"1")]
    world.say(b"a", b"2")
    assert told(watch) == [("web1", b"a", b"2")]
    assert told(watch) == []


def test_what_the_other_side_forgets_is_forgotten(world):
    checkpoint = Checkpoint()
    watch = watching(world, checkpoint)
    for number in range(5):
        world.say(b"a", b"%d" % number)
    told(watch)
    identity = world.machines["web1"].id
    assert len(checkpoint.passed(identity)) == 5
    del world.from_guest["web1"][:3]
    world.say(b"a", b"5")
    assert told(watch) == [("web1", b"a", b"5")]
    assert len(checkpoint.passed(identity)) == 3


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Wanted(), [b"app.a", b"other", report.CONFIGURATION]),
        (Wanted(keys=["app.*"]), [b"app.a", report.CONFIGURATION]),
        (Wanted(keys=["other"], kinds=["message"]), [b"other"]),
        (Wanted(kinds=["configuration", "guest"]), [report.GUEST, report.CONFIGURATION]),
        (Wanted(vms=["db*"]), []),
        (Wanted(vms=["web[12]"], kinds=["addresses"]), [report.ADDRESSES]),
    ],
)
def test_only_what_is_wanted_is_news(world, wanted, keys):
    world.say(b"app.a", b"1")
    world.say(b"other", b"2")
    world.say(*report.guest("b1", "1"))
    world.say(*report.held("b1", b"x", b"1"))
    world.say(*report.interfaces([]))
    world.say(*report.configuration("b1", report.DONE))
    world.say(report.PREFIX + b"unheard-of", b"1")
    checkpoint = Checkpoint()
    with watching(world, checkpoint, wanted) as watch:
        assert [key for _vm, key, _value in told(watch)] == keys
        world.happen_to(world.machines["web1"].id)
        assert told(watch) == []


def test_secrets_by_name_and_by_report(world):
    world.say(*report.guest("b1", "1"))
    world.say(*report.held("b1", b"pin", b"1", secret=True))
    for key in (b"pin", b"root-password", b"plain"):
        world.say(key, b"1")
    assert [(news.record.key, news.secret) for news in watching(world).look()] == [
        (b"pin", True),
        (b"root-password", True),
        (b"plain", False),
    ]


def test_a_virtual_machine_that_was_deleted_has_no_news(world):
    world.say(b"a", b"1", "web2")
    world.faults[("received", "web1")] = VmNotFound("it is gone")
    watch = watching(world)
    assert told(watch) == [("web2", b"a", b"1")] and watch.troubles == {}


def test_when_nothing_can_be_read_the_next_look_begins_anew(world):
    watch = watching(world)
    told(watch)
    world.say(b"a", b"1")
    world.faults[("events", None)] = Problem("the manager is gone")
    for _unused in range(2):
        with pytest.raises(Problem, match="the manager is gone"):
            watch.look()
    world.faults = {("received", name): Problem("not yet") for name in world.machines}
    with pytest.raises(Problem, match="not yet"):
        watch.look()
    world.faults.clear()
    assert told(watch) == [("web1", b"a", b"1")]
    assert world.closed == 3


def test_a_carrier_that_knows_of_changes_is_not_asked_for_events():
    world = Host("web1")
    watch = watching(world)
    told(watch)
    assert watch.waits
    watch.wait(3)
    world.say(b"a", b"1")
    assert told(watch) == [("web1", b"a", b"1")]
    calls = [call for call, _vm in world.calls]
    assert ("wait_for_change", 3) in world.calls and "events" not in calls
    watch.close()
    assert world.closed == 1


def test_a_checkpoint_goes_on_where_it_was(world, tmp_path):
    path = str(tmp_path / "checkpoint")
    world.say(b"a", b"1")
    with watching(world, Checkpoint(path), since=NOW) as watch:
        assert told(watch) == []
    world.say(b"b", b"2")
    with watching(world, Checkpoint(path)) as watch:
        (news,) = watch.look()
    with watching(world, Checkpoint(path)) as watch:
        (again,) = watch.look()
        assert again == news and again.record.key == b"b"
        watch.done(again)
    with watching(world, Checkpoint(path)) as watch:
        assert told(watch) == []
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_checkpoint_is_one_watchs_alone(tmp_path):
    path = str(tmp_path / "checkpoint")
    first = Checkpoint(path)
    with pytest.raises(BadCheckpoint, match="another process uses it; give each rulebook"):
        Checkpoint(path)
    first.close()
    Checkpoint(path).close()


def test_who_was_refused_has_not_unlocked_it_for_other_processes(tmp_path):
    """Whoever opens and closes the file beside SQLite takes all locks from this process."""
    path = str(tmp_path / "checkpoint")
    first = Checkpoint(path)
    with pytest.raises(BadCheckpoint, match="another process uses it"):
        Checkpoint(path)
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    done = subprocess.run([sys.executable, "-c", other, path], capture_output=True, text=True, check=False)
    assert "database is locked" in done.stderr
    first.close()
    subprocess.run([sys.executable, "-c", other, path], check=True)


def test_checkpoints_that_cannot_be_used_say_what_to_do(tmp_path):
    with pytest.raises(BadCheckpoint, match="No such file or directory.*name a file"):
        Checkpoint(str(tmp_path / "missing" / "checkpoint"))
    (tmp_path / "odd").write_bytes(b"no database" * 100)
    with pytest.raises(BadCheckpoint, match="odd: .*: remove it, or name another"):
        Checkpoint(str(tmp_path / "odd"))
    newer = Checkpoint(str(tmp_path / "newer"))
    newer._run("PRAGMA user_version = 9")
    newer.close()
    with pytest.raises(BadCheckpoint, match=r"of another version \(9\)"):
        Checkpoint(str(tmp_path / "newer"))
    (tmp_path / "link").symlink_to(tmp_path / "newer")
    with pytest.raises(BadCheckpoint, match="link cannot be opened"):
        Checkpoint(str(tmp_path / "link"))


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("database or disk is full", "make room"),
        ("attempt to write a readonly database", "may write there"),
        ("unable to open database file", "there is room"),
        ("disk I/O error", "see the system's log for its disk"),
        ("file is not a database", "remove it, or name another"),
    ],
)
def test_what_sqlite_says_has_a_remedy(said, remedy):
    checkpoint = Checkpoint()
    assert remedy in str(checkpoint._problem(OSError(said)))
    checkpoint.close()


def test_a_failed_note_leaves_nothing_half_done(world):
    checkpoint = Checkpoint()
    checkpoint.begin(None, [])
    with pytest.raises(BadCheckpoint):
        checkpoint.note("vm", [b"mark", object()])
    assert checkpoint.passed("vm") == set()
    checkpoint.note("vm", [b"mark"])
    assert checkpoint.passed("vm") == {b"mark"} and checkpoint.started and checkpoint.since is None
    checkpoint.close()
