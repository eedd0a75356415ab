# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_guest_param, run by ansible-playbook in a guest of the lab."""

import json
import os
import re
import subprocess

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab.ovmapi import Device

SECRET = "Xq7-hunter2-Xq7"
# Where the daemon makes no difference, one of them will do.
ONE_DAEMON = pytest.mark.parametrize("xenstored", ["c"], indirect=True)


def task(check=False, diff=True, **options):
    return {"ovm_guest_param": options, "check_mode": check, "diff": diff}


def test_what_is_set_arrives_once_and_check_mode_says_so_before(play, heard):
    wanted = {"app.state": "ready", "app.port": 5432, "app.on": True, "app.list": [1, "é"], "app.empty": ""}
    check, first, second = play(task(params=wanted, check=True), task(params=wanted), task(params=wanted))
    assert check["changed"] and first["changed"] and not second["changed"]
    text = {"app.state": "ready", "app.port": "5432", "app.on": "True", "app.list": '[1,"é"]', "app.empty": ""}
    for result in (check, first):
        assert result["transmitted"] == list(wanted) and result["deleted"] == []
        assert result["diff"] == {"before": {}, "after": text}
    for result in (check, first, second):
        assert result["params"] == text and result["names"] == list(wanted) and result["masked"] == []
    assert second["transmitted"] == [] and second["diff"] == {"before": {}, "after": {}}
    assert heard() == [(key.encode(), value.encode()) for key, value in text.items()]


def test_only_what_differs_is_sent(play, heard):
    before, after = play(task(params={"a": 1, "b": 2, "c": 3}), task(params={"c": 3, "b": 4, "d": 5}))
    assert heard()[3:] == [(b"b", b"4"), (b"d", b"5")]
    assert after["transmitted"] == ["b", "d"] and after["params"] == {"a": "1", "b": "4", "c": "3", "d": "5"}
    assert after["diff"] == {"before": {"b": "2"}, "after": {"b": "4", "d": "5"}}
    assert before["names"] == ["a", "b", "c"] and after["names"] == ["a", "b", "c", "d"]


@ONE_DAEMON
def test_a_single_key_and_resending(play, heard):
    results = play(
        task(key="a", value="1"),
        task(key="a", value=1),
        task(key="a", value="1", resend=True),
        task(key="a", value="1", resend=True, check=True),
    )
    assert [result["changed"] for result in results] == [True, False, True, True]
    assert heard() == [(b"a", b"1")] * 2


def test_deleting_is_local_and_idempotent(play, heard):
    _set, check, first, second, many, everything, nothing = play(
        task(params=dict.fromkeys("abcdef", "v")),
        task(key="a", state="absent", check=True),
        task(key="a", state="absent"),
        task(key="a", state="absent"),
        task(keys=["b", "z"], params={"c": None}, state="absent"),
        task(all=True, state="absent"),
        task(all=True, state="absent"),
    )
    assert [r["changed"] for r in (check, first, second, many, everything, nothing)] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert check["names"] == first["names"] == list("bcdef") and first["diff"] == {"before": {"a": "v"}, "after": {}}
    assert many["deleted"] == ["b", "c"] and many["names"] == list("def")
    assert everything["deleted"] == list("def") and everything["params"] == {}
    assert len(heard()) == 6


def test_exclusive_removes_what_is_not_listed(play, heard):
    _set, check, first, second, cleared = play(
        task(params={"a": "1", "b": "2", "c": "3"}),
        task(params={"b": "2", "d": "4"}, exclusive=True, check=True),
        task(params={"b": "2", "d": "4"}, exclusive=True),
        task(params={"b": "2", "d": "4"}, exclusive=True),
        task(params={}, exclusive=True),
    )
    for result in (check, first):
        assert result["changed"] and result["transmitted"] == ["d"] and result["deleted"] == ["a", "c"]
        assert result["params"] == {"b": "2", "d": "4"}
        assert result["diff"] == {"before": {"a": "1", "c": "3"}, "after": {"d": "4"}}
    assert not second["changed"] and cleared["params"] == {}
    assert [key for key, _value in heard()] == [b"a", b"b", b"c", b"d"]


def test_what_the_host_has_sent_is_part_of_the_list(play, host_end, host):
    waiting = b"/local/domain/5/control/oracle-vmapi/to-guest/1"
    host_end.send(Message(b"from.host", b"1"), 20)
    check = play(task(params={"from.host": "1", "b": "2"}, check=True))
    assert check["params"] == {"from.host": "1", "b": "2"} and check["transmitted"] == ["b"]
    assert host.exists(waiting)  # looked at, and left where it is
    real = play(task(params={"from.host": "1", "b": "2"}))
    assert real["params"] == check["params"] and real["transmitted"] == ["b"] and not host.exists(waiting)


def test_secrets_are_seen_nowhere(play, heard, tmp_path):
    results = play(
        task(secret_params={"app.key": SECRET, "other": "x" + SECRET}),
        task(secret_params={"app.key": SECRET + "2"}),
        task(secret_params={"app.key": SECRET + "2"}),
        task(params={"plain": "1"}),
        {"ovm_guest_param_info": {}},
        task(key="app.key", state="absent"),
        arguments=["-vvvv", "--diff"],
    )
    assert [result["changed"] for result in results] == [True, True, False, True, False, True]
    assert (b"app.key", SECRET.encode()) in heard()
    assert SECRET not in play.output and SECRET not in json.dumps(results)
    first, second, _same, _plain, info, _gone = results
    assert first["diff"]["after"] == {"app.key": "********", "other": "********"}
    assert second["diff"] == {"before": {"app.key": "********"}, "after": {"app.key": "******** (changed)"}}
    assert info["masked"] == ["app.key", "other"] and info["params"] == {
        "app.key": "********",
        "other": "********",
        "plain": "1",
    }


@ONE_DAEMON
def test_a_name_that_tells_makes_a_secret(play, host_end):
    host_end.send(Message(b"com.oracle.linux.root-password", SECRET.encode()), 20)
    info, shown = play(
        {"ovm_guest_param_info": {}},
        {"ovm_guest_param_info": {"show_secrets": True}, "no_log": True},
        arguments=["-vvvv"],
    )
    assert info["params"] == {"com.oracle.linux.root-password": "********"}
    assert SECRET not in play.output
    assert shown["params"] == {"com.oracle.linux.root-password": SECRET} and shown["masked"] == []


def test_bytes_that_are_no_text(play, heard):
    first, second = play(task(binary_params={"blob": "//4B"}), task(binary_params={"blob": "//4B\n"}))
    assert first["changed"] and not second["changed"] and heard() == [(b"blob", b"\xff\xfe\x01")]
    assert second["binary_params"] == {"blob": "//4B"} and second["params"] == {} and second["names"] == ["blob"]
    assert first["diff"]["after"] == {"blob": "base64://4B"}


@ONE_DAEMON
def test_text_from_outside_is_never_a_template(play, host_end):
    host_end.send(Message(b"{{ evil }}", b"{{ lookup('pipe', 'touch /tmp/evil') }}"), 20)
    info, shown = play({"ovm_guest_param_info": {}}, {"ansible.builtin.debug": {"msg": "{{ result0.params }}"}})
    assert info["params"] == {"{{ evil }}": "{{ lookup('pipe', 'touch /tmp/evil') }}"} == shown["msg"]
    assert not os.path.exists("/tmp/evil")


BAD = [
    (dict(params={"": "v"}), "the key is empty: give every parameter a name"),
    (dict(params={"k" * 256: "v"}), "has 256 bytes, the limit is 255: use a shorter key"),
    (dict(params={"a": "v" * 8192}), "the value of 'a' has 8192 bytes, the limit is 8191: split the value"),
    (dict(params={"a": "é" * 4096}), "the value of 'a' has 8192 bytes, the limit is 8191"),
    (dict(params={"a": "x\0y"}), "the value of 'a' has a NUL byte"),
    (dict(params={"a\0b": "v"}), "has a NUL byte"),
    (dict(params={"a": None}), "the value of 'a' is null: write '' for an empty value"),
    (dict(key="a"), "the value of 'a' is null"),
    (
        dict(params={"a": "1"}, backend="nonsense"),
        "value of backend must be one of: auto, ovmapi, xenstore, got: nonsense",
    ),
    (dict(params={"a": "1"}, key="b", value="2"), "parameters are mutually exclusive"),
    (dict(value="2", params={"a": "1"}), "missing parameter(s) required by 'value': key"),
    (dict(params={"a": "1"}, secret_params={"a": "2"}), "the key 'a' is given twice: give each parameter once"),
    (dict(params={"a": "1"}, binary_params={"a": "Mg=="}), "the key 'a' is given twice"),
    (dict(binary_params={"a": "%"}), "the value of 'a' is not base64"),
    (dict(), "state is present but any of the following are missing: params, key, secret_params, binary_params"),
    (dict(state="absent"), "state is absent but any of the following are missing"),
    (dict(params={"a": "1"}, keys=["b"]), "keys has no meaning with state=present: leave it out, or use state=absent"),
    (dict(params={"a": "1"}, all=True), "all has no meaning with state=present"),
    (dict(key="a", state="absent", resend=True), "resend has no meaning with state=absent"),
    (dict(params={"a": "1"}, timeout=0), "timeout is 0: give more than 0 and up to 864000 seconds"),
    (dict(params={"a": "1"}, timeout="nan"), "timeout is nan: give more than 0"),
    (dict(params={"a": "1"}, timeout="inf"), "timeout is inf: give more than 0"),
    (dict(params={"a": "1"}, backend="ovmapi", ovmapi_path="/no/such/ovmapi"), "/no/such/ovmapi"),
    (dict(params={"a": "1"}, xenstore_path="/no/such/xenbus"), "XenStore at /no/such/xenbus cannot be opened"),
]


@ONE_DAEMON
def test_bad_input_is_told_clearly_and_changes_nothing(play, heard):
    results = play(task(params={"before": "1"}), *[task(**options) for options, _says in BAD])
    heard()
    for result, (options, says) in zip(results[1:], BAD):
        assert result["failed"] and not result["changed"] and says in result["msg"], (options, result)
        assert "Traceback" not in json.dumps(result)
    after = play({"ovm_guest_param_info": {}})
    assert after["params"] == {"before": "1"} and heard() == []


@ONE_DAEMON
def test_keys_that_only_yaml_tells_apart_are_refused(play, tmp_path, heard):
    book = tmp_path / "twins.yml"
    # In YAML, not JSON: JSON knows no keys but text.
    book.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ovm.messaging.ovm_guest_param:\n"
        "        xenstore_path: %s\n        state_dir: %s\n        params: {1: a, '1': b}\n"
        % (play.defaults["xenstore_path"], play.defaults["state_dir"])
    )
    done = subprocess.run(
        ["ansible-playbook", "-c", "local", str(book)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode != 0 and heard() == []
    assert "params has the key '1' twice, as a number and as text: give each parameter once" in " ".join(
        done.stdout.split()
    )


def test_what_was_sent_before_there_was_no_more_room_is_named(play, heard):
    wanted = {"key-%03d" % n: "v" for n in range(700)}
    failed, rest = play(task(params=wanted, timeout=2), {"ovm_guest_param_info": {}})
    sent = failed["transmitted"]
    assert failed["failed"] and failed["changed"] and "no room in XenStore" in failed["msg"]
    assert "see that the other side runs and reads, then send again" in failed["msg"]
    assert sent == list(wanted)[: len(sent)] == rest["names"] and 0 < len(sent) < 700
    assert len(heard()) == len(sent)
    again = play(task(params=dict(list(wanted.items())[: len(sent) + 50])))
    assert again["transmitted"] == list(wanted)[len(sent) : len(sent) + 50]


@ONE_DAEMON
def test_who_is_not_root_is_told_so(play, heard):
    """Where the tests run as root, the module runs as somebody else; elsewhere the socket is closed to us."""
    nobody = dict(become=True, become_user="nobody", become_method="ansible.builtin.su", become_flags="-s /bin/sh")
    socket = play.defaults["xenstore_path"]
    if os.geteuid():
        nobody = {}
        os.chmod(socket, 0)
    # With nothing that is in the folders of these tests, which nobody else may enter.
    python = {"ansible_python_interpreter": "/usr/bin/python3", "ansible_pipelining": True}
    environment = {"ANSIBLE_REMOTE_TMP": "/tmp"}
    result = play(dict(task(params={"a": "1"}), vars=python, **nobody), environment=environment)
    assert result["failed"] and result["msg"] == (
        "XenStore at %s cannot be opened (Permission denied): run this as root" % socket
    )
    assert heard() == []


@ONE_DAEMON
def test_the_kernels_device(play, tmp_path):
    device = Device(tmp_path)
    play.defaults = {"ovmapi_path": device.path, "backend": "ovmapi"}
    device.inject(b"from.host", b"1")
    long = dict(params={"a": "x" * 8191})
    check, first, second, gone, too_long, too_long_check, info = play(
        task(params={"a": 1, "b": 2}, check=True),
        task(params={"a": 1, "b": 2}),
        task(params={"a": 1}, secret_params={"b": 2}),
        task(key="from.host", state="absent"),
        task(**long),
        task(**long, check=True),
        {"ovm_guest_param_info": {}},
        environment=device.environment(),
    )
    assert [result["changed"] for result in (check, first, second, gone)] == [True, True, False, True]
    assert check["params"] == first["params"] == {"from.host": "1", "a": "1", "b": "2"}
    assert device.sent() == [(b"a", [b"1"]), (b"b", [b"2"])]
    for result in (too_long, too_long_check):
        assert (
            result["failed"] and "has 8191 bytes, the limit for a kernel with %s is 8190" % device.path in result["msg"]
        )
    assert info["params"] == {"a": "1", "b": "2"}


@ONE_DAEMON
def test_ad_hoc(play, heard):
    done = subprocess.run(
        ["ansible", "localhost", "-m", "ovm.messaging.ovm_guest_param", "-a", "key=role value=database"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        timeout=120,
        env=dict(os.environ, XENSTORED_PATH=play.defaults["xenstore_path"], OVM_STATE_DIR=play.defaults["state_dir"]),
    )
    assert "CHANGED" in done.stdout and heard() == [(b"role", b"database")]


def test_a_parameter_set_by_any_other_process_is_seen(play, guest):
    with XenStoreBackend(guest.path, play.defaults["state_dir"], 20) as backend:
        backend.set([Message(b"other", b"1")])
    assert not play(task(params={"other": "1"}))["changed"]


def documented(module, section):
    done = subprocess.run(
        ["ansible-doc", "--json", "ovm.messaging." + module], stdout=subprocess.PIPE, check=True, timeout=120
    )
    return json.loads(done.stdout)["ovm.messaging." + module][section]


@ONE_DAEMON
@pytest.mark.parametrize("module", ["ovm_guest_param", "ovm_guest_param_info"])
def test_the_examples_run_as_they_stand(play, host_end, module, tmp_path):
    for key, value in (
        (b"registry.url", b"https://registry.example.com/"),
        (b"migration.state", b"done"),
        (b"app.password", b"x"),
    ):
        host_end.send(Message(key, value), 20)
    results = play(
        *[
            {name.replace("ovm.messaging.", ""): value for name, value in example.items() if name not in ("register",)}
            for example in yaml.safe_load(documented(module, "examples"))
            if "ansible.builtin.debug" not in example
        ]
    )
    assert not any(result.get("failed") for result in results), play.output


@ONE_DAEMON
@pytest.mark.parametrize("module", ["ovm_guest_param", "ovm_guest_param_info"])
def test_what_is_returned_is_documented(play, module):
    play(task(params={"a": "1"}))
    result = play({module: {"keys": ["a"], "state": "absent"} if module == "ovm_guest_param" else {"keys": ["a"]}})
    own = {
        name
        for name in result
        if name not in ("changed", "failed", "warnings", "deprecations") and not re.match("_|ansible_", name)
    }
    assert own <= set(documented(module, "return"))
