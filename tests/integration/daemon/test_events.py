# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events and the targets that they run."""

import json
import os
import signal

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList

NEVER = "86400"
NOT_HEARD, BAD_INPUT, NO_CHANNEL = 6, 2, 3


@pytest.mark.parametrize(
    "event, target",
    [
        (b"snapshot:pre", "suspend"),
        (b"snapshot:post", "resume"),
        (b"migrate", "migrate"),
        (b"shutdown", "shutdown"),
        (b"reconfig", "reconfigure"),
    ],
)
def test_an_event_of_the_host_runs_its_target(start, other_side, template_config, event, target):
    template_config.enable(target)
    start("-t", NEVER)
    other_side.send(b"k", b"v")
    other_side.event(event)
    template_config.wait_for("begin " + target, "end " + target)
    assert template_config.input(target) == b'{"k": "v"}\n'


def test_an_event_of_this_guest_runs_its_target_at_once(start, run, template_config):
    template_config.enable("resume")
    start("-t", NEVER)
    assert run("-e", "resume") == (0, b"", b"")
    template_config.wait_for("begin resume", "end resume")


def test_targets_run_in_order_and_one_at_a_time_and_block_nothing(start, run, other_side, template_config):
    template_config.enable("suspend", "resume", "migrate")
    template_config.gate("suspend")
    ovmd = start("-t", NEVER)
    for event in ("suspend", "resume", "migrate:pre"):
        assert run("-e", event)[0] == 0
    template_config.wait_for("begin suspend")
    other_side.send(b"meanwhile", b"1")
    other_side.wait_until_held(b"meanwhile", b"1")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("suspend as process")
    ovmd.wait_for("the event snapshot:pre is next")
    assert template_config.runs() == ["begin suspend"]
    template_config.open("suspend")
    template_config.wait_for(
        "begin suspend", "end suspend", "begin resume", "end resume", "begin migrate", "end migrate"
    )


def test_what_becomes_of_a_configuration_is_reported(start, run, other_side, template_config):
    template_config.enable("reconfigure")
    scripts = [
        {"name": "network", "priority": 50, "status": "failed", "changed": None, "seconds": 1.5, "message": "no such"}
    ]
    template_config.result("reconfigure", json.dumps({"failed": ["network"], "changed": True, "scripts": scripts}))
    template_config.gate("reconfigure")
    ovmd = start("-t", NEVER)
    assert run("-e", "reconfig")[0] == 0
    other_side.wait_for(lambda: other_side.report().configuration().get("state") == report.RUNNING, "running")
    template_config.open("reconfigure", 1)
    other_side.wait_for(lambda: other_side.report().configuration().get("state") == report.FAILED, "failed")
    found = other_side.report().configuration()
    assert found["failed"] == ["network"] and found["target"] == "reconfigure"
    assert found["scripts"][0]["message"] == "no such"
    ovmd.wait_for("the target reconfigure failed with the exit code 1")


def test_other_targets_are_not_reported(start, run, other_side, template_config):
    template_config.enable("resume")
    ovmd = start("-t", NEVER)
    run("-e", "resume")
    ovmd.wait_for("the target resume was run")
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    assert other_side.reported(b"configuration") == []


def test_what_runs_nothing_is_logged_without_its_text(start, run, other_side, template_config):
    template_config.enable("configure")
    ovmd = start("-t", NEVER)
    for event in ("user:pre:SECRET", "system", "new-param", "ip-address"):
        assert run("-e", event)[0] == 0
    other_side.event(b"nonsense:SECRET")
    ovmd.wait_for("message 1 from the host was passed over: there is no event 'nonsense'")
    ovmd.wait_for("the event user:pre (6 bytes)")
    ovmd.wait_for("the event ip-address:immediate")
    assert "SECRET" not in ovmd.said() and template_config.runs() == []


def test_no_script_enabled_for_it(start, run, template_config):
    ovmd = start("-t", NEVER)
    run("-e", "resume")
    ovmd.wait_for("the event snapshot:post (0 bytes): the target resume is not run: no script is enabled for it")
    assert template_config.runs() == []


def test_no_program(start, run, template_config, environment):
    template_config.enable("resume")
    ovmd = start("-t", NEVER, more={"OVM_TEMPLATE_CONFIG": "/missing/program"})
    run("-e", "resume")
    ovmd.wait_for("the target resume is not run: the program /missing/program cannot be run")
    template_config.path.unlink()
    ovmd.stop()
    del environment["OVM_TEMPLATE_CONFIG"]
    ovmd = start("-t", NEVER, more={"PATH": "/missing"})
    run("-e", "resume")
    ovmd.wait_for("the target resume is not run: the program ovm-template-config is not installed")


def test_nobody_hears_an_event_where_there_is_no_daemon(start, run, template_config):
    template_config.enable("resume")
    code, out, err = run("-e", "resume")
    assert (code, out) == (NOT_HEARD, b"") and err.count(b"\n") == 1
    assert err.startswith(b"ovmd: the event snapshot:post was not passed on: ")
    start("-t", NEVER)
    code, _out, err = run("-e", "frobnicate")
    assert code == BAD_INPUT and err.startswith(b"ovmd: there is no event 'frobnicate': use one of snapshot, ")
    assert template_config.runs() == []


# Deaths


def test_a_run_outlives_its_daemon_and_the_next_one_waits_for_it(start, run, template_config):
    template_config.enable("suspend", "resume")
    template_config.gate("suspend")
    ovmd = start("-t", NEVER)
    run("-e", "suspend")
    run("-e", "resume")
    template_config.wait_for("begin suspend")
    ovmd.kill()
    ovmd = start("-t", NEVER)
    ovmd.signal(signal.SIGHUP)
    ovmd.wait_for("looking at everything anew")
    assert template_config.runs() == ["begin suspend"]
    template_config.open("suspend")
    template_config.wait_for("begin suspend", "end suspend", "begin resume", "end resume")


def test_a_daemon_that_ends_leaves_the_run_to_itself(start, run, other_side, template_config):
    template_config.enable("reconfigure")
    template_config.gate("reconfigure")
    ovmd = start("-t", NEVER)
    run("-e", "reconfigure")
    template_config.wait_for("begin reconfigure")
    assert ovmd.stop() == 0
    assert "the target reconfigure goes on as process " in ovmd.said()
    template_config.open("reconfigure")
    other_side.wait_for(lambda: other_side.report().configuration().get("state") == report.DONE, "done")
    start("-t", NEVER)
    assert template_config.runs() == ["begin reconfigure", "end reconfigure"]


def children(pid):
    """All processes below one, as the kernel has them."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as source:
        found = [int(word) for word in source.read().split()]
    return found + [each for child in found for each in children(child)]


def kill_with_run(ovmd):
    """End the daemon and all that it started, as a crash of the system would."""
    victims = children(ovmd.pid)
    os.kill(ovmd.pid, signal.SIGSTOP)  # it must not see its child die
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    ovmd.kill()


def test_a_run_that_was_cut_off_with_the_daemon_is_run_again_but_not_for_ever(start, run, template_config, environment):
    template_config.enable("suspend", "resume")
    template_config.gate("suspend")
    ovmd = start("-t", NEVER)
    run("-e", "suspend")
    run("-e", "resume")
    for attempt in range(1, 4):
        template_config.wait_for(*["begin suspend"] * attempt)
        kill_with_run(ovmd)
        ovmd = start("-t", NEVER)
    template_config.wait_for(*["begin suspend"] * 3, "begin resume", "end resume")
    ovmd.wait_for("the event snapshot:pre (0 bytes) is dropped, as 3 runs of the target suspend were cut off")
    ovmd.wait_for("the target resume was run")
    with ParameterList(environment["OVM_STATE_DIR"]) as parameters:
        assert parameters.next_event() is None


def test_a_run_that_dies_alone_is_not_repeated(start, run, template_config):
    template_config.enable("suspend", "resume")
    template_config.gate("suspend")
    ovmd = start("-t", NEVER)
    run("-e", "suspend")
    run("-e", "resume")
    template_config.wait_for("begin suspend")
    for victim in children(ovmd.pid):
        os.kill(victim, signal.SIGKILL)
    template_config.wait_for("begin suspend", "begin resume", "end resume")


# By units

SYSTEMCTL = """#!/bin/sh
echo "$*" >> %s
exit %d
"""


@pytest.mark.parametrize("code", [0, 5])
def test_units(start, run, template_config, folder, code):
    template_config.enable("resume")
    systemctl, log = os.path.join(folder, "systemctl"), os.path.join(folder, "systemctl.log")
    with open(systemctl, "w") as script:
        script.write(SYSTEMCTL % (log, code))
    os.chmod(systemctl, 0o755)
    ovmd = start("-t", NEVER, "--units", more={"PATH": folder + ":/usr/bin:/bin"})
    run("-e", "resume")
    ovmd.wait_for("the target resume " + ("failed with the exit code 5" if code else "was run"))
    with open(log) as found:
        assert found.read() == "start ovm-template-config@resume.service\n"
    run("-e", "suspend")
    ovmd.wait_for("the target suspend is not run: no script is enabled for it")


def test_units_without_systemctl(start, run, template_config):
    template_config.enable("resume")
    ovmd = start("-t", NEVER, "--units", more={"PATH": "/missing"})
    run("-e", "resume")
    ovmd.wait_for("the target resume is not run: there is no systemctl")
