# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm-template-config at a first boot: killed at each system call, and each that can fail fails.

No machine is called configured that is not: where the flag says that it is over, or the host has been told so, every
script has run to its end. Where the scripts have run, and it is known, they do not run again in that boot. Who goes on,
in the same boot or after a reset, ends as if nothing had been.
"""

import pathlib
import shutil
import subprocess

import pytest

from ansible_collections.ovm.messaging.tests.integration.first_boot.conftest import (
    HOSTNAME,
    ONCE,
    ROOT_PASSWORD,
    Host,
    Machine,
)
from faults.guests import DOMID, failures, told
from faults.injector import PATIENCE, Traced, chosen, kill

MESSAGES = [(HOSTNAME, "web1"), ("org.example.note", "x" * 5000), (ROOT_PASSWORD, "s3cr3t")]
#: Exit codes: a script has failed, or it cannot be done.
FAILED = (1, 3)
NOT_WIPED = "the secrets among the parameters are not wiped"
#: The flag says no, but nobody can promise that it does after a power cut: so the host was told that it failed.
NOT_KEPT = "may not do so after a power cut"


class FirstBoot:
    """First boots of one machine, again and again."""

    def __init__(self, world, program, folder):
        self.place, self.log = folder / "machine", folder / "trace"
        self.program, self.xenstore = program, world.guest.path
        self.host = Host(world.store, DOMID)
        self.begin()
        code, said, run = self.traced()
        assert code == 0, said
        self.check()
        self.points, self.failing = run.points(), run.points(reading=True)

    def begin(self):
        """A clone that was never started."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        self.machine = Machine(self.place, self.xenstore)
        self.machine.environment["OVM_OVF_DEVICES"] = ""
        self.machine.ask_for_it(SOURCES="messages")
        self.command = [*self.program, *self.machine.arguments]
        self.reset()

    def reset(self):
        """What is in memory, and in XenStore, is gone; the host sends it again."""
        self.machine.boot()
        self.host.boot()
        self.host.send(*MESSAGES)

    def traced(self, fault=()):
        """:returns: the exit code, what was said, and the Traced."""
        said = self.place.parent / "said"
        with (
            open(said, "wb") as target,
            Traced(
                self.command, self.log, [self.place], fault, env=self.machine.environment, stdout=target, stderr=target
            ) as run,
        ):
            code = run.wait()
        return code, said.read_text(errors="replace"), run

    def check(self):
        """All is as after an undisturbed first boot."""
        machine = self.machine
        assert not machine.asked, "the flag still asks for it"
        assert machine.done[-len(ONCE) :] == ONCE, "the scripts did %s" % machine.done
        assert machine.given("network") == machine.given("authentication") == dict(MESSAGES)
        assert self.host.states()[-1:] == ["done"], "the host was told %s" % self.host.states()
        assert machine.held() == dict(MESSAGES[:2])

    def check_honest(self):
        """Nothing is called done that is not."""
        if not self.machine.asked or "done" in self.host.states():
            assert self.machine.done[-len(ONCE) :] == ONCE, "called done, but the scripts did %s" % self.machine.done

    def known(self):
        """Whether it is known in this boot that the scripts have run."""
        return not self.machine.asked or pathlib.Path(self.machine.state, "first-boot.json").exists()

    def again(self, reset):
        """Go on from there, in this boot or after a reset."""
        before = self.machine.done if not reset and self.known() else None
        over = not self.machine.asked
        if reset:
            self.reset()
        done = subprocess.run(
            self.command,
            env=self.machine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, "it does not go on: %s" % done.stderr.decode()
        if before is not None:
            assert self.machine.done == before, "the scripts ran once more: %s" % self.machine.done
        return over


@pytest.fixture
def first_boot(world, programs, tmp_path):
    return FirstBoot(world, programs("ovm-template-config", world.kind), tmp_path)


@pytest.mark.parametrize("reset", [False, True], ids=["same boot", "reset"])
def test_killed_at_each_call(campaign, world, first_boot, reset):
    def killed(point):
        first_boot.begin()
        code, _said, run = first_boot.traced(kill(point))
        assert code in (0, -9)
        first_boot.check_honest()
        if first_boot.again(reset) and reset:
            # Over, before the reset: what is in memory is gone, and nobody configures it again.
            assert not first_boot.machine.asked
            assert first_boot.machine.done[-len(ONCE) :] == ONCE
        else:
            first_boot.check()
        return run.hit

    fault = "killed, then reset" if reset else "killed, then started again"
    campaign("ovm-template-config --initial-config", fault, world.kind).run(first_boot.points, killed)


def test_each_call_fails(campaign, world, first_boot):
    def failed(failure):
        first_boot.begin()
        code, said, run = first_boot.traced(failure.fault)
        first_boot.check_honest()
        if code == 0:
            first_boot.check()
            return run.hit
        told(code, said, failure, FAILED)
        # A script has failed, and the secrets are wiped: that is for the next boot.
        first_boot.again(reset=code == 1)
        if NOT_WIPED not in said and NOT_KEPT not in said:
            first_boot.check()
        assert not first_boot.machine.asked
        assert first_boot.machine.done[-len(ONCE) :] == ONCE
        return run.hit

    points = chosen(first_boot.failing, 3)
    campaign("ovm-template-config --initial-config", "a call fails", world.kind).run(failures(points), failed)
