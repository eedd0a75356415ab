# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What of the guests' messages was passed on already, in a file that outlives who passes them on.

No message is in it: each is known by a mark, a hash under a key that is made with the file.
"""

import hashlib
import os
import sqlite3

from ..private_database import SQLITE_ERRORS, make_file, remedy_for, words
from .errors import BadCheckpoint

_SCHEMA = 1
# "known" has the virtual machines that were there at the beginning and were not read since.
_TABLES = """
CREATE TABLE about (key BLOB NOT NULL, since REAL);
CREATE TABLE known (vm TEXT PRIMARY KEY);
CREATE TABLE passed (vm TEXT, mark BLOB, PRIMARY KEY (vm, mark)) WITHOUT ROWID;
"""


class Checkpoint:
    """Not for several threads at once, nor for several processes: the second one is refused.

    :param path: its file, made where it is missing, for its owner only; None keeps everything in memory.
    :raises BadCheckpoint: the file cannot be used.
    """

    def __init__(self, path: "str | None" = None) -> None:
        self._path = path
        if path is not None:
            self._make(path)
        # A thread may begin with it and another one go on.
        self._base = sqlite3.connect(path or ":memory:", timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            self._open()
        except SQLITE_ERRORS as problem:
            self._base.close()
            raise self._problem(problem) from problem
        except BaseException:
            self._base.close()
            raise

    def close(self) -> None:
        """Let others have the file."""
        self._base.close()

    @property
    def started(self) -> bool:
        """Whether begin() was called, by this process or an earlier one."""
        return bool(self._run("SELECT 1 FROM about"))

    @property
    def since(self) -> "float | None":
        """From when on messages count of virtual machines that were there at the beginning; None: all do."""
        return next((since for (since,) in self._run("SELECT since FROM about")), None)

    def begin(self, since: "float | None", vms: "list[str]") -> None:
        """Begin, once.

        :param since: see there.
        :param vms: the ids of the virtual machines that are there now.
        """
        with _Transaction(self):
            self._run("INSERT INTO about VALUES (?, ?)", os.urandom(32), since)
            if since is not None:
                for vm in vms:
                    self._run("INSERT OR IGNORE INTO known VALUES (?)", vm)

    def unread(self, vm: str) -> bool:
        """Whether a virtual machine was there at the beginning and was not read since."""
        return bool(self._run("SELECT 1 FROM known WHERE vm = ?", vm))

    def marks(self, vm: str, records: list) -> "list[bytes]":
        """What records are known by: the same for the same message, whenever it is read.

        :param records: of Record: all that there are of this virtual machine.
        """
        key = next(key for (key,) in self._run("SELECT key FROM about"))
        result, counts = [], {}  # type: list[bytes], dict[bytes, int]
        for record in records:
            parts = (vm.encode("utf-8", "surrogatepass"), record.key, record.value, repr(record.time).encode("ascii"))
            told = b"".join(b"%d:%s" % (len(part), part) for part in parts)
            # Two that are alike in everything are still two.
            counts[told] = counts.get(told, 0) + 1
            result.append(hashlib.blake2b(told + b"%d" % counts[told], key=key, digest_size=16).digest())
        return result

    def passed(self, vm: str) -> "set[bytes]":
        """The marks of what was passed on."""
        return {mark for (mark,) in self._run("SELECT mark FROM passed WHERE vm = ?", vm)}

    def note(self, vm: str, passed=(), gone=()) -> None:
        """Note that a virtual machine was read.

        :param passed: marks of what was passed on, or is not to be.
        :param gone: marks of what the other side remembers no more.
        """
        with _Transaction(self):
            self._run("DELETE FROM known WHERE vm = ?", vm)
            for mark in passed:
                self._run("INSERT OR IGNORE INTO passed VALUES (?, ?)", vm, mark)
            for mark in gone:
                self._run("DELETE FROM passed WHERE vm = ? AND mark = ?", vm, mark)

    def _run(self, statement, *values):
        try:
            return self._base.execute(statement, values).fetchall()
        except SQLITE_ERRORS as problem:
            raise self._problem(problem) from problem

    @staticmethod
    def _make(path):
        try:
            make_file(path)
        except OSError as problem:
            raise BadCheckpoint(
                "the checkpoint %s cannot be opened (%s)" % (path, problem.strerror),
                "name a file, in a directory that is there and writable for who runs this",
            ) from problem

    def _open(self):
        # Who holds the file holds it until the end. With the power, the last notes may go.
        for name, value in (("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", "NORMAL")):
            self._base.execute("PRAGMA %s = %s" % (name, value))
        self._base.execute("BEGIN EXCLUSIVE")
        ((version,),) = self._base.execute("PRAGMA user_version").fetchall()
        if version == 0:
            for statement in _TABLES.strip().split(";\n"):
                self._base.execute(statement)
            self._base.execute("PRAGMA user_version = %d" % _SCHEMA)
        self._base.execute("COMMIT")
        if version not in (0, _SCHEMA):
            raise BadCheckpoint(
                "the checkpoint %s is of another version (%d)" % (self._path, version), "remove it, or name another"
            )

    def _problem(self, problem):
        said = words(problem)
        in_use = "another process uses it; give each rulebook a checkpoint of its own"
        remedy = remedy_for(said, "who runs this", in_use, "remove it, or name another")
        return BadCheckpoint("the checkpoint %s: %s" % (self._path or "in memory", said), remedy)


class _Transaction:
    def __init__(self, checkpoint):
        self._run = checkpoint._run

    def __enter__(self):
        self._run("BEGIN IMMEDIATE")

    def __exit__(self, kind, _problem, _traceback):
        self._run("COMMIT" if kind is None else "ROLLBACK")
