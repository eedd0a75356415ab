# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What guests answer: whether it has come, fits, and is newer than what was sent. Pure."""

import re

from .. import report
from ..channel.layout import EVENT_KEY
from ..channel.message import display
from .errors import BadPattern
from .plan import Evidence, Wanted


class Condition:
    """A message that a guest has to send.

    :param bytes key: its key.
    :param pattern: a regular expression that its value has to match somewhere; None: any value will do.
    :raises BadPattern: it is no regular expression.
    """

    def __init__(self, key: bytes, pattern: "str | None" = None) -> None:
        self.key = key
        try:
            self._search = re.compile(pattern or "").search
        except re.error as problem:
            raise BadPattern(
                "the pattern for '%s' is no regular expression: %s" % (display(key), problem),
                "write it as Python's module re wants it",
            ) from None

    def fits(self, value: bytes) -> bool:
        """Whether this value will do."""
        return bool(self._search(value.decode("utf-8", "surrogateescape")))


#: Seconds by which a time may lie before the look that does not show its record yet: it is taken first, then stored.
_LATE = 2.0


class Since:
    """A moment: what is newer than it, by the other side's clock or, where that tells nothing, by what was there.

    Somebody may set that clock back. So a record that was not there, but should have been by its time, is new, too.

    :param records: what had been received by then, of Record.
    :param float time: when it was, in seconds since 1970, by the other side's clock.
    :param float looked: when the records were asked for, likewise.
    """

    def __init__(self, records: list, time: float, looked: float) -> None:
        self._records, self._time, self._looked = list(records), time, looked

    def newer(self, records: list) -> list:
        """Those of the records of ONE key that have come since, in their order."""
        there = [record for record in self._records if record.key == records[0].key] if records else []
        added = len(records) - len(there)
        if records and there and added <= 0 and records[-1].value != there[-1].value:
            added = 1  # in the place of the one before
        return [
            record
            for place, record in enumerate(records)
            if (place >= len(records) - added if record.time is None else self._later(record, there))
        ]

    def _later(self, record, there):
        """Whether a record with a time is newer. Takes away what of those before is the same."""
        for known in there:
            if known.value == record.value and known.time in (None, record.time):
                there.remove(known)
                return record.time >= self._time
        return record.time >= self._time or record.time < self._looked - _LATE


#: Why an answer is missing.
NOTHING, NOTHING_NEW, NO_MATCH = "not sent", "nothing new", "does not match"


def answer(records: list, condition: Condition, since: "Since | None" = None) -> "tuple[bytes | None, str]":
    """What fulfils a condition.

    :param records: what the guest has sent, oldest first.
    :param since: only what is newer counts.
    :returns: the value, or None; and why there is none.
    """
    found = [record for record in records if record.key == condition.key]
    if not found:
        return None, NOTHING
    # What a guest said last is how it stands. After a send each answer counts, however soon the next one came.
    found = since.newer(found) if since else found[-1:]
    if not found:
        return None, NOTHING_NEW
    fitting = [record.value for record in found if condition.fits(record.value)]
    return (fitting[-1], "") if fitting else (None, NO_MATCH)


def arrived(message: Wanted, evidence: Evidence, since: "Since | None", held_will_do: bool = False) -> "bool | None":
    """Whether a guest has a message, by its report.

    :param since: when it was sent, or None if it was not, just now.
    :param bool held_will_do: that it holds the key is enough.
    :returns: None where that cannot be seen.
    """
    told = evidence.report
    if message.key == EVENT_KEY or not told.present:
        return None
    if told.holds(message.key, message.value) or (held_will_do and told.holds_key(message.key)):
        return True
    record = evidence.received.get(report.held_key(message.key))
    secret = told.holds(message.key, message.value) is None
    if record is None or not (secret or evidence.consumed(message.key)):
        return False
    if since is None or since.newer([r for r in evidence.records if r.key == record.key]):
        return True
    # Nobody can tell this report of a secret from the one before.
    return False if record.time is not None else None
