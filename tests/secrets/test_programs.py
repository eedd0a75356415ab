# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines: in the guest, at the manager's side, and the gateway's own."""

import json
import pathlib
import signal
import sys

import pytest
import requests

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from tests.secrets.watch import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[2]
MESSAGE = [sys.executable, str(ROOT / "programs/ovm_vmmessage")]
OVMD = [sys.executable, str(ROOT / "programs/ovmd")]
GATEWAY = [sys.executable, str(ROOT / "programs/ovm-gateway")]
FIRST_BOOT = [sys.executable, str(ROOT / "programs/ovm-template-config")]
PASSWORD_KEY = "com.oracle.linux.root-password"
#: A script that says what it should not say, in several ways, and then does as it is told.
SCRIPT = """\
#!{python}
### BEGIN PLUGIN INFO
# name: {name}
# configure: {priority}
# description: Of the tests.
### END PLUGIN INFO
import json, shlex, sys
sys.path.insert(0, {library!r})
from templateconfig.cli import main

KEY = "com.oracle.linux.root-password"

def describe(target):
    return json.dumps([{{"key": KEY, "description": "Root password", "required": True, "password": True}}])

def configure(parameters):
    password = json.loads(parameters)[KEY]
    print("it is", password, repr(password), json.dumps(password), shlex.quote(password))
    sys.stderr.write("and so it is: " + password + "\\n")
    {end}
    return parameters

main(describe, {{"configure": configure}})
"""


@pytest.fixture
def inside(watch, guest):
    """Variables of the guest's programs."""
    return watch.environment(
        XENSTORED_PATH=guest.path,
        OVM_STATE_DIR=str(watch.place / "guest"),
        OVM_TEMPLATE_DIR=str(watch.place / "template.d"),
        OVM_TEMPLATE_LOCK=str(watch.place / "lock"),
    )


def test_ovmd(watch, inside, screen, host_end):
    first, typed, sent = (watch.secret(name) for name in ("standard input", "typed", "sent by the host"))
    daemon = watch.start("ovmd, the daemon", [*OVMD, "-d", "2", "--foreground"], inside)
    watch.run("ovmd --set-secret, from a pipe", [*OVMD, "--set-secret=app.pin"], inside, given=first.encode() + b"\n")
    process = watch.run(
        "ovmd --set-secret, typed", [*OVMD, "--set-secret=app.password"], inside, terminal=screen.terminal
    )
    screen.answer(b"Value of 'app.password': ", typed)
    assert process.wait(PATIENCE) == 0
    host_end.send(Message(PASSWORD_KEY.encode(), sent.encode()), PATIENCE)
    get = [*OVMD, "-g", PASSWORD_KEY]
    assert watch.run("ovmd -g", get, inside, shows=("sent by the host",)).out == sent.encode() + b"\n"
    # What cannot be done.
    for path, arguments, more in (
        ("ovmd, a value that is too long", ["--set-secret=k"], {}),
        ("ovmd, no XenStore", ["--set-secret=k"], {"XENSTORED_PATH": "/no/such/xenstore"}),
        ("ovmd, no list", ["--set-secret=k"], {"OVM_STATE_DIR": "/proc/none"}),
        ("ovmd, a bad command line", ["--set-secret=k", "--no-such-option"], {}),
    ):
        given = first.encode() * (400 if "long" in path else 1)
        ran = watch.run(path, [*OVMD, "-d", "1", *arguments], dict(inside, **more), given=given, wanted=(2, 3))
        assert ran.err.startswith(b"ovmd: ")
    watch.run("ovmd -x", [*OVMD, "-x"], inside)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(PATIENCE) == 0
    # What was deleted is overwritten, in the database and in its journal.
    for path in (watch.place / "guest").iterdir():
        if path.is_file():
            assert not watch.searcher.find(path.read_bytes()), path


def test_ovm_vmmessage(watch, gateway, guest, screen, nothing_waits):
    value, typed, wrong = (watch.secret(name) for name in ("standard input", "typed", "a wrong password"))
    heard = watch.secret("sent by the guest")
    environment = watch.environment(**gateway.environment())
    to = ["-v", guest.name]
    send = [*MESSAGE, "-E", *to, "-k", "app.pin", "--value-from-stdin"]
    watch.run("ovm_vmmessage, from a pipe", send, environment, given=value.encode())
    asked = {name: text for name, text in environment.items() if name != "OVM_PASSWORD"}
    command = [*MESSAGE, *to, "-k", "app.password", "--value-from-stdin"]
    process = watch.run("ovm_vmmessage, typed", command, asked, terminal=screen.terminal)
    screen.answer(b"Value of 'app.password': ", typed)
    screen.answer(b"Password of watched at 127.0.0.1:", gateway.password)
    assert process.wait(PATIENCE) == 0, screen.seen
    with XenStore(guest.path, timeout=PATIENCE) as store:
        GuestEnd(store).send(Message(b"app.token", heard.encode()), PATIENCE)
        received = [bytes(arrival.message.key) for arrival in GuestEnd(store).inbox.receive()]
    assert received == [b"app.pin", b"app.password"]
    nothing_waits()
    for path, arguments, more, code in (
        ("ovm_vmmessage, a wrong password", to, {"OVM_PASSWORD": wrong}, 6),
        ("ovm_vmmessage, nobody listens", [*to, "--timeout=1"], {"OVM_PORT": "1"}, 7),
        ("ovm_vmmessage, not trusted", to, {"OVM_CA_FILE": ""}, 8),
        ("ovm_vmmessage, no such machine", ["-v", "none"], {}, 3),
        ("ovm_vmmessage, too long", to, {}, 2),
    ):
        command = [*MESSAGE, "-E", *arguments, "-k", "app.pin", "--value-from-stdin", "--verbose"]
        given = value.encode() * (400 if "long" in path else 1)
        ran = watch.run(path, command, dict(environment, **more), given=given, wanted=(code,))
        assert ran.err.startswith(b"ovm_vmmessage: ")
    query = [*MESSAGE, "-E", "--quiet", *to, "-q", "app.token"]
    asked = watch.run("ovm_vmmessage -q", query, environment, shows=("sent by the guest",))
    assert asked.out == heard.encode() + b"\n"
    look_at_the_page(watch, gateway, guest)


def look_at_the_page(watch, gateway, guest):
    """What the gateway shows to people: secrets are masked there."""
    login = {"auth": (gateway.username, gateway.password), "verify": gateway.ca, "timeout": PATIENCE}
    machine = "/vm/" + guest.uuid.replace("-", "")
    for path in ("/", "/events", machine, machine + "/received", machine + "/none", "/ovm/core/wsapi/rest/Vm"):
        answer = requests.get(gateway.url + path, **login)
        assert answer.status_code == (404 if path.endswith("none") else 200), path
        watch.shown("GET " + path, answer.content + repr(dict(answer.headers)).encode(), "page or answer")
        answer = requests.get(gateway.url + path, verify=gateway.ca, timeout=PATIENCE)
        watch.shown("GET %s, not logged in" % path, answer.content, "page or answer")
    watch.paths.append("gateway, pages and answers")


def test_the_gateways_own_command(watch, screen, tmp_path):
    password, other, typed = (watch.secret(name) for name in ("password", "wrong password", "typed"))
    configuration = watch.place / "gateway.conf"
    state = watch.place / "gateway"
    configuration.write_text("[server]\ndirectory = %s\nusers = %s\n" % (state, watch.place / "users"))
    environment, more = watch.environment(), ["--config", str(configuration)]
    watch.run("ovm-gateway user add", [*GATEWAY, "user", "add", "a", *more], environment, given=password.encode())
    watch.run("ovm-gateway user check", [*GATEWAY, "user", "check", "a", *more], environment, given=password.encode())
    bad = [*GATEWAY, "user", "check", "a", *more]
    watch.run("ovm-gateway user check, wrong", bad, environment, given=other.encode(), wanted=(1,))
    watch.run(
        "ovm-gateway user add, a bad name", [*GATEWAY, "user", "add", "a:b", *more], environment,
        given=other.encode(), wanted=(1, 2),
    )  # fmt: skip
    process = watch.run(
        "ovm-gateway user add, typed", [*GATEWAY, "user", "add", "b", *more], environment, terminal=screen.terminal
    )
    screen.answer(b"Password of b: ", typed)
    screen.answer(b"Again: ", typed)
    assert process.wait(PATIENCE) == 0, screen.seen
    watch.run("ovm-gateway certificate", [*GATEWAY, "certificate", *more], environment)
    watch.run("ovm-gateway check", [*GATEWAY, "check", *more], environment)
    keys = [path for path in state.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert len(keys) == 1 and keys[0].stat().st_mode & 0o077 == 0, keys
    watch.private_key(keys[0])


def make_scripts(watch):
    """A script that fails, one that raises, and one that does not."""
    library = str(ROOT / "programs/ovm-template-config/lib")
    folder = watch.place / "template.d"
    (folder / "scripts").mkdir(parents=True)
    (folder / "configure.d").mkdir()
    ends = {"raises": "raise ValueError('bad password ' + password)", "fails": "sys.exit(password)", "good": "pass"}
    python = watch.place / "python"
    python.symlink_to(sys.executable)
    for number, (name, end) in enumerate(ends.items(), 20):
        path = folder / "scripts" / name
        path.write_text(SCRIPT.format(python=python, name=name, priority=number, library=library, end=end))
        path.chmod(0o755)
        (folder / "configure.d" / ("%d%s" % (number, name))).symlink_to("../scripts/" + name)


def test_scripts_of_a_first_boot(watch, inside):
    make_scripts(watch)
    root, extra = watch.secret("root's password"), watch.secret("marked by --secret")
    given = json.dumps({PASSWORD_KEY: root, "app.pin": extra}).encode()
    log = str(watch.place / "first-boot.log")
    command = [*FIRST_BOOT, "--logfile", log, "--loglevel", "DEBUG", "--secret", "app.pin"]
    watch.run("ovm-template-config --stdin", [*command, "--stdin", "configure"], inside, given=given, wanted=(1,))
    report = [*command, "--report", "1", "--stdin", "configure"]
    ran = watch.run("ovm-template-config --report", report, inside, given=given, wanted=(1,))
    found = json.loads(ran.out)
    assert found["failed"] == ["raises", "fails"] and "********" in pathlib.Path(log).read_text()
    watch.run(
        "ovm-template-config --check", [*command, "--check", "--stdin", "configure"], inside, given=given, wanted=None
    )
    for path, text in (
        ("ovm-template-config, no JSON", given[:-1]),
        ("ovm-template-config, a list for a value", json.dumps({PASSWORD_KEY: [root]}).encode()),
        ("ovm-template-config, a number of them", json.dumps([root]).encode()),
        ("ovm-template-config, none that is required", json.dumps({"app.pin": extra}).encode()),
    ):
        watch.run(path, [*command, "--stdin", "configure"], inside, given=text, wanted=(2,))
    # The daemon's program runs them with what the guest holds.
    watch.run("ovmd --set-secret for a script", [*OVMD, "--set-secret=" + PASSWORD_KEY], inside, given=root.encode())
    inside.update(OVM_TEMPLATE_CONFIG=str(wrapper(watch, log)), OVM_TEMPLATE_LOG=log)
    watch.run("ovmd -s configure", [*OVMD, "-d1", "-s", "configure"], inside, wanted=(1,))


def wrapper(watch, log):
    """ovm-template-config as a single file that can be started."""
    path = watch.place / "ovm-template-config"
    path.write_text('#!/bin/sh\nexec %s --logfile %s "$@"\n' % (" ".join(FIRST_BOOT), log))
    path.chmod(0o755)
    return path
