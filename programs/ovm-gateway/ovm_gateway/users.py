# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in: the users file, and the proof of a password.

The file has one user a line, ``NAME:HASH``; the hash is an Argon2id PHC string, which carries
its own parameters. It is root's alone, and changes at once.
"""

import contextlib
import hashlib
import hmac
import os
import re
import stat
import threading
import time

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

from . import files

#: What RFC 9106 recommends where memory is short: 64 MiB, some 50 ms.
_ITERATIONS, _LANES, _MEMORY = 3, 4, 65536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"\$argon2id\$v=19\$m=[0-9]{1,8},t=[0-9]{1,4},p=[0-9]{1,3}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
# One computation at a time: OpenSSL's threads do not suffice for more, which then fail at random.
_computing = threading.Lock()
#: Longest password, in bytes.
PASSWORD_LIMIT = 1024


class BadUsers(Problem):
    """The users file, a user's name or a password cannot be used."""


class NoSuchUser(Problem):
    """There is no user of that name."""

    exit_code = 4


def hash_password(password):
    """The PHC string to store for a password.

    :param bytes password: as it will be given.
    :raises BadUsers: it is empty or too long.
    """
    if not password or len(password) > PASSWORD_LIMIT:
        raise BadUsers("the password has %d bytes" % len(password), "use one of 1 to %d" % PASSWORD_LIMIT)
    scheme = Argon2id(salt=os.urandom(16), length=32, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY)
    with _computing:
        return scheme.derive_phc_encoded(password)


def fits(password, stored):
    """Whether a password is the one that a PHC string was made of; takes as long as that string says."""
    try:
        with _computing:
            Argon2id.verify_phc_encoded(password, stored)
    except (InvalidKey, ValueError):
        return False
    return True


class UsersFile:
    """The users file.

    :param str path: where it is; it may be missing as long as there are no users.
    """

    def __init__(self, path):
        self.path = path

    def stamp(self):
        """What changes whenever the file does."""
        try:
            found = os.stat(self.path)
        except OSError as problem:
            return (problem.errno,)
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid

    def read(self):
        """The users.

        :returns: ``{name: hash}``.
        :raises BadUsers: it cannot be read or trusted, or makes no sense.
        """
        try:
            with open(self.path, "rb") as stream:
                about = os.fstat(stream.fileno())
                content = stream.read()
        except FileNotFoundError:
            return {}
        except OSError as problem:
            raise self._trouble("read", problem) from None
        if stat.S_IMODE(about.st_mode) & 0o077 or about.st_uid not in (0, os.geteuid()):
            raise BadUsers(
                "the users file %s belongs to somebody else, or others may read it" % self.path,
                "chown it to root, and chmod it to 600",
            )
        users = {}
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _colon, stored = line.partition(":")
            if not _NAME.fullmatch(name) or not _HASH.fullmatch(stored) or name in users:
                raise BadUsers(
                    "line %d of the users file %s is no user, or one who is there already" % (number, self.path),
                    "remove it, and run 'ovm-gateway user add'",
                )
            users[name] = stored
        return users

    def add(self, name, password):
        """Add a user, or give one another password.

        :param bytes password: see hash_password.
        :returns: whether the user is new.
        :raises BadUsers: the name or the password cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise BadUsers(
                "'%s' cannot be a user's name" % ascii(name)[1:-1],
                "use up to 64 letters, digits and . _ @ -, a letter or digit first",
            )
        stored = hash_password(password)
        with self._changing() as users:
            new = name not in users
            users[name] = stored
        return new

    def remove(self, name):
        """Remove a user.

        :raises NoSuchUser: there is none of that name.
        """
        with self._changing() as users:
            if name not in users:
                raise NoSuchUser("there is no user '%s'" % ascii(name)[1:-1], "see 'ovm-gateway user list'")
            del users[name]

    @contextlib.contextmanager
    def _changing(self):
        directory = os.path.dirname(self.path)
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            with files.locked(directory):  # two at a time would lose a user
                users = self.read()
                yield users
                lines = ["%s:%s\n" % user for user in sorted(users.items())]
                files.replace(self.path, "".join(lines).encode("ascii"))
        except OSError as problem:
            raise self._trouble("changed", problem) from None

    def _trouble(self, what, problem):
        return BadUsers("the users file %s cannot be %s (%s)" % (self.path, what, problem.strerror), "run this as root")


class Users:
    """The users as the service knows them; what changes in the file holds at once.

    :param UsersFile file: where they are.
    :param complain: called with a Problem when the file turns unusable; then nobody can log in.
    :param float keep: seconds that a proved password is remembered: Argon2 is slow on purpose,
        and clients may send the password with every request.
    """

    def __init__(self, file, complain, keep=300.0, clock=time.monotonic):
        self._file, self._complain, self._keep, self._clock = file, complain, keep, clock
        self._stamp, self._users = None, {}
        self._secret = os.urandom(32)
        self._proved = {}
        self._lock = threading.Lock()

    def stored(self, name):
        """What is stored for a user, or None: tells also whether it is still the same password."""
        return self._current().get(name)

    def proved(self, name, password):
        """Whether this password was proved a short while ago."""
        mark = self._mark(name, password, self.stored(name))
        with self._lock:
            until = self._proved.get(mark)
        return until is not None and self._clock() < until

    def prove(self, name, password):
        """Whether this is the user's password. Takes long, and as long where there is no such user."""
        users = self._current()
        # Without such a user, somebody else's hash has to be computed with, and does not count.
        stored = users.get(name) or next(iter(users.values()), None)
        if stored is None or len(password) > PASSWORD_LIMIT:
            return False
        fitting = fits(password, stored)
        if not fitting or name not in users:
            return False
        with self._lock:
            now = self._clock()
            self._proved = {mark: until for mark, until in self._proved.items() if now < until}
            self._proved[self._mark(name, password, stored)] = now + self._keep
        return True

    def _mark(self, name, password, stored):
        # Of no use to who finds it in a core dump, nor once the user's password is another.
        parts = (name.encode("utf-8", "surrogateescape"), password, (stored or "").encode("ascii"))
        return hmac.new(self._secret, b"".join(b"%d:%s" % (len(part), part) for part in parts), hashlib.sha256).digest()

    def _current(self):
        with self._lock:
            stamp = self._file.stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._users = self._file.read()
                except BadUsers as problem:
                    self._users = {}
                    self._complain(problem)
            return self._users
