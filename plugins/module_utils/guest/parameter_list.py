# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The guest's parameter list, for kernels that do not keep it themselves.

It stands for the list in the vendor's kernel driver and has the same life: every
received or set pair goes into it, the same key again replaces the value in place, new
keys are appended, and all is gone at reboot. It is an SQLite file in tmpfs, because
that survives the SIGKILL of any process at any moment and takes several writers.
"""

from ..channel.message import Message
from ..private_database import PrivateDatabase
from .entry import Entry
from .errors import ParameterListError

#: Where the list lives: on tmpfs in every system with systemd.
DIRECTORY = "/run/ovmd"
FILE = "parameters.db"

_SCHEMA = 1
# Positions give the order; "taken" holds the messages that are in the list already but
# perhaps still in XenStore, so that one is never applied twice.
_TABLES = """
CREATE TABLE parameter (
    position INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, secret INTEGER NOT NULL
);
CREATE TABLE taken (number INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE life (boot TEXT NOT NULL);
"""
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class ParameterList:
    """The list. One process may have it open several times; a forked child opens its own.

    :param str directory: where the file is; made, for its owner only, where it is missing.
    :param float timeout: seconds to wait for another process that writes.
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
        if self._life() == (_SCHEMA, boot):
            return
        with self.writing():
            schema, life = self._life()
            if schema == 0:
                for statement in _TABLES.split(";"):
                    self._base.execute(statement)
                self._base.execute("PRAGMA user_version = %d" % _SCHEMA)
            elif schema != _SCHEMA:
                raise ParameterListError(
                    "the parameter list %s is of version %d, this program knows version %d"
                    % (self.path, schema, _SCHEMA),
                    "use the programs and modules of one release, or remove the file and lose the parameters",
                )
            if life != boot:  # of an earlier boot, where the directory is not on tmpfs
                for forget in ("DELETE FROM parameter", "DELETE FROM taken", "DELETE FROM life"):
                    self._base.execute(forget)
                self._base.execute("INSERT INTO life (boot) VALUES (?)", (boot,))

    def _life(self):
        """:returns: the version of the file's schema and the boot it belongs to, None in a new file."""
        schema = self._base.execute("PRAGMA user_version").fetchone()[0]
        if schema != _SCHEMA:
            return schema, None
        row = self._base.execute("SELECT boot FROM life").fetchone()
        return schema, row and row[0]

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
            return [Entry(bytes(key), bytes(value), bool(secret)) for key, value, secret in rows]

    def get(self, key: bytes) -> "bytes | None":
        """:returns: a value, or None where there is no such key."""
        with self._file.translated():
            row = self._base.execute("SELECT value FROM parameter WHERE key = ?", (_blob(key),)).fetchone()
            return row and bytes(row[0])

    def taken(self) -> "dict[int, Message]":
        """:returns: the messages that are in the list but not yet removed from XenStore: ``{number: Message}``."""
        with self._file.translated():
            rows = self._base.execute("SELECT number, key, value FROM taken")
            return {number: Message(bytes(key), bytes(value)) for number, key, value in rows}

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
        return bool(self._base.execute("DELETE FROM parameter WHERE key = ?", (_blob(key),)).rowcount)

    def delete_all(self) -> int:
        """:returns: how many there were."""
        return self._base.execute("DELETE FROM parameter").rowcount

    def take(self, number: int, message: Message) -> None:
        """Note that a message is in the list, until untake."""
        self._base.execute(
            "INSERT OR REPLACE INTO taken (number, key, value) VALUES (?, ?, ?)",
            (number, _blob(message.key), _blob(message.value)),
        )

    def untake(self, number: int) -> None:
        """Forget the note of take: the message is gone from XenStore."""
        self._base.execute("DELETE FROM taken WHERE number = ?", (number,))


def _blob(raw):
    # A memoryview is stored as a BLOB by every Python's sqlite3, and so is bytes; a str would not compare equal.
    return bytes(raw)


def _boot():
    """:returns: the kernel's name for this boot; the same in all processes until the next one."""
    try:
        with open(_BOOT_ID) as source:
            return source.read().strip()
    except OSError:
        return ""
