# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be sent to a guest, and how that is known. Pure: asks nobody, sends nothing.

Nobody can look into a guest. There is evidence of what it holds, and for each message the
best there is decides: what the guest reports (see ``report``), then the log of what was
sent to it. Where there is none, a message is sent.
"""

from collections import namedtuple

from .. import report
from ..channel.layout import EVENT_KEY, KEY_LIMIT_TO_GUEST
from ..channel.message import Message, display
from ..secret_names import secret_by_name
from ..vms import LOGGED_VALUE_LIMIT, root_password_last
from .errors import BadMessages

#: The kinds of evidence, best first.
FORCED, RECEIVED, REPORT, SENT_LOG, NONE = "forced", "received", "report", "sent_log", "none"
#: What to do with a secret that the guest holds already: nobody can compare it.
ALWAYS, ON_CREATE = "always", "on_create"


class Wanted(namedtuple("Wanted", ("key", "value", "secret"))):
    """A message that a guest is to have.

    :ivar bytes key: its key.
    :ivar bytes value: its value.
    :ivar bool secret: never to be logged or shown.
    """

    __slots__ = ()

    def __repr__(self):
        # A value may be a secret, and a repr ends up in tracebacks and logs.
        return "Wanted(key=%r, value=<%d bytes>, secret=%r)" % (self.key, len(self.value), self.secret)

    @property
    def pair(self) -> "tuple[bytes, bytes]":
        return self.key, self.value


def checked(messages: "list[Wanted]", log: "bool | None" = None) -> "list[Wanted]":
    """The messages as they can be sent: secrets by name marked, the root password last.

    :param messages: in the order in which they are to arrive.
    :param log: what was asked for: True, False, or None for "where possible".
    :raises InvalidMessage: over the limits of the channel.
    :raises BadMessages: a key given twice, or too long a value where all are to be logged.
    """
    found = {}  # type: dict[bytes, Wanted]
    for key, value, secret in messages:
        Message(key, value).check(KEY_LIMIT_TO_GUEST)
        if key in found:
            raise BadMessages("the key '%s' is given twice" % display(key), "give each message once")
        wanted = Wanted(key, value, secret or secret_by_name(key))
        if log and not wanted.secret and len(value) > LOGGED_VALUE_LIMIT:
            raise BadMessages(
                "the value of '%s' has %d bytes, and at most %d can be logged"
                % (display(key), len(value), LOGGED_VALUE_LIMIT),
                "do not ask for the log, or split the value over several keys",
            )
        found[key] = wanted
    return root_password_last(found.values())


def logged(message: Wanted, log: "bool | None" = None) -> bool:
    """Whether a message is to be remembered by the other side."""
    return log is not False and not message.secret and len(message.value) <= LOGGED_VALUE_LIMIT


def runs(messages: "list[Wanted]", log: "bool | None" = None) -> "list[tuple[list[Wanted], bool]]":
    """The messages in as few requests as their order allows: each request has one log flag."""
    result = []  # type: list[tuple[list[Wanted], bool]]
    for message in messages:
        flag = logged(message, log)
        if not result or result[-1][1] != flag:
            result.append(([], flag))
        result[-1][0].append(message)
    return result


def newest(records: list) -> dict:
    """The newest record of each key, out of records in their order."""
    return {record.key: record for record in records}


class Evidence:
    """What is known of one guest.

    :param received: what it has sent: of Record, oldest first.
    :param ask_sent: gives what was sent to it and logged, likewise. Called once, if at all.
    :param dated: gives records their times, as far as known; see carrier.
    """

    def __init__(self, received: list, ask_sent, dated=list) -> None:
        self.records = list(received)
        self.received = newest(self.records)
        self.report = report.Report({key: record.value for key, record in self.received.items()})
        self._ask_sent, self._dated = ask_sent, dated
        self._sent = None  # type: dict | None

    @property
    def sent(self) -> dict:
        """The newest logged record of each key."""
        if self._sent is None:
            self._sent = newest(self._ask_sent())
        return self._sent

    def has_received(self, key: bytes, value: "bytes | None" = None) -> bool:
        """Whether the last that the guest has sent under a key is this value, or any."""
        record = self.received.get(key)
        return record is not None and value in (None, record.value)

    def consumed(self, key: bytes) -> bool:
        """Whether the guest says that it held this key since its boot, and holds it no more."""
        record = self.received.get(report.held_key(key))
        return record is not None and record.value == report.held(self.report.boot, key, None)[1]

    def other(self, key: bytes, value: bytes) -> bool:
        """Whether the guest says that it holds another value under this key."""
        return self.report.holds(key, value) is False and bool(self.report.holds_key(key))

    def already_sent(self, message: Wanted) -> "bool | None":
        """Whether a message need not be sent once more, after the log. None where the log says nothing."""
        record = self.sent.get(message.key)
        if record is None:
            return None
        if record.value != message.value:
            return False
        if not self.report.present or self.consumed(message.key):
            return True
        # On its way, unless it was lost in a reboot, or something else has taken its place.
        boot = [known for known in self._boot_records() if known.time is not None]
        if record.time is None or not boot or record.time < boot[0].time:
            return None
        if not self.other(message.key, message.value):
            return True
        (since,) = self._dated([self.received[report.held_key(message.key)]])
        return None if since.time is None or since.time >= record.time else True

    def _boot_records(self):
        """All that say that the guest's boot is the present one, with times, oldest first."""
        records = [record for record in self.records if record.key == report.GUEST]
        start = len(records)
        while start and report.Report({report.GUEST: records[start - 1].value}).boot == self.report.boot:
            start -= 1
        return self._dated(records[start:])


def decide(
    message: Wanted, evidence: Evidence, log: "bool | None" = None, update_secret: str = ALWAYS
) -> "tuple[bool, str]":
    """Whether a message has to be sent.

    :returns: that, and the kind of evidence for it.
    """
    holds = evidence.report.holds(message.key, message.value)
    if message.key == EVENT_KEY:
        return True, NONE  # no guest ever holds it: it happens each time
    if holds or (message.secret and update_secret == ON_CREATE and evidence.report.holds_key(message.key)):
        return False, REPORT
    # The log tells of what this task would have logged. Others may be newer than it knows.
    already = evidence.already_sent(message) if logged(message, log) else None
    if already:
        return False, SENT_LOG
    if holds is False:
        return True, REPORT
    return True, NONE if already is None else SENT_LOG


#: What is known of a value without knowing it: that there is none, nothing, that it is a secret.
ABSENT, UNKNOWN, CONCEALED = "absent", "unknown", "concealed"


def before(message: Wanted, evidence: Evidence) -> "bytes | str":
    """What a guest holds under the key of a message, as far as anybody knows.

    :returns: the value, or ABSENT, UNKNOWN or CONCEALED.
    """
    holds_key = evidence.report.holds_key(message.key)
    if holds_key is False:
        return ABSENT
    if message.secret:
        return CONCEALED if holds_key else UNKNOWN
    if evidence.report.holds(message.key, message.value):
        return message.value
    record = evidence.sent.get(message.key)
    return UNKNOWN if record is None or evidence.other(message.key, record.value) else record.value
