# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody sets the clock of the Xen host, by an hour or by decades: it makes no difference to messages.

They go both ways, are kept in their order, and an answer that was given after the jump is found, whatever time it has.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.delivery import Request, deliver
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import Wanted
from faults.clock import JUMPS, Clock
from faults.hosts import MODULE, XenHost, manager_of, until
from faults.injector import PATIENCE
from lab.daemon import KINDS
from lab.gateway import PROGRAM, Gateway

#: To each of them and back to each.
TO_AND_FRO = [*JUMPS, *reversed(JUMPS[:-1])]
# What is too old is dropped, as it should be; this is not about that.
KEPT = {"retention.days": 36500}


@pytest.fixture(params=KINDS)
def site(request, lab_parts):
    with XenHost(request.param) as made:
        yield made


class Answering:
    """A guest that answers what it is sent, when somebody has set the clock. A context manager."""

    def __init__(self, site, clock):
        self._site, self._clock, self.said = site, clock, []

    @contextlib.contextmanager
    def after(self, jump):
        """Meanwhile it is sent something, the clock jumps, and it answers: always the same."""
        answering = threading.Thread(target=self._answer, args=(jump,), daemon=True)
        answering.start()
        yield
        answering.join()

    def _answer(self, jump):
        until(self._site.takes, "nothing is sent")
        self._clock.jump(jump)
        # One that is known to be new by its number alone would prove nothing.
        self.said += [(b"other", b"%d" % jump), (b"state", b"done")]
        self._site.says(self.said[-2:])


def test_the_gateway(campaign, site, tmp_path):
    clock = Clock(str(tmp_path))
    guest = Answering(site, clock)
    preloaded = ["env", *("%s=%s" % pair for pair in clock.environment.items()), sys.executable, PROGRAM]
    with (
        Gateway(site.daemon, options=KEPT, command=preloaded) as gateway,
        contextlib.closing(manager_of(gateway)) as manager,
    ):
        until(lambda: _names(manager), "the gateway does not know the guest")

        def jumped(jump):
            number = b"%d" % len(guest.said)
            request = Request(
                [Wanted(b"key", number, False)], True, answers=[Condition(b"state", "^done$")], timeout=PATIENCE,
                interval=0.05,
            )  # fmt: skip
            with guest.after(jump):
                (found,) = deliver(manager, ["web1"], request)
            assert found.problem is None, str(found.problem)
            assert found.answers == {b"state": b"done"}
            until(lambda: not site.uncollected(), gateway.said)
            vm = found.vm
            assert [(record.key, record.value) for record in manager.received(vm)] == guest.said
            assert [(record.key, record.value) for record in manager.sent(vm)][-1] == (b"key", number)
            assert "Traceback" not in gateway.said()
            return jump

        campaign("ovm-gateway", "the clock jumps", site.kind).run(TO_AND_FRO, jumped)
        assert gateway.stop() == 0


def _names(manager):
    manager._vms = None
    return [vm.name for vm in manager.vms()]


def test_the_module_on_the_host(campaign, site, tmp_path):
    state = tmp_path / "state"

    def jumped(jump):
        # Its clock is its own, and right when it starts.
        folder = tmp_path / str(jump)
        folder.mkdir(exist_ok=True)
        clock = Clock(str(folder))
        options = {
            "transport": "xenstore",
            "xenstore_path": site.daemon.path,
            "state_dir": str(state),
            "vm": "web1",
            "messages": {"key": str(time.monotonic())},
            "wait_for": [{"key": "state", "pattern": "^done$"}],
            "wait_timeout": PATIENCE,
        }
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "LC_ALL": "C.UTF-8",
            **clock.environment,
        }
        with Answering(site, clock).after(jump):
            began = time.monotonic()
            done = subprocess.run(
                MODULE,
                input=json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode(),
                capture_output=True,
                env=environment,
                timeout=2 * PATIENCE,
                check=False,
            )
        result = json.loads(done.stdout)
        assert not result.get("failed"), result
        assert result["answers"] == {"state": "done"}
        assert time.monotonic() - began < PATIENCE
        return jump

    campaign("ovm_vm_message", "the clock jumps, on the host", site.kind).run(JUMPS, jumped)
