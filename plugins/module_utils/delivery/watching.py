# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What guests say, each thing once: found by looking again and again, passed on, and noted."""

import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any

from .. import report
from ..problem import Problem
from ..secret_names import secret_by_name
from ..vms import VmNotFound, canonical_id
from .plan import newest

#: Kinds of news: a message, and the guest's reports on its first-boot configuration, its addresses, and itself.
MESSAGE, CONFIGURATION, ADDRESSES, GUEST = "message", "configuration", "addresses", "guest"
KINDS = (MESSAGE, CONFIGURATION, ADDRESSES, GUEST)
#: Where to begin, where there is no checkpoint yet.
NOW, BEGINNING = "now", "beginning"

# Seconds after which all virtual machines are listed and read again, whatever their manager says to have happened.
_ALL = 60.0
_REPORTS = {report.CONFIGURATION: CONFIGURATION, report.ADDRESSES: ADDRESSES, report.GUEST: GUEST}


class News(namedtuple("News", ("vm", "kind", "record", "secret", "mark"))):
    """Something that a guest has said.

    :ivar vm: its Vm.
    :ivar str kind: one of KINDS.
    :ivar record: the Record; its time is None where nobody knows.
    :ivar bool secret: its value is one.
    :ivar bytes mark: what the checkpoint knows it by: the same each time it is found.
    """

    __slots__ = ()


class Wanted:
    """What is news.

    :param vms: names (shell patterns), ids or UUIDs of virtual machines; empty: all.
    :param keys: keys of messages (shell patterns); empty: all. Reports are not chosen by key.
    :param kinds: of KINDS.
    """

    def __init__(self, vms=(), keys=(), kinds=(MESSAGE, CONFIGURATION)) -> None:
        self._vms, self._keys, self._kinds = list(vms), list(keys), set(kinds)

    def vm(self, vm) -> bool:
        return not self._vms or any(vm.id == canonical_id(w) or _fits(vm.name, w) for w in self._vms)

    def record(self, kind: "str | None", record) -> bool:
        if kind != MESSAGE:
            return kind in self._kinds
        key = record.key.decode("utf-8", "surrogateescape")
        return kind in self._kinds and (not self._keys or any(_fits(key, wanted) for wanted in self._keys))


class Watch:
    """Looks for news. All of it from one thread at a time.

    :param connect: makes a carrier, see there, which is not connected yet.
    :param Checkpoint checkpoint: what was passed on before. Closed with the watch.
    :param Wanted wanted: what counts.
    :param str since: where to begin without a checkpoint: NOW or BEGINNING.
    :param int concurrency: how many virtual machines to read at a time.
    :ivar dict troubles: of the last look: the Problem of each virtual machine that could not be read, by its name.
    """

    def __init__(
        self, connect, checkpoint, wanted=None, since: str = NOW, concurrency: int = 4, clock=time.monotonic
    ) -> None:
        self._connect, self._checkpoint = connect, checkpoint
        self._wanted, self._since = wanted or Wanted(), since
        self._concurrency, self._clock = concurrency, clock
        self._carrier: Any = None
        self._due = 0.0
        self._vms, self._listed = [], set()  # type: list, set[str]
        self._events = None  # type: set[str] | None  # the ids of those that were seen
        self._again = set()  # type: set[str]  # Vm.ids
        self.troubles = {}  # type: dict[str, Problem]

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self) -> None:
        """End it. May be called while another thread looks, which then fails."""
        self._drop()
        self._checkpoint.close()

    def look(self) -> "list[News]":
        """What is new, by its time. It stays new until done() is told of it.

        :raises Problem: the other side cannot be asked; the next look begins anew.
        """
        try:
            found = self._look()
        except BaseException:
            self._drop()
            raise
        return sorted(found, key=lambda news: news.record.time or 0.0)

    def done(self, news: News) -> None:
        """Note that something was passed on."""
        self._checkpoint.note(news.vm.id, [news.mark])

    @property
    def waits(self) -> bool:
        """Whether the carrier knows when something may have changed."""
        return hasattr(self._carrier, "wait_for_change")

    def wait(self, seconds: float) -> None:
        """Wait until something may have changed, so long at most. Only where ``waits`` is true."""
        self._carrier.wait_for_change(seconds)

    def _drop(self):
        carrier, self._carrier, self._events = self._carrier, None, None
        if carrier is not None:
            carrier.close()

    def _look(self):
        vms = self._touched() if self._carrier is not None and self._clock() < self._due else None
        if vms is None:
            self._begin()
            vms = self._vms
        self.troubles, self._again = {}, set()
        found = []
        for vm, news in self._each(vms):
            if isinstance(news, Problem):
                self._again.add(vm.id)
                self.troubles[vm.name] = news
            else:
                found += news
        if self.troubles and len(self._again) == len(self._vms):
            raise next(iter(self.troubles.values()))
        return found

    def _begin(self):
        """Connect anew, and list what there is: carriers do that once."""
        self._drop()
        self._carrier = self._connect()
        self._carrier.connect()
        self._due = self._clock() + _ALL
        listed = self._carrier.vms()
        self._listed = {vm.id for vm in listed}
        self._vms = [vm for vm in listed if self._wanted.vm(vm)]
        # Before the messages: what happens from now on is another look's.
        self._events = self._ids()
        if not self._checkpoint.started:
            now = self._carrier.now() if self._since == NOW else None
            self._checkpoint.begin(now, sorted(self._listed))

    def _ids(self):
        return None if self.waits else {event.id for event in self._carrier.events()}

    def _touched(self):
        """The virtual machines to which something has happened; None where that cannot be said."""
        if self.waits:
            return self._vms
        events, seen = self._carrier.events(), self._events or set()
        self._events = {event.id for event in events}
        if seen and not seen & self._events:
            return None  # so much has happened that the list does not reach back
        touched = {event.vm for event in events if event.id not in seen} - {""}
        if touched - self._listed:
            return None
        return [vm for vm in self._vms if vm.id in touched or vm.id in self._again]

    def _each(self, vms):
        """Each with its news, or with the Problem that there was."""

        def guarded(vm):
            try:
                return self._read(vm)
            except VmNotFound:
                return [], set()  # it was deleted
            except Problem as problem:
                return problem

        if len(vms) < 2:
            found = [guarded(vm) for vm in vms]
        else:
            with ThreadPoolExecutor(self._concurrency) as pool:
                found = list(pool.map(guarded, vms))
        for vm, read in zip(vms, found):
            yield vm, read if isinstance(read, Problem) else self._news(vm, *read)

    def _read(self, vm):
        """What a virtual machine's guest has said, and what of it is a secret."""
        records = self._carrier.received(vm)
        told = report.Report({key: record.value for key, record in newest(records).items()})
        # Reports on each parameter that was sent to it are nobody's news.
        records = [record for record in records if not record.key.startswith(report.HELD)]
        secrets = {
            record.key
            for record in records
            if secret_by_name(record.key)
            or (told.holds_key(record.key) and told.holds(record.key, record.value) is None)
        }
        return records, secrets

    def _news(self, vm, records, secrets):
        checkpoint = self._checkpoint
        passed, marks = checkpoint.passed(vm.id), checkpoint.marks(vm.id, records)
        since = checkpoint.since if checkpoint.unread(vm.id) else None
        new, done = [], []
        for record, mark in zip(records, marks):
            if mark in passed:
                continue
            kind = _kind(record.key)
            old = since is not None and (record.time is None or record.time < since)
            if old or not self._wanted.record(kind, record):
                done.append(mark)
            else:
                new.append(News(vm, kind, record, record.key in secrets, mark))
        gone = passed.difference(marks)
        if done or gone or since is not None:
            checkpoint.note(vm.id, done, gone)
        undated = [news.record for news in new if news.record.time is None]
        if undated:
            dated = iter(self._carrier.dated(vm, undated))
            new = [news if news.record.time is not None else news._replace(record=next(dated)) for news in new]
        return new


def _kind(key):
    """Of what kind something is; None for reports that nobody knows."""
    return _REPORTS.get(key) if key.startswith(report.PREFIX) else MESSAGE


def _fits(text, pattern):
    return text == pattern or fnmatchcase(text, pattern)
