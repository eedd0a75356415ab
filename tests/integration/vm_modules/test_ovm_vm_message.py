# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_vm_message, run by ansible-playbook."""

import json
import os
import re
import subprocess

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils import report
from lab.faults import Faults, cut_after, edit, status
from tests.integration.vm_modules.conftest import Agent, said
from toolchain import ROOT

ROOT_PASSWORD = "com.oracle.linux.root-password"
SECRET = "Xq7-hunter2-Xq7"
# Where the daemon makes no difference, one of them will do.
ONE_DAEMON = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


def task(check=False, diff=False, **options):
    options = dict({} if "vms" in options else {"vm": "web1"}, **options)
    return {"ovm_vm_message": options, "check_mode": check, "diff": diff}


def evidence(result):
    return set(result["evidence"].values())


def test_what_is_sent_arrives_once_and_check_mode_says_so_before(play, web1, hear):
    wanted = {"app.state": "ready", "app.port": 5432, "app.on": True, "app.list": [1, "é"], "app.empty": ""}
    check, first, second, changed = play(
        task(messages=wanted, check=True, diff=True),
        task(messages=wanted, diff=True),
        task(messages=wanted, diff=True),
        task(messages=dict(wanted, **{"app.port": 1}), diff=True),
    )
    text = {"app.state": "ready", "app.port": "5432", "app.on": "True", "app.list": '[1,"é"]', "app.empty": ""}
    headers = dict(before_header="web1", after_header="web1")
    for result in (check, first):
        assert result["changed"] and result["sent"] == list(wanted) and result["unchanged"] == []
        assert evidence(result) == {"none"}
        assert result["diff"] == [dict(headers, before=dict.fromkeys(text, "(unknown)"), after=text)]
    assert not second["changed"] and second["sent"] == [] and second["unchanged"] == list(wanted)
    assert evidence(second) == {"sent_log"} and second["diff"] == []
    assert changed["sent"] == ["app.port"] and changed["evidence"]["app.port"] == "sent_log"
    assert changed["diff"] == [dict(headers, before={"app.port": "5432"}, after={"app.port": "1"})]
    assert hear(web1) == [(key.encode(), value.encode()) for key, value in text.items()] + [(b"app.port", b"1")]
    assert first["id"] == web1.uuid.replace("-", "") and first["name"] == "web1" and first["state"] == "RUNNING"
    (one,) = first["vms"]
    assert one["vm"] == "web1" and one["status"] == "ok" and all(first[name] == one[name] for name in one)


def test_the_guests_report_is_evidence_and_tells_of_delivery(play, web1):
    messages = {"a": "1", "b": "2"}
    with Agent(web1, reports="boot-1") as agent:
        check, first, second, third = play(
            task(messages=messages, wait=True, check=True),
            task(messages=messages, wait=True),
            task(messages=messages, wait=True, wait_timeout=60),
            task(messages=dict(messages, b="3"), wait=True),
        )
        assert agent.taken == [(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]
    assert check["warnings"] == ["in check mode nothing is sent and nothing is waited for"]
    assert check["sent"] == first["sent"] == ["a", "b"] and check["evidence"] == first["evidence"]
    assert evidence(first) == evidence(second) == evidence(third) == {"report"}
    assert check["delivered"] is None and check["waited"] == 0
    assert first["delivered"] and second["delivered"] and third["delivered"]
    assert not second["changed"] and third["sent"] == ["b"]


@ONE_DAEMON
def test_a_reboot_makes_all_needed_again(play, web1):
    with Agent(web1, reports="boot-1"):
        play(task(messages={"a": "1"}, wait=True))
    web1.reboot()
    with Agent(web1, reports="boot-2") as agent:
        again = play(task(messages={"a": "1"}, wait=True))
        assert again["sent"] == ["a"] and agent.taken == [(b"a", b"1")] and evidence(again) == {"report"}


@ONE_DAEMON
def test_a_guest_that_has_reported_is_left_alone(play, web1, say, hear):
    say(web1, {b"app.state": b"ready"})
    skipped, other, forced = play(
        task(messages={"a": "1"}, unless_received={"key": "app.state", "value": "ready"}),
        task(messages={"a": "1"}, unless_received={"key": "app.state", "value": "done"}),
        task(messages={"a": "1"}, unless_received={"key": "app.state"}, force=True),
    )
    assert skipped["status"] == "skipped" and not skipped["changed"] and skipped["evidence"] == {"a": "received"}
    assert other["changed"] and forced["changed"] and forced["evidence"] == {"a": "forced"}
    assert hear(web1) == [(b"a", b"1")] * 2


def test_an_answer_is_waited_for(play, web1, say):
    say(web1, {b"state": b"done", b"app.token": SECRET.encode()})

    def answer(key, value):
        return [(b"state", b"begun"), (b"state", b"done " + value), (b"blob", b"\xff"), (b"app.token", value * 2)]

    conditions = [{"key": "state", "pattern": "^done"}, {"key": "blob"}, {"key": "app.token"}]
    with Agent(web1, answer=answer):
        first, second = play(
            task(messages={"start": SECRET}, wait_for=conditions, wait_timeout=60),
            task(messages={"start": SECRET}, wait_for=conditions[0], wait_timeout=60),
        )
    assert first["changed"] and first["answers"] == {"state": "done " + SECRET, "app.token": "********"}
    assert first["binary_answers"] == {"blob": "/w=="} and first["waited"] < 60
    assert not second["changed"] and second["answers"] == {"state": "done " + SECRET} and second["waited"] < 30


@ONE_DAEMON
def test_without_an_answer_it_fails_and_says_how_things_stand(play, web1, say):
    say(web1, {b"state": b"done", b"odd": b"1"})
    conditions = [{"key": "state"}, {"key": "never"}]
    late, again, bad = play(
        task(messages={"a": "1"}, wait_for=conditions, wait=True, wait_timeout=1.5),
        task(messages={"a": "1"}, wait_for={"key": "odd", "pattern": "^x"}, wait_timeout=0),
        task(messages={"a": "1"}, wait_for={"key": "odd", "pattern": "("}),
    )
    assert late["failed"] and late["changed"] and late["status"] == "failed" and late["sent"] == ["a"]
    assert re.fullmatch(
        r"after 1.5 seconds 'web1' still lacks delivery of a; an answer state \(nothing new\); an answer never "
        r"\(not sent\); it is RUNNING, its guest was last heard \d+ seconds? ago \(odd\), 1 message waits for it: "
        "see that ovmd runs in the guest, or wait longer",
        late["msg"],
    )
    assert late["undelivered"] == ["a"] and late["missing"] == ["state", "never"]
    assert late["last"]["said"] == {"state": "done"} and late["last"]["waiting"] == 1
    assert again["missing"] == ["odd"] and again["undelivered"] == []
    assert late["delivered"] is False and late["answers"] == {} and late["waited"] >= 1.5
    assert again["failed"] and not again["changed"] and "an answer odd (does not match)" in again["msg"]
    assert "the pattern for 'odd' is no regular expression" in bad["msg"]


@ONE_DAEMON
def test_what_does_not_fit_is_told_unless_it_is_a_secret(play, web1, say):
    boot, held = report.guest("b", "1"), report.held("b", b"mine", SECRET.encode(), secret=True)
    say(web1, dict([boot, (b"mine", SECRET.encode()), held, (b"app.token", SECRET.encode()), (b"state", b"begun")]))
    conditions = [{"key": key, "pattern": "^never"} for key in ("mine", "app.token", "state")]
    late = play(task(messages={"a": "1"}, wait_for=conditions, wait_timeout=0))
    assert late["last"]["said"] == {"mine": "********", "app.token": "********", "state": "begun"}
    assert late["last"]["reports"] and SECRET not in json.dumps(late) and SECRET not in play.output


@ONE_DAEMON
def test_while_it_waits_verbose_runs_tell_for_what(play, web1):
    conditions = [{"key": "state"}, {"key": "app.token", "pattern": SECRET}]
    check, late, quiet = play(
        task(messages={"a": SECRET}, wait=True, wait_for=conditions, wait_timeout=9, check=True),
        task(messages={"a": SECRET}, wait=True, wait_for=conditions, wait_timeout=9),
        dict(task(messages={"a": SECRET}, wait_for=conditions[0], wait_timeout=0), no_log=True),
        arguments=["-v"],
    )
    assert not check["failed"] and late["failed"] and quiet["failed"]
    lines = said(play.output, "ovm_vm_message")
    # Where this machine is busy, other things take their time, too, and are told.
    assert [line for line in lines if line.startswith("waiting")] == [
        "waiting up to 9 s until what is sent has arrived in web1, and for the answers state, app.token of web1"
    ]
    assert any(
        re.fullmatch(
            r"after \d+ s: web1 lacks delivery of a, an answer state \(not sent\), an answer app.token \(not sent\)",
            line,
        )
        for line in lines
    )


@ONE_DAEMON
def test_several_machines_at_once_and_one_failing(play, web1, web2, make_guest, hear):
    make_guest(7, name="twin")
    make_guest(8, name="twin")
    names = ["web1", "nobody", web2.uuid.upper(), "twin", "web2"]
    failed, rest = play(
        task(vms=names, messages={"a": "1"}),
        task(vms=["web1", "web2"], messages={"a": "1"}),
    )
    assert failed["failed"] and failed["changed"]
    assert [(one["vm"], one["status"], one["changed"]) for one in failed["vms"]] == [
        ("web1", "ok", True),
        ("nobody", "failed", False),
        (web2.uuid.upper(), "ok", True),
        ("twin", "failed", False),
    ]
    assert failed["msg"].startswith(
        "2 of 4 virtual machines failed. nobody: there is no virtual machine 'nobody': give its exact name, its id or "
        "its UUID. twin: 2 virtual machines are called 'twin': give an id: "
    )
    assert not rest.get("failed") and not rest["changed"] and [one["name"] for one in rest["vms"]] == ["web1", "web2"]
    assert "sent" not in rest and hear(web1) == hear(web2) == [(b"a", b"1")]


@ONE_DAEMON
def test_a_machine_that_does_not_run_is_told_so(play, web1, web2):
    play(task(vm="web2", messages={"a": "1"}))
    web2.destroy()
    failed = play(task(vm="web2", messages={"a": "2"}))
    assert failed["failed"] and not failed["changed"] and failed["state"] == "STOPPED"
    assert failed["msg"] == "the virtual machine 'web2' is not running (STOPPED): start it first"


@ONE_DAEMON
def test_secrets_are_seen_nowhere(play, web1, say, tmp_path):
    entries = [
        {"key": ROOT_PASSWORD, "value": SECRET + "1"},
        {"key": "first", "value": "1"},
        {"key": "app.key", "secret": SECRET + "2"},
        {"key": "last", "value": "2"},
    ]
    with Agent(web1, reports="boot-1") as agent:
        first, second, created, third, asked = play(
            task(messages=entries, secret_messages={"more": SECRET + "3"}, diff=True, wait=True, log=True),
            task(messages={ROOT_PASSWORD: SECRET + "4"}, diff=True, wait=True),
            task(messages={ROOT_PASSWORD: SECRET + "5"}, diff=True, update_secret="on_create"),
            task(messages=json.dumps({"app.key": "plain", "x.token": SECRET + "6"}), diff=True),
            {"ovm_vm_message_info": {"vm": "web1", "events": True, "history": True, "reports": True}},
            arguments=["-vvvv", "--diff"],
        )
        assert agent.taken[:5] == [
            (b"first", b"1"),
            (b"app.key", SECRET.encode() + b"2"),
            (b"last", b"2"),
            (b"more", SECRET.encode() + b"3"),
            (ROOT_PASSWORD.encode(), SECRET.encode() + b"1"),
        ]
    assert SECRET not in play.output and SECRET not in json.dumps([first, second, created, third, asked])
    assert first["sent"] == ["first", "app.key", "last", "more", ROOT_PASSWORD] and first["delivered"]
    assert first["diff"][0]["after"] == {
        "first": "1",
        "app.key": "********",
        "last": "2",
        "more": "********",
        ROOT_PASSWORD: "********",
    }
    assert "guests cannot tell that app.key, more is secret" in first["warnings"][0]
    assert second["changed"] and second["diff"][0] == {
        "before": {ROOT_PASSWORD: "********"},
        "after": {ROOT_PASSWORD: "******** (changed)"},
        "before_header": "web1",
        "after_header": "web1",
    }
    assert not created["changed"] and created["evidence"] == {ROOT_PASSWORD: "report"}
    assert third["sent"] == ["app.key", "x.token"]
    # None of them was logged, not even where all was to be.
    assert set(asked["sent"]) == {"first", "last", "app.key"} and asked["sent"]["app.key"] == "plain"


@ONE_DAEMON
def test_an_empty_queue_tells_of_delivery_and_old_answers_are_there_for_a_second_run(play, web1):
    with Agent(web1):
        done = play(task(messages={"a": "1"}, wait=True, wait_timeout=60))
    assert done["delivered"] is True and done["evidence"] == {"a": "none"}


@ONE_DAEMON
def test_the_log_is_used_as_asked(play, web1, hear):
    long = "x" * 1025
    refused, unset, again, no_log, no_log_again = play(
        task(messages={"a": "1", "b": long}, log=True),
        task(messages={"a": "1", "b": long}),
        task(messages={"a": "1", "b": long}),
        task(messages={"a": "1", "c": "1"}, log=False),
        task(messages={"c": "1"}),
    )
    assert refused["failed"] and "the value of 'b' has 1025 bytes, and at most 1024 can be logged" in refused["msg"]
    assert unset["sent"] == ["a", "b"] and again["sent"] == ["b"] and again["unchanged"] == ["a"]
    assert no_log["sent"] == ["a", "c"] and no_log_again["sent"] == ["c"]
    assert [key for key, _value in hear(web1)] == [b"a", b"b", b"b", b"a", b"c", b"c"]


BAD = [
    (dict(messages={"": "v"}), "the key is empty"),
    (dict(messages={"k" * 255: "v"}), "has 255 bytes, the limit is 254: use a shorter key"),
    (dict(messages={"a": "v" * 8192}), "the value of 'a' has 8192 bytes, the limit is 8191"),
    (dict(messages={"a": "x\0y"}), "the value of 'a' has a NUL byte"),
    (dict(messages={"a": None}), "the value of 'a' is null"),
    (dict(messages=[{"key": "a", "secret": None}]), "the value of 'a' is null"),
    (dict(messages=7), "messages is neither a dict nor a list: give a dict, or a list of dicts with key and value"),
    (dict(messages="nonsense"), "messages cannot be read: give a dict, a list, or JSON"),
    (dict(messages="[1"), "messages cannot be read"),
    (dict(messages=["a"]), "message 1 is no message: give it a key, and a value or a secret"),
    (dict(messages=[{"value": "1"}]), "message 1 is no message"),
    (dict(messages=[{"key": "a", "value": "1", "secret": SECRET}]), "message 1 is no message"),
    (dict(messages=[{"key": "a", "value": "1", "more": SECRET}]), "message 1 is no message"),
    (dict(messages=[{"key": "a", "sceret": SECRET}]), "message 1 is no message"),
    (dict(messages=[{"key": "a"}]), "the message 'a' has neither value nor secret"),
    (dict(messages=[{"key": 1, "value": ""}, {"key": "1", "value": ""}]), "the key '1' is given twice"),
    (dict(messages=[{"key": "a", "secret": "x"}, {"key": "a", "secret": "y"}]), "the key 'a' is given twice"),
    (dict(messages={"a": "1"}, secret_messages={"a": "2"}), "the key 'a' is given twice"),
    (dict(messages=[{"key": "a", "secret": "1"}], secret_messages={"a": "2"}), "the key 'a' is given twice"),
    (dict(messages=[{"key": "a"}, {"key": "a"}], secret_messages={"a": "2"}), "has neither value nor secret"),
    (dict(messages=[{"key": "a", "secret": SECRET}], secret_messages=[SECRET]), "secret_messages is no dict"),
    (dict(), "one of the following is required: messages, secret_messages"),
    (dict(vm="web1", vms=["web1"], messages={}), "parameters are mutually exclusive: vm|vms"),
    (dict(messages={}, wait_timeout=-1), "wait_timeout is -1: give 0 to 864000 seconds"),
    (dict(messages={}, wait_interval=0), "wait_interval is 0: give 0.001 to 864000 seconds"),
    (dict(messages={}, timeout="nan"), "timeout is nan"),
    (dict(messages={}, job_timeout="inf"), "job_timeout is inf"),
    (dict(messages={}, concurrency=0), "concurrency is 0: give 1 to 100"),
    (dict(messages={}, unless_received={"value": "1"}), "missing required arguments: key found in unless_received"),
    (dict(messages={}, wait_for=[{"pattern": "1"}]), "missing required arguments: key found in wait_for"),
]
BAD_CONNECTION = [
    (dict(host="https://somewhere/"), "is a URL: give its name or address only"),
    (dict(username=None), "nobody to log in as"),
    (dict(password=SECRET + "wrong"), "password"),
    (dict(ca_path="/no/such/file"), "the CA file /no/such/file does not exist"),
    (dict(ca_path=None), "certificate"),
    (dict(port=1, retries=0), "127.0.0.1:1"),
    (dict(dialect={"tongue": "x"}), "there is no option 'tongue' of the dialect: use "),
    (dict(transport="xenstore", xenstore_path="/no/such/xenbus"), "XenStore at /no/such/xenbus cannot be opened"),
]


@ONE_DAEMON
def test_bad_input_is_told_clearly_and_sends_nothing(rest, web1, hear, tmp_path):
    tasks = [task(**options) for options, _says in BAD]
    state = str(tmp_path / "store")  # not the one of this machine
    tasks += [task(messages={"a": "1"}, state_dir=state, **options) for options, _says in BAD_CONNECTION]
    nobody = {"ovm_vm_message": {"messages": {"a": "1"}}}
    *results, which = rest(*tasks, nobody, arguments=["-vvvv"])
    assert "one of the following is required: vm, vms" in which["msg"]
    for result, (options, says) in zip(results, BAD + BAD_CONNECTION):
        assert result["failed"] and not result.get("changed") and says in result["msg"], (options, result)
        assert "Traceback" not in json.dumps(result)
    assert SECRET not in rest.output
    assert hear(web1) == []


@ONE_DAEMON
def test_keys_that_only_yaml_tells_apart_are_refused(rest, web1, tmp_path, gateway, hear):
    book = tmp_path / "twins.yml"
    for option in ("messages", "secret_messages"):
        # In YAML, not JSON: JSON knows no keys but text.
        book.write_text(
            "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ovm.messaging.ovm_vm_message:\n"
            "        vm: web1\n        %s: {1: a, '1': b}\n" % option
        )
        done = run("ansible-playbook", "-c", "local", str(book), **gateway.environment())
        assert done.returncode != 0
        assert "%s has the key '1' twice, as a number and as text: give each message once" % option in " ".join(
            done.stdout.split()
        )
    assert hear(web1) == []


def run(*command, **environment):
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=120,
        env=dict(os.environ, **environment),
    )


AD_HOC = ("ansible", "localhost", "-c", "local", "-m", "ovm.messaging.ovm_vm_message", "-a")


@ONE_DAEMON
def test_ad_hoc_with_all_of_the_connection_in_the_environment(gateway, web1, hear):
    sent = run(*AD_HOC, "vm=web1 messages=a=1,b=2", **gateway.environment())
    assert sent.returncode == 0 and "CHANGED" in sent.stdout, sent.stdout
    same = run(*AD_HOC, json.dumps(dict(vm="web1", messages={"a": "1", "b": "2"})), **gateway.environment())
    assert same.returncode == 0 and "SUCCESS" in same.stdout, same.stdout
    secret = run(*AD_HOC, json.dumps(dict(vm="web1", messages={"my.token": SECRET})), "-vvv", **gateway.environment())
    assert '"my.token"' in secret.stdout and SECRET not in secret.stdout
    assert hear(web1) == [(b"a", b"1"), (b"b", b"2"), (b"my.token", SECRET.encode())]
    nobody = run(*AD_HOC, "vm=web1 messages=a=1")
    assert nobody.returncode != 0 and "transport is rest but all of the following are missing: host" in nobody.stdout


@ONE_DAEMON
def test_ad_hoc_on_the_xen_host_with_all_in_the_environment(xenstored, web1, hear, tmp_path):
    environment = dict(
        OVM_TRANSPORT="xenstore", XENSTORED_PATH=xenstored.path, OVM_GATEWAY_DIR=str(tmp_path / "of-the-host")
    )
    sent = run(*AD_HOC, "vm=web1 messages=a=1", **environment)
    assert sent.returncode == 0 and hear(web1) == [(b"a", b"1")] and (tmp_path / "of-the-host").exists()


@ONE_DAEMON
def test_a_switch_turns_verification_off(gateway, web1, hear):
    environment = dict(gateway.environment(), OVM_VALIDATE_CERTS="false")
    del environment["OVM_CA_FILE"]
    assert run(*AD_HOC, "vm=web1 messages=a=1", **environment).returncode == 0 and hear(web1) == [(b"a", b"1")]


@ONE_DAEMON
def test_a_missing_library_is_named(rest, web1, tmp_path):
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "requests.py").write_text("raise ImportError('there is none')\n")
    path = os.pathsep.join([str(tmp_path / "without"), os.environ["PYTHONPATH"]])
    failed = rest(task(messages={"a": "1"}), environment={"PYTHONPATH": path, "ANSIBLE_DISPLAY_TRACEBACK": "error"})
    assert failed["failed"] and "Failed to import the required Python library (requests)" in failed["msg"]
    assert "there is none" in failed["exception"]


@ONE_DAEMON
def test_modules_work_beside_a_gateway_on_the_same_store(rest, xenstore, gateway, web1, say):
    xenstore.manager["state_dir"] = gateway.directory
    say(web1, {b"state": b"ready"})
    info, sent = xenstore(
        {"ovm_vm_message_info": {"vm": "web1", "keys": ["state"], "wait": True, "wait_timeout": 60}},
        task(messages={"a": "1"}),
    )
    assert info["received"] == {"state": "ready"} and sent["changed"]
    assert not rest(task(messages={"a": "1"}))["changed"]


def documented(module, section):
    done = run("ansible-doc", "--json", "ovm.messaging." + module)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)["ovm.messaging." + module][section]


@ONE_DAEMON
@pytest.mark.parametrize("module", ["ovm_vm_message", "ovm_vm_message_info"])
def test_the_examples_run_as_they_stand(module, rest, gateway, web1, web2, say, tmp_path):
    for guest in (web1, web2):
        say(guest, {b"app.state": b"ready", b"app.token": b"x"})
    book = tmp_path / "examples.yml"
    tasks = yaml.safe_load(documented(module, "examples"))
    for one in tasks:
        for options in one.values():
            if isinstance(options, dict) and "ca_path" in options:
                options["port"] = gateway.port  # the one thing that is not as usual here
    book.write_text(json.dumps([dict(hosts="localhost", gather_facts=False, tasks=tasks)]))

    def answer(key, value):
        return [(b"migration.state", b"done")] if key == b"migration.start" else ()

    with Agent(web1, answer=answer), Agent(web2):
        done = run("ansible-playbook", "-c", "local", str(book), **gateway.environment())
    assert done.returncode == 0, done.stdout


@ONE_DAEMON
def test_the_guide_starts_with_an_example_that_works(rest, web1, web2, tmp_path):
    guide = (ROOT / "docs" / "explanation" / "vm-messages.md").read_text()
    (one,) = yaml.safe_load(guide.split("```yaml\n")[1].split("```")[0])
    one["module_defaults"]["group/ovm.messaging.manager"] = rest.manager
    book = tmp_path / "guide.yml"
    book.write_text(json.dumps([one]))

    def answer(key, value):
        return [(b"registry.state", b"done")] if key == b"registry.retries" else ()

    with Agent(web1, answer=answer), Agent(web2, answer=answer):
        for changed in (1, 0):
            done = run("ansible-playbook", "-c", "local", str(book))
            assert done.returncode == 0 and "changed=%d" % changed in done.stdout, done.stdout
            assert "web1: done" in done.stdout and "web2: done" in done.stdout


@ONE_DAEMON
def test_what_is_returned_is_documented(rest, web1, say):
    say(web1, {b"a": b"1", report.GUEST: report.guest("b", "1")[1]})
    sent, info = rest(
        task(messages={"a": "1"}, diff=True),
        {"ovm_vm_message_info": {"vm": "web1", "history": True, "events": True}},
    )
    for module, result in (("ovm_vm_message", sent), ("ovm_vm_message_info", info)):
        returned = documented(module, "return")
        own = {name for name in result if not name.startswith(("_", "ansible_"))}
        own -= {"changed", "failed", "warnings", "deprecations"}
        # These are there when something went wrong, or time was up.
        assert own == set(returned) - {"msg", "last"}
        assert set(result["vms"][0]) == set(returned["vms"]["contains"]) - {"msg", "last"}
        for name, about in returned.items():
            if name not in result:
                continue
            kind = dict(str=str, list=list, dict=dict, float=(float, int), int=int, bool=bool)[about["type"]]
            assert result[name] is None or isinstance(result[name], kind), name


# A manager that is not our gateway, or not well


@pytest.fixture
def faults(rest, gateway):
    """What a test puts in front of the gateway; the playbook ``rest`` goes through it."""
    with Faults(gateway) as running:
        rest.manager.update(host=running.host, port=running.port, ca_path=running.ca)
        yield running


def tell_little(faults):
    """Be as poor as the vendor's Manager may be: neither history nor times, and nothing of what guests have taken."""

    def forget(vm):
        vm.pop("messagesWaiting")

    def newest(messages):
        latest = {message["key"]: message["value"] for message in messages}
        return [{"key": key, "value": value} for key, value in latest.items()]

    faults.add(edit(forget), "GET", "/Vm/[^/]+$")
    faults.add(edit(newest), "GET", "/messages$")


@ONE_DAEMON
def test_with_a_manager_that_tells_little_it_degrades_and_says_so(rest, faults, web1, say):
    tell_little(faults)
    say(web1, {b"state": b"done"})
    with Agent(web1, answer=lambda key, value: [(b"state", b"done")]):
        check, blind, same, answered, old, late = rest(
            task(messages={"a": "1"}, wait=True, check=True),
            task(messages={"a": "1"}, wait=True),
            task(messages={"a": "1"}, wait=True),
            task(messages={"a": "2"}, wait_for={"key": "state"}, wait_timeout=60),
            task(messages={"a": "2"}, wait_for={"key": "state"}, wait_timeout=60),
            task(messages={"a": "2"}, wait_for={"key": "state", "pattern": "x"}, wait_timeout=0.1),
        )
    assert check["changed"] and blind["changed"] and blind["evidence"] == {"a": "none"}
    assert blind["delivered"] is None and blind["waited"] < 30
    (warning,) = blind["warnings"]
    assert warning == (
        "it cannot be seen whether what was sent to web1 has arrived: the guest sends no reports, and the manager does "
        "not tell what a guest has taken"
    )
    assert not same["changed"] and same["evidence"] == {"a": "sent_log"} and same["delivered"] is None
    # The answer is the same text as before. By its event it is new.
    assert answered["changed"] and answered["answers"] == {"state": "done"}
    assert not old["changed"] and old["answers"] == {"state": "done"} and late["failed"]


@ONE_DAEMON
def test_reports_make_up_for_it(rest, faults, web1):
    tell_little(faults)
    entries = [{"key": ROOT_PASSWORD, "secret": SECRET}, {"key": "a", "value": "1"}]
    with Agent(web1, reports="boot-1") as agent:
        first, second, third = rest(
            task(messages=entries, wait=True, wait_timeout=60),
            task(messages=entries, wait=True, wait_timeout=60),
            task(messages=entries, wait=True, wait_timeout=60, update_secret="on_create"),
        )
        assert [key for key, _value in agent.taken] == [b"a", ROOT_PASSWORD.encode(), ROOT_PASSWORD.encode()]
    assert first["delivered"] and third["delivered"]
    # The report of a secret is the same as before, and its event is not shown as it may tell a secret.
    assert second["delivered"] is None and "the guest reports, but not of " + ROOT_PASSWORD in second["warnings"][0]
    assert second["sent"] == [ROOT_PASSWORD] and second["evidence"] == {"a": "report", ROOT_PASSWORD: "none"}
    assert not third["changed"] and evidence(third) == {"report"}


@ONE_DAEMON
def test_a_name_that_is_no_text_does_no_harm(rest, faults, web1):
    def rename(vms):
        for vm in vms:
            vm["name"] = "web\udcff"

    faults.add(edit(rename), "GET", "/Vm$")
    sent, failed = rest(task(vms=[web1.uuid], messages={"a": "1"}), task(vms=[web1.uuid, "x"], messages={"a": "1"}))
    assert sent["changed"] and sent["name"] == "web\\udcff" and failed["failed"] and not failed["changed"]


@ONE_DAEMON
def test_check_mode_writes_nothing_and_requests_are_few(rest, faults, web1, web2, make_guest):
    names = ["web1", "web2"] + [make_guest(n, name="more%d" % n).name for n in (7, 8)]
    rest(task(vms=names, messages={"a": "1", "b": "2"}, check=True, wait=True, wait_for=[{"key": "x"}]))
    assert faults.count("PUT") == 0
    before = faults.count("GET", "/Vm$"), faults.count("GET", "/messages$")
    rest(task(vms=names, messages=dict.fromkeys("abcdefghij", "1")))
    assert faults.count("PUT") == len(names)
    assert faults.count("GET", "/Vm$") == before[0] + 1
    assert faults.count("GET", "/messages$") == before[1] + 2 * len(names)
    rest(task(vms=names, messages={"a": "1"}, force=True))
    assert faults.count("GET", "/messages$") == before[1] + 2 * len(names)


@ONE_DAEMON
def test_a_refusal_or_an_unknown_outcome_is_that_machines_own(rest, faults, web1, web2, hear):
    other = web2.uuid.replace("-", "")
    faults.add(status(400), "PUT", other, times=1)
    refused = rest(task(vms=["web1", "web2"], messages={"a": SECRET}))
    assert [one["status"] for one in refused["vms"]] == ["ok", "failed"] and not refused["vms"][1]["changed"]
    faults.add(cut_after(0.0), "PUT", other, times=1)
    unknown = rest(task(vms=["web2"], messages={"a": SECRET}, log=False))
    assert unknown["failed"] and unknown["changed"] and unknown["sent"] == ["a"]
    assert "it is not known whether" in unknown["msg"] and SECRET not in unknown["msg"]
    assert hear(web1) == hear(web2) == [(b"a", SECRET.encode())]
