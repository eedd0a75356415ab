# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""SQLite files that nobody but their owner may read or write, and errors that say what to do."""

import _sqlite3 as sqlite3  # the sqlite3 module adds dates only, and would cost a command 1.5 ms
import errno
import os
import stat

#: What may come out of SQLite: in what it says of a damaged file there may be bytes that are no text.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def words(problem) -> str:
    """What SQLite says, in one of SQLITE_ERRORS."""
    return "it is damaged" if isinstance(problem, UnicodeDecodeError) else str(problem)


def remedy_for(said: str, user: str, in_use: str, damaged: str) -> str:
    """What to do about what SQLite says.

    :param str said: of words().
    :param str user: who has to be able to write.
    :param str in_use: what to do where another process has it.
    :param str damaged: what to do about a damaged file, and about all else.
    """
    if "locked" in said or "locking" in said:
        return in_use
    if "full" in said:
        return "make room in its file system"
    if "readonly" in said or "unable to open" in said:
        return "see that %s may write there, and that there is room" % user
    if "I/O" in said:
        return "see the system's log for its disk, and that there is room on it"
    if "malformed" in said:
        # So some versions call what the disk does not give them.
        return "see the system's log for its disk; " + damaged
    return damaged


_REMEDIES = {
    errno.EACCES: "run this as root",
    errno.EPERM: "run this as root",
    errno.EROFS: "have its file system mounted for writing; see the system's log for why it is not",
    errno.ENOSPC: "make room in its file system",
}


class PrivateDatabase:
    """A file, made for its owner only where it is missing, in a directory of the same kind.

    :param str directory: where the file is.
    :param str file: its name.
    :param str what: what an error calls it.
    :param error: the type of the errors, a Problem.
    :param str damaged: what to do about a damaged file.
    :param float timeout: seconds to wait for another process that writes.
    :raises error: the directory or file cannot be had, or others can change it.
    """

    def __init__(self, directory: str, file: str, what: str, error, damaged: str, timeout: float) -> None:
        self.path = os.path.join(directory, file)
        self.error = error
        self._what, self._damaged, self._timeout = what, damaged, timeout
        self._make(directory)

    def connect(self, **options) -> sqlite3.Connection:
        """A new connection that commits by itself.

        :param options: of sqlite3.connect.
        """
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None, **options)
        try:
            # A deleted secret is overwritten, not just forgotten.
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def writing(self, connection: sqlite3.Connection) -> "_Writing":
        """The file for one writer alone, as a context manager: committed at its end, undone on an exception.

        :raises error: another one kept it for longer than the timeout.
        """
        return _Writing(connection, self.translated())

    def translated(self) -> "_Translated":
        """A context manager that turns SQLite's errors into ours."""
        return _Translated(self)

    def translate(self, problem):
        """Our error for one of SQLite's."""
        said = words(problem)
        remedy = remedy_for(
            said, "root", "another process is writing to it; try again, or allow more time", self._damaged
        )
        return self.error("the %s %s: %s" % (self._what, self.path, said), remedy)

    def _make(self, directory):
        try:
            try:
                os.makedirs(directory, 0o700)
            except FileExistsError:
                pass
            there = os.stat(directory)
            if there.st_uid not in (0, os.geteuid()) or there.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise self.error(
                    "the directory %s of the %s belongs to, or is writable by, other users" % (directory, self._what),
                    "use a directory of root's alone: it holds secrets",
                )
            make_file(self.path)
        except OSError as problem:
            raise self.error(
                "the %s %s cannot be opened (%s)" % (self._what, self.path, problem.strerror),
                _REMEDIES.get(problem.errno, "see that its directory can be made"),
            ) from problem


def make_file(path: str) -> None:
    """Make a database's file, if need be, for its owner only: SQLite's own would be readable for everybody.

    It is never opened here. Its end would be the end of all locks that this process has on it by SQLite, and
    then others take our write-ahead log away.

    :raises OSError: it cannot be made, or not be used.
    """
    try:
        os.mknod(path, stat.S_IFREG | 0o600)
    except FileExistsError:
        pass
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if stat.S_IMODE(mode) != 0o600:
        os.chmod(path, 0o600)  # it may have come from a backup; its journals take after it
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        why = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(why, os.strerror(why))


class _Translated:
    def __init__(self, database):
        self._database = database

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, _traceback):
        if kind is not None and issubclass(kind, SQLITE_ERRORS):
            raise self._database.translate(problem) from problem


class _Writing:
    def __init__(self, connection, translated):
        self._connection, self._translated = connection, translated

    def __enter__(self):
        with self._translated:
            self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind, problem, _traceback):
        if kind is None:
            with self._translated:
                try:
                    self._connection.execute("COMMIT")
                except sqlite3.Error:
                    self._rollback()
                    raise
        else:
            self._rollback()
            self._translated.__exit__(kind, problem, None)

    def _rollback(self):
        if self._connection.in_transaction:  # some errors, such as a full disk, have done it already
            self._connection.execute("ROLLBACK")
