# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between a client and the gateway: cut, silent and slow, at each byte of a TLS connection.

What a client is told to be sent has arrived once. Where nobody knows, it has at most once, and where it failed it has
not. Nothing takes longer than it may, and every error names what is wrong with which manager.
"""

import contextlib
import json
import os
import re
import subprocess
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import OutcomeUnknown, Unreachable
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from faults.hosts import COMMAND, DONE, FAILED, MODULE, UNKNOWN, XenHost, until
from faults.injector import PATIENCE
from faults.wire import CLOSED, DOWN, RESET, SILENT, UP, Wire
from lab.gateway import Gateway

#: The limits of a gateway that many connections share are not theirs to run into.
ROOMY = {
    "limits.requests_per_second": 100000,
    "limits.requests_burst": 100000,
    "limits.connections_per_client": 1000,
    "sessions.per_user": 10000,
}
#: What an error says of a connection that breaks, or is too slow.
BROKEN = re.compile(
    r"the manager at 127\.0\.0\.1:\d+ "
    r"(cannot be reached \((the connection broke|Connection reset by peer|Broken pipe)\)"
    r"|did not answer in time)"
)
#: How a connection ends, and in which direction.
CUTS = [(how, direction) for how in (RESET, CLOSED) for direction in (UP, DOWN)]


class Line:
    """A gateway, a guest behind it and a wire before it; and what was sent and has arrived."""

    def __init__(self, site, gateway, wire):
        self.site, self.gateway, self.wire = site, gateway, wire
        self.outcomes, self.arrived, self.number = {}, [], 0

    def manager(self, **options):
        login = {"username": self.gateway.username, "password": self.gateway.password, "ca_path": self.gateway.ca}
        where = Connection(
            self.wire.host, self.wire.port, **dict({"timeout": PATIENCE, "retries": 0}, **login, **options)
        )
        return Manager(where, sleep=lambda _seconds: None)

    def next(self):
        """A value that nobody has sent yet."""
        self.number += 1
        return b"value %d" % self.number

    def send(self, **options):
        """Log in, look for the machine and send.

        :returns: the outcome, and the Problem or None.
        """
        value = self.next()
        with contextlib.closing(self.manager(**options)) as manager:
            try:
                manager.send(find(manager.vms(), self.site.vm), [(b"key", value)])
                outcome = DONE, None
            except OutcomeUnknown as problem:
                outcome = UNKNOWN, problem
            except Unreachable as problem:
                outcome = FAILED, problem
        self.outcomes[value] = outcome[0]
        if outcome[1]:
            assert BROKEN.search(str(outcome[1])), str(outcome[1])
            assert value.decode() not in str(outcome[1])
        self.check()
        return outcome

    def check(self):
        """What has arrived is what was told."""
        self.arrived += [value for _key, value in self.site.takes()]
        for value in set(self.outcomes) | set(self.arrived):
            count, outcome = self.arrived.count(value), self.outcomes[value]
            assert count <= 1, "it arrived %d times" % count
            assert (count, outcome) not in ((0, DONE), (1, FAILED)), "%s, and it arrived %d times" % (outcome, count)

    def settled(self):
        """The gateway has finished all that was asked of it."""
        self.wire.plan()
        with contextlib.closing(self.manager()) as manager:
            until(lambda: not manager.session.get("Job/active"), "jobs do not end")
        self.check()

    def environment(self):
        return dict(
            self.gateway.environment(),
            LC_ALL="C",
            PATH=os.environ["PATH"],
            PYTHONPATH=os.environ["PYTHONPATH"],
            OVM_HOST=self.wire.host,
            OVM_PORT=str(self.wire.port),
        )

    def run(self, command, given):
        """Run a program: exit code, standard output, standard error."""
        done = subprocess.run(
            command, input=given, capture_output=True, env=self.environment(), timeout=PATIENCE, check=False
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def lengths(self, work):
        """How many bytes pass in each direction while something is done once, undisturbed."""
        self.wire.plan()
        work()
        return dict(self.wire.passed)


@pytest.fixture(scope="module")
def line(lab_parts):
    with XenHost("c") as site, Gateway(site.daemon, options=ROOMY) as gateway, Wire(gateway.host, gateway.port) as wire:
        made = Line(site, gateway, wire)
        until(lambda: made.send()[0] == DONE if _knows(made) else False, "the gateway does not know the guest")
        yield made


def _knows(line):
    with contextlib.closing(line.manager()) as manager:
        return [vm for vm in manager.vms() if vm.id == line.site.vm]


@pytest.mark.parametrize("how, direction", CUTS)
def test_cut_at_each_byte(campaign, line, how, direction):
    length = line.lengths(line.send)[direction]
    seen = set()

    def cut(place):
        line.wire.plan(direction, place, how)
        outcome, _problem = line.send()
        seen.add(outcome)
        return line.wire.struck or None

    # All of what the last request is, and most of the handshake.
    places = list(range(0, length, 2))
    campaign("REST client", "connection %s, %s" % (how, direction)).run(places, cut)
    line.settled()
    assert {FAILED, UNKNOWN} <= seen


@pytest.mark.parametrize("how, direction", CUTS)
def test_cut_once_and_tried_again(campaign, line, how, direction):
    """What only reads is asked for again, and so is what was not begun to be sent. Only a send is not."""
    length = line.lengths(line.send)[direction]
    outcomes = []

    def cut(place):
        line.wire.plan(direction, place, how)
        outcomes.append(line.send(retries=2)[0])
        return line.wire.struck or None

    places = list(range(0, length, 11))
    campaign("REST client", "connection %s once, %s" % (how, direction)).run(places, cut)
    line.settled()
    assert set(outcomes) <= {DONE, UNKNOWN}
    assert outcomes[0] == DONE


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_silent_from_some_byte_on(campaign, line, direction):
    length = line.lengths(line.send)[direction]

    def silent(place):
        line.wire.plan(direction, place, SILENT, times=None)
        began = time.monotonic()
        outcome, problem = line.send(timeout=0.5, connect_timeout=0.5)
        assert time.monotonic() - began < PATIENCE / 2
        assert outcome in (FAILED, UNKNOWN)
        assert "did not answer in time" in str(problem)
        line.wire.drop()
        return line.wire.struck or None

    places = list(range(0, length, length // 12))
    campaign("REST client", "silence, %s" % direction).run(places, silent)
    line.settled()


@pytest.mark.parametrize("piece, pause", [(1, 0.0), (100, 0.005)])
def test_a_slow_network_is_only_slow(line, piece, pause):
    line.wire.plan(piece=piece, pause=pause)
    assert line.send()[0] == DONE
    line.settled()


# --- programs ---------------------------------------------------------------------------

#: Exit code of ovm_vmmessage -> what it stands for.
CODES = {0: DONE, 7: FAILED, 10: UNKNOWN}


def cut_at_some_places(campaign, program, line, how, direction, send):
    """Send again and again, and break the connection a tenth further each time."""
    length = line.lengths(send)[direction]

    def cut(place):
        line.wire.plan(direction, place, how)
        send()
        return line.wire.struck or None

    places = list(range(0, length, length // 10))
    campaign(program, "connection %s, %s" % (how, direction)).run(places, cut)
    line.settled()


ARGUMENTS = ["-v", "web1", "-k", "key", "--value-from-stdin", "--timeout", "30"]


@pytest.mark.parametrize("how, direction", CUTS)
def test_ovm_vmmessage(campaign, line, how, direction):
    def send():
        value = line.next()
        code, out, err = line.run([*COMMAND, *ARGUMENTS], value)
        assert code in CODES, err
        line.outcomes[value] = CODES[code]
        if code:
            assert err.count("\n") == 1
            assert err.startswith("ovm_vmmessage: "), err
            assert BROKEN.search(err), err
        assert value.decode() not in out + err
        line.check()

    cut_at_some_places(campaign, "ovm_vmmessage", line, how, direction, send)


@pytest.mark.parametrize("how, direction", CUTS)
def test_ovm_vm_message(campaign, line, how, direction):
    def send():
        value = line.next()
        options = {"vm": "web1", "messages": {"key": value.decode()}, "force": True}
        code, out, err = line.run(MODULE, json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
        assert not err
        result = json.loads(out)
        said = result.get("msg", "")
        assert (code == 0) == (not result.get("failed")), out
        line.outcomes[value] = UNKNOWN if "it is not known whether" in said else FAILED if code else DONE
        if code:
            assert BROKEN.search(out), out
        line.check()

    cut_at_some_places(campaign, "ovm_vm_message", line, how, direction, send)
