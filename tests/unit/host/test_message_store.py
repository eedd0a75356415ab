# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message store: real SQLite files, several processes."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import private_database
from ansible_collections.ovm.messaging.plugins.module_utils.channel.inbox import Arrival
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import MessageStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import (
    INCOMING,
    INFORMATIONAL,
    LOST,
    RECEIVED,
    SENT,
    TROUBLE,
    WARNING,
    KnownVm,
    MessageStore,
    Retention,
)

A, B = "a" * 32, "b" * 32


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture
def store(directory):
    with MessageStore(directory) as opened:
        yield opened


def receive(store, *pairs, vm=A, domid=5, first=1):
    """Stores messages as if they had come from a guest."""
    with store.ledger(vm, domid) as ledger:
        for number, (key, value) in enumerate(pairs, first):
            ledger.keep(Arrival(number, Message(key, value), ""))


def pairs(messages):
    return [(message.key, message.value) for message in messages]


# Virtual machines


def test_machines_come_change_and_stop(store):
    assert store.vms() == [] and store.vm(A) is None
    store.see({A: ("web", 5), B: ("db", 6)}, 100.0)
    assert store.vms() == [KnownVm(A, "web", "RUNNING", 5, 100.0, 100.0), KnownVm(B, "db", "RUNNING", 6, 100.0, 100.0)]
    store.see({A: ("www", 7)}, 200.0)
    assert store.vm(A) == KnownVm(A, "www", "RUNNING", 7, 100.0, 200.0)
    assert store.vm(B) == KnownVm(B, "db", "STOPPED", None, 100.0, 200.0)
    store.see({A: ("www", 7), B: ("db", 8)}, 300.0)
    assert store.vm(B) == KnownVm(B, "db", "RUNNING", 8, 100.0, 300.0)


def test_what_is_seen_again_is_not_written_again(store, directory):
    store.see({A: ("web", 5)}, 100.0)
    with MessageStore(directory) as other, other._writing():  # so nobody else could write
        store.see({A: ("web", 5)}, 200.0)
    assert store.vm(A).last_seen == 100.0


# Messages


def test_messages_of_both_directions_are_kept_apart_and_in_order(store):
    receive(store, (b"k", b"1"), (b"l", b"\xff\x01"), (b"k", b""))
    receive(store, (b"k", b"other"), vm=B)
    store.add_sent(A, [(b"k", b"s")], 7.5)
    assert pairs(store.messages(A, RECEIVED)) == [(b"k", b"1"), (b"l", b"\xff\x01"), (b"k", b"")]
    assert pairs(store.messages(A, SENT)) == [(b"k", b"s")] and store.messages(A, SENT)[0].time == 7.5
    assert pairs(store.messages(A, RECEIVED, key=b"k")) == [(b"k", b"1"), (b"k", b"")]
    assert pairs(store.messages(A, RECEIVED, newest=True)) == [(b"l", b"\xff\x01"), (b"k", b"")]
    assert pairs(store.messages(A, RECEIVED, key=b"k", newest=True)) == [(b"k", b"")]
    assert pairs(store.messages(A, RECEIVED, limit=2)) == [(b"l", b"\xff\x01"), (b"k", b"")]
    last = store.messages(A, RECEIVED)[-1]
    assert pairs(store.messages(A, RECEIVED, limit=1, before=last.id)) == [(b"l", b"\xff\x01")]
    assert last.vm == A and last.direction == RECEIVED and abs(last.time - time.time()) < 60


def test_a_secret_that_is_sent_is_not_remembered(store, directory):
    store.add_sent(A, [(b"root-password", b"swordfish"), (b"plain", b"1")], 1.0)
    store.add_sent(A, [(b"token", b"swordfish")], 1.0)
    assert pairs(store.messages(A, SENT)) == [(b"plain", b"1")]
    store.close()
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as source:
            assert b"swordfish" not in source.read()


def test_a_secret_that_is_received_is_marked_and_no_repr_shows_a_value(store):
    receive(store, (b"user.password.1", b"swordfish"), (b"plain", b"swordfish"))
    assert [message.secret for message in store.messages(A, RECEIVED)] == [True, False]
    assert "swordfish" not in repr(store.messages(A, RECEIVED) + store.events())


def test_forgetting_messages_forgets_their_events_too(store, directory):
    receive(store, (b"k", b"forget-me"), (b"l", b"2"))
    store.add_sent(A, [(b"k", b"s")], 1.0)
    receive(store, (b"k", b"other"), vm=B)
    assert store.forget_messages(A, RECEIVED) == 2 and store.forget_messages(A, RECEIVED) == 0
    assert store.messages(A, RECEIVED) == [] and len(store.messages(A, SENT)) == 1
    assert [event.vm for event in store.events()] == [B]
    store.close()
    with open(os.path.join(directory, "messages.db"), "rb") as source:
        assert b"forget-me" not in source.read()  # overwritten, not just unlinked


# Events


def test_events_of_messages_and_others(store):
    receive(store, (b"k", b"1"))
    store.add_event(B, WARNING, TROUBLE, "something is wrong", 7.0)
    first, second = store.events()
    assert (first.vm, first.severity, first.type, first.summary) == (A, INFORMATIONAL, INCOMING, INCOMING)
    assert first.message == store.messages(A, RECEIVED)[0] and first.description == ""
    assert second[1:] == (B, 7.0, WARNING, TROUBLE, "something is wrong", None)
    assert store.events(A) == [first] and store.events(B) == [second]
    assert store.events(limit=1) == [second] and store.events(limit=1, before=second.id) == [first]
    assert store.events(after=first.id) == [second] and store.events(after=second.id) == []
    assert store.event(first.id) == store.event(str(first.id)) == first and store.event(99) is None


def test_reports_of_what_is_held_make_no_event(store):
    receive(store, (b"ovmd.report.held.k", b"{}"), (b"ovmd.report.guest", b"{}"))
    assert len(store.messages(A, RECEIVED)) == 2
    assert [event.message.key for event in store.events()] == [b"ovmd.report.guest"]


# Jobs


def test_jobs(store, directory):
    job = store.add_job(A, "send 2 messages", "admin", "RUNNING", 10.0)
    assert job.id == "1" and store.job("1") == job and job.end is None
    for nonsense in ("2", "x", "", "-1", "9" * 40, "1.0"):
        assert store.job(nonsense) is None
    store.finish_job(job.id, "FAILURE", 12.0, "SERVER", "no room")
    assert store.job("1")[4:] == ("FAILURE", 10.0, 12.0, "SERVER", "no room")
    store.finish_job(job.id, "SUCCESS", 99.0)
    assert store.job("1").state == "FAILURE"
    second = store.add_job("", "other", "admin", "RUNNING", 20.0)
    assert store.jobs(active=True) == [second] and [each.id for each in store.jobs()] == ["1", "2"]
    assert [each.id for each in store.jobs(since=15.0)] == ["2"] and [each.id for each in store.jobs(until=15.0)] == [
        "1"
    ]
    assert [each.id for each in store.jobs(limit=1)] == ["2"]
    assert store.finish_open_jobs("FAILURE", 30.0, "ABORT", "the service ended") == 1
    assert store.job("2").error == "the service ended" and store.jobs(active=True) == []
    store.retain(A, Retention(events=0), 40.0)
    store.close()
    with MessageStore(directory) as again:  # a number never comes to mean something else
        assert again.jobs() == [] and again.add_job(A, "", "", "RUNNING", 50.0).id == "3"


# Collecting


def test_notes(store):
    ledger = store.ledger(A, 5)
    with ledger.writing():
        ledger.keep(Arrival(1, Message(b"k", b"v"), ""))
        ledger.keep(Arrival(2, Message(None, b"its piece 0 is missing"), "its piece 0 is missing"))
        ledger.take(1, Message(b"k", b"v"))
        ledger.take(2, Message(None, b"its piece 0 is missing"))
    assert ledger.taken() == {1: (b"k", b"v"), 2: (None, b"its piece 0 is missing")}
    assert store.snapshot(A) == (
        store.messages(A, RECEIVED),
        {(5, n): message for n, message in ledger.taken().items()},
    )
    assert [(event.type, event.severity, event.description) for event in store.events()] == [
        (INCOMING, INFORMATIONAL, ""),
        (LOST, WARNING, "message 2 was lost: its piece 0 is missing"),
    ]
    assert store.ledger(A, 6).taken() == store.ledger(B, 5).taken() == {}
    with ledger.writing():
        ledger.untake(1)
    assert list(ledger.taken()) == [2]
    store.forget_notes([(A, 5)])
    assert list(ledger.taken()) == [2]
    store.forget_notes([(A, 6)])
    assert ledger.taken() == {}


def test_nothing_is_written_when_something_goes_wrong(store):
    ledger = store.ledger(A, 5)
    with pytest.raises(KeyError), ledger.writing():
        ledger.keep(Arrival(1, Message(b"k", b"v"), ""))
        raise KeyError
    assert store.messages(A, RECEIVED) == []
    with ledger.writing():
        pass
    assert store.messages(A, RECEIVED) == []


# Retention


def fill(store, count, vm=A, keys=1):
    receive(store, *((b"key-%d" % (n % keys), b"%d" % n) for n in range(count)), vm=vm)


def test_what_is_replaced_goes_first_and_then_the_oldest(store):
    receive(store, (b"only", b"0"))
    fill(store, 20)
    receive(store, (b"other", b"0"))
    store.add_sent(A, [(b"key-0", b"s")] * 3, 1.0)
    store.retain(A, Retention(messages=5, age=0), time.time())
    assert pairs(store.messages(A, RECEIVED)) == [
        (b"only", b"0"),
        (b"key-0", b"17"),
        (b"key-0", b"18"),
        (b"key-0", b"19"),
        (b"other", b"0"),
    ]
    assert len(store.messages(A, SENT)) == 3 and len(store.events(A)) == 5
    store.retain(A, Retention(messages=2, age=0), time.time())
    assert pairs(store.messages(A, RECEIVED)) == [(b"key-0", b"19"), (b"other", b"0")]


def test_a_guest_that_makes_up_keys_does_not_fill_the_disk(store):
    fill(store, 20, keys=20)
    fill(store, 3, vm=B)
    store.retain(A, Retention(messages=5), time.time())
    assert pairs(store.messages(A, RECEIVED)) == [(b"key-%d" % n, b"%d" % n) for n in range(15, 20)]
    assert len(store.messages(B, RECEIVED)) == 3


def test_a_call_drops_no_more_than_it_may(store):
    fill(store, 20)
    store.retain(A, Retention(messages=5, events=5), time.time(), at_most=4)
    assert len(store.messages(A, RECEIVED)) == 16
    assert len(store.events(A)) == 12  # 4 with their messages, and 4 more
    store.retain(A, Retention(age=0.001), time.time() + 10, at_most=4)
    assert len(store.messages(A, RECEIVED)) == 12


def test_what_is_too_old_goes_but_for_the_newest_of_each_key(store):
    fill(store, 6, keys=2)
    store.add_event(A, WARNING, TROUBLE, "later", time.time() + 100)
    store.retain(A, Retention(age=50), time.time() + 10)
    assert len(store.messages(A, RECEIVED)) == 6 and len(store.events(A)) == 7
    store.retain(A, Retention(age=50), time.time() + 60)
    assert pairs(store.messages(A, RECEIVED)) == [(b"key-0", b"4"), (b"key-1", b"5")]
    assert [event.description for event in store.events(A)] == ["later"]


def test_too_many_events_go(store):
    for n in range(10):
        store.add_event(A, WARNING, TROUBLE, str(n), float(n))
        store.add_event(B, WARNING, TROUBLE, str(n), float(n))
    store.retain(A, Retention(events=3, age=0), 100.0)
    assert [event.description for event in store.events(A)] == ["7", "8", "9"] and len(store.events(B)) == 10


def test_a_machine_that_is_gone_for_long_is_forgotten_with_all_it_had(store):
    store.see({A: ("web", 5), B: ("db", 6)}, 100.0)
    for vm in (A, B):
        fill(store, 10, vm=vm, keys=10)
        store.add_sent(vm, [(b"k", b"s")], 100.0)
        with store.ledger(vm, 5) as ledger:
            ledger.take(1, Message(b"k", b"v"))
    store.see({B: ("db", 6)}, 200.0)
    now = time.time() + 10
    keep = Retention(age=now - 150)
    store.retain(A, keep, now)
    assert store.vm(A).state == "STOPPED" and len(store.messages(A, RECEIVED)) == 10
    forget = Retention(age=now - 250)
    for vm in (A, B):
        store.retain(vm, forget, now, at_most=8)
    assert store.vm(A) is not None and len(store.messages(A, RECEIVED)) == 2  # bit by bit
    store.retain(A, forget, now, at_most=8)
    assert store.vm(A) is None and store.messages(A, RECEIVED) == store.messages(A, SENT) == store.events(A) == []
    assert store.ledger(A, 5).taken() == {} and store.ledger(B, 5).taken()
    assert store.vm(B).state == "RUNNING" and len(store.messages(B, RECEIVED)) == 10
    store.see({}, 300.0)
    store.retain(B, Retention(age=0), now + 1e9)
    assert store.vm(B) is not None


def test_jobs_are_dropped_once_they_have_ended(store):
    for n in range(5):
        store.add_job(A, str(n), "", "RUNNING", float(n))
    for job in ("1", "2", "3"):
        store.finish_job(job, "SUCCESS", 10.0 * int(job))
    store.retain(B, Retention(events=2, age=0), 100.0)
    assert [job.id for job in store.jobs()] == ["2", "3", "4", "5"]
    store.retain(B, Retention(age=75.0), 100.0)
    assert [job.id for job in store.jobs()] == ["3", "4", "5"]


# Files


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_nobody_else_can_read_it(directory):
    before = os.umask(0)
    try:
        with MessageStore(directory) as store:
            store.see({A: ("web", 5)}, 1.0)
            assert mode(directory) == 0o700
            assert {mode(os.path.join(directory, name)) for name in os.listdir(directory)} == {0o600}
            assert os.path.exists(store.path + "-wal")
    finally:
        os.umask(before)


def test_a_file_that_others_could_read_is_closed_to_them(directory):
    os.mkdir(directory)
    path = os.path.join(directory, "messages.db")
    with open(path, "wb"):
        os.chmod(path, 0o666)
    MessageStore(directory).close()
    assert mode(path) == 0o600


def refusal(directory, **options):
    with pytest.raises(MessageStoreError) as found:
        MessageStore(directory, **options).close()
    return str(found.value)


def test_a_directory_that_others_may_write_to_is_refused(directory):
    os.mkdir(directory)
    os.chmod(directory, 0o770)
    assert "of the message store belongs to, or is writable by, other users: use a directory of root's" in refusal(
        directory
    )


# Opens and closes it, as a module does beside the gateway.
OTHER_PROCESS = """
import sys
from %s import RECEIVED, MessageStore
with MessageStore(sys.argv[1]) as store:
    print([message.key.decode() for message in store.messages("a" * 32, RECEIVED)])
"""


def other_process(directory):
    """What another process sees."""
    command = [sys.executable, "-c", OTHER_PROCESS % MessageStore.__module__, directory]
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE).stdout.decode().strip()


def test_a_process_that_has_it_open_twice_shares_it_with_others(directory):
    """The end of any descriptor of the file would end this process's locks: others would believe to be alone."""
    with MessageStore(directory) as first, MessageStore(directory) as second:
        receive(first, (b"before", b"1"))
        assert other_process(directory) == "['before']"
        receive(first, (b"after", b"2"), first=2)
        receive(second, (b"later", b"3"), first=3)
        assert other_process(directory) == "['before', 'after', 'later']"
    assert other_process(directory) == "['before', 'after', 'later']"


def test_a_file_that_others_could_read_is_made_private(directory):
    MessageStore(directory).close()
    path = os.path.join(directory, "messages.db")
    os.chmod(path, 0o644)
    MessageStore(directory).close()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_symbolic_link_is_not_followed(directory, tmp_path):
    os.mkdir(directory, 0o700)
    os.symlink(str(tmp_path / "elsewhere"), os.path.join(directory, "messages.db"))
    assert "cannot be opened (Too many levels of symbolic links)" in refusal(directory)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_of_a_newer_release_is_left_alone(directory):
    MessageStore(directory).close()
    path = os.path.join(directory, "messages.db")
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version = 2")
    assert refusal(directory) == (
        "the message store %s is of version 2, this program knows version 1: "
        "use programs and modules of the newest release that was used on this host" % path
    )
    with contextlib.closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_damaged_file_is_an_error_with_a_remedy(directory):
    os.mkdir(directory, 0o700)
    with open(os.path.join(directory, "messages.db"), "wb") as target:
        target.write(b"no database at all" * 100)
    assert "file is not a database: if the file is damaged, stop what uses it and remove it" in refusal(directory)


def test_a_full_disk_undoes_the_change_and_says_so(store):
    receive(store, (b"k", b"1"))
    with store._pool.borrowed() as base:
        base.execute("PRAGMA max_page_count = 1")  # SQLite's own limit stands for the full file system
    with pytest.raises(MessageStoreError, match="full: make room in its file system"):
        receive(store, *((b"k", b"x" * 8000) for _unused in range(20)), first=2)
    assert pairs(store.messages(A, RECEIVED)) == [(b"k", b"1")]


def test_a_store_that_is_kept_too_long_is_an_error_in_time(store, directory):
    with MessageStore(directory, timeout=0.05) as other:
        with store._writing():
            with pytest.raises(MessageStoreError, match="locked: another process is writing"):
                other.see({A: ("web", 5)}, 1.0)
            assert other.vms() == []  # readers do not wait
        with other._writing():
            with pytest.raises(MessageStoreError, match="in use by another thread all the time: try again"):
                other.see({A: ("web", 5)}, 1.0)
        other.see({A: ("web", 5)}, 1.0)
        assert len(store.vms()) == 1


def test_the_switch_to_a_write_ahead_log_waits_for_readers_but_not_for_ever(directory):
    MessageStore(directory).close()
    path = os.path.join(directory, "messages.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as base:
        base.execute("PRAGMA journal_mode = DELETE")
        base.execute("BEGIN")
        base.execute("SELECT * FROM vm").fetchall()
        assert "locked: another process is writing" in refusal(directory, timeout=0.05)
        end = threading.Timer(0.2, base.execute, ("ROLLBACK",))
        end.start()
        MessageStore(directory).close()
        end.join()


def test_another_process_may_make_the_tables_meanwhile(directory, monkeypatch):
    writing = MessageStore._writing

    def late(store):
        monkeypatch.undo()
        with MessageStore(directory) as other:
            other.see({A: ("web", 5)}, 1.0)
        return writing(store)

    monkeypatch.setattr(MessageStore, "_writing", late)
    with MessageStore(directory) as store:
        assert store.vm(A).name == "web"


@pytest.fixture
def refusing(monkeypatch):
    """SQLite refuses statements: a dict of what it says to each, once. Gives the connections that were made."""
    connect, opened = sqlite3.connect, []

    def refuse(refusals):
        class Refusing(sqlite3.Connection):
            def execute(self, statement, *parameters):
                if statement in refusals:
                    raise sqlite3.OperationalError(refusals.pop(statement))
                return super().execute(statement, *parameters)

        def connecting(*arguments, **options):
            opened.append(connect(*arguments, factory=Refusing, **options))
            return opened[-1]

        monkeypatch.setattr(private_database.sqlite3, "connect", connecting)
        return opened

    return refuse


@pytest.mark.parametrize("refused", ["PRAGMA secure_delete = ON", "PRAGMA synchronous = NORMAL"])
def test_a_connection_that_cannot_be_made_is_closed_again(directory, refusing, refused):
    opened = refusing({refused: "disk I/O error"})
    assert "disk I/O error: see the system's log for its disk, and that there is room on it" in refusal(directory)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened.pop().execute("SELECT 1")


def test_two_that_switch_to_a_write_ahead_log_at_once_are_no_deadlock(directory, refusing):
    """Each has read and wants to write: SQLite lets one of them fail at once, however long it may wait."""
    refusals = {"PRAGMA journal_mode = WAL": "database is locked"}
    refusing(refusals)
    MessageStore(directory).close()
    assert refusals == {}


def test_a_closed_store_has_no_open_files(directory):
    before = len(os.listdir("/proc/self/fd"))
    store = MessageStore(directory)
    with store._pool.borrowed() as base:
        store.vms()
        assert len(os.listdir("/proc/self/fd")) > before
        store.close()
        base.execute("SELECT 1")  # whoever has a connection may finish
    assert len(os.listdir("/proc/self/fd")) == before


# Several at once


def test_threads_write_and_read_side_by_side(store):
    def work(vm):
        for n in range(50):
            receive(store, (b"k", b"%d" % n), vm=vm)
            assert len(store.messages(vm, RECEIVED)) == n + 1

    threads = [threading.Thread(target=work, args=(vm,)) for vm in (A, B, "c" * 32, "d" * 32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(store.messages(vm, RECEIVED)) for vm in (A, B, "c" * 32, "d" * 32)] == [50] * 4
    assert len(store.events()) == 200


def open_and_write(directory, vm, start):
    start.wait()
    with MessageStore(directory) as store:
        receive(store, *((b"k", b"v") for _unused in range(10)), vm=vm)


def test_processes_make_the_file_at_the_same_time(directory):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    vms = [letter * 32 for letter in "abcdef"]
    processes = [context.Process(target=open_and_write, args=(directory, vm, start)) for vm in vms]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    with MessageStore(directory) as store:
        assert [len(store.messages(vm, RECEIVED)) for vm in vms] == [10] * 6


def test_a_writer_that_is_killed_loses_nothing_that_it_has_committed(directory):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen by the measurement
        store = MessageStore(directory)
        for n in range(10**6):
            receive(store, (b"k", b"%d" % n))
            os.write(writing, b"%d\n" % n)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        for _unused in range(200):
            told.readline()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        last = 199 + len(told.readlines())
    with MessageStore(directory) as store:
        values = [int(message.value) for message in store.messages(A, RECEIVED)]
        assert values == list(range(len(values))) and len(values) >= last
