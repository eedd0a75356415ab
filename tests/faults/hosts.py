# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Xen host whose gateway lives anew for each fault; a guest and a client that talk to it meanwhile."""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import sys
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import (
    INCOMING,
    RECEIVED,
    SENT,
    MessageStore,
)
from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id, find
from ansible_collections.ovm.messaging.programs import build
from faults.injector import PATIENCE, Traced
from lab import LabError
from lab.daemon import Daemon
from lab.gateway import PROGRAM, Gateway
from lab.guest import Guest
from lab.process import Process

DOMID = 5
#: What sends from elsewhere, or on the host itself.
COMMAND = [sys.executable, str(pathlib.Path(build.ROOT, "programs", "ovm_vmmessage"))]
MODULE = [sys.executable, str(pathlib.Path(build.ROOT, "plugins", "modules", "ovm_vm_message.py"))]
ROOMY = {"limits.requests_per_second": 100000, "limits.requests_burst": 100000, "sessions.per_user": 10000}
#: What an error names: XenStore; or that a new one does not know the machine yet.
NAMED = re.compile(r"XenStore|xenstored|'web1' is not running \(STOPPED\): start it first")
#: What a client is told of a send: it is done, nobody knows, or it failed and nothing was done.
DONE, UNKNOWN, FAILED = "done", "unknown", "failed"
#: What a gateway's directory has while it runs, and nothing else.
FILES = {
    "address", "certificate.pem", "collecting", "key.pem", "messages.db", "messages.db-shm", "messages.db-wal", "uuid",
}  # fmt: skip


class XenHost:
    """A XenStore with one guest. A context manager.

    :param str kind: of daemon.
    :param kept: more of Daemon's options.
    :ivar Daemon daemon: the daemon.
    :ivar Guest guest: the guest.
    :ivar str vm: its id.
    """

    def __init__(self, kind, **kept):
        self.kind, self.daemon = kind, Daemon(kind, **kept)

    def __enter__(self):
        self.daemon.start()
        self.guest = Guest(self.daemon, DOMID, name="web1")
        self.vm = canonical_id(self.guest.uuid)
        self.store, self._guests = XenStore(self.daemon.path, PATIENCE), XenStore(self.guest.path, PATIENCE)
        self._end = GuestEnd(self._guests)
        return self

    def __exit__(self, *_exc):
        self.store.close()
        self._guests.close()
        self.daemon.close()

    def renew(self):
        """Nothing is left of what was sent."""
        self.store.remove(layout.child(layout.home(DOMID), b"control/oracle-vmapi"))
        HostEnd(self.store, DOMID).prepare()
        self._end = GuestEnd(self._guests)

    def hurry(self, seconds):
        """The guest waits only so long for each answer of XenStore."""
        self._guests.timeout = seconds

    def says(self, pairs):
        """The guest sends messages: pairs of bytes."""
        for key, value in pairs:
            self._end.send(Message(key, value), PATIENCE)

    def takes(self):
        """What the guest finds, as pairs of bytes; it is gone then."""
        return [tuple(arrival.message) for arrival in self._end.inbox.receive()]

    def uncollected(self):
        """How many messages of the guest are still in XenStore."""
        directory = layout.child(layout.home(DOMID), layout.FROM_GUEST)
        return len(layout.numbers(self.store.directory(directory)))


class TracedGateway(Gateway):
    """A gateway that may have a fault in its next life.

    :ivar Traced run: its last life with one, or None.
    """

    def __init__(self, daemon, trace, **options):
        super().__init__(daemon, **options)
        self._trace, self._fault, self.run = trace, None, None

    def live(self, fault=()):
        """Start it with a fault, or only traced.

        :raises LabError: it has ended; its last words are in that.
        """
        self._fault = fault
        try:
            return self.start()
        finally:
            self._fault = None

    def start(self):
        # Another port each time: a free one may soon be somebody else's.
        self.port = 0
        return super().start()

    def points(self):
        """The calls of its last traced life that matter and can be struck.

        Each thread counts on its own, and a fault strikes the first that has made so many calls.
        """
        counted, first = collections.Counter(), {}
        with open(self._trace, encoding="utf-8", errors="replace") as trace:
            for line in trace:
                call = re.match(r"(\d+ +(\w+))\(", line)
                if call:
                    counted[call[1]] += 1
                    first.setdefault((call[2], counted[call[1]]), line.rstrip("\n"))
        return [point for point, line in self.run._found(False) if first[point.call, point.nth] == line]

    def ended(self):
        """How the last life with a fault has ended: its exit code. Has it end if need be."""
        self.stop()
        code = self.run.wait()
        self.run.__exit__()
        return code

    def _spawn(self, notify):
        if self._fault is None:
            super()._spawn(notify)
            return
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XENSTORED_")}
        with open(self.log, "ab") as output:
            self.run = Traced(
                [sys.executable, PROGRAM, "serve", "--config", self.configuration],
                self._trace,
                [self.directory],
                self._fault,
                follow=True,
                env=dict(environment, NOTIFY_SOCKET=notify),
                stdout=output,
                stderr=output,
            )
        self._child = self.run.process
        self.process = Process.of(self._child)


def until(condition, what, patience=PATIENCE):
    """Wait until a condition gives something true.

    :returns: that.
    :raises AssertionError: it does not happen.
    """
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.01)


def manager_of(gateway, **options):
    """A Manager of a gateway; it does not repeat what goes wrong."""
    login = {"username": gateway.username, "password": gateway.password, "ca_path": gateway.ca, "retries": 0}
    return Manager(Connection(gateway.host, gateway.port, **dict(login, timeout=PATIENCE, **options)))


class Story:
    """What a gateway goes through in each life: messages that wait for it, a guest and a client that send.

    :param XenHost site: where.
    :param folder: for the trace, and a gateway's state to begin with.
    :param bool first: whether each life is its first; otherwise there is a certificate and a store.
    """

    BEFORE = [(b"one", b"1"), (b"two", b"v" * 5000), (b"one", b"3")]
    LATER = [(b"later", b"4"), (b"later", b"w" * 2100)]
    #: What the client sends: messages, and whether they are to be logged.
    SENDS = [([(b"to.guest", b"a" * 3000), (b"more", b"b")], False), ([(b"to.guest", b"logged")], True)]

    def __init__(self, site, folder, first=False):
        self._site, self._folder = site, str(folder)
        self.gateway = TracedGateway(site.daemon, os.path.join(self._folder, "trace"))
        self._begin = os.path.join(self._folder, "begin")
        if first:
            os.mkdir(self._begin, 0o700)
        else:
            self.gateway.start()
            self.gateway.stop()
            shutil.copytree(self.gateway.directory, self._begin)

    def close(self):
        self.gateway.close()

    def tell(self, fault=()):
        """One life, with a fault.

        :returns: whether it came to serve.
        """
        self.outcomes, self.problems, self.said = [], [], list(self.BEFORE)
        shutil.rmtree(self.gateway.directory, ignore_errors=True)
        shutil.copytree(self._begin, self.gateway.directory)
        os.chmod(self.gateway.directory, 0o700)
        open(self.gateway.log, "wb").close()
        self._site.renew()
        self._site.says(self.BEFORE)
        try:
            self.gateway.live(fault)
        except LabError as problem:
            self.problems.append(str(problem))
            return False
        with contextlib.closing(manager_of(self.gateway)) as manager:
            self._exchange(manager)
        return True

    def _exchange(self, manager):
        alive = self.gateway.process.alive
        vm = self._try(lambda: find(manager.vms(), self._site.vm))
        for messages, log in self.SENDS:
            if vm:
                self.outcomes.append(self._send(manager, vm, messages, log))
            if not log:
                self._site.says(self.LATER)
                self.said += self.LATER
                until(lambda: not alive() or not self._site.uncollected(), self._stuck)
        if vm:
            self._try(lambda: manager.received(vm))

    def _stuck(self):
        return "%d messages are not collected: %s" % (self._site.uncollected(), self.gateway.said())

    def _try(self, work):
        try:
            return work()
        except Problem as problem:
            self.problems.append(str(problem))
            return None

    def _send(self, manager, vm, messages, log):
        try:
            manager.send(vm, messages, log)
        except OutcomeUnknown as problem:
            self.problems.append(str(problem))
            return UNKNOWN
        except Problem as problem:
            self.problems.append(str(problem))
            # It has arrived, and says so; it is only not in the log.
            return UNKNOWN if "reached 'web1', but cannot be remembered" in str(problem) else FAILED
        return DONE

    def recover(self):
        """The gateway is started once more, without any fault; everything comes to its end."""
        self.gateway.start()
        until(lambda: not self._site.uncollected(), self._stuck)
        assert set(os.listdir(self.gateway.directory)) == FILES, os.listdir(self.gateway.directory)
        # What it has stored last is committed before it removes that from XenStore; so nothing is left to wait for.
        self.check()
        assert self.gateway.stop() == 0, self.gateway.said()

    def check(self):
        """What has to hold, whatever has happened."""
        with MessageStore(self.gateway.directory) as store:
            received = [(message.key, message.value) for message in store.messages(self._site.vm, RECEIVED)]
            logged = [(message.key, message.value) for message in store.messages(self._site.vm, SENT)]
            told = [event.message[3:5] for event in store.events() if event.type == INCOMING]
            jobs = store.jobs()
        assert _short(received) == _short(self.said), "stored is not what the guest has sent"
        assert _short(told) == _short(self.said), "the events are not those of what the guest has sent"
        arrived = self._site.takes()
        for (messages, log), outcome in zip(self.SENDS, self.outcomes):
            count = arrived.count(messages[0])
            assert [arrived.count(message) for message in messages] == [count] * len(messages), "half of it arrived"
            assert count == {DONE: 1, FAILED: 0}.get(outcome, min(count, 1)), "%s, but it arrived %d times: %s" % (
                outcome,
                count,
                self.problems,
            )
            assert not log or outcome != DONE or logged == messages, "what was logged is not in the log"
        assert len(arrived) <= sum(len(messages) for messages, _log in self.SENDS), "more arrived than was sent"
        states = [job.state for job in jobs]
        assert set(states) <= {"SUCCESS", "FAILURE"}, "jobs have not ended: %s" % states
        done = self.outcomes.count(DONE)
        assert done <= states.count("SUCCESS") <= done + self.outcomes.count(UNKNOWN), "jobs are %s" % states
        for outcome, job in zip(self.outcomes, jobs):
            assert outcome != DONE or job.state == "SUCCESS", "a client was told of a success; its job is %s" % (job,)


def _short(pairs):
    """So that a failure can be read."""
    return [(key, value[:20], len(value)) for key, value in pairs]


class Scene:
    """A gateway over a relay, a guest, and a client; what was said, and what was told.

    :ivar named: a regular expression: what an error names.
    """

    def __init__(self, site, relay, gateway):
        self.site, self.relay, self.gateway = site, relay, gateway
        self.said, self.outcomes, self.arrived, self.number = [], {}, [], 0
        self.named, self.manager = NAMED, manager_of(gateway)

    def exchange(self, wait=True):
        """The guest sends two messages, the client one.

        :param bool wait: until the gateway has the guest's.
        """
        self.number += 1
        number = b"%d" % self.number
        pairs = [(b"a", number), (b"b", number + b"v" * 2500)]
        self.said += pairs
        self.site.says(pairs)
        try:
            self.manager.send(self._vm(), [(b"key", number)], log=True)
            outcome, problem = DONE, None
        except OutcomeUnknown as caught:
            outcome, problem = UNKNOWN, caught
        except Problem as caught:
            outcome, problem = FAILED, caught
        self.outcomes[number] = outcome
        assert problem is None or self.named.search(str(problem)), str(problem)
        if wait:
            until(lambda: not self.site.uncollected(), self.gateway.said)
            self.check()
        return problem

    def _vm(self):
        if not hasattr(self, "_found"):
            self._found = find(self.manager.vms(), self.site.vm)
        return self._found

    def stored(self):
        with MessageStore(self.gateway.directory) as store:
            return [(message.key, message.value) for message in store.messages(self.site.vm, RECEIVED)]

    def check(self):
        assert self.stored() == self.said, "%d are stored, %d were sent" % (len(self.stored()), len(self.said))
        self.arrived += [value for _key, value in self.site.takes()]
        for value in set(self.outcomes) | set(self.arrived):
            count, outcome = self.arrived.count(value), self.outcomes[value]
            assert count <= 1, "it arrived %d times" % count
            assert (count, outcome) not in ((0, DONE), (1, FAILED)), "%s, and it arrived %d times" % (outcome, count)
        assert "Traceback" not in self.gateway.said()
        assert "defect" not in self.gateway.said()

    def requests(self):
        """How many requests there are while messages are exchanged, undisturbed."""
        self.relay.plan()
        self.exchange()
        return self.relay.requests

    def served(self):
        """Whether the gateway knows the guest by now."""
        try:
            return knows(self.manager, self.site.vm)
        except Problem as problem:
            assert self.named.search(str(problem)), str(problem)
            return False


def knows(manager, vm):
    """Whether a gateway has a virtual machine, asked anew."""
    manager._vms = None
    return [each for each in manager.vms() if each.id == vm]
