# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What was last known of a virtual machine that something was waited for in vain, and what to do about it."""

from .. import report
from ..channel.message import display
from ..problem import Problem
from ..vms import RUNNING
from .plan import newest

_STATES = (report.WAITING, report.RUNNING, report.DONE, report.FAILED)
# Names of failed scripts, and characters of a guest's own words, that an error has room for.
_NAMES, _WORDS = 5, 200
_LOG = "the guest's /var/log/ovm-template-config.log"


class LastKnown:
    """How a virtual machine was when time was up.

    :param carrier: see carrier.
    :param vm: the Vm.
    :param records: all that its guest had sent when it was last looked at, of Record, oldest first.
    :param keys: what was waited for.
    :ivar vm: the Vm as it is now, as far as that can be known.
    :ivar str unseen: why its state now is not known; empty where it is.
    :ivar heard: the newest Record of its guest; None where there is none, or nobody knows which it is.
    :ivar age: how many seconds old that is, or None.
    :ivar report: what the guest reports, a report.Report.
    :ivar waiting: how many sent messages the guest has not taken; None where nobody knows.
    :ivar dict said: the newest Record of each of the keys that were waited for, as far as there is one.
    """

    def __init__(self, carrier, vm, records: list, keys) -> None:
        self.vm, self.unseen = vm, ""
        try:
            self.vm = carrier.current(vm)
        except Problem as problem:
            self.unseen = str(problem)
        last = newest(records)
        self.report = report.Report({key: record.value for key, record in last.items()})
        self.said = {key: last[key] for key in keys if key in last}
        self._silent = not records
        self.heard, self.age = self._heard(carrier, records)
        self.waiting = _known(lambda: carrier.waiting(vm))  # type: int | None

    def _heard(self, carrier, records):
        # Where the other side keeps no history, they are in no order, and their times are with its events.
        dated = _known(lambda: carrier.dated(self.vm, records)) or [] if records else []
        timed = [record for record in dated if record.time is not None]
        if not timed:
            return None, None
        heard = sorted(timed, key=lambda record: record.time)[-1]  # of several at the same time, the last
        now = _known(carrier.now)
        return heard, None if now is None else max(now - heard.time, 0.0)

    def secret(self, record) -> bool:
        """Whether the guest has said that what it holds under this key is a secret."""
        return bool(self.report.holds_key(record.key)) and self.report.holds(record.key, record.value) is None

    @property
    def configuration(self) -> str:
        """The state of the configuration at this boot that the guest reports; empty where it reports none."""
        state = self.report.configuration().get("state")
        return state if state in _STATES else ""

    @property
    def failed(self) -> "list[str]":
        """The names of the scripts that failed in it."""
        names = self.report.configuration().get("failed")
        names = names if isinstance(names, list) else []
        return [display(name.encode("utf-8", "replace")) for name in names if isinstance(name, str)]

    def text(self) -> str:
        """What there is to say, as part of an error. Without values: they may be secrets."""
        parts = ["its state is not known (%s)" % self.unseen if self.unseen else "it is " + self.vm.state]
        if self.heard is not None:
            seconds = None if self.age is None else round(self.age)
            when = "" if seconds is None else " %d second%s ago" % (seconds, "" if seconds == 1 else "s")
            parts.append("its guest was last heard%s (%s)" % (when, display(self.heard.key)))
        elif self._silent:
            parts.append("its guest was never heard")
        if self.waiting is not None:
            parts.append(_untaken(self.waiting))
        if self.configuration:
            parts.append("its configuration is " + self.configuration + self._about_configuration())
        return ", ".join(parts)

    def remedy(self) -> str:
        """What to do, by what is most likely amiss."""
        if self.unseen:
            return "see that the manager still knows it"
        if self.vm.state != RUNNING:
            return "start it, or see why it does not run"
        if self.configuration == report.FAILED:
            return "see " + _LOG
        if self.configuration == report.WAITING:
            return "send what its first boot waits for; %s names it" % _LOG
        if self.configuration == report.RUNNING:
            return "wait longer, or see in %s what takes so long" % _LOG
        if self.waiting:
            return "see that ovmd runs in the guest, or wait longer"
        return "see that what is to answer runs in the guest, or wait longer"

    def _about_configuration(self):
        if self.configuration == report.FAILED and self.failed:
            more = len(self.failed) - _NAMES
            return " (%s%s)" % (", ".join(self.failed[:_NAMES]), ", and %d more" % more if more > 0 else "")
        said = self.report.configuration().get("message")
        if self.configuration in (report.WAITING, report.FAILED) and isinstance(said, str) and said:
            return " (%s)" % display(said.encode("utf-8", "replace"), _WORDS)
        return ""


def _untaken(number):
    return "1 message waits for it" if number == 1 else "%s messages wait for it" % (number or "no")


def _known(ask):
    """What can be known, or None: an error has no use for another one."""
    try:
        return ask()
    except Problem:
        return None
