# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The guest's parameter list, for kernels that do not keep it themselves.

It stands for the list in the vendor's kernel driver and has the same life: every
received or set pair goes into it, the same key again replaces the value in place, new
keys are appended, and all is gone at reboot. It is an SQLite file in tmpfs, because
that survives the SIGKILL of any process at any moment and takes several writers.
"""

import _sqlite3 as sqlite3  # see private_database
import os

from ..channel.message import Message
from ..private_database import PrivateDatabase
from .entry import Entry
from .errors import ParameterListError

#: Where the list lives: on tmpfs in every system with systemd.
DIRECTORY = "/run/ovmd"
FILE = "parameters.db"

#: Events that may wait. Those that come when so many do are refused: a host must not fill the memory.
EVENTS = 256
# Of deleted parameters so many are remembered as reported.
_REMEMBERED = 1000

_SCHEMA = 2
# What leads from each schema to the next; a list of an older program is taken over as it is.
# Positions give the order; "taken" holds the messages that are in the list already but
# perhaps still in XenStore, so that one is never applied twice. "reported" is what the host
# was told last, and the reporter's own; the row of a parameter is empty where it is to be told again.
_STEPS = (
    """
CREATE TABLE parameter (
    position INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, secret INTEGER NOT NULL
);
CREATE TABLE taken (number INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE life (boot TEXT NOT NULL);
""",
    """
ALTER TABLE life ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE TABLE event (
    position INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, severity TEXT NOT NULL, phase TEXT NOT NULL,
    payload BLOB NOT NULL, begun INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE reported (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
""",
)
# What has to go with an earlier boot.
_FORGET = """
DELETE FROM parameter;
DELETE FROM taken;
DELETE FROM life;
DELETE FROM event;
DELETE FROM reported;
"""
_HELD = b"held."
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class ParameterList:
    """The list. One process may have it open several times; a forked child opens its own.

    :param str directory: where the file is; made, for its owner only, where it is missing.
    :param float timeout: seconds to wait for another process that writes.
    :ivar str life: what tells this list from any before it: it is made with the list, and goes with it.
    :raises ParameterListError: saying what is wrong with which path.
    """

    def __init__(self, directory: str = DIRECTORY, timeout: float = 10.0) -> None:
        self._file = PrivateDatabase(
            directory,
            FILE,
            "parameter list",
            ParameterListError,
            "if the file is damaged, remove it: the parameters are lost, as at a reboot",
            timeout,
        )
        self.path = self._file.path
        with self._file.translated():
            self._base = self._file.connect()
            self._identity = _identity(self.path)
            try:
                self._prepare()
            except BaseException:
                self._base.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self._base.close()

    def _prepare(self):
        # The file is in memory and gone after a crash of the system: there is no disk to wait for.
        self._base.execute("PRAGMA synchronous = OFF")
        boot = _boot()
        self.life = self._life(boot)
        if self.life:
            return
        with self.writing():
            self._upgrade()
            self.life = self._life(boot)  # another process may have been faster
            if not self.life:
                self._begin_life(boot)

    def _upgrade(self):
        schema = self._schema()
        if schema > _SCHEMA:
            raise ParameterListError(
                "the parameter list %s is of version %d, this program knows version %d" % (self.path, schema, _SCHEMA),
                "use the programs and modules of one release, or remove the file and lose the parameters",
            )
        for step in _STEPS[schema:]:
            for statement in step.split(";"):
                self._base.execute(statement)
        self._base.execute("PRAGMA user_version = %d" % _SCHEMA)

    def _begin_life(self, boot):
        """Name the list's life; what is of an earlier boot, where the directory is not on tmpfs, goes."""
        self.life = os.urandom(8).hex()
        if not self._base.execute("UPDATE life SET name = ? WHERE boot = ?", (self.life, boot)).rowcount:
            for statement in _FORGET.split(";"):
                self._base.execute(statement)
            self._base.execute("INSERT INTO life (boot, name) VALUES (?, ?)", (boot, self.life))

    def _schema(self):
        return self._base.execute("PRAGMA user_version").fetchone()[0]

    def _life(self, boot):
        """:returns: the name of the list's life, or an empty string: the file is not ready, or of another boot."""
        if self._schema() != _SCHEMA:
            return ""
        row = self._base.execute("SELECT name FROM life WHERE boot = ?", (boot,)).fetchone()
        return row[0] if row else ""

    def replaced(self) -> bool:
        """:returns: whether the file is not the one that was opened, so that others work on another list."""
        return _identity(self.path) != self._identity

    def writing(self):
        """The list for this process alone, as a context manager: committed at its end, undone on an exception.

        :raises ParameterListError: another process kept it for longer than the timeout.
        """
        return self._file.writing(self._base)

    # Reading

    def entries(self) -> "list[Entry]":
        """:returns: all parameters in order, a list of Entry."""
        with self._file.translated():
            rows = self._base.execute("SELECT key, value, secret FROM parameter ORDER BY position")
            return [Entry(_raw(key), _raw(value), bool(secret)) for key, value, secret in rows]

    def get(self, key: bytes) -> "bytes | None":
        """:returns: a value, or None where there is no such key."""
        with self._file.translated():
            row = self._base.execute("SELECT value FROM parameter WHERE key = ?", (_blob(key),)).fetchone()
            return row and _raw(row[0])

    def taken(self) -> "dict[int, Message]":
        """:returns: the messages that are in the list but not yet removed from XenStore: ``{number: Message}``."""
        with self._file.translated():
            rows = self._base.execute("SELECT number, key, value FROM taken")
            return {number: Message(_raw(key), _raw(value)) for number, key, value in rows}

    def next_event(self) -> "tuple[int, tuple, int] | None":
        """:returns: the oldest event's position, the Event, and how often it was begun; None where there is none."""
        with self._file.translated():
            row = self._base.execute(
                "SELECT position, type, severity, phase, payload, begun FROM event ORDER BY position LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            payload = _raw(row[4])
        from .events import Event  # not every command has to do with events

        return row[0], Event(row[1], row[2], row[3], payload), row[5]

    def told(self, row: bytes) -> "bytes | None":
        """:returns: what note_reported() noted under a key last, or None; reported() has all at once."""
        with self._file.translated():
            found = self._base.execute("SELECT value FROM reported WHERE key = ?", (_blob(row),)).fetchone()
            return found and _raw(found[0])

    def reported(self) -> "dict[bytes, bytes]":
        """:returns: all that note_reported() and note_received() noted; see there."""
        with self._file.translated():
            rows = self._base.execute("SELECT key, value FROM reported ORDER BY rowid")
            return {_raw(key): _raw(value) for key, value in rows}

    # Writing; only inside writing()

    def put(self, message: Message, secret: bool = False) -> None:
        """Set a parameter: in place where the key is there, else at the end. Once secret, a key stays so."""
        found = self._base.execute(
            "UPDATE parameter SET value = ?, secret = secret OR ? WHERE key = ?",
            (_blob(message.value), int(secret), _blob(message.key)),
        )
        if not found.rowcount:
            self._base.execute(
                "INSERT INTO parameter (key, value, secret) VALUES (?, ?, ?)",
                (_blob(message.key), _blob(message.value), int(secret)),
            )

    def conceal(self, keys: "list[bytes]") -> None:
        """Mark parameters as secret."""
        for key in keys:
            self._base.execute("UPDATE parameter SET secret = 1 WHERE key = ?", (_blob(key),))

    def delete(self, key: bytes) -> bool:
        """:returns: whether the key was there."""
        return bool(self.delete_each([key]))

    def delete_each(self, keys: "list[bytes]") -> "list[bytes]":
        """:returns: those of the keys that were there."""
        deleted = [
            key for key in keys if self._base.execute("DELETE FROM parameter WHERE key = ?", (_blob(key),)).rowcount
        ]
        self._forget_deleted()  # looks at all that was told, so once for all of them
        return deleted

    def delete_all(self) -> int:
        """:returns: how many there were."""
        found = self._base.execute("DELETE FROM parameter").rowcount
        self._forget_deleted()
        return found

    def take(self, number: int, message: Message) -> None:
        """Note that a message is in the list, until untake."""
        self._base.execute(
            "INSERT OR REPLACE INTO taken (number, key, value) VALUES (?, ?, ?)",
            (number, _blob(message.key), _blob(message.value)),
        )

    def untake(self, number: int) -> None:
        """Forget the note of take: the message is gone from XenStore."""
        self._base.execute("DELETE FROM taken WHERE number = ?", (number,))

    # Events, first in, first out

    def queue_event(self, event) -> bool:
        """Have an event wait for the daemon.

        :param Event event: see events.
        :returns: False where too many wait already.
        """
        if self._base.execute("SELECT COUNT(*) FROM event").fetchone()[0] >= EVENTS:
            return False
        self._base.execute(
            "INSERT INTO event (type, severity, phase, payload) VALUES (?, ?, ?, ?)",
            (event.type, event.severity, event.phase, _blob(event.payload)),
        )
        return True

    def begin_event(self, position: int) -> None:
        """Note that somebody begins to handle an event; whoever finds it so later knows of the attempt."""
        self._base.execute("UPDATE event SET begun = begun + 1 WHERE position = ?", (position,))

    def end_event(self, position: int) -> None:
        """Forget an event: it is handled."""
        self._base.execute("DELETE FROM event WHERE position = ?", (position,))

    # Reports

    def note_reported(self, key: bytes, value: bytes) -> None:
        """Remember something for the reporter; ``held.KEY`` is what was told of the parameter KEY."""
        self._base.execute("INSERT OR REPLACE INTO reported (key, value) VALUES (?, ?)", (_blob(key), _blob(value)))

    def note_received(self, key: bytes) -> None:
        """Have the host told of a parameter again, even if what there is to tell is the same: it has sent it anew."""
        self.note_reported(_HELD + key, b"")

    def forget_reported(self, but: bytes) -> None:
        """Have the host told everything again; of parameters that are gone, too.

        :param bytes but: a row to be left alone.
        """
        self._base.execute("UPDATE reported SET value = x'' WHERE key != ?", (_blob(but),))

    def _forget_deleted(self):
        """Drop what was told of deleted parameters where it gets too much; newer rows have higher numbers."""
        self._base.execute(
            "DELETE FROM reported WHERE rowid <= (SELECT MAX(rowid) FROM reported) - ? AND substr(key, 1, 5) = ?"
            " AND substr(key, 6) NOT IN (SELECT key FROM parameter)",
            (_REMEMBERED, _HELD),
        )


def _identity(path):
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _raw(found):
    """Bytes that are in the file: only a damaged one has anything else there."""
    if not isinstance(found, bytes):
        raise sqlite3.DatabaseError("what is no bytes stands where bytes should")
    return found


def _blob(raw):
    # A memoryview is stored as a BLOB by every Python's sqlite3, and so is bytes; a str would not compare equal.
    return bytes(raw)


def _boot():
    """The kernel's name for this boot; the same in all processes until the next one.

    :raises ParameterListError: it cannot be read just now. Whoever went on would take the list for another boot's.
    """
    try:
        with open(_BOOT_ID) as source:
            return source.read().strip()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise ParameterListError(
            "%s cannot be read (%s), so nobody knows whether the parameter list is of this boot"
            % (_BOOT_ID, problem.strerror),
            "try again; see that the system has files and memory left",
        ) from problem
