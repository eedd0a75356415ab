# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameter list, on a real SQLite file."""

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import types

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest import parameter_list
from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import ParameterListError
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList

BYTES = bytes(range(1, 256))


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "state")


def put(parameters, **pairs):
    with parameters.writing():
        for key, value in pairs.items():
            parameters.put(Message(key.encode(), value))


def pairs(parameters):
    return [(entry.key, entry.value) for entry in parameters.entries()]


def test_a_key_is_replaced_in_place_and_a_new_one_goes_to_the_end(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"1", b=b"2", c=b"3")
        put(parameters, d=b"4", b=b"5")
        assert pairs(parameters) == [(b"a", b"1"), (b"b", b"5"), (b"c", b"3"), (b"d", b"4")]


def test_every_byte_comes_back(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.put(Message(BYTES, BYTES * 32))
        assert parameters.get(BYTES) == BYTES * 32 and parameters.get(b"missing") is None
    with ParameterList(directory) as again:
        assert pairs(again) == [(BYTES, BYTES * 32)]


def test_deleting_tells_what_was_there(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"1", b=b"2", c=b"3")
        with parameters.writing():
            assert parameters.delete(b"a") is True and parameters.delete(b"a") is False
            assert parameters.delete_all() == 2
        assert parameters.entries() == []


def test_once_secret_a_key_stays_so_until_it_is_deleted(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.put(Message(b"a", b"1"), secret=True)
            parameters.put(Message(b"a", b"2"))
            parameters.put(Message(b"b", b"1"))
            parameters.conceal([b"b", b"missing"])
        assert parameters.entries() == [Entry(b"a", b"2", True), Entry(b"b", b"1", True)]
        with parameters.writing():
            parameters.delete(b"a")
            parameters.put(Message(b"a", b"3"))
        assert parameters.entries()[-1] == Entry(b"a", b"3", False)


def test_notes_of_what_was_taken(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.take(7, Message(b"k", BYTES))
            parameters.take(8, Message(b"k", b""))
            parameters.take(8, Message(b"l", b""))
            parameters.untake(9)
        assert parameters.taken() == {7: (b"k", BYTES), 8: (b"l", b"")}
        with parameters.writing():
            parameters.untake(7)
        assert list(parameters.taken()) == [8]


def test_an_exception_undoes_everything(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"1")
        with pytest.raises(KeyError), parameters.writing():
            parameters.put(Message(b"a", b"2"))
            raise KeyError
        assert pairs(parameters) == [(b"a", b"1")]


def test_the_file_is_for_its_owner_alone_whatever_the_umask(directory):
    before = os.umask(0)
    try:
        with ParameterList(directory) as parameters:
            with parameters.writing():
                parameters.put(Message(b"a", b"1"))
                modes = {name: os.stat(os.path.join(directory, name)).st_mode for name in os.listdir(directory)}
    finally:
        os.umask(before)
    assert {name: stat.S_IMODE(mode) for name, mode in modes.items()} == {
        "parameters.db": 0o600,
        "parameters.db-journal": 0o600,
    }
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_a_deleted_secret_is_nowhere_in_the_files(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"hunter2-hunter2-hunter2", b=b"2")
        with parameters.writing():
            parameters.delete(b"a")
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as source:
                assert b"hunter2" not in source.read()


def test_the_list_of_an_earlier_boot_is_empty(directory, monkeypatch, tmp_path):
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(parameter_list, "_BOOT_ID", str(boot))
    with ParameterList(directory) as parameters:  # no such file: a system that does not tell its boots apart
        put(parameters, a=b"0")
    boot.write_text("first\n")
    with ParameterList(directory) as parameters:
        assert parameters.entries() == []
        put(parameters, a=b"1")
        with parameters.writing():
            parameters.take(1, Message(b"k", b"v"))
            parameters.queue_event(parse("shutdown"))
            parameters.note_reported(b"guest", b"hello")
        life = parameters.life
    with ParameterList(directory) as parameters:
        assert pairs(parameters) == [(b"a", b"1")] and parameters.life == life
    boot.write_text("second\n")
    with ParameterList(directory) as parameters:
        assert parameters.entries() == [] and parameters.taken() == {} and parameters.reported() == {}
        assert parameters.next_event() is None and parameters.life not in ("", life)


def test_a_list_that_is_made_anew_has_another_life(directory):
    with ParameterList(directory) as parameters, ParameterList(directory) as same:
        assert parameters.life == same.life and not parameters.replaced()
        os.unlink(parameters.path)
        assert parameters.replaced()
        with ParameterList(directory) as another:
            assert another.life not in ("", parameters.life) and parameters.replaced() and not another.replaced()


SCHEMA_1 = """
CREATE TABLE parameter (
    position INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, secret INTEGER NOT NULL
);
CREATE TABLE taken (number INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE life (boot TEXT NOT NULL);
INSERT INTO parameter (key, value, secret) VALUES (x'61', x'31', 0), (x'62', x'32', 1);
INSERT INTO taken VALUES (7, x'61', x'31');
PRAGMA user_version = 1;
"""


def made_by_an_older_program(directory):
    os.mkdir(directory, 0o700)
    base = sqlite3.connect(os.path.join(directory, "parameters.db"), isolation_level=None)
    base.executescript(SCHEMA_1)
    base.execute("INSERT INTO life VALUES (?)", (parameter_list._boot(),))
    return base


def test_the_list_of_an_older_program_is_taken_over_while_that_runs(directory):
    older = made_by_an_older_program(directory)
    with ParameterList(directory) as parameters:
        assert parameters.entries() == [Entry(b"a", b"1", False), Entry(b"b", b"2", True)] and parameters.life
        assert parameters.taken() == {7: (b"a", b"1")} and parameters.next_event() is None
        older.execute("INSERT INTO parameter (key, value, secret) VALUES (x'63', x'33', 0)")
        assert parameters.get(b"c") == b"3"
        with ParameterList(directory) as again:
            assert again.life == parameters.life and len(again.entries()) == 3
    older.close()


def test_the_list_that_an_older_program_left_from_an_earlier_boot_is_empty(directory):
    older = made_by_an_older_program(directory)
    older.execute("UPDATE life SET boot = 'earlier'")
    older.close()
    with ParameterList(directory) as parameters:
        assert parameters.entries() == [] and parameters.taken() == {} and parameters.life


def test_several_processes_take_over_the_list_of_an_older_program_at_once(directory):
    made_by_an_older_program(directory).close()
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(life_of(directory))) for _unused in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8 and len(set(opened)) == 1


def life_of(directory):
    with ParameterList(directory) as parameters:
        return parameters.life, len(parameters.entries())


def test_events_leave_in_the_order_in_which_they_came(directory):
    events = [parse(b"user:immediate:" + BYTES), parse("snapshot:pre"), parse("reconfig")]
    with ParameterList(directory) as parameters:
        assert parameters.next_event() is None
        with parameters.writing():
            assert all(parameters.queue_event(event) for event in events)
        position, event, begun = parameters.next_event()
        assert event == events[0] and begun == 0 and event.payload == BYTES
        with parameters.writing():
            parameters.begin_event(position)
    with ParameterList(directory) as after:  # whoever goes on sees that it was begun
        assert after.next_event() == (position, events[0], 1)
        seen = []
        while after.next_event():
            position, event, _begun = after.next_event()
            seen.append(event)
            with after.writing():
                after.end_event(position)
        assert seen == events
        with after.writing():
            after.queue_event(events[0])
        assert after.next_event()[0] > position  # a number never means two events


def test_too_many_events_are_refused_and_those_that_wait_stay(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            taken = [parameters.queue_event(parse("user::%d" % n)) for n in range(parameter_list.EVENTS + 2)]
        assert taken == [True] * parameter_list.EVENTS + [False] * 2
        assert parameters.next_event()[1].payload == b"0"


def test_what_was_reported_is_remembered_until_it_is_to_be_told_again(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.note_reported(b"guest", b"hello")
            parameters.note_reported(b"held." + BYTES, b"digest")
            parameters.note_reported(b"own", b"1")
        assert parameters.reported() == {b"guest": b"hello", b"held." + BYTES: b"digest", b"own": b"1"}
        with parameters.writing():
            parameters.note_received(BYTES)
        assert parameters.reported() == {b"guest": b"hello", b"held." + BYTES: b"", b"own": b"1"}
        with parameters.writing():
            parameters.forget_reported(b"own")
        assert parameters.reported() == {b"guest": b"", b"held." + BYTES: b"", b"own": b"1"}


def test_of_deleted_parameters_not_all_is_remembered_for_ever(directory, monkeypatch):
    monkeypatch.setattr(parameter_list, "_REMEMBERED", 5)
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.put(Message(b"stays", b""))
            parameters.note_reported(b"held.stays", b"told")
            parameters.note_reported(b"guest", b"told")
        for n in range(20):
            with parameters.writing():
                parameters.put(Message(b"%d" % n, b""))
                parameters.note_reported(b"held.%d" % n, b"told")
                parameters.delete(b"%d" % n)
        assert list(parameters.reported()) == [b"held.stays", b"guest"] + [b"held.%d" % n for n in range(15, 20)]
        with parameters.writing():
            for n in range(20):
                parameters.note_reported(b"held.%d" % n, b"told")
            parameters.delete_all()
        assert list(parameters.reported()) == [b"guest"] + [b"held.%d" % n for n in range(15, 20)]


def test_what_was_told_is_looked_through_once_however_many_parameters_are_deleted(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            for n in range(20):
                parameters.put(Message(b"%d" % n, b""))
        looks = []
        parameters._base.set_trace_callback(lambda said: looks.append(said) if "DELETE FROM reported" in said else None)
        with parameters.writing():
            assert parameters.delete_each([b"%d" % n for n in range(10, 30)]) == [b"%d" % n for n in range(10, 20)]
        assert len(looks) == 1
        assert [entry.key for entry in parameters.entries()] == [b"%d" % n for n in range(10)]


def test_one_row_of_what_was_told_is_had_without_the_others(directory):
    with ParameterList(directory) as parameters:
        with parameters.writing():
            parameters.note_reported(b"held." + BYTES, b"digest")
        assert parameters.told(b"held." + BYTES) == b"digest"
        assert parameters.told(b"held.") is None


KILLED = """
import os, signal, sys
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
parameters = ParameterList(sys.argv[1])
with parameters.writing():
    for n in range(2000):  # enough to make SQLite write to the file before the commit
        parameters.put(Message(b"new-%d" % n, b"x" * 4000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_leaves_the_list_as_it_was(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"1")
    killed = subprocess.run([sys.executable, "-c", KILLED, directory], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert os.path.exists(os.path.join(directory, "parameters.db-journal"))  # so it was in the middle of it
    with ParameterList(directory) as parameters:
        assert pairs(parameters) == [(b"a", b"1")]


def test_writers_take_turns(directory):
    ParameterList(directory).close()

    def write(name):
        with ParameterList(directory) as parameters:
            for n in range(50):
                with parameters.writing():
                    value = parameters.get(b"counter") or b"0"
                    parameters.put(Message(b"counter", b"%d" % (int(value) + 1)))
                    parameters.put(Message(b"%s-%d" % (name, n), b""))

    threads = [threading.Thread(target=write, args=(name,)) for name in (b"x", b"y", b"z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ParameterList(directory) as parameters:
        assert parameters.get(b"counter") == b"150" and len(parameters.entries()) == 151


def test_a_file_that_another_process_has_just_prepared_is_taken_as_it_is(directory, monkeypatch):
    with ParameterList(directory) as first:
        put(first, a=b"1")
        name = first.life
    seen = []
    life = ParameterList._life

    def too_early(self, boot):
        seen.append(1)
        return "" if len(seen) == 1 else life(self, boot)

    monkeypatch.setattr(ParameterList, "_life", too_early)
    with ParameterList(directory) as second:
        assert pairs(second) == [(b"a", b"1")] and len(seen) == 2 and second.life == name


def test_a_file_that_must_not_be_written_is_an_error_with_a_remedy(directory):
    with ParameterList(directory) as parameters:
        # root may write to any file, so SQLite is told to refuse.
        parameters._base.execute("PRAGMA query_only = ON")
        with pytest.raises(ParameterListError, match="readonly database: see that root may write there"):
            put(parameters, a=b"1")


def refusal(directory, **options):
    with pytest.raises(ParameterListError) as found:
        ParameterList(directory, **options).close()
    return str(found.value)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (0, r"cannot be opened \(Permission denied\): run this as root"),
        (os.ST_RDONLY, r"cannot be opened \(Read-only file system\): have its file system mounted for writing"),
    ],
)
def test_why_it_may_not_be_written_is_told(directory, monkeypatch, flags, told):
    ParameterList(directory).close()
    monkeypatch.setattr(os, "access", lambda *_arguments, **_options: False)
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(f_flag=flags))
    assert re.search(told, refusal(directory))


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("database is locked", "another process is writing to it"),
        ("locking protocol", "another process is writing to it"),
        ("database or disk is full", "make room in its file system"),
        ("unable to open database file", "see that root may write there, and that there is room"),
        ("disk I/O error", "see the system's log for its disk, and that there is room on it"),
        # So some versions of SQLite call what a disk does not give them.
        ("database disk image is malformed", "see the system's log for its disk; if the file is damaged, remove it"),
        ("file is not a database", "if the file is damaged, remove it"),
    ],
)
def test_what_sqlite_says_has_a_remedy(directory, said, remedy):
    with ParameterList(directory) as parameters:
        problem = str(parameters._file.translate(sqlite3.OperationalError(said)))
    assert (said + ": " + remedy) in problem


def test_a_list_that_is_kept_too_long_by_another_is_an_error_in_time(directory):
    with ParameterList(directory) as parameters, ParameterList(directory, timeout=0.05) as other:
        with parameters.writing():
            with pytest.raises(ParameterListError, match="locked: another process is writing"):
                put(other, a=b"1")
        put(other, a=b"1")
        assert pairs(parameters) == [(b"a", b"1")]


def test_a_damaged_file_is_an_error_with_a_remedy(directory):
    os.mkdir(directory, 0o700)
    path = os.path.join(directory, "parameters.db")
    with open(path, "wb") as target:
        target.write(b"no database at all" * 100)
    assert refusal(directory) == (
        "the parameter list %s: file is not a database: "
        "if the file is damaged, remove it: the parameters are lost, as at a reboot" % path
    )


def test_a_file_of_another_release_is_left_alone(directory):
    ParameterList(directory).close()
    path = os.path.join(directory, "parameters.db")
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 7")
    base.close()
    assert "is of version 7, this program knows version 2: use the programs and modules of one release" in refusal(
        directory
    )


def test_a_directory_that_others_may_write_to_is_refused(directory):
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    assert "is writable by, other users: use a directory of root's alone" in refusal(directory)


def test_a_symbolic_link_is_not_followed(directory, tmp_path):
    os.mkdir(directory, 0o700)
    os.symlink(str(tmp_path / "elsewhere"), os.path.join(directory, "parameters.db"))
    assert "cannot be opened (Too many levels of symbolic links)" in refusal(directory)
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_had_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be opened (Not a directory): see that its directory can be made" in refusal(
        str(tmp_path / "file" / "x")
    )


def test_a_full_disk_undoes_the_change_and_says_so(directory):
    with ParameterList(directory) as parameters:
        put(parameters, a=b"1")
        # SQLite's own limit stands for the full file system: it raises the same error.
        parameters._base.execute("PRAGMA max_page_count = 8")
        with pytest.raises(ParameterListError, match="full: make room in its file system"):
            put(parameters, b=b"x" * 100000)
        assert pairs(parameters) == [(b"a", b"1")]
        put(parameters, c=b"3")
        assert pairs(parameters) == [(b"a", b"1"), (b"c", b"3")]


def test_a_boot_that_cannot_be_told_is_not_taken_for_another_one(directory, monkeypatch):
    """Else all parameters would be lost because there was no file left to open for a moment."""
    with ParameterList(directory) as parameters:
        put(parameters, key=b"value")
    with monkeypatch.context() as patch:
        patch.setattr(parameter_list, "_BOOT_ID", directory)  # a folder is no file
        with pytest.raises(ParameterListError, match="nobody knows whether the parameter list is of this boot: try ag"):
            ParameterList(directory)
    with ParameterList(directory) as parameters:
        assert pairs(parameters) == [(b"key", b"value")]
