# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Events of a guest: their names and numbers, how one is written, and what it asks for. Pure.

Types, severities and phases are those of the vendor's kernel driver (confirmed in it). How the
value of a ``VMAPIEvent`` message spells an event is not known, so the spelling here is ours, and
``parse`` is its one place::

    NAME[:PHASE[:TEXT]]        reconfig    snapshot:pre    user::deploy 7
"""

from collections import namedtuple

from ..channel.message import display
from .errors import UnknownEvent

#: Event types by name, with their bits in the driver's masks.
TYPES = {
    "snapshot": 0x1,
    "migrate": 0x2,
    "shutdown": 0x4,
    "reconfig": 0x8,
    "ip-address": 0x10,
    "user": 0x20,
    "new-param": 0x40,
    "system": 0x80,
}
SEVERITIES = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4, "system": 5}
PHASES = {"pre": 0, "immediate": 1, "post": 2}
#: Names of targets that stand for an event; further parts follow as they would the event.
ALIASES = {"suspend": "snapshot:pre", "resume": "snapshot:post", "reconfigure": "reconfig"}
#: Bytes of the longest text: what a ``VMAPIEvent`` can carry to the vendor's driver (observed).
TEXT_LIMIT = 4071

_TARGETS = {
    ("snapshot", "pre"): "suspend",
    ("snapshot", "immediate"): "suspend",
    ("snapshot", "post"): "resume",
}
_TARGETS_OF_ANY_PHASE = {"migrate": "migrate", "shutdown": "shutdown", "reconfig": "reconfigure"}


class Event(namedtuple("Event", ("type", "severity", "phase", "payload"))):
    """One event.

    :ivar str type: one of TYPES.
    :ivar str severity: one of SEVERITIES.
    :ivar str phase: one of PHASES.
    :ivar bytes payload: what else there is to say, without any NUL.
    """

    __slots__ = ()

    def __str__(self):
        return "%s:%s" % (self.type, self.phase)

    def __repr__(self):
        # The text is somebody else's, and a repr ends up in tracebacks and logs.
        return "Event(%s, %s, %s, <%d bytes>)" % (self.type, self.severity, self.phase, len(self.payload))


def parse(text: "bytes | str") -> Event:
    """The event that a text names. Upper and lower case are the same, and so are ``_`` and ``-``.

    :param text: of ``ovmd -e``, or the value of a ``VMAPIEvent``.
    :raises UnknownEvent: listing what there is. The text behind the phase is not in it.
    """
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    name, rest = _part(raw)
    if name in ALIASES:
        alias = ALIASES[name].encode("ascii")
        name, rest = _part(alias + (b":" + rest if rest is not None else b""))
    if name not in TYPES:
        raise UnknownEvent("there is no event '%s'" % name, "use one of " + ", ".join([*TYPES, *ALIASES]))
    phase, payload = _part(rest or b"")
    phase = phase or "immediate"
    if phase not in PHASES:
        raise UnknownEvent(
            "there is no phase '%s' of the event '%s'" % (phase, name),
            "write NAME:PHASE:TEXT, where PHASE is one of " + ", ".join(PHASES),
        )
    payload = payload or b""
    if b"\0" in payload:
        raise UnknownEvent("the text of the event '%s' has a NUL byte" % name, "events carry every byte but NUL")
    if len(payload) > TEXT_LIMIT:
        raise UnknownEvent(
            "the text of the event '%s' has %d bytes, the limit is %d" % (name, len(payload), TEXT_LIMIT),
            "use a shorter text",
        )
    return Event(name, "info", phase, payload)


def target(event: Event) -> "str | None":
    """The target of ovm-template-config that an event asks for, or None."""
    return _TARGETS.get((event.type, event.phase)) or _TARGETS_OF_ANY_PHASE.get(event.type)


def numbers(event: Event) -> "tuple[int, int, int]":
    """An event's type, severity and phase as the driver has them."""
    return TYPES[event.type], SEVERITIES[event.severity], PHASES[event.phase]


def of_numbers(kind: int, severity: int, phase: int, payload: bytes = b"") -> Event:
    """The event with the driver's numbers.

    :raises UnknownEvent: there is none; severities and phases that nobody knows are taken for ordinary ones.
    """
    for name, number in TYPES.items():
        if number == kind:
            return Event(name, _name(SEVERITIES, severity, "info"), _name(PHASES, phase, "immediate"), payload)
    raise UnknownEvent("there is no event of type 0x%x" % kind)


def _name(names, number, default):
    return next((name for name, known in names.items() if known == number), default)


def _part(raw):
    """What stands before the first colon, as text to be compared and shown, and what follows, or None."""
    name, found, rest = raw.partition(b":")
    return display(name.strip()).lower().replace("_", "-"), rest if found else None
