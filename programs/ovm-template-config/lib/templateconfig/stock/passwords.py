# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of local users: what a value may be, whether it is the present one, and setting it.

A password goes to ``chpasswd`` as a hash, on standard input. The hash is libcrypt's, which is on every
system with passwords; Python's own module for it is gone since 3.13. Where Python lacks ctypes (a
minimal Debian), ``chpasswd`` gets the password itself, on standard input as well, and hashes it.
"""

import hmac
import os
import re

from .machine import Failed

# libcrypt takes 511 bytes, see CRYPT_MAX_PASSPHRASE_SIZE; what is longer is an accident anyway.
_LONGEST = 511
_LIBRARIES = ("libcrypt.so.2", "libcrypt.so.1")  # RHEL 9, and all others
#: Whole hashes only, as crypt(5) has them: no password that a person has thought of looks like that.
_HASH = re.compile(
    r"""
      \$ 1 \$                         [^$:\s]{0,8}  \$ [./\w]{22}
    | \$ 5 \$ (rounds=[0-9]+\$)?      [^$:\s]{0,16} \$ [./\w]{43}
    | \$ 6 \$ (rounds=[0-9]+\$)?      [^$:\s]{0,16} \$ [./\w]{86}
    | \$ 2[abxy] \$ [0-9]{2}                       \$ [./\w]{53}
    | \$ (y|gy|7) \$ [./\w]+ \$      [./\w]{0,86}  \$ [./\w]{43}
    """,
    re.VERBOSE | re.ASCII,
)
# login.defs' names, and how the salts start that libcrypt makes. What is weaker becomes SHA512.
_METHODS = {"SHA256": b"$5$", "SHA512": b"$6$", "BCRYPT": b"$2b$", "YESCRYPT": b"$y$"}


def check(value, key):
    """See that a value can be a password, or is a hash that this system knows.

    :raises Failed: naming the key.
    """
    try:
        size = len(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise Failed("%s is no text: use UTF-8" % key) from None
    if size > _LONGEST:
        raise Failed("%s has %d bytes: use at most %d" % (key, size, _LONGEST))
    if any(c in value for c in "\0\r\n"):
        raise Failed("%s has more than one line: send it without a newline" % key)
    if is_hash(value):
        crypt = _Crypt.load()
        if crypt and not crypt.hash("", value):
            raise Failed("%s is a hash of a kind that this system does not know: use another kind" % key)


def is_hash(value):
    """:returns: whether a value is a password's hash and not a password."""
    return _HASH.fullmatch(value) is not None


def hash_of(machine, user):
    """:returns: a user's hash as it stands in /etc/shadow, locked or not; None: there is no such user."""
    for line in (machine.read("/etc/shadow") or "").splitlines():
        fields = line.split(":")
        if fields[0] == user and len(fields) > 1:
            return fields[1]
    return None


def differs(machine, user, value):
    """:returns: whether a user's password has to be set to have this value, or cannot be told."""
    present = hash_of(machine, user)
    if is_hash(value):
        return present != value
    crypt = _Crypt.load()
    return not (
        present
        and crypt
        and hmac.compare_digest(crypt.hash(value, present) or b"", present.encode("utf-8", "surrogateescape"))
    )


def set_password(machine, user, value):
    """Set a password, which unlocks the user as well.

    :param str value: a password, or its hash.
    """
    if not is_hash(value):
        crypt = _Crypt.load()
        hashed = crypt and crypt.hash(value, crypt.salt(_method(machine)))
        if not hashed:
            command = machine.rooted("chpasswd")
            machine.run("set the password of " + user, command, input="%s:%s\n" % (user, value))
            return
        value = hashed.decode("ascii")
    command = machine.rooted("chpasswd") + ["--encrypted"]
    machine.run("set the password of " + user, command, input="%s:%s\n" % (user, value))


def _method(machine):
    """How the system wants new passwords to be hashed."""
    found = re.findall(r"(?m)^\s*ENCRYPT_METHOD\s+(\S+)", machine.read("/etc/login.defs") or "")
    return _METHODS.get(found[-1].upper() if found else "", b"$6$")


class _Crypt:
    """libcrypt."""

    _loaded = None  # type: list | None

    def __init__(self, ctypes, library):
        self._crypt = library.crypt
        self._crypt.restype = ctypes.c_char_p
        self._crypt.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        # libxcrypt's, which glibc's own (RHEL 7) lacks
        self._gensalt = getattr(library, "crypt_gensalt", None)
        if self._gensalt:
            self._gensalt.restype = ctypes.c_char_p
            self._gensalt.argtypes = (ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int)

    @classmethod
    def load(cls):
        """:returns: a _Crypt, or None where there is none."""
        if cls._loaded is None:
            cls._loaded = [cls._find()]
        return cls._loaded[0]

    @classmethod
    def _find(cls):
        try:
            import ctypes
        except ImportError:
            return None
        for name in _LIBRARIES:
            try:
                return cls(ctypes, ctypes.CDLL(name))
            except (OSError, AttributeError):
                continue
        return None

    def salt(self, method):
        """A salt: how to hash, and some randomness."""
        made = self._gensalt and self._gensalt(method, 0, None, 0)
        if made and not made.startswith(b"*"):
            return made.decode("ascii")
        letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        return "$6$" + "".join(letters[byte % 64] for byte in os.urandom(16))

    def hash(self, password, salt):
        """:returns: bytes; None where the system does not know this kind of hash."""
        made = self._crypt(*(text.encode("utf-8", "surrogateescape") for text in (password, salt)))
        return made if made and not made.startswith(b"*") else None
