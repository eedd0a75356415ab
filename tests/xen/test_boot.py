# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that must work on real Xen: guests of both kinds boot, and messages go both ways."""

import json
import statistics

import pytest

from lab import toolstack

CHANNEL = "control/oracle-vmapi"


@pytest.fixture(params=["pv", "pvh"])
def guest(request, guests):
    """A running guest of each kind."""
    return guests[request.param]


def home(guest):
    return "/local/domain/%d/" % guest.domid


def test_it_is_a_real_guest_on_real_xen(guest, xen_host):
    assert guest.shell.run("cat", "/sys/hypervisor/type").out == "xen\n"
    assert "xen_version            : 4.17" in xen_host.xl("info").out
    kind = guest.shell.run("cat", "/sys/hypervisor/guest_type").out.strip()
    assert kind.lower() == guest.kind
    name = xen_host.store.read(home(guest) + "name")
    assert name == guest.name.encode()


def test_permissions_are_what_the_lab_and_the_documents_say(make_domain, xen_host):
    guest = make_domain()
    store, me = xen_host.store, str(guest.domid)
    # libxl's: the guest may read control, and makes nothing there.
    assert store.permissions(home(guest) + "control") == ["n0", "r" + me]
    assert store.permissions(home(guest) + "data") == ["n" + me]
    assert store.permissions(home(guest) + CHANNEL) is None
    done = guest.shell.run("ovmd", "-p", "key=value", check=False)
    assert done.code != 0
    assert "control/oracle-vmapi" in done.err
    # What the host's end makes: the guest's own.
    assert json.loads(xen_host.shell.python("host", "prepare", me).out) is True
    for node in ("", "/to-guest", "/from-guest"):
        assert store.permissions(home(guest) + CHANNEL + node) == ["n" + me]
    assert json.loads(xen_host.shell.python("host", "prepare", me).out) is False
    # What the guest makes below is its own as well.
    guest.shell.run("ovmd", "-p", "key=value")
    assert store.tree(home(guest) + CHANNEL + "/from-guest") == {"1": b"key", "1/0": b"value", "last-write": b"1"}
    assert store.permissions(home(guest) + CHANNEL + "/from-guest/1/0") == ["n" + me]


class Recorder:
    """Takes down what is made of a domain's nodes, in place of XenStore."""

    def __init__(self):
        self.permissions = {}

    def transact(self, work):
        work(self)

    def remove(self, path):
        assert path not in self.permissions

    def write(self, path, _value):
        self.permissions[path] = None

    def set_permissions(self, path, permissions):
        self.permissions[path] = [entry.decode() for entry in permissions]


def test_the_emulated_lab_has_the_nodes_and_permissions_of_libxl(guest, xen_host):
    recorder, store = Recorder(), xen_host.store
    uuid = store.read(home(guest) + "vm").decode().rpartition("/")[2]
    toolstack.build(recorder, guest.domid, guest.name, uuid)
    assert len(recorder.permissions) > 30
    assert {path: store.permissions(path) for path in recorder.permissions} == recorder.permissions


def test_messages_go_both_ways(guest, xen_host):
    xen_host.shell.python("host", "prepare", guest.domid)
    guest.shell.run("ovmd", "-p", "from-guest=näher, my god")
    assert json.loads(xen_host.shell.python("host", "received", guest.name).out) == [["from-guest", "näher, my god"]]
    assert xen_host.store.ls(home(guest) + CHANNEL + "/from-guest") == ["last-write"]
    xen_host.shell.python("host", "send", guest.name, "to-guest", "ünd back")
    assert guest.shell.run("ovmd", "-g", "to-guest").out == "ünd back\n"
    assert xen_host.store.ls(home(guest) + CHANNEL + "/to-guest") == ["last-write"]


def test_round_trips(guest, xen_host, figure):
    rounds = 50
    xen_host.shell.python("host", "prepare", guest.domid)
    with guest.shell.start(*guest.shell.python_command("echo", rounds)) as echo:
        assert echo.stdout.readline() == "ready\n"
        times = json.loads(xen_host.shell.python("ping", guest.domid, rounds).out)
        _out, said = echo.communicate(timeout=60)
    assert (echo.returncode, said) == (0, "")
    assert len(times) == rounds
    figure("host to %s guest and back, median" % guest.kind, statistics.median(times) * 1000, "ms")
