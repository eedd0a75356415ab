# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ovm_vm_message on the Xen host itself: killed at each system call, and each that can fail fails.

It collects what the guest has sent, and sends. What it collects is stored once; what it sends arrives whole, and once
where it says so. ovm_vmmessage and the module over REST touch nothing of the host: of those only that they die in midst
of it, and that nobody is harmed.
"""

import json
import os
import shutil
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import INCOMING, RECEIVED, MessageStore
from faults.guests import failures, told
from faults.hosts import COMMAND, FILES, MODULE, XenHost, until
from faults.injector import Traced, chosen, kill
from lab.daemon import KINDS
from lab.gateway import Gateway

SAID = [(b"one", b"1"), (b"two", b"v" * 5000), (b"one", b"3")]
SENT = {"to.guest": "a" * 200, "more": "b"}
EXPECTED = sorted((key.encode(), value.encode()) for key, value in SENT.items())
#: Of the faults that strike at least: how often it asks XenStore depends on when events come.
SHARE = 0.8
UNKNOWN = ("is not known", "it is not known whether")


class Module:
    """The module, with a guest that has sent something, and a state directory that is new each time."""

    def __init__(self, site, folder):
        self.site, self.state, self._log = site, str(folder / "state"), folder / "trace"

    def run(self, fault=()):
        """Run it once: exit code and what it says, and the Traced."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.site.renew()
        self.site.says(SAID)
        return self.again(fault)

    def again(self, fault=()):
        """Run it as it is."""
        options = {
            "transport": "xenstore",
            "xenstore_path": self.site.daemon.path,
            "state_dir": self.state,
            "vm": "web1",
            "messages": SENT,
        }
        with Traced(
            MODULE,
            self._log,
            [self.state],
            fault,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as run:
            code, out, err = run.communicate(json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
        return code, out.decode(), err.decode(), run

    def check(self, arrived, outcome):
        """What holds after it was run once more.

        :param arrived: what the first run has brought to the guest.
        :param outcome: whether the first run said that it was sent; None where it did not know, or did not say.
        """
        assert arrived in ([], EXPECTED), "a part of it arrived"
        assert outcome is None or outcome == bool(arrived), "it said %s; arrived is %s" % (outcome, arrived)
        with MessageStore(self.state) as store:
            received = [(message.key, message.value) for message in store.messages(self.site.vm, RECEIVED)]
            events = [event.message[3:5] for event in store.events() if event.type == INCOMING]
        assert received == SAID, "stored is %s" % [(key, len(value)) for key, value in received]
        assert events == SAID, "the events are %s" % [(key, len(value)) for key, value in events]
        assert self.site.uncollected() == 0
        assert set(os.listdir(self.state)) <= FILES, os.listdir(self.state)


@pytest.fixture(params=KINDS)
def module(request, lab_parts, tmp_path):
    with XenHost(request.param) as site:
        made = Module(site, tmp_path)
        code, out, err, run = made.run()
        assert (code, err) == (0, ""), out + err
        made.points = run.points()
        made.check(sorted(site.takes()), True)
        yield made


def test_killed(campaign, module):
    def killed(point):
        code, out, _err, run = module.run(kill(point))
        arrived = sorted(module.site.takes())
        assert code in (0, -9), out
        # The same again collects the rest.
        code, out, err, _run = module.again()
        assert (code, err) == (0, ""), out + err
        module.check(arrived, None)
        # What was remembered of a send that is not known to have come to its end is no reason not to send.
        assert sorted(arrived + module.site.takes()) in (EXPECTED, sorted(EXPECTED * 2))
        return run.hit

    campaign("ovm_vm_message", "killed, on the host", module.site.kind).run(
        chosen(module.points, 5), killed, least=SHARE
    )


def test_calls_fail(campaign, module):
    def failed(failure):
        code, out, err, run = module.run(failure.fault)
        arrived = sorted(module.site.takes())
        result = json.loads(out)
        assert (code, err) == (int(bool(result.get("failed"))), ""), out + err
        outcome = code == 0
        if code:
            told(code, result["msg"], failure, (1,))
            if any(text in result["msg"] for text in UNKNOWN):
                outcome = None
            elif arrived:
                # It has arrived, and something else is wrong.
                assert "reached 'web1', but cannot be remembered" in result["msg"], out
                outcome = True
        code, out, err, _run = module.again()
        assert (code, err) == (0, ""), out + err
        module.check(arrived, outcome)
        module.site.takes()
        return run.hit

    points = failures(chosen(module.points, 2))
    campaign("ovm_vm_message", "a call fails, on the host", module.site.kind).run(points, failed, least=SHARE)


# --- clients of the gateway -------------------------------------------------------------


@pytest.fixture
def gateway(lab_parts):
    with XenHost("c") as site, Gateway(site.daemon, options={"limits.requests_burst": 100000}) as made:
        made.site = site
        yield made


CLIENTS = {
    "ovm_vmmessage": ([*COMMAND, "-v", "web1", "-k", "key", "--value-from-stdin", "--log"], "%s"),
    "ovm_vm_message": (MODULE, '{"ANSIBLE_MODULE_ARGS": {"vm": "web1", "messages": {"key": "%s"}, "force": true}}'),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_killed(campaign, gateway, tmp_path, name):
    """What it had sent arrives whole, once; its job comes to its end without it."""
    command, form = CLIENTS[name]
    environment = dict(
        gateway.environment(), LC_ALL="C.UTF-8", PATH=os.environ["PATH"], PYTHONPATH=os.environ["PYTHONPATH"]
    )
    arrived, sent = [], []

    def run(fault=()):
        sent.append(b"value %d" % len(sent))
        with Traced(
            command, tmp_path / "trace", [], fault, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as traced:
            code, _out, _err = traced.communicate((form % sent[-1].decode()).encode())
        assert code in (0, -9)
        return traced

    until(lambda: "web1" in _names(gateway), "the gateway does not know the guest")
    points = run().points()
    arrived += [value for _key, value in gateway.site.takes()]
    assert arrived == sent

    def killed(point):
        hit = run(kill(point)).process.returncode != 0 or None
        arrived.extend(value for _key, value in gateway.site.takes())
        assert len(set(arrived)) == len(arrived), "something arrived twice"
        assert hit or sent[-1] in arrived, "it said that it was sent"
        return hit

    campaign(name, "killed, over REST").run(chosen(points, 40), killed, least=0.8)
    code = gateway.stop()  # which lets what was begun come to its end
    assert code == 0
    with MessageStore(gateway.directory) as store:
        assert {job.state for job in store.jobs()} == {"SUCCESS"}
        jobs = len(store.jobs())
    arrived += [value for _key, value in gateway.site.takes()]
    assert len(set(arrived)) == len(arrived) == jobs
    assert set(arrived) <= set(sent)


def _names(gateway):
    from faults.hosts import manager_of

    with manager_of(gateway) as manager:
        return [vm.name for vm in manager.vms()]
