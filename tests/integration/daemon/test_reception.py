# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon receives and reports, however often it is killed, and who works beside it."""

import json
import random
import signal
import subprocess
import sys
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.daemon import Daemon
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import EVERYTHING
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from ansible_collections.ovm.messaging.plugins.module_utils.readiness import Readiness
from lab.deaths import MOMENTS, dies

NEVER = "86400"
LONG = 60.0
TO_GUEST = b"/local/domain/5/control/oracle-vmapi/to-guest"


@pytest.fixture
def open_guest(guest, environment):
    """Opens the guest's backend, as a module beside the daemon would."""
    opened = []

    def open_one():
        opened.append(XenStoreBackend(guest.path, environment["OVM_STATE_DIR"], LONG))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def pairs(backend):
    return [(entry.key, entry.value) for entry in backend.entries()]


def test_it_receives_and_reports_at_once(start, run, other_side):
    start("-t", NEVER)
    other_side.send(b"a", b"1")
    other_side.wait_until_held(b"a", b"1")
    other_side.send(b"a", b"2")
    other_side.wait_until_held(b"a", b"2")
    assert run("-l") == (0, b'{"a":"2"}\n', b"")


def test_it_reports_what_others_do_to_the_list_at_once(start, run, other_side):
    start("-t", NEVER)
    assert run("-p", "mine=1")[0] == 0
    other_side.wait_until_held(b"mine", b"1")
    assert run("-r", "mine")[0] == 0
    other_side.wait_until_gone(b"mine")
    assert run("--set-secret=mine", stdin=b"hidden")[0] == 0
    other_side.wait_for(lambda: other_side.report().holds_key(b"mine"), "the secret")
    assert other_side.report().holds(b"mine", b"hidden") is None


def test_it_says_who_and_where_it_is(start, other_side):
    start("-t", NEVER)
    other_side.wait_for(lambda: other_side.report().present and other_side.reported(b"addresses"), "the report")
    found = json.loads(other_side.reported(b"addresses")[-1])["interfaces"]
    assert all(set(interface) == {"name", "mac", "addresses"} for interface in found)


@pytest.mark.parametrize(
    "how", [{"arguments": ["--reports=held,guest"]}, {"more": {"OVM_REPORTS": "guest, held"}}], ids=["option", "env"]
)
def test_it_reports_only_what_it_is_to(start, run, other_side, template_config, how):
    template_config.enable("reconfigure")
    ovmd = start("-t", NEVER, *how.get("arguments", ()), more=how.get("more", {}))
    run("-e", "reconfigure")
    ovmd.wait_for("the target reconfigure was run")
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    assert {key for key, _value in other_side.messages} == {b"ovmd.report.guest", b"ovmd.report.held.k"}


def test_it_reports_nothing_where_it_is_to_report_nothing(start, run, other_side):
    start("-t", NEVER, "--reports=none")
    other_side.send(b"k", b"v")
    assert run("-p", "end=1")[0] == 0
    other_side.wait_for(lambda: other_side.messages, "what was set")
    assert other_side.messages == [(b"end", b"1")]


def test_sighup_has_it_report_anew(start, run, other_side):
    ovmd = start("-t", NEVER)
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    del other_side.messages[:]
    ovmd.signal(signal.SIGHUP)
    other_side.wait_until_held(b"k", b"v")


def test_a_restarted_daemon_repeats_nothing(start, run, other_side):
    ovmd = start("-t", NEVER)
    other_side.send(b"k", b"v")
    other_side.wait_until_held(b"k", b"v")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("status: backend")  # it has noted that it was told
    ovmd.kill()
    del other_side.messages[:]
    start("-t", NEVER)
    run("-p", "end=1")
    other_side.wait_for(lambda: other_side.reported(b"held.end"), "what was set")
    assert {key for key, _value in other_side.messages} == {b"end", b"ovmd.report.held.end"}


def test_a_malformed_message_is_told_once(start, other_side, host):
    ovmd = start("-t", NEVER)
    host.write(TO_GUEST + b"/1/1", b"x")
    for number in range(5):
        other_side.send(b"k", b"%d" % number)
        other_side.wait_until_held(b"k", b"%d" % number)
    assert ovmd.said().count("message 1 from the host was passed over: its piece 0 is missing") == 1


def test_values_and_texts_are_never_logged(start, run, other_side):
    ovmd = start("-t", NEVER)
    other_side.send(b"some.password", b"SECRET")
    other_side.send(b"k", b"SECRET")
    other_side.wait_until_held(b"k", b"SECRET")
    ovmd.signal(signal.SIGUSR1)
    ovmd.wait_for("status: backend xenstore, 2 parameters")
    ovmd.stop()
    assert "SECRET" not in ovmd.said()
    assert "received 'some.password' (a secret)\n" in ovmd.said() and "received 'k' (6 bytes)\n" in ovmd.said()


# Deaths


class Silent:
    def change(self, text, message=None):
        pass

    detail = error = change

    def reopen(self):
        pass


def look_at_everything(guest, directory):  # pragma: no cover - in a child that dies
    daemon = Daemon(
        lambda: XenStoreBackend(guest.path, directory, LONG), directory, None, Silent(), Readiness({}), "1", EVERYTHING
    )
    daemon.start()
    while daemon._attempt():
        pass


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_daemon_that_dies_anywhere_loses_nothing_and_repeats_nothing(
    open_guest, other_side, host, guest, environment, moment
):
    survivor = open_guest()
    step = 0
    while True:
        step += 1
        number = b"%d" % step
        sent = [(b"a", b"1." + number), (b"b", b"x" * 4000), (b"a", b"2." + number), (b"c", number)]
        for key, value in sent:
            other_side.send(key, value)
        other_side.event(b"user:pre:" + number)
        died = dies(moment, step, lambda: look_at_everything(guest, environment["OVM_STATE_DIR"]))
        other_side.receive()
        # What was kept must not be applied once more, over what happened since.
        kept = survivor.get(b"a") == b"2." + number
        if kept:
            survivor.set([Message(b"a", b"since then")])
        received = survivor.receive()
        assert received == ([] if kept else [*sent, (b"VMAPIEvent", b"user:pre:" + number)])
        assert survivor.get(b"a") == (b"since then" if kept else b"2." + number)
        assert survivor.get(b"c") == number
        assert host.directory(TO_GUEST) == [b"last-write"]
        with survivor.state.writing():
            found = survivor.state.next_event()
            if died and found is not None:
                assert found[1].payload == number
                survivor.state.end_event(found[0])
            assert survivor.state.next_event() is None
        survivor.delete([b"a"])
        if not died:
            break
        assert step < 200
    assert step > 40
    # Whatever was cut off, in the end the host knows what there is.
    other_side.wait_until_held(b"c", number)
    other_side.wait_until_held(b"b", b"x" * 4000)


CONSUME = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
with XenStoreBackend(sys.argv[1], sys.argv[2], 60) as backend:
    while True:
        backend.receive()
        keys = [entry.key for entry in backend.entries()]
        gone = [key for key in backend.delete(keys)]
        for key in gone:
            print(key.decode(), flush=True)
        if b"end" in gone:
            break
        backend.wait(1)
"""


def test_killed_at_random_under_load_with_others_beside_it(start, run, other_side, guest, environment, template_config):
    """Each of several hundred messages is applied once: whoever deletes it never sees it again.

    Each event runs its target once, for only the daemon is killed.
    """
    count, events, kills = 300, 6, 8
    template_config.enable("resume")
    start("-t", "1", ready=True).kill()
    consumer = subprocess.Popen(
        [sys.executable, "-c", CONSUME, guest.path, environment["OVM_STATE_DIR"]], stdout=subprocess.PIPE
    )
    store = XenStore(other_side._store.path)
    failures = []

    def send():
        try:
            for number in range(count):
                other_side.send(b"key-%d" % number, b"v" * (number % 3000))
                if number % (count // events) == 0:
                    other_side.event(b"resume")
        except BaseException as problem:
            failures.append(problem)

    sender = threading.Thread(target=send)
    sender.start()
    choice = random.Random(4)
    for _unused in range(kills):
        ovmd = start("-t", "1", "--reports=none", ready=False)
        while True:
            # As soon as it works, and a moment later.
            heard = ovmd.supervisor.hear()
            if heard.startswith("READY=1") or choice.random() < 0.2:
                break
        ovmd.process.poll()
        threading.Event().wait(choice.random() * 0.1)
        ovmd.kill()
    ovmd = start("-t", NEVER, "--reports=none")
    sender.join(LONG)
    assert not sender.is_alive() and failures == []
    other_side.send(b"end", b"1")
    out = consumer.communicate(timeout=LONG)[0].decode().split()
    assert sorted(out) == sorted(["key-%d" % number for number in range(count)] + ["end"])
    template_config.wait_for(*["begin resume", "end resume"] * events)
    assert run("-l") == (0, b"", b"")
    store.close()
