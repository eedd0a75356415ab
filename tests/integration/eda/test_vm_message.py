# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests send becomes events, each once, whatever happens in between."""

import asyncio
import base64
import json
import logging
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from lab.faults import Faults, Held, cut_before, status
from tests.integration.eda.conftest import PATIENCE, PLUGIN


def told(events):
    """Key and value of events."""
    return [(event.get("key"), event.get("value")) for event in events]


def test_a_message_becomes_an_event(listen, say, web1):
    with listen(vms=[web1.uuid]) as source:
        say(web1, (b"app.state", b"ready"))
        (event,) = source.await_events(1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
    assert re.fullmatch("[0-9a-f]{32}", event.pop("meta")["uuid"])
    assert event == {
        "kind": "message",
        "vm": {"id": web1.uuid.replace("-", ""), "name": "web1"},
        "key": "app.state",
        "value": "ready",
        "secret": False,
    }


def test_where_it_is_and_who_logs_in_may_come_from_the_environment(listen, say, web1, gateway, monkeypatch):
    for name, value in gateway.environment().items():
        monkeypatch.setenv(name, value)
    say(web1, (b"a", b"1"))
    nowhere = dict.fromkeys(("host", "port", "username", "password", "ca_path"))
    with listen(vms=web1.uuid, **nowhere) as source:
        assert told(source.await_events(1)) == [("a", "1")]


def test_of_messages_that_follow_each_other_each_is_an_event_in_their_order(listen, say, web1):
    with listen(vms=[web1.uuid]) as source:
        pairs = [(b"count", b"%d" % (n // 2)) for n in range(40)]  # the same value twice, too
        say(web1, *pairs)
        events = source.await_events(len(pairs))
    assert told(events) == [(key.decode(), value.decode()) for key, value in pairs]
    assert len({event["meta"]["uuid"] for event in events}) == len(pairs)


def test_by_default_it_begins_now(listen, say, make_guest, web1):
    say(web1, (b"old", b"1"))
    with listen(vms=[web1.uuid, "new-*"], since="now") as source:
        count = 0
        while not source.events:  # nobody knows when it has begun
            count += 1
            say(web1, (b"new", b"%d" % count))
            time.sleep(0.1)
        # What comes later was not there before: all that it says counts.
        later = make_guest(name="new-one")
        say(later, (b"first", b"1"))
        while "first" not in dict(told(source.events)):
            source.await_events(len(source.events) + 1)
    numbers = [int(value) for key, value in told(source.events) if key == "new"]
    assert "old" not in dict(told(source.events)) and numbers == list(range(numbers[0], count + 1))


def test_a_checkpoint_outlives_the_source(listen, say, web1, tmp_path):
    checkpoint = str(tmp_path / "checkpoint.db")
    with listen(vms=[web1.uuid], checkpoint=checkpoint) as source:
        say(web1, (b"a", b"1"), (b"b", b"2"))
        assert told(source.await_events(2)) == [("a", "1"), ("b", "2")]
    say(web1, (b"a", b"3"))
    with listen(vms=[web1.uuid], checkpoint=checkpoint, since="now") as source:
        say(web1, (b"a", b"1"))
        assert told(source.await_events(2)) == [("a", "3"), ("a", "1")]
    assert os.stat(checkpoint).st_mode & 0o777 == 0o600
    content = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoint.db*"))
    assert b"web1" not in content


def test_what_the_rulebook_has_not_taken_comes_again(listen, say, web1, tmp_path):
    checkpoint = str(tmp_path / "checkpoint.db")
    pairs = [(b"count", b"%d" % n) for n in range(9)]
    say(web1, *pairs)
    with listen(hold=3, vms=[web1.uuid], checkpoint=checkpoint) as source:
        before = [int(value) for _key, value in told(source.await_events(3))]
    with listen(vms=[web1.uuid], checkpoint=checkpoint) as source:
        say(web1, (b"count", b"9"))
        while "9" not in dict(told(source.events)).values():
            source.await_events(len(source.events) + 1)
        after = [int(value) for _key, value in told(source.events)]
    assert before == [0, 1, 2]
    # One more had its place in the queue: passed on, as far as anybody can tell.
    assert after in (list(range(3, 10)), list(range(4, 10)))


def test_with_feedback_only_what_is_stored_is_noted(listen, say, web1, tmp_path):
    checkpoint = str(tmp_path / "checkpoint.db")
    say(web1, (b"a", b"1"), (b"b", b"2"))

    class Silent(asyncio.Queue):
        async def put(self, item):
            pass  # the rulebook has died before it stored the event

    arguments = {"vms": [web1.uuid], "checkpoint": checkpoint, "feedback": True}
    with listen(**arguments, eda_feedback_queue=Silent()) as source:
        assert told(source.await_events(1)) == [("a", "1")]
    with listen(**arguments, eda_feedback_queue=asyncio.Queue(1)) as source:
        assert told(source.await_events(2)) == [("a", "1"), ("b", "2")]
    say(web1, (b"c", b"3"))
    with listen(**arguments, eda_feedback_queue=asyncio.Queue(1)) as source:
        assert told(source.await_events(1))[0] in (("b", "2"), ("c", "3"))


def test_a_checkpoint_is_one_sources_alone(listen, web1, tmp_path):
    checkpoint = str(tmp_path / "checkpoint.db")
    with listen(vms=[web1.uuid], checkpoint=checkpoint):
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(checkpoint) or not os.path.getsize(checkpoint):
            assert time.monotonic() < deadline
        with listen(vms=[web1.uuid], checkpoint=checkpoint) as second:
            problem = str(second.await_problem())
    assert "another process uses it" in problem and checkpoint in problem


def test_secrets_are_in_no_event_and_no_log(listen, say, web1, gateway, caplog):
    caplog.set_level(logging.DEBUG)
    say(
        web1,
        report.guest("boot1", "1.0.0"),
        report.held("boot1", b"app.pin", b"1234-5678", secret=True),
        (b"app.password", b"hidden-one"),
        (b"app.pin", b"1234-5678"),
        (b"app.state", b"ready"),
    )
    with listen(vms=[web1.uuid]) as source:
        events = source.await_events(3)
    assert [(event["key"], event["value"], event["secret"]) for event in events] == [
        ("app.password", "********", True),
        ("app.pin", "********", True),
        ("app.state", "ready", False),
    ]
    for secret in ("hidden-one", "1234-5678", gateway.password):
        assert secret not in repr(events) + caplog.text


def test_reports_are_events_of_their_own_kinds(listen, say, web1):
    scripts = [dict(name="network", status="ok", changed=True, seconds=1.5, message="", odd={"a": 1})]
    reports = [
        report.guest("boot1", "1.0.0"),
        report.interfaces([dict(name="eth0", mac="00:21:f6:00:00:01", addresses=["192.0.2.7/24"])]),
        report.configuration("boot1", report.DONE, target="configure", failed=[], scripts=scripts),
        report.held("boot1", b"a", b"1"),
        (report.PREFIX + b"unheard-of", b"1"),
        (report.CONFIGURATION, b'{"state": ["odd"], "failed": 1, "scripts": [1, {"seconds": NaN}]}'),
        (report.CONFIGURATION, b"odd"),
    ]
    say(web1, *reports, (b"last", b"1"))
    with listen(vms=[web1.uuid], kinds="message,configuration,addresses,guest") as source:
        events = source.await_events(6)
    json.dumps(events, allow_nan=False)
    nothing = {"state": "", "target": "", "failed": [], "scripts": []}
    assert [event["kind"] for event in events] == ["guest", "addresses", *["configuration"] * 3, "message"]
    assert events[0]["guest"] == {"boot": "boot1", "version": "1.0.0"}
    assert events[1]["interfaces"] == [{"name": "eth0", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.7/24"]}]
    assert events[2]["configuration"] == {
        "state": "done",
        "target": "configure",
        "failed": [],
        "scripts": [{"name": "network", "status": "ok", "changed": True, "seconds": 1.5, "message": ""}],
    }
    script = {"name": "", "status": "", "changed": False, "seconds": 0.0, "message": ""}
    assert events[3]["configuration"] == {**nothing, "scripts": [script]} and events[4]["configuration"] == nothing
    with listen(vms=[web1.uuid]) as source:
        assert [event["kind"] for event in source.await_events(4)] == [*["configuration"] * 3, "message"]


def test_values_of_all_kinds(listen, say, web1):
    big = "ä".encode() * 4000
    say(web1, (b"big", big), (b"blob", b"\xff\xc0\x80"), (b"empty", b""), (b"odd\xff", b"line\nline"))
    with listen(vms=[web1.uuid]) as source:
        events = source.await_events(4)
    assert [event["key"] for event in events] == ["big", "blob", "empty", "odd\\xff"]
    assert [event.get("value") for event in events] == [big.decode(), None, "", "line\nline"]
    assert base64.b64decode(events[1]["binary_value"]) == b"\xff\xc0\x80"
    assert [sorted(event) for event in events][1] == ["binary_value", "key", "kind", "meta", "secret", "time", "vm"]


def test_no_text_in_an_event_is_a_template(listen, say, make_guest, tmp_path):
    """A real ansible-playbook gets the events as ansible-rulebook hands them on, and uses what is in them."""
    evil = "{{ lookup('ansible.builtin.pipe', 'echo evil-' ~ 6 * 7) }}"
    block = "{%% set x = 1 %%}{{ 6 * 7 }}"
    guest = make_guest(name="odd{{6*7}}")
    scripts = [dict(name=evil, status=block, changed=False, seconds=1, message=evil)]
    say(
        guest,
        (evil.encode(), b"1"),
        (b"value", evil.encode()),
        (b"block", block.encode()),
        (b"header", b"#jinja2: variable_start_string: '['\n{{6*7}}"),
        (b"comment", b"{# x #}"),
        report.configuration("boot1", evil, target=evil, failed=[evil], scripts=scripts),
        report.interfaces([dict(name=evil, mac=block, addresses=[evil])]),
        report.guest(evil, evil),
    )
    with listen(vms=[guest.uuid], kinds="message,configuration,addresses,guest") as source:
        events = source.await_events(8)
    assert base64.b64decode(events[1]["binary_value"]).decode() == evil
    book = tmp_path / "play.yml"
    book.write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [{"ansible.builtin.debug": {"msg": "{{ ansible_eda.event | string }} {{ each }}"}}],
                }
            ]
        )
    )
    variables = tmp_path / "extravars"
    variables.write_text(json.dumps({"ansible_eda": {"event": events}, "each": json.dumps(events)}))
    done = subprocess.run(
        ["ansible-playbook", "-c", "local", "-e", "@%s" % variables, str(book)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "binary_value" in done.stdout and "evil-42" not in done.stdout + done.stderr
    assert "odd42" not in done.stdout


def test_which_machines_and_which_keys(listen, say, make_guest):
    guests = {name: make_guest(name=name) for name in ("shop-web1", "shop-web2", "shop-db", "shop-[x]")}
    for name, guest in guests.items():
        say(guest, (b"app.state", name.encode()), (b"app.port", b"80"), (b"other", b"1"))
    with listen(vms=["shop-web*", guests["shop-db"].uuid, "shop-[x]"], keys=["app.st*", "nothing"]) as source:
        events = source.await_events(4)
        say(guests["shop-web1"], (b"other", b"2"), (b"app.state", b"end"))
        source.await_events(5)
    assert sorted(told(events)) == sorted(("app.state", name) for name in guests)
    assert told(source.events[4:]) == [("app.state", "end")]


def test_a_manager_that_is_gone_for_a_while_is_waited_for(listen, say, web1, gateway, caplog):
    arguments = {"vms": [web1.uuid], "retries": 0}
    with Faults(gateway) as faults, listen(port=faults.port, ca_path=faults.ca, **arguments) as source:
        say(web1, (b"a", b"1"))
        source.await_events(1)
        faults.add(cut_before())
        faults.disconnect()
        say(web1, (b"b", b"2"))
        deadline = time.monotonic() + PATIENCE
        while caplog.text.count("the next try comes in") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        faults.clear()
        assert told(source.await_events(2)) == [("a", "1"), ("b", "2")]
    assert "cannot be reached" in caplog.text and "can be asked again" in caplog.text
    assert gateway.password not in caplog.text


def test_a_session_that_ends_is_no_matter(listen, say, web1, gateway):
    with Faults(gateway) as faults, listen(vms=[web1.uuid], port=faults.port, ca_path=faults.ca) as source:
        say(web1, (b"a", b"1"))
        source.await_events(1)
        faults.session_gone("GET", "/Event")
        say(web1, (b"b", b"2"))
        assert told(source.await_events(2)) == [("a", "1"), ("b", "2")]


def test_one_machine_that_cannot_be_read_does_not_stop_the_others(listen, say, make_guest, web1, gateway, caplog):
    other = make_guest(name="other")
    with Faults(gateway) as faults:
        path = "/Vm/%s/messages" % other.uuid.replace("-", "")
        faults.add(status(500), "GET", path, times=2)
        say(other, (b"b", b"2"))
        say(web1, (b"a", b"1"))
        arguments = {"port": faults.port, "ca_path": faults.ca, "retries": 0}
        with listen(vms=[web1.uuid, other.uuid], **arguments) as source:
            assert told(source.await_events(2)) == [("a", "1"), ("b", "2")]
        assert faults.count("GET", path) >= 3
    # Said once, and nobody else waited.
    assert caplog.text.count("the messages of 'other' cannot be read: ") == 1
    assert "the next try" not in caplog.text


def test_messages_are_asked_for_only_where_something_has_happened(listen, say, make_guest, web1, gateway):
    quiet = make_guest(name="quiet")
    with Faults(gateway) as faults, listen(vms=["*"], port=faults.port, ca_path=faults.ca) as source:
        for n in range(5):
            say(web1, (b"a", b"%d" % n))
            while (("a", str(n))) not in told(source.events):
                source.await_events(len(source.events) + 1)
        assert faults.count("GET", "/Vm/%s/messages" % quiet.uuid.replace("-", "")) == 1
        assert faults.count("GET", "/Vm/%s/messages" % web1.uuid.replace("-", "")) >= 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"password": "wrong-one"}, "check user and password"),
        ({"host": None}, "set OVM_HOST"),
        ({"hots": "manager"}, "no argument 'hots'"),
        ({"interval": 0}, "'interval' cannot be used: give seconds, above 0"),
        ({"port": "here"}, "'port' cannot be used: give a number"),
        ({"port": 99999}, "there is no port 99999"),
        ({"kinds": ["nothing"]}, "'kinds' cannot be used"),
        ({"validate_certs": "perhaps"}, "give yes or no"),
        ({"concurrency": 0}, "give 1 to 100"),
        ({"vms": {"a": 1}}, "give a list"),
        ({"dialect": "x"}, "give a dict"),
        ({"dialect": {"x": "y"}}, "there is no option 'x' of the dialect"),
        ({"ca_path": None}, "cannot be trusted"),
        ({"checkpoint": "/nowhere/at/all"}, "the checkpoint /nowhere/at/all cannot be opened"),
    ],
)
def test_what_nobody_but_a_person_can_mend_ends_the_source(listen, arguments, said):
    with listen(**arguments) as source:
        problem = source.await_problem()
    assert said in str(problem) and "wrong-one" not in str(problem)


def test_it_ends_at_once_even_while_the_manager_hangs(listen, web1, gateway):
    held = Held()
    with Faults(gateway) as faults:
        faults.add(held, "GET", "/Vm")
        with listen(vms=[web1.uuid], port=faults.port, ca_path=faults.ca) as source:
            held.wait()
            source.end()
            # Only the thread that waits for the manager is left, and no process waits for that one.
            left = [thread for thread in threading.enumerate() if thread.name == "ovm.messaging.vm_message"]
            assert all(thread.daemon for thread in left)
        held.release()


def test_without_the_rest_of_the_collection_it_says_so(tmp_path):
    alone = tmp_path / "a" / "b" / "c" / "d" / "vm_message.py"
    alone.parent.mkdir(parents=True)
    alone.write_bytes((PLUGIN / "vm_message.py").read_bytes())
    done = subprocess.run(["python3", str(alone)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "ImportError: the collection ovm.messaging is not around" in done.stderr


def test_by_hand_it_prints_events(say, web1, gateway):
    """As its documentation says: run alone, it shows what a rulebook would get."""
    say(web1, (b"printed", b"by hand"))
    plugin = PLUGIN / "vm_message.py"
    with subprocess.Popen(
        ["python3", "-u", str(plugin)],
        env={**os.environ, **gateway.environment()},
        cwd=str(pathlib.Path("/")),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            if "by hand" in line:
                break
        process.terminate()
    assert "'key': 'printed', 'secret': False, 'value': 'by hand'" in line
