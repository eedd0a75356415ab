# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a guest reports about itself, in messages of its own. Pure; written in guests, read on the other side.

The vendor's channel never says whether a message was read. So our ovmd tells, in ordinary
messages under one prefix, which the vendor's Manager passes on as well as our gateway:

=================================  ==========================================================
key                                value: a JSON object
=================================  ==========================================================
``ovmd.report.guest``              ``boot`` (of the guest, a new one each time), ``version``
``ovmd.report.held.KEY``           ``boot``, and ``digest`` of the value, or ``secret``, or ``gone``
``ovmd.report.configuration``      ``boot``, ``state`` (WAITING to FAILED), ``target``,
                                   ``failed`` (names of scripts), ``scripts``: of ``name``,
                                   ``status``, ``changed``, ``seconds``, ``message``
``ovmd.report.addresses``          ``interfaces``: of ``name``, ``mac``, ``addresses`` (``IP/PREFIX``)
=================================  ==========================================================

A guest's parameters are gone when it reboots: what was reported of another boot no longer
holds. A secret's value is not reported in any form; of a value under a key that does not
tell, the digest is salted, but whoever can guess the value can check the guess.
"""

import json

from .secret_names import secret_by_name

# Python's own, as hashlib loads OpenSSL: 4 MB in each daemon of a guest. It goes by two names.
try:
    from _sha2 import sha256  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256  # type: ignore[assignment]

#: All keys of reports start with this; other messages should not.
PREFIX = b"ovmd.report."
GUEST = PREFIX + b"guest"
HELD = PREFIX + b"held."
CONFIGURATION = PREFIX + b"configuration"
ADDRESSES = PREFIX + b"addresses"

#: States of the configuration at first boot.
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"

# Bytes of a key that a guest can send, less the prefix; longer ones are reported under a hash.
_KEY_ROOM = 255 - len(HELD)
#: Bytes of the longest report: what every backend of a guest can send.
LIMIT = 8190
# Characters that a script's message is cut to, step by step, where a report would be too long.
_MESSAGES = (400, 100, 0)


def held_key(key: bytes) -> bytes:
    """The key under which a guest reports that it holds a parameter."""
    if len(key) > _KEY_ROOM or key.startswith(b"#"):
        key = b"#" + sha256(key).hexdigest()[:32].encode("ascii")
    return HELD + key


def digest(boot: str, key: bytes, value: bytes) -> str:
    """What a guest reports instead of a value: enough to compare with one that is known.

    :param str boot: the guest's boot; salts the digest.
    """
    parts = (boot.encode("utf-8"), key, value)
    return sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()[:32]


def guest(boot: str, version: str) -> "tuple[bytes, bytes]":
    """The message with which a guest says that it reports.

    :param str boot: what tells this boot from others.
    :param str version: of the reporting program.
    :returns: key and value.
    """
    return GUEST, _object(boot=boot, version=version)


def held(boot: str, key: bytes, value: "bytes | None", secret: bool = False) -> "tuple[bytes, bytes]":
    """The message that says what a guest holds under a key.

    :param value: None where it does not hold that key any more.
    :param bool secret: the value is marked as a secret; a secret by name is one anyway.
    :returns: key and value.
    """
    if value is None:
        what = {"gone": True}  # type: dict
    elif secret or secret_by_name(key):
        what = {"secret": True}
    else:
        what = {"digest": digest(boot, key, value)}
    return held_key(key), _object(boot=boot, **what)


def configuration(boot: str, state: str, **details) -> "tuple[bytes, bytes]":
    """The message that says how a run of the configuration's scripts stands.

    Where it gets too long, messages are cut first, then scripts are left out: those that went well
    first. ``left_out`` says how many.

    :param str state: WAITING (for parameters), RUNNING, DONE or FAILED.
    :param details: ``target``, ``failed`` and ``scripts``, see firstboot.result; without any secret.
    :returns: key and value.
    """
    details = dict(details, boot=boot, state=state)
    value = _object(**details)
    for length in _MESSAGES:
        if len(value) > LIMIT:
            details["scripts"] = [_shortened(script, length) for script in details.get("scripts") or ()]
            value = _object(**details)
    if len(value) <= LIMIT:
        return CONFIGURATION, value
    scripts = details["scripts"]
    bad_first = sorted(range(len(scripts)), key=lambda n: scripts[n].get("status") != FAILED)
    room = LIMIT - len(_object(**dict(details, scripts=[], left_out=len(scripts))))
    kept = set(bad_first[: _fitting([scripts[n] for n in bad_first], room)])
    details["scripts"] = [script for n, script in enumerate(scripts) if n in kept]  # in the order in which they ran
    details["left_out"] = len(scripts) - len(kept)
    value = _object(**details)
    if len(value) > LIMIT:
        names = details.pop("failed", None) or []
        value = _object(
            **dict(details, failed=names[: _fitting(names, LIMIT - len(_object(**dict(details, failed=[]))))])
        )
    return CONFIGURATION, value if len(value) <= LIMIT else _object(boot=boot, state=state)


def _fitting(items, room):
    """How many of the first items fit into so many bytes of JSON."""
    for count, item in enumerate(items):
        room -= len(_json(item)) + 1
        if room < 0:
            return count
    return len(items)


def _shortened(script, length):
    message = script.get("message") or ""
    return dict(script, message=message if len(message) <= length else message[:length] + ("..." if length else ""))


def interfaces(found: "list[dict]") -> "tuple[bytes, bytes]":
    """The message with the addresses of a guest.

    Where it gets too long, interfaces without addresses come last, and what does not fit is left out.

    :param list found: dicts of ``name``, ``mac`` and ``addresses``.
    :returns: key and value.
    """
    value = _object(interfaces=found)
    if len(value) <= LIMIT:
        return ADDRESSES, value
    kept = []  # type: list
    room = LIMIT - len(_object(interfaces=[]))
    for interface in sorted(found, key=lambda interface: not interface["addresses"]):
        room -= len(_json(dict(interface, addresses=[]))) + 1
        if room < 0:
            break
        fitting = interface["addresses"][: _fitting(interface["addresses"], room)]
        room -= sum(len(_json(address)) + 1 for address in fitting)
        kept.append(dict(interface, addresses=fitting))
    return ADDRESSES, _object(interfaces=kept)


class Report:
    """What a guest has reported.

    :param messages: the newest received message of each key: a dict of bytes to bytes.
    :ivar bool present: whether the guest reports at all.
    :ivar str boot: its boot, or an empty string.
    """

    def __init__(self, messages: "dict[bytes, bytes]") -> None:
        self._messages = messages
        about = _parsed(messages.get(GUEST))
        self.boot = _text(about.get("boot"))
        self.present = bool(self.boot)

    def holds(self, key: bytes, value: bytes) -> "bool | None":
        """Whether the guest holds a parameter with this value.

        :returns: None where that cannot be known: it reports nothing, or holds a secret under that key.
        """
        if not self.present:
            return None
        what = self._held(key)
        if what.get("secret"):
            return None
        return what.get("digest") == digest(self.boot, key, value)

    def holds_key(self, key: bytes) -> "bool | None":
        """Whether the guest holds a parameter of that key, whatever its value; None where it reports nothing."""
        if not self.present:
            return None
        what = self._held(key)
        return bool(what.get("secret") or what.get("digest"))

    def holds_secret(self, key: bytes) -> bool:
        """Whether the guest says that what it holds under that key is a secret."""
        return self.present and bool(self._held(key).get("secret"))

    def configuration(self) -> dict:
        """How the first-boot configuration of this boot stands; empty where nothing was reported."""
        what = _parsed(self._messages.get(CONFIGURATION))
        return what if self.present and what.get("boot") == self.boot else {}

    def _held(self, key):
        what = _parsed(self._messages.get(held_key(key)))
        return what if what.get("boot") == self.boot else {}


def addresses(value: "bytes | None") -> "list[dict]":
    """The interfaces in a guest's report of its addresses: dicts of ``name``, ``mac`` and ``addresses``.

    What does not look like that is left out: it comes from a guest.
    """
    result = []
    interfaces = _parsed(value).get("interfaces")
    for interface in interfaces if isinstance(interfaces, list) else []:
        if not isinstance(interface, dict):
            continue
        given = interface.get("addresses")
        result.append(
            {
                "name": _text(interface.get("name")),
                "mac": _text(interface.get("mac")).lower(),
                "addresses": [a for a in given if isinstance(a, str)] if isinstance(given, list) else [],
            }
        )
    return result


def _text(value):
    """Text that can be written, or an empty one of what is none: it comes from a guest."""
    if not isinstance(value, str):
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # JSON can spell halves of characters
        return ""
    return value


def _object(**members):
    return _json(members)


def _json(what):
    return json.dumps(what, sort_keys=True, separators=(",", ":")).encode("ascii")


def _parsed(value):
    """A JSON object out of bytes that a guest has sent, or an empty one where there is none in them."""
    try:
        found = json.loads((value or b"").decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
