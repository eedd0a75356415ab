# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup plugin vm_message, as plays use it."""

import os
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.tests.integration.manager_plugins.conftest import SECRET


def show(*keys, what="query", **options):
    """A task that shows what the lookup returns."""
    arguments = ", ".join([*map(repr, keys), *("%s=%r" % option for option in options.items())])
    return {"ansible.builtin.debug": {"msg": "{{ %s('ovm.messaging.vm_message', %s) }}" % (what, arguments)}}


def told(results):
    """What each task has shown, or why it failed."""
    return [result["localhost"]["msg"] for result in results]


@pytest.fixture
def web1(make_guest):
    return make_guest("web1")


def test_values_come_in_the_order_of_their_keys(ansible, web1, say):
    say(web1, {b"a": b"1", b"b": b"", b"blob": b"\xff", "ä".encode(): "ü".encode()})
    say(web1, {b"a": b"2"})
    ansible.play({"ovm.messaging.ovm_vm_message": {"vm": web1.uuid, "messages": {"a": "sent"}, "log": True}})
    vm = web1.uuid
    assert told(
        ansible.play(
            show("b", "a", "ä", vm=vm),
            show("a", what="lookup", vm=vm.replace("-", "").upper()),
            show("a", vm=vm, direction="sent"),
            show("a", "none", vm=vm, default=7),
            show("a", "none", vm=vm, default=None),
            show("blob", "a", vm=vm, base64=True),
            show(["a", "b"], vm=vm),
        )
    ) == [["", "2", "ü"], "2", ["sent"], ["2", 7], ["2", None], ["/w==", "Mg=="], ["2", ""]]
    assert "[WARNING]: D" not in ansible.errors and "DEPRECAT" not in ansible.errors


def test_a_xen_host_needs_no_manager(on_host, web1, say, gateway):
    say(web1, {b"a": b"1"})
    on_host.environment["OVM_GATEWAY_DIR"] = gateway.directory  # which takes what guests send
    assert told(on_host.play(show("a", what="lookup", vm=web1.uuid, wait=True, wait_timeout=30))) == ["1"]


def test_it_says_what_is_wrong(ansible, web1, say):
    say(web1, {b"a": b"1", b"blob": b"\xff"})
    vm, results = web1.uuid, []
    cases = [
        (show("none", "a", "nor", vm=vm), "'web1' has not sent 'none', 'nor': wait for it, or give a default"),
        (show("none", vm=vm, direction="sent"), "'web1' has not been sent 'none': wait for it, or give a default"),
        (show("blob", vm=vm), "the value of 'blob' is not UTF-8: use base64=true"),
        (show("a", vm="nobody"), "there is no virtual machine 'nobody': give its exact name, its id or its UUID"),
        (show("a"), "there is no vm: say which is meant"),
        (show(vm=vm), "there is no key: say which is meant"),
        (show("a", vm=vm, keys="b"), "there is no option 'keys': see ansible-doc -t lookup ovm.messaging.vm_message"),
        (
            show("a", vm=vm, wait=True, direction="sent"),
            "only what guests send can be waited for: use direction=received",
        ),
        (show("a", vm=vm, pattern="("), "the pattern for 'a' is no regular expression"),
        (show("a", vm=vm, wait_timeout=-1), "wait_timeout is -1: give 0 to 864000 seconds"),
        (show("a", vm=vm, password=SECRET), "does not let the user 'admin' in"),
        (show("none", vm=vm, wait=True, wait_timeout=0.2), "after 0.2 seconds 'web1' still lacks none (not sent)"),
    ]
    results = told(ansible.play(*[task for task, _says in cases], arguments=["-vvvv"]))
    for said, (_task, says) in zip(results, cases, strict=True):
        assert says in said
    # The task shows its own text; nothing but that shows the password.
    assert ansible.environment["OVM_PASSWORD"] not in ansible.output + ansible.errors


def test_messages_are_waited_for(ansible, web1, say):
    say(web1, {b"state": b"starting", b"other": b"1"})
    sender = threading.Timer(2.0, say, [web1, {b"state": b"ready"}])
    sender.start()
    waiting = show("state", what="lookup", vm=web1.uuid, pattern="^ready$", wait_timeout=100, wait_interval=0.3)
    assert told(ansible.play(waiting)) == ["ready"]
    sender.join()
    late = show("state", "other", "none", vm=web1.uuid, pattern="^1$", wait_timeout=0.2, default="-")
    assert told(ansible.play(late)) == [["-", "1", "-"]]


def test_secrets_are_returned_only_where_they_are_asked_for(ansible, web1, say):
    mine = report.held("b1", b"mine", SECRET.encode(), secret=True)
    say(web1, dict([report.guest("b1", "1"), mine, (b"mine", SECRET.encode()), (b"app.token", SECRET.encode())]))
    vm = web1.uuid
    refused = ansible.play(show("mine", vm=vm), show("app.token", vm=vm), arguments=["-vvvv"])
    for name, said in zip(["mine", "app.token"], told(refused), strict=True):
        assert "the message '%s' is a secret: use show_secrets=true, and no_log: true on the task" % name in said
    assert SECRET not in ansible.output + ansible.errors
    shown = dict(show("mine", "app.token", vm=vm, show_secrets=True), no_log=True)
    assert told(ansible.play(shown, arguments=["-vvvv"])) == [[SECRET, SECRET]]
    assert SECRET not in ansible.output + ansible.errors


def test_no_value_is_a_template(ansible, web1, say, tmp_path):
    evil = "{{ lookup('pipe', 'touch %s') }}" % (tmp_path / "trace")
    say(web1, {b"evil": evil.encode()})
    again = {"ansible.builtin.debug": {"msg": "{{ told }}{{ told }}"}}
    variables = {"told": "{{ lookup('ovm.messaging.vm_message', 'evil', vm='%s') }}" % web1.uuid}
    results = told(ansible.play(show("evil", what="lookup", vm=web1.uuid), again, variables=variables))
    assert results == [evil, evil * 2] and not (tmp_path / "trace").exists()


def test_variables_say_where_the_manager_is_and_hosts_know_their_machine(ansible, make_guest, say, gateway):
    for name in ("web1", "db1"):
        say(make_guest(name), {b"app.name": name.encode()})
    path = ansible.write({})
    here, ansible.environment = ansible.environment, {"SECRET": gateway.password}
    variables = {
        "ovm_messaging_host": "{{ name_of_the_host }}",
        "name_of_the_host": gateway.host,
        "ovm_messaging_port": "{{ %d }}" % gateway.port,
        "ovm_messaging_username": gateway.username,
        "ovm_messaging_password": "{{ lookup('ansible.builtin.env', 'SECRET') }}",
        "ovm_messaging_ca_path": gateway.ca,
    }
    task = {"ansible.builtin.debug": {"msg": "{{ lookup('ovm.messaging.vm_message', 'app.name') }}"}}
    [shown] = ansible.play(task, hosts="all", arguments=["-i", path], variables=variables, environment=here)
    assert {host: result["msg"] for host, result in shown.items()} == {"web1": "web1", "db1": "db1"}


def test_the_missing_library_is_named(ansible):
    (ansible.folder / "requests.py").write_text("raise ImportError('broken')")
    path = os.pathsep.join([str(ansible.folder), os.environ.get("PYTHONPATH", "")])
    [said] = told(ansible.play(show("a", vm="web1"), environment={"PYTHONPATH": path}))
    assert "Failed to import the required Python library (requests)" in said


def test_one_lookup_makes_three_requests(ansible, web1, say, faults):
    say(web1, {b"a": b"1", b"b": b"2"})
    ansible.environment.update(OVM_PORT=str(faults.port), OVM_CA_FILE=faults.ca)
    assert told(ansible.play(show("a", "b", vm=web1.uuid))) == [["1", "2"]]
    paths = [request.path.split("/rest/")[1] for request in faults.requests]
    assert paths == ["Manager", "Vm", "Vm/%s/messages" % web1.uuid.replace("-", "")]
