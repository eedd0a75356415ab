# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is really full, or read-only, below what programs remember; then it is mended.

What cannot be stored is not acknowledged: it stays in XenStore, and is stored once when there is room. Who cannot do
what was asked says so, with its cause.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import RECEIVED, MessageStore
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from faults.disk import Disk
from faults.hosts import knows, manager_of, until
from faults.injector import PATIENCE
from lab import LabError
from lab.gateway import PROGRAM, Gateway

FULL, READ_ONLY = "database or disk is full|No space left|disk I/O error", "readonly database|Read-only file system"
MESSAGES = [(b"key-%d" % n, b"v" * 5000) for n in range(5)]
#: Name -> what breaks the disk, and what mends it.
WAYS = {
    "full": (Disk.fill, Disk.make_room, FULL),
    "read-only": (lambda disk: disk.remount("ro"), lambda disk: disk.remount("rw"), READ_ONLY),
}


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    with Disk(place) as made:
        yield made


@pytest.fixture
def life(world, disk):
    made = world.begin()
    made.environment["OVM_STATE_DIR"] = disk.path + "/state"
    return made


def held(life, disk):
    """What is in the list there, when nobody uses it."""
    shutil.rmtree(life.state, ignore_errors=True)
    shutil.copytree(disk.seen + "/state", life.state)
    return life.held()


def test_the_daemon(world, life, disk, programs, tmp_path):
    said = tmp_path / "said"

    def reported(key, value):
        return report.Report(dict(life.heard())).holds(key, value)

    def over():
        return not life.waiting() and all(reported(key, value) for key, value in MESSAGES)

    command = disk.command(*programs("ovmd", world.kind), "--foreground", "-d1", "-t", "1", "-f", str(tmp_path / "pid"))
    with said.open("wb") as target:
        process = subprocess.Popen(
            command, env=life.environment, stdin=subprocess.DEVNULL, stdout=target, stderr=target
        )
    try:
        life.send(b"first", b"1")
        until(lambda: reported(b"first", b"1"), said.read_text)
        disk.fill()
        for key, value in MESSAGES:
            life.send(key, value)
        until(lambda: "database or disk is full" in said.read_text(), said.read_text)
        assert life.waiting() == len(MESSAGES)
        assert process.poll() is None, said.read_text()
        disk.make_room()
        until(over, said.read_text)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in said.read_text()
    assert held(life, disk) == [(b"first", b"1"), *MESSAGES]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("begun", [True, False])
def test_a_command(life, disk, programs, world, way, begun):
    ovmd = disk.command(*programs("ovmd", world.kind))
    spoil, mend, named = WAYS[way]
    if begun:
        assert life.run([*ovmd, "-p", "old=1"])[0] == 0
    heard = len(life.heard())
    spoil(disk)
    life.send(*MESSAGES[0])
    for arguments in (["-p", "key=" + "v" * 5000], ["-l"]):
        code, out, err = life.run([*ovmd, *arguments])
        assert (code in (3, 4)) and not out, err
        assert re.search(named, err), err
        assert "Traceback" not in err
    assert life.waiting() == 1, "what cannot be stored was taken"
    assert life.heard()[heard:] == []
    mend(disk)
    assert life.run([*ovmd, "-p", "key=" + "v" * 5000])[0] == 0
    assert sorted(held(life, disk)) == sorted([(b"old", b"1")] * begun + [(b"key", b"v" * 5000), MESSAGES[0]])
    assert life.waiting() == 0


def gateway_on(disk, site):
    """A gateway whose state is there."""
    return Gateway(
        site.daemon,
        directory=disk.seen + "/state",
        options={"server.directory": disk.path + "/state"},
        command=disk.command(sys.executable, PROGRAM),
    )


def test_the_gateway(scene, disk, tmp_path):
    """The scene's own ends first: there is one for each XenStore."""
    site = scene.site
    assert scene.gateway.stop() == 0
    with (
        gateway_on(disk, site) as gateway,
        contextlib.closing(manager_of(gateway)) as manager,
    ):
        until(lambda: knows(manager, site.vm), gateway.said)
        vm = find(manager.vms(), site.vm)
        manager.send(vm, [(b"key", b"before")], log=True)
        disk.fill()
        site.says(MESSAGES)
        with pytest.raises(Problem) as caught:
            for number in range(1000):  # until nothing more fits in between
                manager.send(vm, [(b"key", b"%04d" % number + b"v" * 4000)], log=False)
        assert "disk" in str(caught.value), str(caught.value)
        until(lambda: "WARNING no messages are collected: " in gateway.said(), gateway.said)
        assert "database or disk is full" in gateway.said()
        assert site.uncollected() > 0
        disk.make_room()
        until(lambda: not site.uncollected(), gateway.said)
        manager.send(vm, [(b"key", b"after")], log=True)
        arrived = [value[:6] for _key, value in site.takes()]
        # Each that was told to be sent, in order, and none twice; of the one that failed nothing.
        assert arrived == [b"before", *(b"%04dvv" % n for n in range(number)), b"after"], arrived
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.said()
    shutil.copytree(disk.seen + "/state", tmp_path / "state")
    with MessageStore(str(tmp_path / "state")) as store:
        assert [(message.key, message.value) for message in store.messages(site.vm, RECEIVED)] == MESSAGES


def test_a_gateway_that_may_not_write(scene, disk):
    assert scene.gateway.stop() == 0
    with gateway_on(disk, scene.site) as gateway:
        assert gateway.stop() == 0
        disk.remount("ro")
        with pytest.raises(LabError) as caught:
            gateway.start()
        assert "(Read-only file system): have its file system mounted for writing" in str(caught.value)
        assert "Traceback" not in gateway.said()
        disk.remount("rw")
        gateway.start()
        assert gateway.stop() == 0
