# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first boot is killed (SIGKILL) at every step of it, and then done again: each ends as if nothing had been.

The steps are counted by doing it once undisturbed: before and after each exchange with XenStore,
each commit of the list, each rename, removal and sync of a file, the start and the end of each
script. Two lives go on from there: the program is started again within the same boot, or the
machine is reset: what is in memory and in XenStore is gone, and the host sends its messages again.
"""

import importlib
import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import private_database
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import initial, script
from lab.daemon import Daemon
from lab.guest import Guest

from .conftest import HOSTNAME, ONCE, ROOT_PASSWORD, Host, Machine

MESSAGES = [(HOSTNAME, "web1"), ("org.example.note", "x" * 5000), (ROOT_PASSWORD, "s3cr3t")]
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "programs", "ovm-template-config")
#: So many tests share the steps, each every so many of them.
PARTS = 4
#: What a step is: the object, and the name of its function.
STEPS = [
    (XenStore, "_exchange"),
    (private_database._Writing, "__enter__"),
    (private_database._Writing, "__exit__"),
    (os, "rename"),
    (os, "unlink"),
    (os, "fsync"),
    (subprocess.Popen, "__init__"),
    (script._Child, "close"),
    (initial.Note, "write"),
]


class Counter:
    """Counts steps, and kills this process at one of them.

    :param pipe: a descriptor; it gets a byte for each step.
    """

    def __init__(self, pipe, step):
        self.pipe, self.step, self.count = pipe, step, 0
        for owner, name in STEPS:
            setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, function):
        def stepping(*arguments, **more):
            self.moment()
            result = function(*arguments, **more)
            self.moment()
            return result

        return stepping

    def moment(self):
        self.count += 1
        os.write(self.pipe, b".")
        if self.count == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def first_boot(machine, step=0):
    """Do a first boot in a child, as the program does; killed at a step.

    :returns: the exit code, which is negative for a kill, and how many steps there were.
    """
    counted, pipe = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen by the measurement
        code = 99
        try:
            with open(machine.place / "errors", "ab", 0) as errors:
                os.dup2(errors.fileno(), 2)
            os.environ.clear()
            os.environ.update(machine.environment)
            # Imported by the fixture: that is most of a run.
            program, first = sys.modules["ovm_template_config"], sys.modules["ovm_template_config_first_boot"]
            session = program.Session(program.parse(machine.arguments), os.environ)
            Counter(pipe, step)
            code = first.initial_config(session)
        except BaseException:
            import traceback

            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    os.close(pipe)
    steps = b""
    while True:
        piece = os.read(counted, 65536)
        if not piece:
            break
        steps += piece
    os.close(counted)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), len(steps)


class Lives:
    """One guest, whose first boot is tried again and again.

    :ivar Machine machine: its files, anew for each try.
    """

    def __init__(self, daemon, store, place):
        self.guest = Guest(daemon, 5)
        self.place, self.number = place, 0
        self.host = Host(store, 5)

    def begin(self):
        """A clone that was never started."""
        self.number += 1
        folder = self.place / str(self.number)
        folder.mkdir()
        self.machine = Machine(folder, self.guest.path)
        self.machine.environment["OVM_OVF_DEVICES"] = ""
        self.machine.ask_for_it(SOURCES="messages")
        self.reset()

    def reset(self):
        """What is in memory, and in XenStore, is gone."""
        self.machine.boot()
        self.host.boot()
        self.host.send(*MESSAGES)

    def check(self, step):
        """All is as it should be after a first boot."""
        machine = self.machine
        assert not machine.asked, step
        # Each script has run to its end, in order, the last time that it began.
        assert machine.done[-len(ONCE) :] == ONCE, (step, machine.done)
        assert machine.given("network") == machine.given("authentication") == dict(MESSAGES), step
        assert self.host.states()[-1] == "done", (step, self.host.states())
        assert machine.held() == dict(MESSAGES[:2]), step
        assert not list(machine.place.glob(".*")) or step, "what a killed process was writing is the only litter"


@pytest.fixture(scope="module", params=["c", "ocaml"])
def lives(request, lab_parts, tmp_path_factory):
    if PROGRAM not in sys.path:
        sys.path.append(PROGRAM)
    importlib.import_module("ovm_template_config_first_boot")
    importlib.import_module("ovm_template_config")
    with Daemon(request.param) as daemon, XenStore(daemon.path) as store:
        found = Lives(daemon, store, tmp_path_factory.mktemp("kills"))
        found.kind = request.param
        yield found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("boot", ["same", "other"])
def test_killed_at_every_step(lives, boot, part):
    lives.begin()
    assert first_boot(lives.machine)[0] == 0
    lives.check(0)
    lives.begin()
    code, count = first_boot(lives.machine)
    assert code == 0 and count > 100
    tried = list(range(1 + part, count + 1, PARTS * (1 if lives.kind == "c" else 9)))
    ran_again = noted = 0
    for step in tried:
        lives.begin()
        machine = lives.machine
        code, steps = first_boot(machine, step)
        # Not every life has as many steps: one may end before it is killed.
        assert code == -signal.SIGKILL or (code == 0 and count - 10 < steps < step), (step, code, steps)
        assert machine.asked or step > count - 10, step  # the flag is the last to change
        before, has_note = list(machine.done), (machine.state / initial.NOTE).exists()
        asked = machine.asked
        if boot == "other" and asked:
            lives.reset()
        assert first_boot(machine)[0] == 0, (step, (machine.place / "errors").read_text(encoding="utf-8"))
        if boot == "same" and has_note or not asked:
            assert machine.done == before == ONCE, step  # what has run does not run again
            noted += 1
        else:
            assert machine.done == before + ONCE, (step, before, machine.done)
            ran_again += 1
        lives.check(step)
        # And the boot after that does nothing.
        lives.machine.boot()
        assert first_boot(machine) == (0, 0)
    print("%d steps of %d, %d ran again, %d went on" % (len(tried), count, ran_again, noted))
    # After another boot only those of the very last steps go on, and not each part has one.
    assert ran_again and ran_again + noted == len(tried) and (noted or lives.kind != "c" or boot == "other")


def test_killed_again_and_again(lives):
    """Each start comes one step further than the one before."""
    lives.begin()
    code, step = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        step += 1
        code, _steps = first_boot(lives.machine, step)
    assert code == 0 and step > 10
    lives.check(step)
