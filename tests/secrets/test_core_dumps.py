# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dies amid its work with secrets in its memory leaves no image of that, even where the system would have it."""

import os
import pathlib
import resource
import signal
import sys

import pytest
import requests

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.gateway import Gateway
from tests.secrets import boots as booting
from tests.secrets import places
from tests.secrets.boots import PIN, ROOT_PASSWORD
from tests.secrets.watch import PATIENCE, Watch

#: Waits with a secret in its memory.
HOLDER = "import sys, time; secret = sys.stdin.read(); open('holds', 'w').close(); time.sleep(900)"


@pytest.fixture(autouse=True)
def allowed():
    """What is started may leave core dumps of any size."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] == 0:
        pytest.fail("no process may leave a core dump here: allow it (ulimit -H -c unlimited, or --ulimit core=-1)")
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def limit(process):
    lines = pathlib.Path("/proc/%d/limits" % process).read_text().splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max core file size"))


def family(process):
    """A process, and all that it has started."""
    children = pathlib.Path("/proc/%d/task/%d/children" % (process, process)).read_text().split()
    return [process, *(each for child in children for each in family(int(child)))]


def crash(process, number):
    """Have a child crash: whether the kernel made a core dump."""
    os.kill(process.pid, number)
    status = os.waitpid(process.pid, 0)[1]
    process.returncode = -number
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, status
    return os.WCOREDUMP(status)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_in_a_guest(watch, boots, screen, host_end, number):
    values = {key: watch.secret(key) for key in (PIN, "app.token", ROOT_PASSWORD)}
    boots.environment["OVM_CONSOLE"] = screen.path

    def send(*keys):
        for key in keys:
            host_end.send(Message(key.encode(), values[key].encode()), PATIENCE)

    daemon = boots.start("ovmd, it crashes", "-d", "2", "--foreground", command=booting.DAEMON)
    send("app.token")
    boots.until(lambda: b"app.token" in database(boots), "the message")
    assert {limit(each) for each in family(daemon.process.pid)} == {"1"}
    assert not crash(daemon.process, number)
    # It waits for what is missing, and somebody types.
    waiting = boots.start("first boot, it crashes while it waits")
    screen.answer(b"Press Enter", "")
    screen.answer(b"PIN (org.example.pin; required): ", values[PIN])
    screen.expect(b"The same again: ")
    assert len(family(waiting.process.pid)) == 3
    assert {limit(each) for each in family(waiting.process.pid)} == {"1"}
    assert not crash(waiting.process, number)
    boots.environment["OVM_CONSOLE"] = "/no/console"
    boots.talking("hang")
    running = boots.start("first boot, it crashes while a script runs")
    send(*values)
    boots.hangs()
    script = family(running.process.pid)[-1]
    assert {limit(each) for each in family(running.process.pid)} == {"1"} and script != running.process.pid
    os.kill(script, number)
    assert running.process.wait(PATIENCE) == booting.FAILED
    again = boots.start("first boot, it crashes with its script")
    send(*values)
    boots.hangs()
    assert not crash(again.process, number)
    assert not list(boots.place.rglob("core*"))


def database(boots):
    path = boots.state / "parameters.db"
    return b"".join(each.read_bytes() for each in boots.state.glob("parameters.db*")) if path.exists() else b""


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_the_gateway(watch, xenstored, guest, number):
    token = watch.secret("sent by the guest")
    with Gateway(xenstored, directory=str(watch.place / "gateway")) as gateway:
        watch.paths.append("gateway, it crashes")
        watch.known("password of the gateway's user", gateway.password)
        with XenStore(guest.path, timeout=PATIENCE) as store:
            GuestEnd(store).send(Message(b"app.token", token.encode()), PATIENCE)
        login = {"auth": (gateway.username, gateway.password), "verify": gateway.ca, "timeout": PATIENCE}
        assert requests.get(gateway.url + "/events", **login).status_code == 200
        process = gateway._child
        before = set(pathlib.Path("/").glob("core*"))
        assert {limit(each) for each in family(process.pid)} == {"1"}
        assert not crash(process, number)
        assert set(pathlib.Path("/").glob("core*")) == before
        watch.shown("the gateway's log", gateway.said())


def test_a_core_dump_would_be_found(tmp_path):
    """And where the system has it go to a program, the kernel still tells: that is what the other tests go by."""
    place = tmp_path / "seen"
    place.mkdir()
    with Watch(place) as watch:
        secret = watch.secret("planted")
        reading, writing = os.pipe()
        process = watch.start("planted", [sys.executable, "-c", HOLDER], watch.environment(), stdin=reading)
        os.write(writing, secret.encode())
        os.close(writing)
        os.close(reading)
        while not (place / "holds").exists():
            assert process.poll() is None
        assert limit(process.pid) != "1" and crash(process, signal.SIGSEGV)
        if list(place.rglob("core*")):
            with pytest.raises(AssertionError, match="planted"):
                watch.finish()
            assert places.LEFT in {leak.kind for leak in watch.leaks}
        else:
            assert not pathlib.Path("/proc/sys/kernel/core_pattern").read_text().startswith("core")
            watch.finish()
