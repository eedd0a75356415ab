# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Telling the host what this guest holds, and how it is; see report for the messages.

What was told is remembered beside the parameters. So a process that goes on where another
ended tells nothing twice, but for what a process was killed over, where that does no harm.
"""

import time

from .. import report as reports
from ..channel import layout
from ..channel.errors import QuotaExceeded, XenStoreError
from ..channel.message import Message
from ..channel.outbox import TOGETHER
from .errors import AddressesUnavailable, DeviceUnavailable, SendFailed

#: What there is to report.
GUEST, CONFIGURATION, ADDRESSES, HELD = "guest", "configuration", "addresses", "held"
EVERYTHING = (GUEST, CONFIGURATION, ADDRESSES, HELD)

#: Messages that the host may leave uncollected before reports are held back: a stock guest has
#: room for some 490, and parameters need it.
ROOM = 50
#: Where nobody knows how many are uncollected: so many messages in so many seconds.
PACE = ROOM, 10.0

# Rows of what is remembered: what was told, by the names above, or "held." and a parameter's key;
# the configuration report that is to be told; and, to notice a new tree, which one it was told in and the number
# of the last message there.
_TOLD_HELD = b"held."
_CONFIGURATION_TO_TELL = b"to tell: configuration"
_TREE, _LAST = b"tree", b"last"
_NOT_THE_GUESTS_FAULT = (XenStoreError, DeviceUnavailable, SendFailed)


class Reporter:
    """Tells the host about one guest.

    :param backend: see guest.backend.
    :param ParameterList parameters: where to remember what was told; usually the backend's ``state``.
    :param str version: of this program.
    :param what: what to report, of EVERYTHING.
    :param interfaces: a function that gives the guest's interfaces, see addresses; without one, none are told.
    :ivar problem: why the last report() could not tell everything: a ChannelError, or None where
        the host just has to collect some messages first.
    """

    def __init__(self, backend, parameters, version, what=EVERYTHING, interfaces=None, clock=time.monotonic):
        self._backend, self._list, self._version = backend, parameters, version
        self._what, self._interfaces, self._clock = frozenset(what), interfaces, clock
        self._burst = 0.0, 0  # when it began, and how many messages it has had
        self._behind = False  # something was left to be told the last time
        self.problem = None

    def report(self, again: bool = False) -> bool:
        """Tell what is not as it was told last; where the host's tree was made anew, all of it.

        Never waits for the host: what it has no room for is told by a later call. What the
        backend's ``expect_room`` wakes up for is worth one.

        :param bool again: tell everything, even if it was told before.
        :returns: whether there is still something to be told.
        :raises ParameterListError: what was told cannot be remembered.
        """
        self.problem = None
        try:
            self._behind = self._report(again)
            self._backend.expect_room(self._behind)
        except _NOT_THE_GUESTS_FAULT as problem:
            self.problem = problem
            self._behind = True
        return self._behind

    def configuration(self, state: str, **details) -> bool:
        """Tell how the configuration stands; what was to be told of it before is dropped.

        Whichever process calls this, the daemon goes on where it cannot be told now.

        :param str state: of report: WAITING, RUNNING, DONE or FAILED.
        :param details: see report.configuration.
        :returns: as report().
        """
        value = reports.configuration(self._list.life, state, **details)[1]
        with self._list.writing():
            self._list.note_reported(_CONFIGURATION_TO_TELL, value)
        return self.report()

    def _report(self, again):
        if again:
            self._forget()  # before anything can fail, so that it is not forgotten itself
        elif self._behind and (self._backend.uncollected() or 0) > ROOM:
            return True  # each message that the host collects leads here: too often to look at all parameters
        # Looked at before anything is told: where this guest is restored meanwhile, the next call notices.
        tree, announced = self._backend.tree(), self._backend.announced()
        told = self._list.reported()
        if _elsewhere(told, tree, announced):
            self._forget()
            told = self._list.reported()
        due = [(row, message) for row, message in self._messages(told) if told.get(row) != message.value]
        for at in range(0, len(due), TOGETHER):
            together = due[at : at + TOGETHER]
            try:
                if not self._room(len(together)):
                    return True
                self._tell(together, tree)
            except QuotaExceeded as problem:
                self.problem = problem
                return True
        return False

    def _forget(self):
        with self._list.writing():
            self._list.forget_reported(_CONFIGURATION_TO_TELL)

    def _tell(self, due, tree):
        # The lock keeps what several processes say of the configuration in order, and all that
        # was received before it is committed: what is told now comes after it for the host, too.
        with self._list.writing():
            for at, (row, message) in enumerate(due):
                if message.key == reports.CONFIGURATION:
                    now = self._list.told(_CONFIGURATION_TO_TELL)
                    if now is not None:
                        due[at] = row, Message(message.key, now)
            # Not the counter as it is now: this guest may have been restored since, with another tree. Nor a number
            # that has fallen: it was restored before, and has to tell everything again.
            last = self._backend.tell([message for _row, message in due])
            if last is not None:
                self._list.note_reported(_LAST, b"%d" % max(last, int(self._list.told(_LAST) or 0)))
            if tree is not None:
                self._list.note_reported(_TREE, tree)
            for row, message in due:
                self._list.note_reported(row, message.value)

    def _room(self, count):
        """Whether so many messages may be sent."""
        uncollected = self._backend.uncollected()
        if uncollected is not None:
            return uncollected <= ROOM
        began, sent = self._burst
        if self._clock() - began >= PACE[1] or not sent:
            began, sent = self._clock(), 0
        if sent and sent + count > PACE[0]:
            return False
        self._burst = began, sent + count
        return True

    def _messages(self, told):
        """All that is the case: pairs of the row where it is remembered, and the message."""
        if GUEST in self._what:
            yield GUEST.encode("ascii"), Message(*reports.guest(self._list.life, self._version))
        if CONFIGURATION in self._what and _CONFIGURATION_TO_TELL in told:
            yield (
                CONFIGURATION.encode("ascii"),
                Message(reports.CONFIGURATION, told[_CONFIGURATION_TO_TELL]),
            )
        if ADDRESSES in self._what and self._interfaces:
            try:
                yield ADDRESSES.encode("ascii"), Message(*reports.interfaces(self._interfaces()))
            except AddressesUnavailable as problem:
                self.problem = problem
        if HELD in self._what:
            yield from self._held(told)

    def _held(self, told):
        gone = {row for row in told if row.startswith(_TOLD_HELD)}
        for key, value, secret in self._backend.entries():
            if _private(key):
                continue
            row = _TOLD_HELD + key
            gone.discard(row)
            yield row, Message(*reports.held(self._list.life, key, value, secret))
        for row in told:
            key = row[len(_TOLD_HELD) :]
            if row in gone and not _private(key):
                yield row, Message(*reports.held(self._list.life, key, None))


def _elsewhere(told, tree, announced):
    """Whether this is another host by now, as after a migration, or one that has forgotten everything."""
    if tree is not None and (told.get(_TREE) or tree) != tree:
        return True
    return announced is not None and announced < int(told.get(_LAST) or 0)


def _private(key):
    """Whether a parameter is none of the host's business: a report itself."""
    return key.startswith(reports.PREFIX) or key == layout.EVENT_KEY
