# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""First boots from beginning to end, by the built program over a real XenStore."""

import fcntl
import os
import re
import signal
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import CONFIGURATION, Reporter
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from lab import parts
from lab.daemon import Daemon
from lab.guest import Guest

from .conftest import HOSTNAME, ONCE, PATIENCE, ROOT_PASSWORD, Host

DONE, SCRIPT_FAILED, IMPOSSIBLE = 0, 1, 3
MESSAGES = [(HOSTNAME, "web1"), ("org.example.pin.0", "12345"), ("org.example.note", "kept"), (ROOT_PASSWORD, "s3cr3t")]
OVF = """<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>%s</PropertySection></Environment>"""


def test_messages_configure_the_machine(start, machine, other_side):
    running = start()
    running.expect("waiting for parameters from console, ovf, messages; required: %s" % ROOT_PASSWORD)
    waiting = other_side.wait_for("waiting")
    assert waiting["target"] == "configure" and waiting["message"] == "the messages lack " + ROOT_PASSWORD
    for number, message in enumerate(MESSAGES):
        assert other_side.states() == [] and machine.done == [], number
        other_side.send(message)
    assert running.end() == DONE
    assert machine.done == ONCE and not machine.asked
    assert machine.given("network") == machine.given("authentication") == dict(MESSAGES)
    _waiting, running, done = other_side.reports()
    assert (running["state"], done["state"], done["target"], done["failed"]) == ("running", "done", "configure", [])
    assert [(script["name"], script["status"]) for script in done["scripts"]] == [
        ("network", "ok"),
        ("authentication", "ok"),
    ]
    # Secrets are gone: by name, and what a script calls one. Nothing of them is in the log.
    assert machine.held() == {HOSTNAME: "web1", "org.example.note": "kept", "org.example.pin.0": "12345"}
    assert "s3cr3t" not in machine.logged()


@pytest.mark.parametrize("reports, told", [("none", []), ("guest,held", []), ("configuration", ["running", "done"])])
def test_only_what_the_host_shall_be_told_is_reported(start, machine, other_side, reports, told):
    other_side.send(*MESSAGES)
    assert start(OVM_REPORTS=reports).end() == DONE
    assert machine.done == ONCE and other_side.states() == told


def test_the_second_boot_does_nothing(start, machine, other_side):
    other_side.send(*MESSAGES)
    assert start().end() == DONE
    machine.boot()
    other_side.boot()
    log = machine.logged()
    other_side.send(*MESSAGES)
    running = start()
    assert running.end() == DONE and running.said == "" and machine.logged() == log
    assert machine.done == ONCE and not machine.state.exists() and other_side.reports() == []


def test_secrets_of_many_numbers(start, machine, other_side):
    machine.add_script("network", 50, [{"key": "org.example.pin.N", "description": "PIN", "password": "True"}])
    other_side.send(("org.example.pin.0", "12345"), ("org.example.pin.17", "67890"), ("org.example.pin", "no"))
    other_side.send((ROOT_PASSWORD, "x" * 8))
    assert start().end() == DONE
    assert machine.held() == {"org.example.pin": "no"}


def test_parameters_marked_as_secrets(start, machine, other_side, guest):
    with XenStoreBackend(guest.path, str(machine.state)) as backend:
        backend.set([Message(b"org.example.mark", b"marked-value")], secret=[b"org.example.mark"])
    machine.add_script("network", 50, [], work='echo "$given"')
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert start().end() == DONE
    assert machine.given("network")["org.example.mark"] == "marked-value" and machine.held() == {}
    assert "marked-value" not in machine.logged() and "s3cr3t" not in machine.logged()


def test_no_script_requires_anything(start, machine, other_side):
    """Then the root password, which is the last by convention, completes the messages."""
    machine.remove_script("authentication")
    running = start()
    running.expect("required: none")
    other_side.send((HOSTNAME, "web1"))
    running.expect("messages")
    assert machine.done == [] and running.process.poll() is None
    other_side.send((ROOT_PASSWORD, "s3cr3t"))
    assert running.end() == DONE and machine.done == ONCE[:2]


def test_bytes_that_are_not_utf8(start, machine, other_side, host, guest):
    other_side._end.send(Message(b"raw", b"\xff\xfe"), PATIENCE)
    other_side.send((ROOT_PASSWORD, "ä"))
    assert start().end() == DONE
    given = machine.given("network")
    assert given["raw"].encode("utf-8", "surrogateescape") == b"\xff\xfe" and given[ROOT_PASSWORD] == "ä"


def test_no_script_is_enabled(start, machine, other_side):
    machine.remove_script("authentication")
    machine.remove_script("network")
    running = start()
    assert running.end() == IMPOSSIBLE and machine.asked
    text = "no script is enabled for configure: enable some with ovm-chkconfig"
    assert text in running.said
    assert [(found["state"], found["message"]) for found in other_side.reports()] == [("failed", text)]


def test_there_is_no_directory_of_scripts(start, machine, other_side):
    running = start(OVM_TEMPLATE_DIR="/no/such/directory")
    assert running.end() == IMPOSSIBLE and machine.asked
    assert "/no/such/directory" in running.said and other_side.states() == ["failed"]


@pytest.mark.parametrize("on_failure", ["retry", "finish"])
def test_a_script_fails(start, machine, other_side, on_failure):
    machine.ask_for_it(ON_FAILURE=on_failure)
    machine.add_script("network", 50, [], work="echo 'no such device' >&2; exit 7")
    other_side.send(*MESSAGES)
    running = start()
    assert running.end() == SCRIPT_FAILED
    assert machine.done == ["begin network", *ONCE[2:]]  # the next one has run all the same
    report = other_side.reports()[-1]
    assert (report["state"], report["failed"]) == ("failed", ["network"])
    assert report["scripts"][0]["message"].endswith("no such device")
    assert ROOT_PASSWORD not in machine.held()
    assert machine.asked is (on_failure == "retry")
    assert ("the next boot tries again" in running.said) is (on_failure == "retry")
    # Within the same boot, too, it can be done again: nothing of the first time is in the way.
    if on_failure == "retry":
        machine.add_script("network", 50, [])
        running = start()
        running.expect("waiting for parameters")
        other_side.send(*MESSAGES)
        assert running.end() == DONE and not machine.asked and other_side.states()[-2:] == ["running", "done"]


@pytest.mark.parametrize("after", ["continue", "disable", "poweroff"])
def test_the_time_is_over(start, machine, other_side, after):
    machine.ask_for_it(TIMEOUT=1, ON_TIMEOUT=after)
    other_side.send((HOSTNAME, "web1"))
    running = start()
    assert running.end() == IMPOSSIBLE
    text = "not all parameters have come within 1 seconds; the messages lack %s: " % ROOT_PASSWORD
    assert text in running.said and machine.done == []
    assert [found["state"] for found in other_side.reports()] == ["waiting", "failed"]
    assert other_side.reports()[-1]["message"].startswith(text)
    assert machine.asked is (after != "disable")
    assert (machine.place / "powered-off").exists() is (after == "poweroff")


def test_nothing_can_power_off(start, machine, other_side):
    machine.ask_for_it(TIMEOUT=1, ON_TIMEOUT="poweroff")
    running = start(OVM_POWEROFF="/no/such/command -x")
    assert (
        running.end() == IMPOSSIBLE
        and "the machine is not powered off: there is neither systemctl nor shutdown" in running.said
    )
    running = start(OVM_POWEROFF="false")
    assert (
        running.end() == IMPOSSIBLE and "the machine is not powered off: false failed with exit code 1" in running.said
    )


def test_a_setting_that_is_none(start, machine, other_side):
    machine.ask_for_it(TIMEOUT="soon")
    running = start()
    assert running.end() == IMPOSSIBLE and machine.done == []
    assert running.said == (
        "ovm-template-config: %s, line 2: INITIAL_CONFIG_TIMEOUT has a value that it cannot have: "
        "use whole seconds, 0 for no limit\n" % machine.flag
    )


def make_disc(folder, properties):
    """An image of a disc with an OVF environment."""
    top = folder / "top"
    top.mkdir(parents=True, exist_ok=True)
    found = "".join('<Property oe:key="%s" oe:value="%s"/>' % pair for pair in properties)
    (top / "ovf-env.xml").write_text(OVF % found, encoding="utf-8")
    command, environment = parts.genisoimage()
    subprocess.run([*command, "-quiet", "-R", "-o", str(folder / "made.iso"), str(top)], env=environment, check=True)
    return folder / "made.iso"


@pytest.fixture
def no_xenstore(machine):
    """The machine has no XenStore at all."""
    machine.environment["XENSTORED_PATH"] = "/no/xenstore"
    return machine


def test_a_disc_configures_the_machine(start, no_xenstore, tmp_path):
    machine, image = no_xenstore, make_disc(tmp_path / "disc", MESSAGES)
    running = start(OVM_OVF_DEVICES="/no/drive:%s" % image)
    assert running.end() == DONE and machine.done == ONCE and not machine.asked
    assert machine.given("authentication") == dict(MESSAGES)
    assert "configuring with the 4 parameters from ovf" in machine.logged() and "s3cr3t" not in machine.logged()
    assert len(re.findall("there is no way to messages at present: ", running.said)) == 1
    assert not machine.state.exists() or not (machine.state / "parameters.db").exists()


def test_a_disc_is_put_in_later(start, no_xenstore, tmp_path):
    lacking = make_disc(tmp_path / "lacking", MESSAGES[:2])
    whole = make_disc(tmp_path / "whole", MESSAGES)
    broken = tmp_path / "broken.iso"
    broken.write_bytes(whole.read_bytes().replace(b"</Environment>", b"<Environment>"))
    drive = tmp_path / "drive"
    drive.write_bytes(b"")
    running = start(OVM_OVF_DEVICES=str(drive), OVM_OVF_PERIOD="0.05")
    running.expect("waiting for parameters")
    os.rename(lacking, drive)
    running.expect("the parameters from ovf lack %s" % ROOT_PASSWORD)
    os.rename(broken, drive)
    running.expect("is no XML")
    os.rename(whole, drive)
    assert running.end() == DONE and no_xenstore.done == ONCE


def test_the_first_complete_source_counts_alone(start, machine, other_side, tmp_path):
    """What came by messages is not mixed in; secrets among it are wiped all the same."""
    other_side.send(("org.example.note", "by message"), ("org.example.token", "t0ken"))
    image = make_disc(tmp_path / "disc", [(ROOT_PASSWORD, "s3cr3t"), (HOSTNAME, "of-the-disc")])
    assert start(OVM_OVF_DEVICES=str(image)).end() == DONE
    assert machine.given("network") == {ROOT_PASSWORD: "s3cr3t", HOSTNAME: "of-the-disc"}
    assert machine.held() == {"org.example.note": "by message"} and other_side.states() == ["running", "done"]


def test_only_the_sources_that_are_wanted(start, machine, other_side, tmp_path):
    machine.ask_for_it(SOURCES="messages")
    image = make_disc(tmp_path / "disc", MESSAGES)
    running = start(OVM_OVF_DEVICES=str(image))
    running.expect("waiting for parameters from messages; ")
    other_side.send((ROOT_PASSWORD, "by message"))
    assert running.end() == DONE and machine.given("network") == {ROOT_PASSWORD: "by message"}


def test_xenstore_comes_late_and_goes_away(start, machine, tmp_path, lab_parts):
    """The guest's kernel has no XenStore at first, and loses it while the program waits."""
    late = tmp_path / "late"
    running = start(XENSTORED_PATH=str(late))
    running.expect("there is no way to messages at present")
    with Daemon("c") as daemon:
        guest = Guest(daemon, 7)
        with XenStore(daemon.path) as store:
            late.symlink_to(guest.path)
            other = Host(store, 7)
            other.send(MESSAGES[0])
            # Taken out of XenStore: so it is connected.
            while store.directory(b"/local/domain/7/control/oracle-vmapi/to-guest") != [b"last-write"]:
                store.wait(0.1)
            guest.restore()
            other = Host(store, guest.domid)
            other.send(*MESSAGES[1:])
            assert running.end() == DONE and machine.given("network") == dict(MESSAGES)
            assert other.states() == ["running", "done"]


def test_the_host_has_no_room_for_reports(start, machine, other_side, guest):
    """What cannot be told at once stays noted for the daemon; the configuration is not held up by it."""
    with XenStoreBackend(guest.path, str(machine.state)) as backend:
        backend.set([Message(b"n%d" % number, b"x") for number in range(60)])
    other_side.send(*MESSAGES)
    assert start().end() == DONE and not machine.asked and machine.done == ONCE
    assert other_side.reports() == []
    with XenStoreBackend(guest.path, str(machine.state)) as backend:
        Reporter(backend, backend.state, "0", [CONFIGURATION]).report()
    assert other_side.states() == ["done"]


def test_two_first_boots_at_once(start, machine, other_side):
    one, other = start(), start("--lock-timeout=60")
    one.expect("waiting for parameters")
    other.expect("waiting for parameters")
    other_side.send(*MESSAGES)
    assert sorted([one.end(), other.end()]) == [DONE, DONE]
    assert machine.done == ONCE and not machine.asked


def test_another_run_does_not_end(start, machine, other_side, tmp_path):
    with open(machine.environment["OVM_TEMPLATE_LOCK"], "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other_side.send(*MESSAGES)
        running = start("--lock-timeout=0")
        assert running.end() == IMPOSSIBLE
    assert "another run is going on" in running.said and machine.asked and machine.done == []
    assert other_side.states() == ["failed"]


def test_the_flag_cannot_be_written(start, machine, other_side):
    """The disk is full. The host learns of it, since the next boot will wait again."""
    size = 60000  # larger than the list and the log are, and the limit is in between
    machine.flag.write_text("INITIAL_CONFIG=yes\n".rjust(size, "\n"), encoding="ascii")
    other_side.send(*MESSAGES)
    running = start(limit=size - 1000)
    assert running.end() == IMPOSSIBLE
    text = (
        "%s cannot be written (File too large): it still says what it said: "
        "see that root may write there and that there is room" % machine.flag
    )
    assert text in running.said and machine.asked and machine.flag.stat().st_size == size
    assert sorted(os.listdir(machine.place)) == sorted(
        ["authentication.given", "done", "flag", "lock", "log", "network.given", "state", "template.d"]
    )
    assert machine.done == ONCE and machine.held().get(ROOT_PASSWORD) is None
    assert other_side.states()[-1] == "failed" and other_side.reports()[-1]["message"] == text
    # Room is made, and the program started again: it goes on where it was.
    running = start()
    assert running.end() == DONE and "the scripts have run already" in running.said
    assert machine.done == ONCE and not machine.asked and other_side.states()[-1] == "done"


def test_the_log_cannot_be_written(start, machine, other_side):
    """A full disk: it is said once, and the machine is configured all the same."""
    machine.log.write_bytes(b"x" * 60000)
    other_side.send(*MESSAGES)
    running = start(limit=60000)
    assert running.end() == DONE and machine.done == ONCE and not machine.asked
    said = "the log %s cannot be written (File too large); going on without" % machine.log
    assert running.said.count(said) == 1 and machine.log.stat().st_size == 60000


def test_it_is_told_to_stop(start, machine, other_side):
    running = start()
    running.expect("waiting for parameters")
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == -signal.SIGTERM and machine.asked and machine.done == []
    other_side.send(*MESSAGES)
    assert start().end() == DONE and machine.done == ONCE


def test_it_is_told_to_stop_while_a_script_runs(start, machine, other_side):
    """The script is ended, too; the next start runs all of them again."""
    machine.add_script("network", 50, [], work="sleep 600 & wait")
    other_side.send(*MESSAGES)
    running = start()
    other_side.wait_for("running")
    while not machine.done:
        other_side.wait(0.01)
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == -signal.SIGTERM and machine.asked and machine.done == ONCE[:1]
    machine.add_script("network", 50, [])
    assert start().end() == DONE and machine.done == ONCE[:1] + ONCE and machine.given("network") == dict(MESSAGES)


def test_the_report_of_many_scripts_fits(start, machine, other_side):
    for number in range(100):
        machine.add_script("script%d" % number, 60, [], work="exit 1")
    other_side.send(*MESSAGES)
    assert start().end() == SCRIPT_FAILED
    report = other_side.reports()[-1]
    assert report["state"] == "failed" and len(report["failed"]) == 100 and report["left_out"] > 0
