# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_guest_event, run by ansible-playbook in a guest of the lab."""

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener
from ansible_collections.ovm.messaging.plugins.modules import ovm_guest_event
from lab.ovmapi import Device

# The event goes past XenStore, so that one of its daemons will do.
pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


def task(event, check=False, **options):
    return {"ovm_guest_event": dict(options, event=event), "check_mode": check}


@pytest.fixture
def state(play):
    with ParameterList(play.defaults["state_dir"]) as opened:
        yield opened


@pytest.fixture
def daemon(play, state):
    listener = Listener(play.defaults["state_dir"])
    yield listener
    listener.close()


def waiting(state):
    found = []
    while state.next_event():
        position, event, _begun = state.next_event()
        found.append(event)
        with state.writing():
            state.end_event(position)
    return found


def test_the_daemon_gets_the_event_each_time_and_in_check_mode_not(play, daemon, state):
    results = play(task("Suspend", check=True), task("Suspend"), task("user:post:a: b"), task("suspend"))
    assert waiting(state) == [parse("suspend"), parse("user:post:a: b"), parse("suspend")] and daemon.drain()
    assert all(result["changed"] for result in results)
    told = [[result[name] for name in ("type", "severity", "phase", "target")] for result in results]
    suspend = ["snapshot", "info", "pre", "suspend"]
    assert told == [suspend, suspend, ["user", "info", "post", None], suspend]


def test_what_cannot_be_passed_on_fails_and_says_why(play, state):
    alone, unknown, bad_phase, late, nowhere = play(
        task("reconfig"),
        task("nonsense", check=True),
        task("shutdown:soon:hunter2"),
        task("reconfig", check=True, xenstore_path="/no/such/xenstore"),
        task("reconfig", xenstore_path="/no/such/xenstore"),
    )
    assert alone["failed"] and alone["msg"] == (
        "the event reconfig:immediate was not passed on: no daemon listens at %s: "
        "start ovmd, or name the directory that it works with" % play.defaults["state_dir"]
    )
    assert unknown["failed"] and unknown["msg"].startswith("there is no event 'nonsense': use one of snapshot, ")
    assert bad_phase["failed"] and bad_phase["msg"].startswith("there is no phase 'soon' of the event 'shutdown'")
    assert late["changed"] and nowhere["failed"] and "/no/such/xenstore" in nowhere["msg"]
    assert waiting(state) == []


def test_the_kernels_driver_passes_it_on(play, tmp_path):
    device = Device(tmp_path)
    del play.defaults["xenstore_path"]
    play.defaults.update(backend="ovmapi", ovmapi_path=device.path)
    result = play(task("reconfig"), environment=device.environment())
    assert result["changed"] and result["target"] == "reconfigure" and device.counts()[:2] == (0, 0)


def test_the_examples_run_as_they_stand(play, daemon, state):
    tasks = yaml.safe_load(ovm_guest_event.EXAMPLES)
    results = play(
        *[{name.rpartition(".")[2]: value for name, value in each.items() if name != "name"} for each in tasks]
    )
    assert [result["target"] for result in results] == ["reconfigure", "suspend", "resume"] and len(waiting(state)) == 3
