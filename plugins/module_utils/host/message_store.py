# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a Xen host remembers: its virtual machines, their messages, what happened to them, and jobs.

An SQLite file with a write-ahead log. The death of any process at any moment loses nothing
that was committed, and readers do not wait for writers. A commit does not wait for the
disk: with the power, the guests and their XenStore are gone as well.
"""

import contextlib
import sqlite3
import threading
import time
from collections import namedtuple

from .. import report
from ..channel.message import Message
from ..private_database import PrivateDatabase
from ..secret_names import secret_by_name
from ..vms import RUNNING, STOPPED
from .errors import MessageStoreError
from .pool import Pool

FILE = "messages.db"
#: Which way a message went.
RECEIVED, SENT = "received", "sent"
#: Severities of events.
INFORMATIONAL, WARNING, CRITICAL = "INFORMATIONAL", "WARNING", "CRITICAL"
#: Types of events; the text is their summary, too. A message came; one came that cannot be
#: read; something is wrong with a domain's part of XenStore.
INCOMING = "Virtual Machine API Incoming Message"
LOST = "Virtual Machine API Message Lost"
TROUBLE = "Virtual Machine API Trouble"

_SCHEMA = 1
# AUTOINCREMENT: a number that a client has seen must never come to mean something else.
# "taken" holds the messages that are stored already but perhaps still in XenStore.
_TABLES = """
CREATE TABLE vm (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, domid INTEGER,
    first_seen REAL NOT NULL, last_seen REAL NOT NULL
);
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, vm TEXT NOT NULL, direction TEXT NOT NULL,
    key BLOB NOT NULL, value BLOB NOT NULL, time REAL NOT NULL
);
CREATE INDEX message_key ON message (vm, direction, key);
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, vm TEXT NOT NULL, time REAL NOT NULL, severity TEXT NOT NULL,
    type TEXT NOT NULL, description TEXT NOT NULL, message INTEGER
);
CREATE INDEX event_vm ON event (vm);
CREATE INDEX event_message ON event (message);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, vm TEXT NOT NULL, description TEXT NOT NULL, user TEXT NOT NULL,
    state TEXT NOT NULL, start REAL NOT NULL, end REAL, error_type TEXT NOT NULL, error TEXT NOT NULL
);
CREATE INDEX job_end ON job (end);
CREATE TABLE taken (
    vm TEXT NOT NULL, domid INTEGER NOT NULL, number INTEGER NOT NULL, key BLOB, value BLOB NOT NULL,
    PRIMARY KEY (vm, domid, number)
);
"""
_EVENTS = """
SELECT event.id, event.vm, event.time, severity, type, description,
    message.id, message.vm, message.direction, message.key, message.value, message.time
FROM event LEFT JOIN message ON event.message = message.id WHERE """
# Messages that newer ones of the same key have replaced.
_REPLACED = """
SELECT id FROM message AS old WHERE vm = ? AND direction = ? AND time < ? AND EXISTS (
    SELECT 1 FROM message WHERE vm = old.vm AND direction = old.direction AND key = old.key AND id > old.id
) ORDER BY id LIMIT ?"""


class KnownVm(namedtuple("KnownVm", ("id", "name", "state", "domid", "first_seen", "last_seen"))):
    """A virtual machine that was seen on this host.

    :ivar str id: as Vm.id.
    :ivar str name: its name, as last seen.
    :ivar str state: RUNNING or STOPPED.
    :ivar int domid: the number of its domain, or None.
    :ivar float first_seen: seconds since 1970.
    :ivar float last_seen: likewise, when it started or its name was last changed, or when it was found stopped.
    """

    __slots__ = ()


class StoredMessage(namedtuple("StoredMessage", ("id", "vm", "direction", "key", "value", "time"))):
    """A message in the store.

    :ivar int id: grows with every message.
    :ivar str vm: Vm.id.
    :ivar str direction: RECEIVED or SENT.
    :ivar bytes key: its key.
    :ivar bytes value: its value.
    :ivar float time: when it was sent, or taken from XenStore; seconds since 1970.
    """

    __slots__ = ()

    @property
    def secret(self) -> bool:
        """Whether the value is a secret by the key's name."""
        return secret_by_name(self.key)

    def __repr__(self):
        # A value may be a secret, and a repr ends up in tracebacks and logs.
        return "StoredMessage(id=%r, vm=%r, direction=%r, key=%r, value=<%d bytes>, time=%r)" % (
            self.id,
            self.vm,
            self.direction,
            self.key,
            len(self.value),
            self.time,
        )


class StoredEvent(namedtuple("StoredEvent", ("id", "vm", "time", "severity", "type", "description", "message"))):
    """An event in the store.

    :ivar int id: grows with every event.
    :ivar str vm: Vm.id.
    :ivar float time: seconds since 1970.
    :ivar str severity: INFORMATIONAL, WARNING or CRITICAL.
    :ivar str type: INCOMING, LOST or TROUBLE.
    :ivar str description: what happened; empty for a message that came.
    :ivar StoredMessage message: the message that came, or None.
    """

    __slots__ = ()

    @property
    def summary(self) -> str:
        """One line."""
        return self.type


class Job(
    namedtuple("Job", ("id", "vm", "description", "user", "state", "start", "end", "error_type", "error")),
):
    """Something that was asked for.

    :ivar str id: decimal; never used twice.
    :ivar str vm: Vm.id, or an empty string.
    :ivar str description: what is done.
    :ivar str user: for whom.
    :ivar str state: in the words of whoever made it.
    :ivar float start: seconds since 1970.
    :ivar float end: likewise, or None while it goes on.
    :ivar str error_type: in the words of whoever ended it; empty without an error.
    :ivar str error: what went wrong.
    """

    __slots__ = ()


class Retention(namedtuple("Retention", ("messages", "events", "age"))):
    """How much is kept.

    :ivar int messages: at most so many of a VM in each direction. Those that a newer one of the same
        key has replaced go first, then the oldest.
    :ivar int events: at most so many of a VM; and so many finished jobs.
    :ivar float age: seconds after which replaced messages, events, finished jobs, and VMs that are gone with
        all they had, are dropped; 0 keeps them.
    """

    __slots__ = ()

    def __new__(cls, messages=10000, events=10000, age=90 * 86400.0):
        return super().__new__(cls, messages, events, age)


class MessageStore:
    """The store. Several threads and several processes may use it at once; a forked child opens its own.

    :param str directory: where the file is; made, for its owner only, where it is missing.
    :param float timeout: seconds to wait for another process that writes.
    :raises MessageStoreError: saying what is wrong with which path. All methods do.
    """

    def __init__(self, directory: str, timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._file = PrivateDatabase(
            directory,
            FILE,
            "message store",
            MessageStoreError,
            "if the file is damaged, stop what uses it and remove it: the messages are lost",
            timeout,
        )
        self.path = self._file.path
        self._pool = Pool(self._connect)
        # SQLite has waiting writers try again and again; threads can do better.
        self._lock = threading.Lock()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self) -> None:
        """Close the file in all threads."""
        self._pool.close()

    def _connect(self):
        with self._file.translated():
            connection = self._file.connect(check_same_thread=False)
            try:
                connection.execute("PRAGMA synchronous = NORMAL")
            except BaseException:
                connection.close()
                raise
            return connection

    def _prepare(self):
        with self._reading() as base:
            self._write_ahead(base)
        with self._reading() as base:
            if base.execute("PRAGMA user_version").fetchone()[0] == _SCHEMA:
                return
        with self._writing() as base:
            schema = base.execute("PRAGMA user_version").fetchone()[0]
            if schema == 0:
                for statement in _TABLES.split(";"):
                    base.execute(statement)
                base.execute("PRAGMA user_version = %d" % _SCHEMA)
            elif schema != _SCHEMA:
                raise MessageStoreError(
                    "the message store %s is of version %d, this program knows version %d"
                    % (self.path, schema, _SCHEMA),
                    "use programs and modules of the newest release that was used on this host",
                )

    def _write_ahead(self, base):
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                base.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as problem:
                # Another process makes the file right now; SQLite does not wait for that one.
                if "locked" not in str(problem) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)

    @contextlib.contextmanager
    def _reading(self):
        with self._pool.borrowed() as base, self._file.translated():
            yield base

    @contextlib.contextmanager
    def _writing(self):
        if not self._lock.acquire(timeout=self._timeout):
            raise MessageStoreError(
                "the message store %s was in use by another thread all the time" % self.path, "try again"
            )
        try:
            with self._pool.borrowed() as base, self._file.writing(base):
                yield base
        finally:
            self._lock.release()

    def _rows(self, statement, parameters=()):
        with self._reading() as base:
            return base.execute(statement, parameters).fetchall()

    # Virtual machines

    def vms(self) -> "list[KnownVm]":
        """All virtual machines, running ones as they were last seen."""
        return [KnownVm(*row) for row in self._rows("SELECT * FROM vm ORDER BY first_seen, id")]

    def vm(self, vm: str) -> "KnownVm | None":
        """One virtual machine by its id."""
        return next((KnownVm(*row) for row in self._rows("SELECT * FROM vm WHERE id = ?", (vm,))), None)

    def see(self, running, now: float) -> None:
        """Remember which virtual machines run; all others have stopped.

        :param running: ``{id: (name, domid)}``.
        """
        if self._unseen(self.vms(), running):
            with self._writing() as base:
                known = [KnownVm(*row) for row in base.execute("SELECT * FROM vm")]
                for vm in self._unseen(known, running):
                    if vm in running:
                        name, domid = running[vm]
                        changed = base.execute(
                            "UPDATE vm SET name = ?, state = ?, domid = ?, last_seen = ? WHERE id = ?",
                            (name, RUNNING, domid, now, vm),
                        )
                        if not changed.rowcount:
                            base.execute(
                                "INSERT INTO vm VALUES (?, ?, ?, ?, ?, ?)", (vm, name, RUNNING, domid, now, now)
                            )
                    else:
                        base.execute(
                            "UPDATE vm SET state = ?, domid = NULL, last_seen = ? WHERE id = ?", (STOPPED, now, vm)
                        )

    @staticmethod
    def _unseen(known, running):
        """The ids of those that are otherwise than remembered."""
        before = {vm.id: (vm.name, vm.domid) for vm in known if vm.state == RUNNING}
        return [vm for vm in set(before) | set(running) if before.get(vm) != running.get(vm)]

    # Messages

    def messages(
        self,
        vm: str,
        direction: str,
        key: "bytes | None" = None,
        newest: bool = False,
        limit: "int | None" = None,
        before: "int | None" = None,
    ) -> "list[StoredMessage]":
        """Messages of a virtual machine, oldest first.

        :param direction: RECEIVED or SENT.
        :param key: only this key.
        :param bool newest: only the newest of each key.
        :param limit: at most so many, the newest ones.
        :param before: only those with smaller ids.
        """
        where, parameters = "vm = ? AND direction = ?", [vm, direction]  # type: tuple[str, list]
        if key is not None:
            where, parameters = where + " AND key = ?", parameters + [key]
        if newest:
            where = "id IN (SELECT MAX(id) FROM message WHERE %s GROUP BY key)" % where  # noqa: S608 - likewise
        if before is not None:
            where, parameters = where + " AND id < ?", parameters + [before]
        rows = self._rows(
            "SELECT * FROM message WHERE %s ORDER BY id DESC LIMIT ?" % where,  # noqa: S608 - of constants
            parameters + [-1 if limit is None else limit],
        )
        return [StoredMessage(*row) for row in reversed(rows)]

    def add_sent(self, vm: str, messages, time: float) -> None:
        """Remember messages that were sent, but for those that are secrets by name.

        :param messages: pairs of bytes.
        """
        rows = [(vm, SENT, key, value, time) for key, value in messages if not secret_by_name(key)]
        if rows:
            with self._writing() as base:
                base.executemany("INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?)", rows)

    def forget_messages(self, vm: str, direction: str) -> int:
        """Drop all messages of a virtual machine in one direction, and their events.

        :returns: how many there were.
        """
        with self._writing() as base:
            ids = base.execute("SELECT id FROM message WHERE vm = ? AND direction = ?", (vm, direction)).fetchall()
            _drop_messages(base, ids)
            return len(ids)

    # Events

    def add_event(self, vm: str, severity: str, kind: str, description: str, time: float) -> None:
        """Remember that something happened to a virtual machine.

        :param kind: the event's type.
        """
        with self._writing() as base:
            _add_event(base, vm, severity, kind, description, time)

    def events(
        self,
        vm: "str | None" = None,
        limit: "int | None" = None,
        before: "int | None" = None,
        after: "int | None" = None,
    ) -> "list[StoredEvent]":
        """Events, oldest first.

        :param vm: only this one's.
        :param limit: at most so many, the newest ones.
        :param before: only those with smaller ids.
        :param after: only those with greater ids.
        """
        conditions, parameters = [], []  # type: tuple[list, list]
        for condition, parameter in (("event.vm = ?", vm), ("event.id < ?", before), ("event.id > ?", after)):
            if parameter is not None:
                conditions.append(condition)
                parameters.append(parameter)
        rows = self._rows(
            _EVENTS + (" AND ".join(conditions) or "1") + " ORDER BY event.id DESC LIMIT ?",
            parameters + [-1 if limit is None else limit],
        )
        return [_event(row) for row in reversed(rows)]

    def event(self, event: "int | str") -> "StoredEvent | None":
        """One event by its id."""
        return next((_event(row) for row in self._rows(_EVENTS + "event.id = ?", (int(event),))), None)

    # Jobs

    def add_job(self, vm: str, description: str, user: str, state: str, time: float) -> Job:
        """Make a job."""
        with self._writing() as base:
            added = base.execute(
                "INSERT INTO job VALUES (NULL, ?, ?, ?, ?, ?, NULL, '', '')", (vm, description, user, state, time)
            )
            return Job(str(added.lastrowid), vm, description, user, state, time, None, "", "")

    def finish_job(self, job: str, state: str, time: float, error_type: str = "", error: str = "") -> None:
        """End a job; without effect where it has ended."""
        with self._writing() as base:
            base.execute(
                "UPDATE job SET state = ?, end = ?, error_type = ?, error = ? WHERE id = ? AND end IS NULL",
                (state, time, error_type, error, int(job)),
            )

    def finish_open_jobs(self, state: str, time: float, error_type: str, error: str) -> int:
        """End the jobs that a process which died has left; for a service that starts.

        :returns: how many there were.
        """
        with self._writing() as base:
            return base.execute(
                "UPDATE job SET state = ?, end = ?, error_type = ?, error = ? WHERE end IS NULL",
                (state, time, error_type, error),
            ).rowcount

    def job(self, job: str) -> "Job | None":
        """A job by its id."""
        if not job.isdigit() or len(job) > 18:
            return None
        return next((_job(row) for row in self._rows("SELECT * FROM job WHERE id = ?", (int(job),))), None)

    def jobs(
        self,
        active: bool = False,
        since: "float | None" = None,
        until: "float | None" = None,
        limit: "int | None" = None,
    ) -> "list[Job]":
        """Jobs, oldest first.

        :param bool active: only those that have not ended.
        :param since: only those that started then or later; seconds since 1970.
        :param until: only those that started then or earlier.
        :param limit: at most so many, the newest ones.
        """
        conditions, parameters = ["1"], []  # type: tuple[list, list]
        if active:
            conditions.append("end IS NULL")
        for condition, parameter in (("start >= ?", since), ("start <= ?", until)):
            if parameter is not None:
                conditions.append(condition)
                parameters.append(parameter)
        rows = self._rows(
            "SELECT * FROM job WHERE %s ORDER BY id DESC LIMIT ?" % " AND ".join(conditions),  # noqa: S608
            parameters + [-1 if limit is None else limit],
        )
        return [_job(row) for row in reversed(rows)]

    # Collecting

    def ledger(self, vm: str, domid: int) -> "Ledger":
        """What collects a domain's messages into this store; see channel.reception."""
        return Ledger(self, vm, domid)

    def forget_notes(self, domains) -> None:
        """Drop the notes of all other domains: what they had in XenStore went with them.

        :param domains: of pairs of Vm.id and domain number.
        """
        gone = set(self._rows("SELECT DISTINCT vm, domid FROM taken")) - set(domains)
        if gone:
            with self._writing() as base:
                base.executemany("DELETE FROM taken WHERE vm = ? AND domid = ?", list(gone))

    def snapshot(self, vm: str) -> "tuple[list[StoredMessage], dict[tuple[int, int], Message]]":
        """What a virtual machine has sent, and what of it may still be in XenStore, at one moment.

        :returns: messages, and notes by domain and message number.
        """
        with self._reading() as base:
            base.execute("BEGIN")
            try:
                messages = base.execute(
                    "SELECT * FROM message WHERE vm = ? AND direction = ? ORDER BY id", (vm, RECEIVED)
                )
                messages = [StoredMessage(*row) for row in messages]
                notes = base.execute("SELECT domid, number, key, value FROM taken WHERE vm = ?", (vm,))
                return messages, {(domid, number): Message(key, value) for domid, number, key, value in notes}
            finally:
                base.execute("ROLLBACK")

    # Retention

    def retain(self, vm: str, retention: Retention, now: float, at_most: int = 1000) -> None:
        """Drop what there is too much of, and what is too old, of one virtual machine, and of finished jobs.

        :param int at_most: so many rows of a kind; the rest is for the next call.
        """
        oldest = now - retention.age if retention.age else 0.0
        with self._writing() as base:
            for direction in (RECEIVED, SENT):
                _drop_superfluous(base, vm, direction, retention.messages, oldest, at_most)
            _drop_rows(base, "event", "vm = ?", (vm,), "time", retention.events, oldest, at_most)
            _drop_rows(base, "job", "end IS NOT NULL", (), "end", retention.events, oldest, at_most)
            gone = base.execute("SELECT 1 FROM vm WHERE id = ? AND state = ? AND last_seen < ?", (vm, STOPPED, oldest))
            if gone.fetchone():
                self._forget(base, vm, at_most)

    def _forget(self, base, vm, at_most):
        """Forget a virtual machine, once a bit of what it had is all that is left."""
        ids = base.execute("SELECT id FROM message WHERE vm = ? ORDER BY id LIMIT ?", (vm, at_most)).fetchall()
        _drop_messages(base, ids)
        if len(ids) < at_most:
            for table, column in (("event", "vm"), ("taken", "vm"), ("vm", "id")):
                base.execute("DELETE FROM %s WHERE %s = ?" % (table, column), (vm,))  # noqa: S608 - of constants


class Ledger:
    """Notes of what is stored but perhaps still in XenStore, of one domain; see channel.reception.

    What is to be written is gathered and written in one go, so that other writers do not
    wait for XenStore. Others who collect are kept out by the collecting lock, not by this.

    A message that cannot be read is noted with None as its key and the fault as its value.
    """

    def __init__(self, store: MessageStore, vm: str, domid: int) -> None:
        self._store, self._vm, self._domid = store, vm, domid

    def writing(self) -> "Ledger":
        """See channel.reception."""
        return self

    def __enter__(self):
        self._arrivals, self._notes, self._gone = [], [], []  # type: tuple[list, list, list]
        return self

    def __exit__(self, kind, _problem, _traceback):
        if kind is None and (self._arrivals or self._notes or self._gone):
            with self._store._writing() as base:
                self._keep(base)
                base.executemany("INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?, ?)", self._notes)
                base.executemany("DELETE FROM taken WHERE vm = ? AND domid = ? AND number = ?", self._gone)

    def taken(self) -> "dict[int, Message]":
        """:returns: the notes."""
        rows = self._store._rows(
            "SELECT number, key, value FROM taken WHERE vm = ? AND domid = ?", (self._vm, self._domid)
        )
        return {number: Message(key, value) for number, key, value in rows}

    def take(self, number: int, message: Message) -> None:
        """Note that a message is stored."""
        self._notes.append((self._vm, self._domid, number, message.key, message.value))

    def untake(self, number: int) -> None:
        """Forget that note: the message is gone from XenStore."""
        self._gone.append((self._vm, self._domid, number))

    def keep(self, arrival) -> None:
        """Store a message, or that it was lost; it happened now."""
        self._arrivals.append((arrival.message, arrival.number, time.time()))

    def _keep(self, base):
        """Store what has arrived. Nobody else writes, so the ids are known beforehand."""
        newest = base.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        row = newest[0] if newest else 0
        messages, events = [], []  # type: tuple[list, list]
        for message, number, now in self._arrivals:
            if message.key is None:
                text = "message %d was lost: %s" % (number, message.value.decode("utf-8"))
                events.append((self._vm, now, WARNING, LOST, text, None))
                continue
            row += 1
            messages.append((row, self._vm, RECEIVED, message.key, message.value, now))
            # There is one such report for each parameter that is sent: they would drown all other events.
            if not message.key.startswith(report.HELD):
                events.append((self._vm, now, INFORMATIONAL, INCOMING, "", row))
        base.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)", messages)
        base.executemany("INSERT INTO event VALUES (NULL, ?, ?, ?, ?, ?, ?)", events)


def _add_event(base, vm, severity, kind, description, now):
    base.execute("INSERT INTO event VALUES (NULL, ?, ?, ?, ?, ?, NULL)", (vm, now, severity, kind, description))


def _event(row):
    return StoredEvent(*(row[:6] + (None if row[6] is None else StoredMessage(*row[6:]),)))


def _job(row):
    return Job(*((str(row[0]),) + row[1:]))


def _drop_superfluous(base, vm, direction, keep, oldest, at_most):
    """Drop messages that are too old, and those that are too many: replaced ones first, then the oldest."""
    if oldest:
        _drop_messages(base, base.execute(_REPLACED, (vm, direction, oldest, at_most)).fetchall())
    count = base.execute("SELECT COUNT(*) FROM message WHERE vm = ? AND direction = ?", (vm, direction)).fetchone()[0]
    excess = min(count - keep, at_most)
    if excess > 0:
        replaced = base.execute(_REPLACED, (vm, direction, float("inf"), excess)).fetchall()
        _drop_messages(base, replaced)
        # The others are the only ones of their keys. A guest that makes up keys must not fill the disk.
        _drop_messages(
            base,
            base.execute(
                "SELECT id FROM message WHERE vm = ? AND direction = ? ORDER BY id LIMIT ?",
                (vm, direction, excess - len(replaced)),
            ).fetchall(),
        )


def _drop_rows(base, table, condition, parameters, when, keep, oldest, at_most):
    """Drop rows of a table, among those that fulfil a condition: too old ones, and the oldest that are too many."""
    names = {"table": table, "condition": condition, "when": when}
    drop = (
        "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {condition} AND {when} < ? ORDER BY id LIMIT ?)"
    )
    drop = drop.format(**names)
    base.execute(drop, parameters + (oldest, at_most))
    count = base.execute("SELECT COUNT(*) FROM %s WHERE %s" % (table, condition), parameters).fetchone()[0]  # noqa: S608
    if count > keep:
        base.execute(drop, parameters + (float("inf"), min(count - keep, at_most)))


def _drop_messages(base, ids):
    base.executemany("DELETE FROM event WHERE message = ?", ids)
    base.executemany("DELETE FROM message WHERE id = ?", ids)
