# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: what other tests rely on."""

import concurrent.futures
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import (
    ConnectionLost,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    TooBig,
    XenStoreError,
    XenStoreUnavailable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab import LabError, parts
from lab.daemon import KINDS, Daemon
from lab.guest import Guest
from lab.process import Process

LONG = 60.0
SHORT = 0.2
READ, WATCH, WRITE = 2, 4, 11


@pytest.fixture
def inside(guest):
    """A program in the guest, connected."""
    with XenStore(guest.path, timeout=LONG) as store:
        yield store


class Raw:
    """A connection on which to send what no decent program sends."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LONG)
        self._socket.connect(path)
        self._stream = self._socket.makefile("rb")
        self.send = self._socket.sendall

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._stream.close()
        self._socket.close()

    def answer(self):
        """The next packet: operation, request number, payload."""
        operation, number, _unused, size = struct.unpack("=IIII", self._stream.read(16))
        return operation, number, self._stream.read(size)

    def ended(self):
        """Whether the other side closes it, and sends nothing before."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True


def packet(operation, payload, number=0, transaction=0):
    return struct.pack("=IIII", operation, number, transaction, len(payload)) + payload


def until(condition):
    """Wait for what no event tells of."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- identity ---------------------------------------------------------------------------


def test_a_guest_is_its_domain(inside, host):
    host.write(b"/local/domain/5/data/from-host", b"hello")
    assert inside.read(b"data/from-host") == inside.read(b"/local/domain/5/data/from-host") == b"hello"
    inside.write(b"data/mine", b"x")
    assert host.get_permissions(b"/local/domain/5/data/mine") == [b"n5"]


def test_a_guest_may_do_what_libxl_lets_it(inside, host, make_guest):
    make_guest(6, name="other")
    host.write(b"/secret", b"x")
    assert inside.read(b"name") == b"guest-5"
    assert inside.read(inside.read(b"vm") + b"/name") == b"guest-5"
    for path in (b"/secret", b"/local/domain/6/name", b"/libxl/5"):
        with pytest.raises(PermissionDenied):
            inside.read(path)
    for path in (b"name", b"control/mine", b"/local/domain/6/data/x", b"/mine"):
        with pytest.raises(PermissionDenied):
            inside.write(path, b"x")
    inside.write(b"control/shutdown", b"")


def test_permissions_given_by_the_owner_count(inside, make_guest):
    with XenStore(make_guest(6).path) as other:
        inside.write(b"data/shared", b"x")
        inside.set_permissions(b"data/shared", [b"n5", b"r6"])
        assert other.read(b"/local/domain/5/data/shared") == b"x"
        with pytest.raises(PermissionDenied):
            other.write(b"/local/domain/5/data/shared", b"y")
    with pytest.raises(PermissionDenied):
        inside.set_permissions(b"data/shared", [b"n6"])


def test_the_channel_is_prepared_unless_told_otherwise(make_guest, host):
    make_guest(5)
    make_guest(6, prepare=False)
    assert host.get_permissions(b"/local/domain/5/control/oracle-vmapi/to-guest") == [b"n5"]
    assert not host.exists(b"/local/domain/6/control/oracle-vmapi")
    assert host.get_permissions(b"/local/domain/6/control") == [b"n0", b"r6"]


# --- quotas -----------------------------------------------------------------------------


def fill(store):
    """How many nodes a guest can make."""
    for n in range(5000):
        try:
            store.write(b"data/%d/%d" % (n // 100, n % 100), b"")
        except QuotaExceeded:
            return n
    raise AssertionError("there is no quota")


def test_a_guest_owns_a_thousand_nodes_at_most(inside, host):
    assert 900 < fill(inside) < 1000
    host.write(b"/local/domain/5/name", b"the host is not limited")


def test_a_node_of_a_guest_is_limited(inside, xenstored):
    # The C daemon counts its own part of a node in: 33 bytes in Xen 4.17, 24 in 4.20.
    most, too_much, refusal = {"c": (2015, 2025, QuotaExceeded), "ocaml": (2048, 2049, TooBig)}[xenstored.kind]
    inside.write(b"data/x", b"v" * most)
    assert inside.read(b"data/x") == b"v" * most
    with pytest.raises(refusal):
        inside.write(b"data/x", b"v" * too_much)


@pytest.mark.parametrize(
    ("kind", "options"), [("c", {"arguments": ["-E", "50"]}), ("ocaml", {"settings": {"quota-maxentity": 50}})]
)
def test_quotas_can_be_set(lab_parts, kind, options):
    with Daemon(kind, **options) as daemon:
        guest = Guest(daemon, 5)
        with XenStore(guest.path) as inside:
            assert fill(inside) < 50
        guest.close()


# --- many programs in one guest ---------------------------------------------------------


@pytest.mark.parametrize("way", ["path", "device"])
def test_many_programs_at_once(guest, way):
    def work(n):
        with XenStore(getattr(guest, way), timeout=LONG) as store:
            for turn in range(60):
                store.write(b"data/%d" % n, b"%d" % turn)
                assert store.read(b"data/%d" % n) == b"%d" % turn
            return True

    # Programs that open a device at the very same moment may share it, so there is one at a time.
    workers = 12 if way == "path" else 1
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        assert all(pool.map(work, range(2 * workers)))


def test_watches_go_to_the_program_that_set_them(guest, host):
    with XenStore(guest.path) as first, XenStore(guest.path) as second:
        for store in (first, second):
            store.watch(b"data/a", b"token")
            assert store.wait(LONG) == (b"data/a", b"token")
        second.watch(b"data/b", b"token b")
        assert second.wait(LONG) == (b"data/b", b"token b")
        host.write(b"/local/domain/5/data/b", b"x")
        assert second.wait(LONG) == (b"data/b", b"token b")
        second.unwatch(b"data/a", b"token")
        host.write(b"/local/domain/5/data/a/child", b"x")
        # (oxenstored tells of a new parent, too)
        assert first.wait(LONG)[1] == b"token"
        host.write(b"/local/domain/5/data/b", b"y")
        assert second.wait(LONG) == (b"data/b", b"token b")


def test_watches_end_with_their_program(guest):
    for _unused in range(300):  # more than a domain may have
        with XenStore(guest.path) as store:
            store.watch(b"data", b"token")
            store.wait(LONG)


def test_a_refused_watch_is_told_and_forgotten(inside):
    with pytest.raises((QuotaExceeded, TooBig)):
        for n in range(500):
            inside.watch(b"data", b"%d" % n)
    inside.unwatch(b"data", b"0")
    inside.watch(b"data", b"again")
    with pytest.raises(NotFound):  # the adapter's unwatch would not mind
        inside._call(5, b"data", b"never set")


def test_transactions_end_with_their_program(guest):
    for _unused in range(40):  # more than a domain may have open
        store = XenStore(guest.path)
        transaction = store.transaction().__enter__()
        transaction.write(b"data/never", b"x")
        store.close()
    with XenStore(guest.path) as store:
        assert not store.exists(b"data/never")
        with store.transaction() as transaction:
            transaction.write(b"data/now", b"x")
        assert store.read(b"data/now") == b"x"


def test_a_program_has_no_part_in_the_transactions_of_another(guest):
    with XenStore(guest.path) as first, first.transaction() as transaction, Raw(guest.path) as second:
        second.send(packet(READ, b"name\0", 7, transaction._identity))
        assert second.answer() == (16, 7, b"ENOENT\0")


def test_a_program_keeps_its_request_numbers(guest):
    with Raw(guest.path) as connection:
        for number in (0, 1, 1, 0xFFFFFFFF):
            connection.send(packet(READ, b"name\0", number))
            assert connection.answer() == (READ, number, b"guest-5")


def test_a_request_may_come_in_pieces(guest):
    with Raw(guest.path) as connection:
        for byte in packet(READ, b"name\0") * 2:
            connection.send(bytes([byte]))
        assert connection.answer() == connection.answer() == (READ, 0, b"guest-5")


def test_half_a_request_harms_nobody(guest, inside):
    for cut in (1, 15, 16, 20):
        with Raw(guest.path) as connection:
            connection.send(packet(WRITE, b"data/x\0value")[:cut])
        assert inside.read(b"name") == b"guest-5"
    assert not inside.exists(b"data/x")


def test_a_request_that_is_too_long_ends_the_connection(guest, inside):
    with Raw(guest.path) as connection:
        connection.send(struct.pack("=IIII", WRITE, 0, 0, 4097) + b"x" * 100)
        assert connection.ended()
    assert inside.read(b"name") == b"guest-5"


def test_what_a_program_asked_for_happens_even_if_it_does_not_wait(guest, inside):
    inside.watch(b"data/last", b"t")
    inside.wait(LONG)
    names = [b"%d" % n for n in range(300)] + [b"last"]
    with Raw(guest.path) as connection:
        connection.send(b"".join(packet(WRITE, b"data/%s\0x" % name) for name in names))
    assert inside.wait(LONG)
    assert inside.exists(b"data/299")


def test_a_program_that_does_not_read_delays_nobody(guest, inside):
    inside.write(b"data/big", b"v" * 2000)
    count = 1500
    with Raw(guest.path) as connection:
        sender = threading.Thread(target=connection.send, args=(packet(READ, b"data/big\0") * count,))
        sender.start()
        for _unused in range(200):
            assert inside.read(b"name") == b"guest-5"
        for _unused in range(count):
            assert connection.answer() == (READ, 0, b"v" * 2000)
        sender.join()


def test_a_big_reply_passes_the_ring_whole(inside, host):
    host.write(b"/local/domain/5/data/big", b"v" * 2048)
    host.set_permissions(b"/local/domain/5/data/big", [b"n0", b"r5"])
    for _unused in range(50):
        assert inside.read(b"data/big") == b"v" * 2048


# --- the device -------------------------------------------------------------------------


def test_the_device_is_a_character_device(guest):
    with XenStore(guest.device) as store:
        assert os.path.realpath(guest.device).startswith("/dev/")
        everything = bytes(range(256))
        store.write(b"data/bytes", everything)
        assert store.read(b"data/bytes") == everything


def test_programs_that_use_the_device_one_after_the_other_are_strangers(guest):
    for _unused in range(150):  # more than a domain may have watches
        with XenStore(guest.device) as store:
            store.watch(b"data", b"token")
            assert store.wait(LONG) == (b"data", b"token")
    with XenStore(guest.device) as store:
        store.write(b"data/x", b"")
        assert store.wait(SHORT) is None


def test_a_program_that_dies_on_the_device_leaves_nothing(guest):
    code = (
        "import sys\n"
        "from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore\n"
        "transaction = XenStore(sys.argv[1]).transaction().__enter__()\n"
        "print('begun', flush=True)\n"
        "while True: transaction.read(b'name')\n"
    )
    for _unused in range(3):
        with subprocess.Popen([sys.executable, "-c", code, guest.device], stdout=subprocess.PIPE) as program:
            assert program.stdout.readline() == b"begun\n"
            program.kill()
        with XenStore(guest.device) as store:
            assert store.read(b"name") == b"guest-5"


# --- the daemon -------------------------------------------------------------------------


def test_a_paused_daemon_hangs_and_goes_on(xenstored, guest):
    with XenStore(guest.path, timeout=SHORT) as inside, XenStore(xenstored.path, timeout=SHORT) as host:
        xenstored.pause()
        for store in (host, inside):
            with pytest.raises(DeadlineExceeded):
                store.read(b"/local/domain/5/name")
        xenstored.resume()
        for store in (host, inside):
            store.timeout = LONG
            assert store.read(b"/local/domain/5/name") == b"guest-5"


def test_a_restarted_daemon_knows_nothing_but_the_guests(xenstored, guest, host):
    host.write(b"/something", b"x")
    with XenStore(guest.path, timeout=LONG) as inside:
        inside.watch(b"data", b"t")
        inside.wait(LONG)
        inside.write(b"data/x", b"x")
        inside.wait(LONG)
        xenstored.restart()
        assert inside.wait(LONG) == (b"data", b"t")  # the guest's kernel has set it again
        assert not inside.exists(b"data/x")
        assert inside.read(b"name") == b"guest-5"
        inside.write(b"control/oracle-vmapi/from-guest/1", b"x")
    with XenStore(xenstored.path) as again:
        assert not again.exists(b"/something")


def test_a_guest_hangs_while_there_is_no_daemon(xenstored, guest):
    with XenStore(guest.path, timeout=SHORT) as inside:
        xenstored.kill()
        with pytest.raises(DeadlineExceeded):
            inside.read(b"name")
        xenstored.restart()
        inside.timeout = LONG
        assert inside.read(b"name") == b"guest-5"


def test_killed_and_started_again_at_the_same_place(xenstored):
    xenstored.kill()
    with pytest.raises(XenStoreUnavailable):
        XenStore(xenstored.path)
    xenstored.start()
    with XenStore(xenstored.path) as store:
        store.write(b"/x", b"y")


def test_a_daemon_that_does_not_start_says_why(lab_parts):
    daemon = Daemon("c", arguments=["--help"])
    with pytest.raises(LabError, match=r"xenstored ended at once; .*/daemon.log says: .*"):
        daemon.start()
    daemon.close()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(lab_parts, kind):
    with Daemon(kind) as daemon:
        guest = Guest(daemon, 5)
        processes = [daemon.process, guest._kernel]
        guest.close()
    assert not os.path.exists(daemon.directory)
    assert not any(process.alive() for process in processes)


@pytest.mark.parametrize("kind", KINDS)
def test_all_ends_with_the_process_that_began_it(lab_parts, kind):
    code = (
        "import sys, signal\n"
        "from lab.daemon import Daemon\n"
        "from lab.guest import Guest\n"
        "daemon = Daemon(sys.argv[1]).start()\n"
        "kernel = Guest(daemon, 5)._kernel\n"
        "print(daemon.directory, daemon.process.pid, daemon.process.started, kernel.pid, kernel.started, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, kind], stdout=subprocess.PIPE) as parent:
        directory, *numbers = parent.stdout.readline().decode().split()
        processes = [Process(int(numbers[0]), numbers[1]), Process(int(numbers[2]), numbers[3])]
        assert all(process.alive() for process in processes)
        parent.kill()
    until(lambda: not any(process.alive() for process in processes))
    subprocess.run(["rm", "-r", directory], check=True)


# --- the life of a domain ---------------------------------------------------------------


@pytest.fixture
def special(host):
    """Watches on the domains' coming and going; gives a function that waits for one of them."""
    for name in (b"@introduceDomain", b"@releaseDomain"):
        host.watch(name, b"of " + name)
        assert host.wait(LONG) == (name, b"of " + name)

    def seen(name):
        return host.wait(LONG, b"of " + name) == (name, b"of " + name)

    return seen


def test_a_domain_that_is_destroyed_is_released(make_guest, host, special):
    guest = make_guest(5)
    assert special(b"@introduceDomain")
    with Raw(guest.path) as program:
        guest.destroy()
        assert special(b"@releaseDomain")
        assert program.ended()
    assert not host.exists(b"/local/domain/5")
    assert not os.path.exists(guest.path)
    assert make_guest(5).running()


@pytest.mark.parametrize("end", ["crash", "shut_down"])
def test_a_domain_that_ends_by_itself_is_released_but_stays(make_guest, host, special, end):
    guest = make_guest(5)
    getattr(guest, end)()
    assert special(b"@releaseDomain")
    assert not guest.running()
    assert host.read(b"/local/domain/5/name") == b"guest-5"
    guest.destroy()
    assert not host.exists(b"/local/domain/5")


def test_a_reboot_is_a_new_domain_of_the_same_machine(guest, host):
    before, uuid = guest.path, guest.uuid
    with Raw(guest.path) as program:
        guest.reboot()
        assert program.ended()
    assert (guest.domid, guest.path, guest.uuid) == (6, before, uuid)
    assert not host.exists(b"/local/domain/5")
    with XenStore(guest.path) as inside:
        assert inside.read(b"domid") == b"6"
        assert inside.read(b"vm") == b"/vm/" + uuid.encode()
    guest.reboot(9)
    assert guest.domid == 9


def test_a_restored_guest_goes_on_as_another_domain(guest, host):
    with XenStore(guest.path, timeout=LONG) as inside:
        inside.write(b"data/x", b"x")
        inside.watch(b"data", b"t")
        assert inside.wait(LONG)
        guest.restore(12)
        assert inside.wait(LONG) == (b"data", b"t")
        assert inside.read(b"domid") == b"12"
        assert not inside.exists(b"data/x")
        inside.write(b"data/x", b"y")
        assert host.get_permissions(b"/local/domain/12/data/x") == [b"n12"]
        with pytest.raises(XenStoreError):
            inside.read(b"/local/domain/5/name")
        guest.restore()
        assert inside.read(b"domid") == b"13"


def test_a_checkpoint_changes_nothing(guest):
    with XenStore(guest.path, timeout=LONG) as inside:
        inside.write(b"data/x", b"x")
        inside.watch(b"data", b"t")
        assert inside.wait(LONG)
        guest.checkpoint()
        assert inside.read(b"data/x") == b"x"
        inside.write(b"data/y", b"y")
        assert inside.wait(LONG) == (b"data/y", b"t")


def test_a_guest_that_is_busy_can_be_saved(guest):
    done = threading.Event()

    def work():
        count = 0
        with XenStore(guest.path, timeout=LONG) as store:
            while not done.is_set():
                assert store.read(b"name") == b"guest-5"
                count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor() as pool:
        workers = [pool.submit(work) for _unused in range(3)]
        for _unused in range(5):
            guest.restore()
            guest.checkpoint()
        done.set()
        assert all(worker.result() for worker in workers)


def test_a_paused_guest_hangs_and_goes_on(guest):
    with XenStore(guest.path, timeout=SHORT) as inside:
        guest.pause()
        with pytest.raises(DeadlineExceeded):
            inside.read(b"name")
        guest.resume()
        inside.timeout = LONG
        assert inside.read(b"name") == b"guest-5"


def test_a_number_can_be_had_once(guest, make_guest):
    with pytest.raises(LabError, match="there is a guest 5 already: destroy it first"):
        make_guest(5)
    with pytest.raises(LabError, match="0 is no guest's domain number"):
        make_guest(0)
    other = make_guest(6)
    for again in (other.reboot, other.restore):
        with pytest.raises(LabError, match="there is a domain 5 already"):
            again(5)
    assert other.running()
    other.destroy()
    guest.reboot(guest.domid)


def test_a_guest_that_cannot_be_made_leaves_nothing(xenstored, make_guest, monkeypatch):
    xenstored.pause()
    monkeypatch.setattr("lab.guest.PATIENCE", SHORT)
    with pytest.raises(DeadlineExceeded):
        make_guest(5)
    monkeypatch.undo()
    xenstored.resume()
    assert make_guest(5).running()


# --- the command ------------------------------------------------------------------------


class Command:
    """``python -m lab`` with a lab of its own."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, *arguments, code=0):
        """Run it, check its exit code, and give what it printed and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", *arguments, "--dir", self.folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert not code or re.fullmatch("lab: .*\n", done.stderr)
        return done.stdout, done.stderr


@pytest.fixture
def command(lab_parts, tmp_path):
    command = Command(tmp_path / "lab")
    yield command
    command("down")


@pytest.fixture
def second_command(lab_parts, tmp_path):
    command = Command(tmp_path / "second")
    yield command
    command("down")


@pytest.mark.parametrize("kind", KINDS)
def test_a_session(command, kind):
    variable = command("up", "--daemon", kind)[0].strip()
    assert variable.startswith("XENSTORED_PATH=/")
    assert command("up") == (variable + "\n", command("up")[1])
    assert "it is up already" in command("up")[1]
    path = command("guest", "5", "--name", "web")[0].strip()
    assert command("status")[0] == "%s\nLAB_GUEST_5=%s\n" % (variable, path)
    with XenStore(path) as inside:
        assert inside.read(b"name") == b"web"
        command("send", "5", "key", "the value")
        assert inside.read(b"control/oracle-vmapi/to-guest/1/0") == b"the value"
        assert command("receive", "5")[0] == ""
        with inside.transaction() as transaction:
            transaction.write(b"control/oracle-vmapi/from-guest/1", b"up")
            transaction.write(b"control/oracle-vmapi/from-guest/1/0", b"two\nlines")
            transaction.write(b"control/oracle-vmapi/from-guest/last-write", b"1")
    assert command("receive", "5", "--wait", "10")[0] == "up=two\\nlines\n"
    assert command("ls", "/local/domain/5/name")[0] == '/local/domain/5/name = "web" (n0,r5)\n'
    assert '/local/domain/5/name = "web" (n0,r5)\n' in command("ls")[0]
    command("destroy", "5")
    assert command("status")[0] == variable + "\n"
    command("guest", "5")
    command("down")
    assert not os.path.exists(os.path.dirname(variable.partition("=")[2]))
    assert "it is down already" in command("down")[1]


def test_two_labs_side_by_side(command, second_command):
    paths = []
    for each, kind, name in ((command, "c", "one"), (second_command, "ocaml", "two")):
        each("up", "--daemon", kind)
        paths.append(each("guest", "5", "--name", name)[0].strip())
    for path, name in zip(paths, (b"one", b"two")):
        with XenStore(path) as inside:
            assert inside.read(b"name") == name
    command("down")
    assert "LAB_GUEST_5" in second_command("status")[0]


def test_a_command_that_cannot_says_so_in_one_line(command):
    for words in (("status",), ("guest", "5"), ("send", "5", "k", "v"), ("receive", "5"), ("ls",), ("destroy", "5")):
        assert command(*words, code=1) == ("", "lab: the lab is not up: run 'python -m lab up'\n")
    command("up")
    assert "with xenstored: run 'python -m lab down' first" in command("up", "--daemon", "ocaml", code=1)[1]
    assert "there is no guest 5: run 'python -m lab guest 5'" in command("send", "5", "k", "v", code=1)[1]
    assert "does not exist" in command("ls", "/nothing/here", code=1)[1]
    command("guest", "5")
    assert "destroy it first" in command("guest", "5", code=1)[1]
    assert "the key is empty" in command("send", "5", "", "v", code=1)[1]
    assert "sent nothing in 0.1 s" in command("receive", "5", "--wait", "0.1", code=1)[1]


def test_a_lab_whose_processes_were_killed(command):
    command("up")
    command("guest", "5")
    directory = os.path.dirname(command("status")[0].splitlines()[0].partition("=")[2])
    with open(os.path.join(directory, "guest-5", "guest.json"), encoding="utf-8") as record:
        kernel = json.load(record)["kernel"]
    os.kill(kernel[0], signal.SIGKILL)
    until(lambda: "guest 5 (guest-5) does not run" in command("status")[1])
    command("destroy", "5")
    command("guest", "5")
    command("up")
    with XenStore(os.path.join(directory, "socket")):
        pass


# --- its parts --------------------------------------------------------------------------


def test_the_tools_of_xen_work_with_it(lab_parts, xenstored):
    environment = dict(os.environ, LD_LIBRARY_PATH=lab_parts.library_path(), XENSTORED_PATH=xenstored.path)
    for arguments in (["xenstore-write", "/a", "b"], ["xenstore-read", "/a"]):
        done = subprocess.run(
            [lab_parts.program(arguments[0]), *arguments[1:]], env=environment, capture_output=True, check=True
        )
    assert done.stdout == b"b\n"


def test_packages_that_cannot_be_had(tmp_path, monkeypatch):
    nothing = tmp_path / "apt.conf"
    nothing.write_text('Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(nothing))
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    with pytest.raises(LabError, match=r"^apt offers no package xen-utils-4.x.*: have /etc/apt name a mirror.*$"):
        parts.get()
    assert os.listdir(tmp_path / "lab") == ["lock"]


def test_no_apt(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    with pytest.raises(LabError, match=r"^there is no apt-get: use Debian 12 or newer, or Ubuntu; a container"):
        parts.get()


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    # An index that has nothing: pip must not even ask.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    remedy = r"^there is no C compiler, and pip gets none .*: install the packages gcc and libc6-dev$"
    with pytest.raises(LabError, match=remedy):
        parts.compiled(os.path.join(parts.HERE, "fakexen.c"), "-ldl")


def test_a_source_that_does_not_compile(tmp_path, monkeypatch):
    source = tmp_path / "wrong.c"
    source.write_text("this is not C\n")
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho 'wrong.c:1: error: this is not C' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(parts, "COMPILERS", (str(compiler),))
    monkeypatch.setattr(parts, "_zig", lambda _failed: str(compiler))
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    with pytest.raises(LabError, match=r"^cannot compile wrong.c \(wrong.c:1: error: this is not C\): install"):
        parts.compiled(str(source))


def test_several_processes_make_the_parts_once(tmp_path, lab_parts):
    """The packages are there; the shim is wanted by all at the same time."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / os.path.basename(lab_parts.root)).symlink_to(lab_parts.root)
    environment = dict(os.environ, OVM_CACHE=str(tmp_path))
    code = "from lab import parts; print(parts.get().shim)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) for _unused in range(4)
    ]
    shims = {process.communicate(timeout=LONG)[0] for process in started}
    assert len(shims) == 1
    assert os.path.exists(shims.pop().decode().strip())


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OVM_CACHE", str(tmp_path / "file"))
    with pytest.raises(LabError, match="set OVM_CACHE to a folder of your own"):
        parts.get()


def test_the_connection_of_a_guest_is_lost_with_its_kernel(guest):
    with XenStore(guest.path, timeout=SHORT) as inside:
        guest.crash()
        with pytest.raises(ConnectionLost):
            inside.write(b"data/x", b"")
