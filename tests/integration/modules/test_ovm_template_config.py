# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_template_config, run by ansible-playbook, with the built program."""

import json
import os
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.programs import build
from lab.template_scripts import Folder

SECRET = "Xq7-hunter2-Xq7"
ONE_DAEMON = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return build.build("ovm-template-config", tmp_path_factory.mktemp("bin"), sys.executable, [sys.executable])[0]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "template.d")


@pytest.fixture
def task(tmp_path, folder, program):
    """A function that makes a task."""

    def task(target="configure", check=False, **options):
        options = dict({"target": target, "executable": str(program), "template_dir": str(folder.path)}, **options)
        environment = {"OVM_TEMPLATE_LOCK": str(tmp_path / "lock"), "OVM_TEMPLATE_LOG": str(tmp_path / "log")}
        return {"ovm_template_config": options, "check_mode": check, "environment": environment}

    return task


def test_a_target_with_parameters_of_all_kinds(play_without_guest, folder, task, tmp_path):
    note = tmp_path / "note"
    folder.add("one", "open('%s', 'w').write(text)" % note, "print(parameters)", "changed(True)", check=True)
    folder.add("two", "changed(False)", priority=60, check=True)
    given = {"x.text": "\u00fc", "x.number": 5, "x.on": True, "x.list": [1]}
    secret = {"x.pin": SECRET}
    check, result, same = play_without_guest(
        task(params=given, check=True, script="two"),
        task(params=given, secret_params=secret),
        task(params=given, script="two"),
    )
    assert not check["changed"] and not same["changed"] and result["changed"] and not result["failed"]
    names = [(script["name"], script["priority"], script["status"], script["changed"]) for script in result["scripts"]]
    assert names == [("one", 50, "ok", True), ("two", 60, "ok", False)] and result["failed_scripts"] == []
    assert result["target"] == "configure" and "warnings" not in result
    text = {"x.text": "\u00fc", "x.number": "5", "x.on": "True", "x.list": "[1]", "x.pin": SECRET}
    assert json.loads(note.read_text()) == text
    assert SECRET not in play_without_guest.output + (tmp_path / "log").read_text()


def test_verbose_runs_tell_what_is_waited_for(play_without_guest, folder, task):
    folder.add("one", "changed(False)", check=True)
    play_without_guest(
        task(params={"x.text": SECRET}),
        task(script="one", script_timeout=5, lock_timeout=0),
        dict(task(), no_log=True),
        arguments=["-v"],
    )
    start = "<localhost> ovm.messaging.ovm_template_config: "
    assert [line[len(start) :] for line in play_without_guest.output.splitlines() if line.startswith(start)] == [
        "running the scripts for the target configure, up to 300 s each; another run is waited for up to 600 s",
        "running the script one for the target configure, up to 5 s; another run is waited for up to 0 s",
    ]
    assert SECRET not in play_without_guest.output


def test_scripts_that_fail_fail_the_task_and_it_says_which(play_without_guest, folder, task):
    folder.add("one", "raise ValueError('no')")
    folder.add("two", "raise Failed('no room')", priority=60)
    folder.add("three", "changed(False)", priority=70)
    both, one = play_without_guest(task(), task(script="two"))
    assert both["failed"] and both["msg"] == "2 scripts failed (one: ValueError: no; two: no room)"
    assert both["failed_scripts"] == ["one", "two"] and both["scripts"][2]["status"] == "ok" and both["changed"]
    assert one["failed"] and one["msg"] == "a script failed (two: no room)" and "warnings" not in one


def test_check_mode_runs_no_script_that_could_change_something(play_without_guest, folder, task, tmp_path):
    note = tmp_path / "note"
    folder.add("one", "open('%s', 'w')" % note)
    result = play_without_guest(task(check=True))
    assert result["changed"] and result["scripts"][0]["status"] == "skipped" and not note.exists()


def test_what_does_not_get_as_far_as_to_run_scripts(play_without_guest, folder, task, tmp_path):
    folder.add("one", described=[{"key": "x.a", "required": True}])
    lacking, null, twice, unknown, folderless, missing, nothing = play_without_guest(
        task(),
        task(params={"x.a": None}),
        task(params={"x.a": "1"}, secret_params={"x.a": "2"}),
        task(script="two"),
        task(template_dir=str(tmp_path / "no")),
        task(executable=str(tmp_path / "no")),
        task(executable="/bin/true"),
    )
    results = [lacking, null, twice, unknown, folderless, missing, nothing]
    assert all(result["failed"] and not result.get("changed") for result in results)
    assert lacking["msg"].startswith("required parameters are missing: x.a: ")
    assert null["msg"] == "the value of 'x.a' is null: write '' for an empty value, or leave it out"
    assert twice["msg"].startswith("the key 'x.a' is given twice")
    assert "'two'" in unknown["msg"] and str(tmp_path / "no") in folderless["msg"]
    assert missing["msg"].startswith("there is no program %s: install it, " % (tmp_path / "no"))
    assert nothing["msg"] == "/bin/true ended with exit code 0: see its log, /var/log/ovm-template-config.log"


def test_warnings_of_the_program_are_the_tasks(play_without_guest, folder, task, tmp_path):
    folder.add("one")
    task = task()
    task["environment"]["OVM_TEMPLATE_LOG"] = "/dev/full"
    result = play_without_guest(task)
    assert result["warnings"] == ["the log /dev/full cannot be written (No space left on device); going on without"]


def test_the_program_is_looked_for(play_without_guest, folder, task, program):
    folder.add("one")
    found = task()
    del found["ovm_template_config"]["executable"]
    found["environment"]["PATH"] = "%s:%s" % (program.parent, os.environ["PATH"])
    assert play_without_guest(found)["scripts"]


def test_before_it_is_installed_check_mode_goes_on(play_without_guest, folder, task, tmp_path):
    folder.add("one")
    result = play_without_guest(task(executable=str(tmp_path), check=True))
    assert result["changed"] and not result["failed"] and result["scripts"] == []
    assert result["warnings"][0].startswith("there is no program %s, so nobody can tell" % tmp_path)


@ONE_DAEMON
def test_with_what_the_guest_holds(play, folder, task, tmp_path, host_end, guest):
    note = tmp_path / "note"
    folder.add("one", "open('%s', 'w').write(text)" % note, "print(sorted(parameters.values()))")
    host_end.send(Message(b"from.host", b"\xc3\xbc\xff"), 60)
    _set, result, check, again = play(
        {"ovm_guest_param": {"params": {"mine": "old"}, "secret_params": {"x.pin": SECRET}}},
        task(held=True, params={"mine": "new"}),
        task(held=True, check=True),
        {"ovm_guest_param_info": {}},
    )
    assert not result["failed"] and check["scripts"][0]["status"] == "skipped"
    found = json.loads(note.read_text())
    assert found == {"mine": "new", "x.pin": SECRET, "from.host": "\u00fc\udcff"}
    assert again["params"]["mine"] == "old" and SECRET not in (tmp_path / "log").read_text()


@pytest.fixture
def play_without_guest(tmp_path, make_play):
    """Most runs need no channel at all."""

    class Nowhere:
        path = str(tmp_path / "no-xenstore")

    return make_play(Nowhere())
