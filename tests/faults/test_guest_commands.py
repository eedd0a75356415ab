# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd's one-shot commands: killed at each system call, and each that can fail fails.

Whatever happens to a command, the next one works, what was acknowledged is there, and what is in the list has been
sent; what the host has sent is in the list once and no longer in XenStore. The same command again does the rest.
"""

import os

import pytest

from faults.guests import REFUSAL, failures, told
from faults.injector import chosen, kill
from faults.relay import REFUSED, Relay

#: Exit codes of ovmd that tell of XenStore, the list, the way to the host, or the output.
FAILED = (3, 4, 5, 6)
BEFORE = [(b"old", b"1"), (b"key", b"old")]
SENT = [(b"from.host", b"a" * 5000), (b"old", b"2")]
AFTER = [(b"old", b"2"), (b"key", b"old"), (b"from.host", b"a" * 5000)]
#: Name -> arguments, what the list then is, and what the host has heard of it.
COMMANDS = {
    "ovmd -p": (["-p", "key=" + "v" * 5000], [AFTER[0], (b"key", b"v" * 5000), AFTER[2]], [(b"key", b"v" * 5000)]),
    "ovmd -r": (["-r", "key"], [AFTER[0], AFTER[2]], []),
    "ovmd -x": (["-x"], [], []),
    "ovmd -g": (["-g", "from.host"], AFTER, []),
    "ovmd -l": (["-l"], AFTER, []),
}


class Command:
    """A command in a guest that has a list, and to which the host has sent something.

    :param str name: of COMMANDS.
    """

    def __init__(self, name, world, ovmd, tmp_path):
        self.world, self.ovmd, self.log = world, ovmd, tmp_path / "trace"
        arguments, self.held, self.heard = COMMANDS[name]
        self.command = [*ovmd, *arguments]
        # The reference
        self.life = self.begin()
        self.code, self.out, self.err, run = self.life.traced(self.command, self.log)
        assert (self.code, self.err) == (0, ""), self.err
        self.points, self.failing = run.points(), run.points(reading=True)
        self.check()

    def begin(self):
        life = self.world.begin(BEFORE)
        for key, value in SENT:
            life.send(key, value)
        return life

    def check(self):
        """All is as after an undisturbed run."""
        assert self.life.held() == self.held
        assert self.life.heard() == self.heard
        assert self.life.waiting() == 0, "messages are left in XenStore"

    def check_list(self):
        """What holds after whatever has happened, once a command has looked."""
        code, _out, err = self.life.run([*self.ovmd, "-l"])
        assert code == 0, "the next command fails: " + err
        held, heard = self.life.held(), self.life.heard()
        assert held in (AFTER, self.held), "the list is %s" % [(key, len(value)) for key, value in held]
        assert heard in ([], self.heard), "the host has heard %s" % [key for key, _value in heard]
        assert held != self.held or heard == self.heard or self.held == AFTER, "the list has what was never sent"
        assert self.life.waiting() == 0, "messages are left in XenStore"
        # What was not committed stays until somebody writes.
        litter = set(os.listdir(self.life.state)) - {"parameters.db", "parameters.db-journal"}
        assert not litter, "litter: %s" % litter

    def again(self):
        """The same command makes up for it."""
        heard = len(self.life.heard())
        code, out, err = self.life.run(self.command)
        if code == 1 and self.held not in (AFTER, []) and not self.heard:
            return  # it is deleted already
        assert (code, out) == (0, self.out), "the same command fails: " + err
        assert self.life.held() == self.held
        assert self.life.heard()[heard:] == self.heard

    def killed(self, point):
        self.life = self.begin()
        code, _out, _err, run = self.life.traced(self.command, self.log, kill(point))
        assert code in (0, -9)
        self.check_list()
        if code == 0:
            self.check()
        self.again()
        return run.hit

    def failed(self, failure):
        self.life = self.begin()
        code, out, err, run = self.life.traced(self.command, self.log, failure.fault)
        self.went_on(code, out, err, failure)
        return run.hit

    def went_on(self, code, out, err, failure):
        """It did its work nevertheless, or told why not; and the same command makes up for it."""
        self.check_list()
        if code == 0:
            assert out == self.out, "it says other things: %s" % out
            self.check()
        else:
            told(code, err, failure, FAILED)
        self.again()

    def through(self, relay, nth=None):
        """With all that it asks of XenStore passed on, and the nth request refused."""
        self.life = self.begin()
        relay.plan(nth, REFUSED)
        self.went_on(*self.life.run(self.command, XENSTORED_PATH=relay.path), REFUSAL)
        return relay.struck or None


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_each_call(campaign, world, programs, tmp_path, name):
    command = Command(name, world, programs("ovmd", world.kind), tmp_path)
    campaign(name, "killed", world.kind).run(command.points, command.killed)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_call_fails(campaign, world, programs, tmp_path, name):
    command = Command(name, world, programs("ovmd", world.kind), tmp_path)
    points = chosen(command.failing, 4)
    campaign(name, "a call fails", world.kind).run(failures(points), command.failed)


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_calls_are_done_again(campaign, world, programs, tmp_path, name):
    command = Command(name, world, programs("ovmd", world.kind), tmp_path)

    def interrupted(failure):
        command.life = command.begin()
        code, out, err, run = command.life.traced(command.command, command.log, failure.fault)
        assert (code, out, err) == (0, command.out, "")
        command.check()
        return run.hit

    points = [point for point in chosen(command.points, 3) if point.call in ("write", "read", "connect", "flock")]
    campaign(name, "EINTR", world.kind).run(failures(points, lambda _point: ("EINTR",)), interrupted)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_request_is_refused(campaign, world, programs, tmp_path, name):
    """As it is where XenStore is full: of nodes, or of memory."""
    command = Command(name, world, programs("ovmd", world.kind), tmp_path)
    with Relay(world.guest.path, str(tmp_path / "relay")) as relay:
        command.through(relay)
        requests = list(range(1, relay.requests + 1))
        campaign(name, "XenStore refuses a request", world.kind).run(requests, lambda nth: command.through(relay, nth))
