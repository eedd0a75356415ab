# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ovmd -s``: a target with the parameters held."""

import json
import os
import signal
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import parse_lines
from ansible_collections.ovm.messaging.tests.integration.daemon.conftest import CHECKOUT

BAD_INPUT, NO_CHANNEL = 2, 3

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


def test_it_gets_the_list_and_the_names_of_the_secrets(run, other_side, template_config):
    other_side.send(b"received", b"1")
    assert run("--set-secret=my secret", stdin=b"SECRET")[0] == 0
    assert run(b"-p", b'k\xff=\x80\xc3\xbc\n"', "-s", "configure") == (0, b"", b"")
    assert template_config.runs() == ["begin configure", "end configure"]
    found, repeated = parse_lines(template_config.input("configure"))
    assert repeated == []
    assert found == {"received": "1", "my secret": "SECRET", "k\udcff": '\udc80ü\n"'}
    arguments = template_config.arguments("configure")
    assert arguments.startswith(b"--stdin --secret my secret --report ") and arguments.endswith(b" configure")
    assert b"SECRET" not in arguments


def test_many_parameters(run, other_side, template_config):
    """More than fits into a pipe at once."""
    words = [word for number in range(40) for word in ("-p", "k%d=%s" % (number, "v" * 8000))]
    assert run(*words, "-s", "cleanup")[0] == 0
    assert len(parse_lines(template_config.input("cleanup"))[0]) == 40


@pytest.mark.parametrize("target", ["configure", "reconfigure"])
def test_it_reports_how_a_configuration_went(run, other_side, template_config, target):
    template_config.result(target, json.dumps({"failed": [], "scripts": [{"name": "a", "status": "ok"}]}))
    assert run("-s", target) == (0, b"", b"")
    other_side.receive()
    states = [json.loads(value) for value in other_side.reported(b"configuration")]
    assert [state["state"] for state in states] == [report.RUNNING, report.DONE]
    assert {state["target"] for state in states} == {target} and states[1]["scripts"][0]["name"] == "a"


def test_other_targets_are_not_reported(run, other_side, template_config):
    assert run("-s", "cleanup") == (0, b"", b"")
    other_side.receive()
    assert other_side.reported(b"configuration") == []


@pytest.mark.parametrize("code", [1, 3, 70])
def test_the_exit_code_is_that_of_the_run_and_a_failure_is_reported(run, other_side, template_config, code):
    template_config.path.write_text("#!/bin/sh\nexit %d\n" % code)
    assert run("-s", "configure", "-x") == (code, b"", b"")
    other_side.receive()
    last = json.loads(other_side.reported(b"configuration")[-1])
    assert (
        last["state"] == report.FAILED and last["message"] == "ovm-template-config ended with the exit code %d" % code
    )


@pytest.mark.parametrize("garbage", [b"[]", b"nonsense", b'{"failed": 1, "scripts": []}', b"\xff"])
def test_a_result_that_makes_no_sense(run, other_side, template_config, garbage):
    (template_config.folder / "result.configure").write_bytes(garbage)
    assert run("-s", "configure")[0] == 0
    other_side.receive()
    assert json.loads(other_side.reported(b"configuration")[-1])["state"] == report.DONE


def test_a_host_that_cannot_be_told_stops_nothing(run, template_config, make_guest):
    closed = {"XENSTORED_PATH": make_guest(6, prepare=False).path}
    assert run("-s", "configure", more=closed) == (0, b"", b"")
    assert template_config.runs() == ["begin configure", "end configure"]


def test_what_is_reported_is_a_choice(run, other_side, template_config):
    assert run("-s", "configure", more={"OVM_REPORTS": "held"}) == (0, b"", b"")
    other_side.receive()
    assert other_side.reported(b"configuration") == []


def test_a_target_that_is_none(run, guest, template_config):
    code, out, err = run("-s", "frobnicate")
    assert (code, out) == (BAD_INPUT, b"") and template_config.runs() == []
    assert err.startswith(b"ovmd: there is no target 'frobnicate': use one of configure, unconfigure, ")


def test_the_program_is_looked_for_beside_ovmd_and_in_the_path(
    run,
    programs,
    pythons,
    guest,
    template_config,
    environment,
    tmp_path,  # noqa: F811 - fixtures
):
    del environment["OVM_TEMPLATE_CONFIG"]
    place = tmp_path / "sbin"
    place.mkdir()
    ovmd = place / "ovmd"
    ovmd.write_bytes(programs(next(iter(pythons))).read_bytes())
    ovmd.chmod(0o755)
    code, out, err = run("-s", "configure", command=[str(ovmd)], more={"PATH": "/missing"})
    assert (code, out) == (NO_CHANNEL, b"")
    assert err == (
        b"ovmd: the program ovm-template-config is not installed: "
        b"install it beside ovmd, or let OVM_TEMPLATE_CONFIG name it\n"
    )
    found = {"PATH": "/missing:%s:/usr/bin:/bin" % template_config.folder}
    assert run("-s", "configure", command=[str(ovmd)], more=found)[0] == 0
    assert template_config.runs() == ["begin configure", "end configure"]
    (place / "ovm-template-config").write_text("#!/bin/sh\nexit 42\n")
    (place / "ovm-template-config").chmod(0o755)
    assert run("-s", "configure", command=[str(ovmd)], more=found)[0] == 42


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_the_end_is_reported(environment, other_side, template_config, number):
    template_config.gate("configure")
    process = subprocess.Popen([*CHECKOUT, "-s", "configure"], env=environment)
    template_config.wait_for("begin configure")
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    other_side.receive()
    last = json.loads(other_side.reported(b"configuration")[-1])
    assert last["state"] == report.FAILED and "%d" % (128 + number) in last["message"]


def test_a_program_that_reads_nothing_and_one_that_leaves_something_behind(run, guest, template_config, folder):
    words = [word for number in range(40) for word in ("-p", "k%d=%s" % (number, "v" * 8000))]
    template_config.path.write_text("#!/bin/sh\nexit 0\n")
    assert run(*words, "-s", "configure") == (0, b"", b"")
    # What stays has the descriptor of the result; nobody waits for that.
    pid = os.path.join(folder, "pid")
    template_config.path.write_text("#!/bin/sh\ncat >/dev/null\nsleep 600 >/dev/null 2>&1 &\necho $! > %s\n" % pid)
    assert run("-s", "configure") == (0, b"", b"")
    with open(pid) as source:
        os.kill(int(source.read()), signal.SIGKILL)


def test_a_program_that_cannot_be_started(run, guest, template_config):
    template_config.path.write_text("#!/missing/interpreter\n")
    assert run("-s", "cleanup")[0] == 127


def test_a_caller_that_ignores_the_end_of_children(run, guest, template_config):
    template_config.path.write_text("#!/bin/sh\nexit 9\n")
    ignoring = ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh", *CHECKOUT]
    assert run("-s", "cleanup", command=ignoring) == (9, b"", b"")
