# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""First boots with secrets out of messages, at the console, and on a disc: also those that fail, are killed, and are
done again."""

import json
import signal
import subprocess
import sys
import xml.sax.saxutils

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from lab import parts
from lab.ovmapi import Device
from tests.secrets import boots as booting
from tests.secrets.boots import DONE, FAILED, PIN, ROOT_PASSWORD, USER, Boots
from tests.secrets.watch import PATIENCE

NAME, PASSWORD = USER + "name.0", USER + "password.0"
OVF = """<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>%s</PropertySection></Environment>"""


def secrets(watch):
    """What a guest is configured with, in an order that completes it with its last."""
    names = {PIN: "described by a script", "app.token": "that no script describes", PASSWORD: "of a user"}
    found = {NAME: "alice", **{key: watch.secret(name) for key, name in names.items()}}
    return {**found, ROOT_PASSWORD: watch.secret("of root")}


def held(boots):
    with ParameterList(str(boots.state)) as parameters:
        return sorted(entry.key.decode() for entry in parameters.entries())


@pytest.fixture
def send(host_end):
    def to_guest(values):
        for key, value in values.items():
            host_end.send(Message(key.encode(), value.encode()), PATIENCE)

    return to_guest


def test_messages(watch, boots, send, the_host_sees):
    values = secrets(watch)
    daemon = boots.start("ovmd beside a first boot", "-d", "2", "--foreground", command=booting.DAEMON)
    boot = boots.start("first boot, messages")
    boot.expect("waiting for parameters")
    send(values)
    boot.end(DONE)
    assert boots.was_set() == ["alice", "root"] and not boots.sealed and held(boots) == [NAME]
    assert b"********" in boots.log.read_bytes()
    told = the_host_sees()
    assert any(b'"done"' in each for each in told), told
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(PATIENCE) == 0, daemon.said
    watch.finish()
    # What was wiped is overwritten, too.
    for path in boots.state.iterdir():
        assert not path.is_file() or not watch.searcher.find(path.read_bytes()), path


def test_messages_of_first_boots_that_fail(watch, boots, send, the_host_sees):
    values = secrets(watch)
    for what, marker in (("fail", b"talking"), ("raise", b"ValueError")):
        boots.talking(what)
        boot = boots.start("first boot, messages, a script that has to %s" % what)
        boot.expect("waiting for parameters")
        send(values)
        boot.end(FAILED)
        told = b"".join(the_host_sees())
        assert marker in told and b'"failed"' in told and boots.sealed and held(boots) == [NAME], told
    for number in (signal.SIGTERM, signal.SIGKILL):
        boots.talking("hang")
        boot = boots.start("first boot, messages, ended by %s" % number.name)
        send(values)
        boots.hangs()
        boot.end(None, number)
        the_host_sees()
    boots.talking("good")
    boots.start("first boot, messages, started again").end(DONE)
    the_host_sees()
    assert not boots.sealed and held(boots) == [NAME]


def test_messages_that_do_not_complete_it(watch, boots, send, the_host_sees):
    values = secrets(watch)
    del values[ROOT_PASSWORD]
    boots.seal(TIMEOUT=1, ON_TIMEOUT="poweroff")
    send(values)
    boot = boots.start("first boot, messages, the time is over")
    boot.end(3)
    assert "lack" in boot.said and b"lack" in b"".join(the_host_sees())
    # The list is where nobody can write.
    boots.seal()
    send(values)
    boot = boots.start("first boot, messages, no list", OVM_STATE_DIR="/proc/none")
    boot.expect("no way to messages")
    boot.end(None, signal.SIGTERM)


def test_the_console(watch, boots, screen, the_host_sees):
    typed = {name: watch.secret(name) for name in ("PIN", "wrong", "first try", "root")}
    boots.environment["OVM_CONSOLE"] = screen.path
    boot = boots.start("first boot, console")
    # Somebody thinks better of it, and it is killed amid.
    screen.answer(b"Press Enter", "")
    screen.answer(b"PIN (org.example.pin; required): ", typed["first try"])
    screen.expect(b"The same again: ")
    screen.type(typed["first try"][:9].encode() + b"\x03")
    screen.expect(b"Nothing was kept.")
    screen.answer(b"Press Enter", "")
    screen.answer(b"PIN (org.example.pin; required): ", typed["first try"])
    screen.expect(b"The same again: ")
    screen.type(typed["first try"][:9].encode())
    boot.end(None, signal.SIGTERM)
    boots.talking("raise")
    for path, code in (("first boot, console, a script fails", FAILED), ("first boot, console, again", DONE)):
        boot = boots.start(path)
        screen.answer(b"Press Enter", "")
        screen.answer(b"PIN (org.example.pin; required): ", typed["PIN"])
        screen.answer(b"The same again: ", typed["wrong"])
        screen.answer(b"PIN (org.example.pin; required): ", typed["PIN"])
        screen.answer(b"The same again: ", typed["PIN"])
        screen.answer(b"(com.oracle.linux.root-password; required): ", typed["root"])
        screen.answer(b"The same again: ", typed["root"])
        screen.expect(b"That is all.")
        boot.end(code)
        the_host_sees()
        boots.talking("good")
    assert boots.was_set() == ["root", "root"] and not boots.sealed


def disc(boots, name, values, broken=False):
    """An image that a user has made: it is none of the places to look at."""
    top = boots.place / name
    boots.watch.given(top / "ovf-env.xml")
    top.mkdir()
    found = "".join("<Property oe:key=%s oe:value=%s/>" % tuple(map(quoted, pair)) for pair in values.items())
    (top / "ovf-env.xml").write_text((OVF % found)[: -9 if broken else None])
    image = boots.watch.given(boots.place / (name + ".iso"))
    command, environment = parts.genisoimage()
    subprocess.run([*command, "-quiet", "-R", "-o", str(image), str(top)], env=environment, check=True)
    return image


def quoted(text):
    return xml.sax.saxutils.quoteattr(text)


def test_a_disc(watch, boots, the_host_sees):
    values = secrets(watch)
    whole, broken = disc(boots, "whole", values), disc(boots, "broken", values, broken=True)
    lacking = disc(boots, "lacking", {key: values[key] for key in (PIN, NAME, PASSWORD)})
    drive = boots.place / "drive"
    boots.environment.update(OVM_OVF_DEVICES="/no/drive:%s" % drive, OVM_OVF_PERIOD="0.1")
    drive.symlink_to(broken)
    boot = boots.start("first boot, a disc that is no XML")
    boot.expect("is no XML")
    drive.unlink()
    drive.symlink_to(lacking)
    boot.expect("lack " + ROOT_PASSWORD)
    boot.end(None, signal.SIGTERM)
    boots.talking("fail")
    drive.unlink()
    drive.symlink_to(whole)
    boots.start("first boot, a disc, a script fails").end(FAILED)
    the_host_sees()
    boots.talking("hang")
    boot = boots.start("first boot, a disc, killed")
    boots.hangs()
    boot.end(None, signal.SIGKILL)
    boots.talking("good")
    boots.start("first boot, a disc, again").end(DONE)
    the_host_sees()
    assert not boots.sealed and "alice" in boots.was_set()
    # The same without a first boot.
    words = ["--ovf-transport-iso", "--output", "1", "configure"]
    asked = ("described by a script", "that no script describes", "of a user", "of root")
    command = [*booting.PROGRAM, *words]
    ran = watch.run("ovm-template-config --ovf-transport-iso", command, boots.environment, shows=asked)
    assert json.loads(ran.out) == values


def test_a_device(watch, tmp_path):
    """The vendor's driver has the messages: as far as the stand-in for it goes."""
    # What the kernel has is no file.
    device = Device(tmp_path)
    boots = Boots(watch, "")
    values = secrets(watch)
    preloaded = device.environment({})
    command = ["env", *("%s=%s" % pair for pair in preloaded.items())]
    boots.environment["OVM_DEVICE"] = device.path
    for what, code in (("raise", FAILED), ("good", DONE)):
        boots.talking(what)
        boot = boots.start("first boot, /dev/ovmapi, it is to %s" % what, command=[*command, *booting.PROGRAM])
        boot.expect("waiting for parameters")
        for key, value in values.items():
            assert device.inject(key.encode(), value.encode())
        boot.end(code)
    told = b"\n".join(b"%s=%s" % (key, b"".join(pieces)) for key, pieces in device.sent())
    assert b'"done"' in told and not boots.sealed
    watch.shown("what the host is told by the driver", told)
    daemon = [*command, sys.executable, booting.DAEMON[1]]
    given = watch.secret("standard input")
    environment = dict(boots.environment)
    running = boots.start("ovmd, /dev/ovmapi", "-d", "2", "--foreground", command=daemon)
    watch.run(
        "ovmd --set-secret, /dev/ovmapi", [*daemon, "--set-secret=app.pin"], environment, given=given.encode() + b"\n"
    )
    assert device.inject(b"app.password", values[PIN].encode())
    asked = ("described by a script",)
    boots.until(
        lambda: (
            watch.run(
                "ovmd -g, /dev/ovmapi", [*daemon, "-g", "app.password"], environment, shows=asked, wanted=None
            ).out
            == values[PIN].encode() + b"\n"
        ),
        "the message",
    )
    for key in ("app.pin", "app.password"):
        watch.run("ovmd -r, /dev/ovmapi", [*daemon, "-r", key], environment)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0, running.said
