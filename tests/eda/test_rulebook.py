# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests' messages start rulebooks' actions: real ansible-rulebook, playbooks, gateway over TLS, and XenStore."""

import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report

# Each starts a Java at least once.
pytestmark = pytest.mark.timeout(900)

READY = 'event.kind == "message" and event.key == "app.state" and event.value == "ready"'


def playbook(folder, name, *tasks):
    (folder / name).write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
    return {"run_playbook": {"name": name}}


def test_a_guests_message_starts_a_playbook(run_rulebook, say, web1, tmp_path):
    action = playbook(
        tmp_path,
        "play.yml",
        {"ansible.builtin.debug": {"msg": "{{ ansible_eda.event.vm.name }} is {{ ansible_eda.event.value }}"}},
        # The playbook answers the guest.
        {
            "ovm.messaging.ovm_vm_message": {
                "vm": "{{ ansible_eda.event.vm.id }}",
                "messages": {"host.seen": "{{ ansible_eda.event.value }}"},
            }
        },
    )
    with run_rulebook("book.yml", [(READY, action)], since="beginning", vms=["web*"]) as rulebook:
        say(web1, (b"app.state", b"starting"), (b"app.state", b"ready"))
        rulebook.await_output("web1 is ready")
        rulebook.await_output("failed=0")
        rulebook.end()
    assert "web1 is starting" not in rulebook.output


def test_a_restart_with_a_checkpoint_neither_loses_nor_repeats(run_rulebook, say, web1, tmp_path):
    rules = [
        ('event.kind == "message" and event.key == "app.number"', {"debug": {"msg": "number {{ event.value }}"}}),
    ]
    source = {"checkpoint": str(tmp_path / "checkpoint.db"), "since": "beginning", "keys": ["app.*"]}
    say(web1, (b"app.number", b"100"))
    with run_rulebook("book.yml", rules, **source) as first:
        first.await_output("number 100")
        first.kill()
    say(web1, (b"app.number", b"200"))
    with run_rulebook("book.yml", rules, **source) as second:
        second.await_output("number 200")
        say(web1, (b"app.number", b"300"))
        second.await_output("number 300")
    # The kill may have come between passing on and noting.
    assert second.output.count("number 200") == 1 and second.output.count("number 100") <= 1


def test_no_guest_runs_anything_on_the_controller(run_rulebook, say, web1, tmp_path):
    evil = b"{{ lookup('ansible.builtin.pipe', 'touch %s/evil') }}" % str(tmp_path).encode()
    action = playbook(
        tmp_path,
        "play.yml",
        {"ansible.builtin.debug": {"msg": "got {{ ansible_eda.event.key }} {{ ansible_eda.event | string }}"}},
        {"ansible.builtin.debug": {"msg": "again {{ given }}"}},
    )
    action["run_playbook"]["extra_vars"] = {"given": "{{ event.key }}"}
    rules = [
        ('event.kind == "message" and event.key != "last"', action),
        ('event.kind == "configuration"', {"debug": {"msg": "{{ event.configuration.scripts[0].message }}"}}),
        ('event.key == "last"', {"debug": {"msg": "that was the last"}}),
    ]
    scripts = [dict(name="a", status="ok", changed=False, seconds=1, message=evil.decode())]
    say(
        web1,
        (evil[:250], b"1"),
        (b"value", evil),
        report.configuration("b1", report.DONE, target="configure", failed=[], scripts=scripts),
        (b"last", b"1"),
    )
    with run_rulebook("book.yml", rules, since="beginning", vms=[web1.uuid]) as rulebook:
        rulebook.await_output("that was the last")
        rulebook.await_output("got value")
        rulebook.await_output("again value")
        rulebook.end()
    assert "binary_value" in rulebook.output and not (tmp_path / "evil").exists()


def test_secrets_are_not_in_what_it_says(run_rulebook, say, web1, gateway):
    rules = [('event.key == "app.password"', {"print_event": {}}), ('event.key == "last"', {"shutdown": {}})]
    say(web1, (b"app.password", b"hidden-one"), (b"last", b"1"))
    options = ["-vv", "--print-events"]
    with run_rulebook("book.yml", rules, options, since="beginning", vms=[web1.uuid]) as rulebook:
        rulebook.await_output("Main complete")
        assert rulebook.wait() == 0
    assert "app.password" in rulebook.output and "********" in rulebook.output
    assert "hidden-one" not in rulebook.output and gateway.password not in rulebook.output


def test_a_wrong_password_ends_it_and_says_what_to_do(run_rulebook):
    rules = [('event.kind == "message"', {"print_event": {}})]
    with run_rulebook("book.yml", rules, environment={"OVM_PASSWORD": "wrong-one"}) as rulebook:
        rulebook.await_output("check user and password")
        assert rulebook.wait() != 0
    assert "wrong-one" not in rulebook.output


def test_the_rulebook_of_the_collection(run_rulebook, say, web1):
    with run_rulebook("ovm.messaging.guests", options=["-vv"]) as rulebook:
        # It begins now: what is said before it has begun is not for it.
        count = 0
        while "web1 has sent" not in rulebook.output:
            count += 1
            say(web1, (b"app.count", b"%d" % count))
            rulebook.process.poll()
            assert rulebook.process.returncode is None, rulebook.output
        say(web1, report.configuration("b1", report.DONE, target="configure"))
        rulebook.await_output("web1 is configured")
        say(web1, report.configuration("b1", report.FAILED, target="configure", failed=["network"]))
        rulebook.await_output("web1 is not configured, see ['network']")
