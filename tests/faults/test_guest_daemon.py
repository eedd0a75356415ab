# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd, the daemon: killed at each system call while it receives, reports and runs a target; and each call fails.

After each: the next daemon goes on by itself. All that the host has sent is in the list, once and in order; the target
has run once for each event; the host is told of all that is held; nothing is left in XenStore.
"""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from faults.guests import REFUSAL, failures, told
from faults.injector import PATIENCE, Traced, chosen, kill
from faults.relay import REFUSED, Relay
from lab import shell_script

#: Exit code of a daemon that could not start.
FAILED = (3, 7)
NEVER, SOON = "86400", "2"
STARTED = "started, version"
FIRST = [(b"one", b"1"), (b"two", b"2" * 5000), (b"VMAPIEvent", b"snapshot:pre:a"), (b"one", b"3")]
THEN = [(b"three", b"3"), (b"VMAPIEvent", b"snapshot:pre:b"), (b"two", b"4"), (b"last", b"5")]
HELD = [(b"one", b"3"), (b"two", b"4"), (b"three", b"3"), (b"last", b"5")]
#: Notes that it ran. Its interface is that of templateconfig.cli.
SCRIPT = (
    """#!/bin/sh
### BEGIN PLUGIN INFO
# name: note
# suspend: 50
# description: of the tests
### END PLUGIN INFO
"""
    + shell_script.beginning()
    + """echo begin >> {place}/ran
echo end >> {place}/ran
echo "$given" > "/dev/fd/$output"
"""
)
RAN = ["begin", "end"] * 2


class Daemons:
    """A daemon that serves a guest's whole story, again and again."""

    def __init__(self, world, programs, folder):
        self.world, self.log, self.said_path = world, folder / "trace", folder / "said"
        self.command = [*programs("ovmd", world.kind), "--foreground", "-d1"]
        self.period = NEVER
        self.template_config = programs("ovm-template-config", world.kind)[0]
        self.begin()
        with self.traced() as run:
            self.tell_story(run.process)
            assert self.end(run.process, run.wait) == 0, self.said()
        self.check()
        assert not os.path.exists(self.pid_file)
        self.points, self.failing = run.points(), run.points(reading=True)

    def begin(self):
        """A guest that has just started."""
        self.life = life = self.world.begin()
        self.told_then = False
        scripts = os.path.join(life.folder, "template.d")
        for name in ("scripts", "suspend.d"):
            os.makedirs(os.path.join(scripts, name))
        path = os.path.join(scripts, "scripts", "note")
        with open(path, "w", encoding="ascii") as target:
            target.write(SCRIPT.replace("{place}", life.folder))
        os.chmod(path, 0o755)
        os.symlink("../scripts/note", os.path.join(scripts, "suspend.d", "50note"))
        self.pid_file = os.path.join(life.folder, "pid")
        self.environment = dict(
            life.environment,
            OVM_TEMPLATE_CONFIG=self.template_config,
            OVM_TEMPLATE_DIR=scripts,
            OVM_TEMPLATE_LOCK=os.path.join(life.folder, "lock"),
            OVM_TEMPLATE_LOG=os.path.join(life.folder, "template.log"),
        )
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.said_path)
        for key, value in FIRST:
            life.send(key, value)

    def said(self):
        return self.said_path.read_text(errors="replace")

    def traced(self, fault=()):
        with open(self.said_path, "ab") as said:
            return Traced(
                [*self.command, "-t", self.period, "-f", self.pid_file],
                self.log,
                [self.life.folder],
                fault,
                env=self.environment,
                stdout=said,
                stderr=said,
            )

    def plain(self):
        with open(self.said_path, "ab") as said:
            return subprocess.Popen(
                [*self.command, "-t", self.period, "-f", self.pid_file],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def tell_story(self, process):
        """Send the rest once the first is held, and wait until all is done, or the process has ended."""
        if not self.told_then and self.wait_for(process, lambda: self.reported(b"one", b"3")):
            self.told_then = True
            for key, value in THEN:
                self.life.send(key, value)
        if self.told_then:
            self.wait_for(process, self.over)

    def wait_for(self, process, condition):
        """:returns: whether it came; not so where the process has ended before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if condition():
                return True
            if process.poll() is not None:
                return condition()
            assert time.monotonic() < deadline, "it does not go on: %s" % self.said()
            self.world.store.wait(0.02)

    def reported(self, key, value):
        return report.Report(dict(self.life.heard())).holds(key, value)

    def over(self):
        return self.ran() == RAN and not self.life.waiting() and all(self.reported(key, value) for key, value in HELD)

    def ran(self):
        try:
            with open(os.path.join(self.life.folder, "ran"), encoding="ascii") as source:
                return source.read().split()
        except FileNotFoundError:
            return []

    @staticmethod
    def end(process, wait):
        """End it in good order; a target's run goes on until it is over."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return wait()

    def check(self):
        """All is as after an undisturbed story."""
        assert self.life.held() == HELD, "the list has %s" % self.life.held()
        assert self.ran() == RAN, "the target's runs: %s" % self.ran()
        assert self.life.waiting() == 0, "messages are left in XenStore"
        assert all(self.reported(key, value) for key, value in HELD), "the host does not know of all"

    def go_on(self):
        """The next daemon does what is left."""
        before = self.said().count(STARTED)
        process = self.plain()
        try:
            # Before that, no signal ends it in good order.
            assert self.wait_for(process, lambda: self.said().count(STARTED) > before), self.said()
            self.tell_story(process)
            assert process.poll() is None, "the next daemon ends: %s" % self.said()
            assert self.end(process, lambda: process.wait(PATIENCE)) == 0
        finally:
            process.kill()
            process.wait()
        self.check()
        assert not os.path.exists(self.pid_file), "the pid file stays"

    def killed(self, point):
        self.begin()
        with self.traced(kill(point)) as run:
            self.tell_story(run.process)
            self.end(run.process, run.wait)
        self.go_on()
        return run.hit

    def failed(self, failure):
        self.begin()
        with self.traced(failure.fault) as run:
            self.tell_story(run.process)
            code = self.end(run.process, run.wait)
        if run.hit and run.hit.place != failure.place:
            return None  # by its number, but not what was meant, and may be what never fails so
        if code:
            told(code, self.said(), failure, FAILED)
        else:
            self.check()
        self.go_on()
        return run.hit

    def through(self, relay, nth=None):
        """With all that it asks of XenStore passed on, and the nth request refused."""
        self.begin()
        relay.plan(nth, REFUSED)
        environment = self.environment
        self.environment = dict(environment, XENSTORED_PATH=relay.path)
        process = self.plain()
        try:
            self.tell_story(process)
            code = self.end(process, lambda: process.wait(PATIENCE))
        finally:
            process.kill()
            process.wait()
        self.environment = environment
        if code:
            told(code, self.said(), REFUSAL, FAILED)
        else:
            self.check()
        struck = relay.struck
        self.go_on()
        return struck or None


class ByHand(Daemons):
    """``ovmd -s``: the same target, run by hand, where messages and an event wait."""

    def __init__(self, world, programs, folder):
        self.world, self.log, self.said_path = world, folder / "trace", folder / "said"
        self.command = [*programs("ovmd", world.kind), "-s", "suspend"]
        self.template_config = programs("ovm-template-config", world.kind)[0]
        self.begin()
        code, said, run = self.run()
        assert (code, said) == (0, "")
        self.check()
        self.points, self.failing = run.points(), run.points(reading=True)

    def run(self, fault=()):
        """:returns: the exit code, what was said, and the Traced."""
        with self.traced(fault) as run:
            code = run.wait()
        return code, self.said(), run

    def traced(self, fault=()):
        with open(self.said_path, "wb") as said:
            return Traced(
                self.command, self.log, [self.life.folder], fault, env=self.environment, stdout=said, stderr=said
            )

    def check(self):
        assert self.life.held() == [(b"one", b"3"), FIRST[1]], "the list has %s" % self.life.held()
        assert self.life.waiting() == 0, "messages are left in XenStore"
        assert self.ran() == RAN[:2], "the target's runs: %s" % self.ran()

    def again(self):
        code, said, _run = self.run()
        assert (code, said) == (0, ""), "the same command fails: " + said
        assert self.life.held() == [(b"one", b"3"), FIRST[1]]
        assert self.ran()[-2:] == RAN[:2]

    def killed(self, point):
        self.begin()
        code, _said, run = self.run(kill(point))
        assert code in (0, -9)
        self.again()
        return run.hit

    def failed(self, failure):
        self.begin()
        code, said, run = self.run(failure.fault)
        if code:
            told(code, said, failure, (3, 4, 5))
        else:
            self.check()
        self.again()
        return run.hit


@pytest.fixture
def by_hand(world, programs, tmp_path):
    return ByHand(world, programs, tmp_path)


@pytest.fixture
def daemons(world, programs, tmp_path):
    return Daemons(world, programs, tmp_path)


@pytest.mark.parametrize("part", [0, 1])
def test_killed_at_each_call(campaign, world, daemons, part):
    # How often it wakes up, and so how many calls it makes, is a matter of chance.
    campaign("ovmd, daemon", "killed", world.kind).run(daemons.points, daemons.killed, (part, 2), least=0.7)


def test_each_call_fails(campaign, world, daemons):
    # What the system did not let it do, such as to have a child, is tried again at the next look at everything.
    daemons.period = SOON
    points = chosen(daemons.failing, 2)
    campaign("ovmd, daemon", "a call fails", world.kind).run(failures(points), daemons.failed, least=0.7)


def test_each_request_is_refused(campaign, world, daemons, tmp_path):
    """As it is where XenStore is full: of nodes, or of memory."""
    daemons.period = SOON
    with Relay(world.guest.path, str(tmp_path / "relay")) as relay:
        daemons.through(relay)
        requests = list(range(1, relay.requests + 1))
        # How many there are is a matter of chance.
        campaign("ovmd, daemon", "XenStore refuses a request", world.kind).run(
            requests, lambda nth: daemons.through(relay, nth), least=0.7
        )


def test_a_run_by_hand_is_killed(campaign, world, by_hand):
    campaign("ovmd -s", "killed", world.kind).run(by_hand.points, by_hand.killed)


def test_a_run_by_hand_where_a_call_fails(campaign, world, by_hand):
    campaign("ovmd -s", "a call fails", world.kind).run(failures(chosen(by_hand.failing, 2)), by_hand.failed)
