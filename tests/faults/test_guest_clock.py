# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody sets the guest's clock, by an hour or by decades, while its programs run: it makes no difference.

Messages come at once as ever, nothing ends too early, and what has a limit of time keeps to it.
"""

import contextlib
import signal
import subprocess
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.tests.integration.first_boot.conftest import (
    HOSTNAME,
    ONCE,
    ROOT_PASSWORD,
    Host,
    Machine,
)
from faults.clock import JUMPS, Clock
from faults.guests import DOMID
from faults.injector import PATIENCE

# Much longer than anything takes, much shorter than a jump.
LIMIT = 1500


@contextlib.contextmanager
def running(command, environment, said):
    """A process that is not there any more afterwards."""
    with open(said, "wb") as target:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=target, stderr=target, start_new_session=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition, what, pause):
    """Look until something is the case."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come: %s" % what()
        pause()


def test_the_daemon(campaign, world, programs, tmp_path):
    life, clock, said = world.begin(), Clock(str(tmp_path)), tmp_path / "said"
    environment = dict(life.environment, **clock.environment)

    def reported(key, value):
        return report.Report(dict(life.heard())).holds(key, value)

    def jumped(jump):
        clock.jump(jump)
        key, before = b"key", said.read_text().count("running since")
        life.send(key, b"%d" % jump)
        wait_for(lambda: reported(key, b"%d" % jump), said.read_text, lambda: world.store.wait(0.05))
        assert life.held() == [(key, b"%d" % jump)]
        # What it tells of itself has points of time in it.
        process.send_signal(signal.SIGUSR1)
        wait_for(
            lambda: said.read_text().count("running since") > before, said.read_text, lambda: world.store.wait(0.05)
        )
        assert process.poll() is None
        return jump

    command = [*programs("ovmd", world.kind), "--foreground", "-d1", "-t", "86400"]
    with running(command, environment, said) as process:
        wait_for(lambda: "started, version" in said.read_text(), said.read_text, lambda: world.store.wait(0.05))
        campaign("ovmd, daemon", "the clock jumps", world.kind).run(JUMPS, jumped)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert "Traceback" not in said.read_text()


class Boot:
    """A first boot that waits, for some seconds at most."""

    def __init__(self, world, program, folder, seconds):
        folder.mkdir()
        self.machine, self.host = Machine(folder, world.guest.path), Host(world.store, DOMID)
        self.clock, self.said = Clock(str(folder)), folder / "said"
        self.host.boot()
        self.machine.environment.update(self.clock.environment, OVM_OVF_DEVICES="")
        self.machine.ask_for_it(SOURCES="messages", TIMEOUT=seconds)
        self.command = [*program, *self.machine.arguments]

    def running(self):
        return running(self.command, self.machine.environment, self.said)


def test_a_first_boot_does_not_end_too_early(campaign, one_world, programs, tmp_path):
    def jumped(jump):
        boot = Boot(one_world, programs("ovm-template-config"), tmp_path / str(jump), LIMIT)
        with boot.running() as process:
            boot.host.wait_for("waiting")
            boot.clock.jump(jump)
            boot.host.send((HOSTNAME, "web1"), (ROOT_PASSWORD, "s3cr3t"))
            assert process.wait(PATIENCE) == 0, boot.said.read_text()
        assert boot.machine.done == ONCE
        assert not boot.machine.asked
        assert boot.host.states()[-1] == "done"
        return jump

    campaign("ovm-template-config --initial-config", "the clock jumps").run(JUMPS, jumped)


def test_a_first_boot_ends_in_time(campaign, one_world, programs, tmp_path):
    def jumped(jump):
        boot = Boot(one_world, programs("ovm-template-config"), tmp_path / str(jump), 3)
        with boot.running() as process:
            boot.host.wait_for("waiting")
            boot.clock.jump(jump)
            assert process.wait(PATIENCE) == 3, boot.said.read_text()
        assert "have come within 3 seconds" in boot.said.read_text()
        assert boot.machine.asked
        assert boot.machine.done == []
        return jump

    campaign("ovm-template-config --initial-config", "the clock jumps, and nothing comes").run(JUMPS[:3], jumped)


@pytest.mark.parametrize("jump", (JUMPS[0], JUMPS[-1]))
def test_a_script_ends_in_time(one_world, programs, tmp_path, jump):
    machine, clock = Machine(tmp_path, one_world.guest.path), Clock(str(tmp_path))
    machine.add_script("hangs", 70, [], "touch %s; sleep 1000" % (tmp_path / "begun"))
    machine.environment.update(clock.environment)
    options = ["--logfile", str(machine.log), "--timeout", "2", "--stdin"]
    command = [*programs("ovm-template-config"), *options, "configure"]
    given = tmp_path / "given"
    given.write_text('{"%s": "s3cr3t"}\n' % ROOT_PASSWORD)
    with (
        given.open("rb") as source,
        subprocess.Popen(command, env=machine.environment, stdin=source, stderr=subprocess.PIPE, text=True) as process,
    ):
        wait_for((tmp_path / "begun").exists, machine.logged, lambda: time.sleep(0.02))
        clock.jump(jump)
        said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert "hangs" in said
    # The others have run.
    assert machine.done[-2:] == ONCE[-2:]
