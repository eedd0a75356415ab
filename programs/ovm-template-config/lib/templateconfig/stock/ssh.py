# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of OpenSSH: the host's own, and those of a user."""

import base64
import binascii
import os
import re
import struct
from collections import namedtuple
from contextlib import contextmanager

from .machine import Failed, User
from .parameters import PREFIX, choice, describe, indexed, text

_TYPES = ("rsa", "dsa", "ecdsa", "ed25519")
#: Parameters that are keys of the host, and of what type; None: of whatever type it is.
_HOST_KEYS = (("ssh.host-key", None),) + tuple(("ssh.host-%s-key" % kind, kind) for kind in _TYPES)
_USER, _AUTHORIZED, _KNOWN = "ssh.user", "ssh.authorized-keys", "ssh.known-hosts"
_PRIVATE, _PRIVATE_TYPE = "ssh.private-key", "ssh.private-key-type"


def _described():
    # A console takes one line, and a key has many.
    for name, kind in _HOST_KEYS:
        what = "of type %s" % kind if kind else "of any type"
        yield describe(name, "SSH host private key %s." % what, hidden=True, password=True)
        yield describe(name + "-pub", "SSH host public key %s." % what, hidden=True, requires=[PREFIX + name])
    yield describe(_USER, "SSH user whose keys are given; root if not given.", hidden=True)
    yield describe(_AUTHORIZED, "SSH public keys that may log in as the user, one a line.", hidden=True)
    yield describe(_PRIVATE, "SSH private key of the user.", hidden=True, password=True)
    yield describe(_PRIVATE_TYPE, "Type of the user's SSH private key.", hidden=True, choices=list(_TYPES))
    yield describe(_KNOWN, "SSH host keys that the user trusts, as in known_hosts.", hidden=True)


_CONFIGURE = list(_described())
DESCRIBED = {"configure": _CONFIGURE, "reconfigure": _CONFIGURE, "cleanup": []}

_FOLDER = "/etc/ssh/"
_HOST_FILES = _FOLDER + "ssh_host_*key"
_SERVICES = ("sshd", "ssh")
# What ssh-keygen calls the type in a public key, by how it begins.
_ALGORITHMS = (("ssh-rsa", "rsa"), ("ssh-dss", "dsa"), ("ecdsa-sha2-", "ecdsa"), ("ssh-ed25519", "ed25519"))


def configure(machine, parameters):
    """Write what is given, and make host keys where there is none: a system without them lets nobody in."""
    host_keys = [key for key in (_host_key(machine, parameters, *one) for one in _HOST_KEYS) if key]
    _check_once(host_keys)
    name = text(parameters, _USER)
    authorized = _key_lines(parameters, _AUTHORIZED)
    known = _key_lines(parameters, _KNOWN)
    private = _private_key(machine, parameters)
    user = _user(machine, parameters, name or "root") if name or authorized or known or private else None

    changed = [machine.write(path, content, mode=mode) for key in host_keys for path, content, mode in key.files]
    # One that a power cut left empty is none.
    if not any(machine.read(path) for path in machine.glob(_HOST_FILES)) and machine.exists(_FOLDER + "sshd_config"):
        root = [] if machine.root == "/" else ["-f", machine.root]
        machine.run("make ssh host keys", ["ssh-keygen", "-A"] + root)
        changed.append(True)
    if any(changed):
        for service in _SERVICES:
            if machine.service_installed(service):
                machine.restart(service, "reload")
                break
    if authorized or known or private:
        with _acting_as(user):
            _configure_user(machine, user, authorized, known, private)


reconfigure = configure


def cleanup(machine, parameters):
    """Take away who this machine is, and who may log in as root. The sshd that runs keeps the connections it has."""
    for path in machine.glob(_HOST_FILES) + machine.glob(_HOST_FILES + ".pub"):
        machine.remove(path)
    root = machine.users().get("root")
    machine.remove((root.home if root else "/root").rstrip("/") + "/.ssh")


# --- keys of the host -------------------------------------------------------------------


class _Key(namedtuple("_Key", ("kind", "private", "public", "parameter"))):
    """A key.

    :ivar str kind: one of _TYPES.
    :ivar str private: what its file has.
    :ivar str public: its line; None where it is not known.
    :ivar str parameter: the parameter that it came by.
    """

    __slots__ = ()

    @property
    def files(self):
        """:returns: (path, text, mode) of its files, as the host's."""
        path = "%sssh_host_%s_key" % (_FOLDER, self.kind)
        return (path, self.private, 0o600), (path + ".pub", self.public, 0o644)

    def __repr__(self):
        return "_Key(%s, %s)" % (self.kind, self.parameter)


def _host_key(machine, parameters, name, kind):
    given = _lines(parameters, name)
    public = _lines(parameters, name + "-pub").strip()
    if not given:
        if public:
            raise Failed("%s%s-pub is given without %s%s: give both halves" % (PREFIX, name, PREFIX, name))
        return None
    found = _public_half(machine, given)
    if found is None:
        raise Failed(
            "%s%s is no private key that this system's ssh-keygen can read, of a known type and without a passphrase"
            % (PREFIX, name)
        )
    kind_found = _kind(found)
    if kind is not None and kind_found != kind:
        raise Failed(
            "%s%s is a key of type %s, and must be of type %s: give each under the name of its type"
            % (PREFIX, name, kind_found, kind)
        )
    if public and _blob(public) != _blob(found):
        raise Failed("%s%s-pub is not the public half of %s%s: give both of one key" % (PREFIX, name, PREFIX, name))
    return _Key(kind_found, given, (public or found) + "\n", PREFIX + name)


def _check_once(keys):
    seen = {}
    for key in keys:
        other = seen.setdefault(key.kind, key)
        if other.private != key.private:
            raise Failed(
                "%s and %s are different keys of one type, %s: give one of them"
                % (other.parameter, key.parameter, key.kind)
            )


def _public_half(machine, private):
    """:returns: the public key's line, or None where the private one cannot be read."""
    if not machine.has("ssh-keygen"):
        raise Failed("an SSH key is given, and there is no ssh-keygen here: install OpenSSH")
    try:
        line = machine.output(["ssh-keygen", "-y", "-P", "", "-f", "/dev/stdin"], input=private).strip()
    except Failed:
        return None
    return line if "\n" not in line and _blob(line) and _kind(line) else None


def _kind(public):
    return next((kind for start, kind in _ALGORITHMS if public.startswith(start)), None)


# --- keys of a user ---------------------------------------------------------------------


def _user(machine, parameters, name):
    user = machine.user(name)
    if user is None and machine.check:
        # The script 'user' comes before this one, and would have made it.
        for members in indexed(parameters, "user").values():
            if members.get("name", "").strip() == name and members.get("action", "add").strip().lower() == "add":
                return User(name, os.geteuid(), os.getegid(), "", "/home/" + name, "")
    if user is None:
        raise Failed(
            "%s%s is '%s', and this system has no such user: add it first, as user.name.0" % (PREFIX, _USER, name)
        )
    if not machine.is_directory(user.home):
        raise Failed("%s%s is '%s', whose home directory %s is not there" % (PREFIX, _USER, name, user.home))
    return user


def _private_key(machine, parameters):
    given = _lines(parameters, _PRIVATE)
    kind = choice(parameters, _PRIVATE_TYPE, _TYPES)
    if not given:
        return None
    public = _public_half(machine, given)
    if public is None:
        # A user's key may have a passphrase.
        if kind is None or not re.match(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\n", given):
            raise Failed(
                "%s%s is no private key that this system's ssh-keygen can read: if it has a passphrase, give %s%s, too"
                % (PREFIX, _PRIVATE, PREFIX, _PRIVATE_TYPE)
            )
        return _Key(kind, given, None, PREFIX + _PRIVATE)
    if kind is not None and _kind(public) != kind:
        raise Failed("%s%s is a key of type %s, not %s" % (PREFIX, _PRIVATE, _kind(public), kind))
    return _Key(_kind(public), given, public + "\n", PREFIX + _PRIVATE)


def _configure_user(machine, user, authorized, known, private):
    folder = user.home.rstrip("/") + "/.ssh"
    machine.directory(folder, mode=0o700)
    if private:
        path = "%s/id_%s" % (folder, private.kind)
        machine.write(path, private.private, mode=0o600, secret=True)
        if private.public:
            machine.write(path + ".pub", private.public, mode=0o644)
        else:
            machine.remove(path + ".pub")
    if authorized:
        path = folder + "/authorized_keys"
        machine.write(path, _with_keys(machine.read(path), authorized), mode=0o600)
    if known:
        path = folder + "/known_hosts"
        present = machine.read(path) or ""
        new = [line for line in known if line not in present.splitlines()]
        machine.write(path, _ended(present) + "".join(line + "\n" for line in new), secret=True)


@contextmanager
def _acting_as(user):
    """Touch files as their owner would, and with no more rights: what is there may be a link to anywhere."""
    if os.geteuid() != 0 or user.uid == 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups([user.gid])
        os.setegid(user.gid)
        os.seteuid(user.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _with_keys(content, lines):
    """The text of a file of keys with these in it: each in its own old line, if it has one, else at the end."""
    result = _ended(content or "").splitlines()
    for line in lines:
        places = [place for place, old in enumerate(result) if _blob(old) == _blob(line)]
        if places:
            result[places[0]] = line
            for place in reversed(places[1:]):
                del result[place]
        else:
            result.append(line)
    return "".join(line + "\n" for line in result)


# --- text -------------------------------------------------------------------------------


def _lines(parameters, name):
    """:returns: a value of several lines, the last one ended; empty where it is not given."""
    value = parameters.get(PREFIX + name, "").replace("\r\n", "\n").strip()
    if any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in value):
        raise Failed("%s%s has a control character, or is no text: give lines of plain text" % (PREFIX, name))
    return value + "\n" if value else ""


def _key_lines(parameters, name):
    """The lines of a value that have a key each; without comments."""
    result = []
    for line in _lines(parameters, name).splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if _blob(line) is None:
            raise Failed("%s%s has a line without a public key: give one key a line" % (PREFIX, name))
        if line not in result:
            result.append(line)
    return result


def _blob(line):
    """The public key in a line: the word after its type's name, which it begins with itself.

    :returns: bytes; None where there is none.
    """
    words = line.split() if not line.lstrip().startswith("#") else []
    for kind, word in zip(words, words[1:]):
        try:
            data = base64.b64decode(word.encode("ascii", "replace"), validate=True)
        except (binascii.Error, ValueError):
            continue
        name = kind.encode("utf-8", "replace")
        if name and data.startswith(struct.pack(">I", len(name)) + name):
            return data
    return None


def _ended(content):
    return content + "\n" if content and not content.endswith("\n") else content
