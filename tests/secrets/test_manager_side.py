# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and plugins that speak to the manager, and the event source; over TLS, and on the Xen host itself."""

import json
import pathlib
import sys

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.faults import Faults, garbled
from tests.secrets.watch import PATIENCE

MESSAGE, INFO = "ovm.messaging.ovm_vm_message", "ovm.messaging.ovm_vm_message_info"
SOURCE = pathlib.Path(__file__).resolve().parents[2] / "extensions/eda/plugins/event_source/vm_message.py"
#: Runs the event source as ansible-rulebook does, prints its events, and ends with one that is asked for.
RULEBOOK = """
import asyncio, json, runpy, sys
entry = runpy.run_path(sys.argv[1])["main"]

class Queue(asyncio.Queue):
    async def put(self, event):
        print(json.dumps(event, default=repr), flush=True)
        if event.get("key") == "app.last":
            raise SystemExit(0)

asyncio.run(entry(Queue(), json.loads(sys.stdin.read())))
"""


def say(guest, *messages):
    """Send from a guest."""
    with XenStore(guest.path, timeout=PATIENCE) as store:
        for key, value in messages:
            GuestEnd(store).send(Message(key.encode(), value.encode()), PATIENCE)


def test_messages_over_rest(watch, at_gateway, gateway, guest, nothing_waits):
    values = {
        name: watch.secret(name) for name in ("by mark", "by name", "in a list", "wrong password", "of the guest")
    }
    names = {name.replace(" ", "_"): value for name, value in values.items()}
    say(guest, ("app.token", values["of the guest"]))
    nothing_waits()
    to = {"vm": guest.name}
    mixed = {"app.url": "x", "app.password": "{{ by_name }}"}
    listed = [{"key": "list.pin", "secret": "{{ in_a_list }}"}, {"key": "list.password", "value": "{{ by_name }}"}]
    at_gateway(
        "ovm_vm_message",
        {MESSAGE: dict(to, messages=mixed, secret_messages={"app.pin": "{{ by_mark }}"})},
        {MESSAGE: dict(to, messages=listed)},
        {INFO: dict(to)},
        variables=names,
    )  # fmt: skip
    with Faults(gateway) as faults:
        faults.add(garbled(b"{" + values["of the guest"].encode()), "GET", "/Vm$", times=1)
        proxy = {"host": faults.host, "port": faults.port, "ca_path": faults.ca}
        one = {"app.pin": "{{ by_mark }}"}
        at_gateway(
            "ovm_vm_message, failing",
            {INFO: dict(to, **proxy)},  # no JSON
            {MESSAGE: dict(to, secret_messages=one, password="{{ wrong_password }}")},
            {MESSAGE: dict(to, secret_messages=one, port=1, connect_timeout=1, ready_timeout=1)},
            {MESSAGE: dict(to, secret_messages=one, ca_path="/dev/null")},
            {MESSAGE: {"vm": "none", "secret_messages": one}},
            {MESSAGE: dict(to, secret_messages="{{ by_mark }}")},
            {MESSAGE: dict(to, messages="{{ by_mark }}")},
            {MESSAGE: dict(to, messages=[{"key": "a", "secret": "{{ by_mark }}", "value": "{{ by_mark }}"}])},
            {MESSAGE: dict(to, secret_messages={"app.pin": "{{ by_mark * 400 }}"})},
            {MESSAGE: dict(to, secret_messages=one, wait_for={"key": "app.none"}, wait_timeout=0)},
            {INFO: dict(to, keys=["app.none"], wait=True, wait_timeout=0)},
            variables=names,
            again=False,
        )


def test_inventory_and_lookup(watch, at_gateway, gateway, guest, nothing_waits):
    heard, wrong = watch.secret("sent by the guest"), watch.secret("wrong password")
    say(guest, ("app.token", heard), ("app.state", "on"))
    nothing_waits()
    environment = watch.environment(**gateway.environment())
    inventory = watch.place / "inventory.ovm.yml"
    inventory.write_text(json.dumps({"plugin": "ovm.messaging.ovm", "messages": True, "cache": True}))
    for path, more in (("inventory", {}), ("inventory, a wrong password", {"OVM_PASSWORD": wrong})):
        command = ["ansible-inventory", "-vvvv", "-i", str(inventory), "--list"]
        watch.run(path, command, dict(environment, **more), wanted=None)
    at_gateway(
        "lookup",
        {
            "ansible.builtin.debug": {
                "msg": "{{ lookup('ovm.messaging.vm_message', 'app.state', vm='%s') }}" % guest.name
            }
        },
        {
            "ansible.builtin.debug": {
                "msg": "{{ lookup('ovm.messaging.vm_message', 'app.token', vm='%s') }}" % guest.name
            }
        },
        {
            "ansible.builtin.debug": {"msg": "{{ lookup('ovm.messaging.vm_message', 'app.state', vm='x') }}"},
            "vars": {"ovm_messaging_password": "{{ wrong }}"},
        },
        variables={"wrong": wrong},
        again=False,
    )


def test_on_the_xen_host(watch, plays, xenstored, guest):
    heard, sent = watch.secret("sent by the guest"), watch.secret("sent to the guest")
    say(guest, ("app.token", heard))
    plays.defaults["group/ovm.messaging.manager"] = {
        "transport": "xenstore", "xenstore_path": xenstored.path, "state_dir": str(watch.place / "host"),
    }  # fmt: skip
    plays(
        "transport xenstore",
        {MESSAGE: {"vm": guest.name, "secret_messages": {"app.password": "{{ sent }}"}}},
        {INFO: {"vm": guest.name}},
        {INFO: {"vm": guest.name, "state_dir": "/proc/none"}},
        variables={"sent": sent},
    )


def test_the_event_source(watch, gateway, guest):
    heard, wrong = watch.secret("sent by the guest"), watch.secret("wrong password")
    say(guest, ("app.token", heard), ("app.last", "1"))
    login = {"host": gateway.host, "port": gateway.port, "username": gateway.username, "ca_path": gateway.ca}
    options = dict(login, since="beginning", interval=0.2, checkpoint=str(watch.place / "checkpoint.db"))
    command = [sys.executable, "-X", "dev", "-c", RULEBOOK, str(SOURCE)]
    for path, password, more in (
        ("event source", gateway.password, {}),
        ("event source, a wrong password", wrong, {}),
        ("event source, an option that there is not", gateway.password, {"no_such": gateway.password}),
    ):
        given = json.dumps(dict(options, password=password, **more)).encode()
        ran = watch.run(path, command, watch.environment(), given=given, wanted=None)
        assert (b"app.token" in ran.out) is (password == gateway.password and not more), ran.said
