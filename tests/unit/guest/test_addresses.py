# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of this machine, and the kernel's messages about others."""

import errno
import os
import shutil
import socket
import struct
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest import addresses
from ansible_collections.ovm.messaging.plugins.module_utils.guest.addresses import Addresses, Interrupted, parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import AddressesUnavailable
from lab.programs import PYTHONS

LONG = 60.0


# Messages as the kernel makes them


def attribute(kind, value):
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + b"\0" * (-len(raw) % 4)


def message(kind, body, flags=2):
    raw = struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 4711) + body
    return raw + b"\0" * (-len(raw) % 4)


def link(index, name, mac=b"\0\x16\x3e\0\0\1", hardware=1, flags=0x1003, more=b"", message_flags=2):
    body = struct.pack("=BxHiII", 0, hardware, index, flags, 0)
    return message(16, body + attribute(3, name + b"\0") + attribute(1, mac) + more, message_flags)


def address(index, text, prefix=24, flags=0x80, scope=0, local=True, peer=None, wide=None):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    raw = socket.inet_pton(family, text)
    attributes = attribute(1, socket.inet_pton(family, peer or text))
    if local:
        attributes += attribute(2, raw)
    attributes += attribute(8, struct.pack("=I", flags if wide is None else wide))
    return message(20, struct.pack("=BBBBI", family, prefix, flags & 0xFF, scope, index) + attributes)


LO = link(1, b"lo", mac=bytes(6), hardware=772, flags=0x49)
ETH0 = link(2, b"eth0")


def found(*more, links=ETH0):
    return {i["name"]: i["addresses"] for i in parse(LO + links, address(1, "127.0.0.1", 8) + b"".join(more))}


def test_names_macs_and_addresses_in_the_kernels_order():
    links = LO + link(3, b"eth1", b"\x02\xfc\0\0\0\xff") + ETH0
    answer = address(2, "192.0.2.5") + address(3, "198.51.100.7", 31) + address(2, "2001:db8::5", 64, local=False)
    assert parse(links, answer) == [
        {"name": "eth1", "mac": "02:fc:00:00:00:ff", "addresses": ["198.51.100.7/31"]},
        {"name": "eth0", "mac": "00:16:3e:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]},
    ]


@pytest.mark.parametrize(
    ("flags", "reported"), [(0x80, True), (0x40, False), (0x44, False), (0x08, False), (0x20, False), (0x200, True)]
)
def test_addresses_that_do_not_work_are_left_out(flags, reported):
    for text in ("192.0.2.5", "2001:db8::5"):
        assert found(address(2, text, flags=flags & 0xFF, wide=flags)) == {"eth0": [text + "/24"] if reported else []}


def test_the_wide_flags_count_where_there_are_any():
    assert found(address(2, "2001:db8::5", flags=0x40, wide=0x80)) == {"eth0": ["2001:db8::5/24"]}
    narrow = message(20, struct.pack("=BBBBI", 2, 24, 0x40, 0, 2) + attribute(2, bytes([192, 0, 2, 5])))
    assert found(narrow) == {"eth0": []}


def test_of_ipv6_neither_link_local_nor_temporary_ones():
    more = address(2, "fe80::1", 64, scope=253), address(2, "2001:db8::7", 64, flags=0x01)
    assert found(*more) == {"eth0": []}
    # A secondary IPv4 address has that very bit; and an IPv4 network may be link-local on purpose.
    more = address(2, "192.0.2.6", flags=0x01), address(2, "169.254.0.1", 16, scope=253)
    assert found(*more) == {"eth0": ["192.0.2.6/24", "169.254.0.1/16"]}


def test_of_a_point_to_point_interface_this_end():
    tunnel = link(4, b"tun0", b"", hardware=65534, flags=0x11, more=attribute(18, b""))
    assert parse(tunnel, address(4, "192.0.2.5", 32, peer="192.0.2.9")) == [
        {"name": "tun0", "mac": "", "addresses": ["192.0.2.5/32"]}
    ]


def test_interfaces_that_are_down_or_gone_have_no_addresses():
    down = link(2, b"eth0", flags=0x1002)
    assert found(address(2, "192.0.2.5"), address(99, "192.0.2.6"), links=down) == {"eth0": []}


def test_what_software_made_is_told_where_it_has_addresses():
    bridge = link(5, b"br0", more=attribute(0x8000 | 18, attribute(1, b"bridge\0")))
    assert found(links=ETH0 + bridge) == {"eth0": []}
    assert found(address(5, "192.0.2.5"), links=ETH0 + bridge) == {"eth0": [], "br0": ["192.0.2.5/24"]}


def test_an_odd_name_and_a_family_that_nobody_knows():
    mpls = message(20, struct.pack("=BBBBI", 28, 20, 0, 0, 2) + attribute(1, b"\0" * 4))
    assert found(mpls, links=link(2, b"et\xff")) == {"et\\xff": []}


def test_an_interrupted_answer_is_no_answer():
    with pytest.raises(Interrupted):
        parse(link(2, b"eth0", message_flags=0x12), b"")
    with pytest.raises(Interrupted):
        parse(ETH0, message(3, b"\0" * 4, flags=0x12))  # the last message of all may say it, too


@pytest.mark.parametrize(
    "odd",
    [
        b"\x01",
        struct.pack("=IHHII", 8, 16, 0, 0, 0),
        struct.pack("=IHHII", 99, 16, 0, 0, 0),
        message(16, b"\0" * 4),
        message(16, b"\0" * 16 + struct.pack("=HH", 2, 3)),
        message(16, b"\0" * 16 + struct.pack("=HH", 200, 3)),
    ],
)
def test_an_answer_that_makes_no_sense(odd, monkeypatch):
    monkeypatch.setattr(addresses, "_dump", lambda _request: odd)
    with Addresses() as here, pytest.raises(AddressesUnavailable, match="makes no sense"):
        here.interfaces()


# The kernel itself


def test_a_socket_that_listens_to_nothing_is_not_kept(monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(addresses, "socket", Deaf)
    with pytest.raises(AddressesUnavailable, match="Operation not permitted"):
        Addresses()
    assert len(os.listdir("/proc/self/fd")) == before


class Deaf(socket.socket):
    def bind(self, _address):
        raise OSError(errno.EPERM, "Operation not permitted")


def test_this_machine():
    """What the kernel says of this machine, in its own words elsewhere."""
    with Addresses() as here:
        interfaces = {interface["name"]: interface for interface in here.interfaces()}
    assert "lo" not in interfaces
    for name, interface in interfaces.items():
        with open("/sys/class/net/%s/address" % name) as source:
            assert interface["mac"] in (source.read().strip(), "")
        for text in interface["addresses"]:
            ip, _slash, _prefix = text.partition("/")
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as bound:
                bound.bind((ip, 0))  # refused for any address that this machine does not have


HERE = """
from ansible_collections.ovm.messaging.plugins.module_utils.guest.addresses import Addresses
with Addresses() as here:
    print(here.interfaces())
"""


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_every_python_says_the_same(python):
    with Addresses() as here:
        assert subprocess.check_output([python, "-c", HERE], text=True) == "%r\n" % here.interfaces()


# A network of one's own, where a user may have one: a loopback interface that is down, and nothing else.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]

CHANGES = """
import errno, select, socket, struct
from ansible_collections.ovm.messaging.plugins.module_utils.guest.addresses import Addresses

def request(kind, flags, body):
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    asking.send(struct.pack("=IHHII", 16 + len(body), kind, 5 | flags, 1, 0) + body)
    code = struct.unpack_from("=i", asking.recv(65536), 16)[0]
    asking.close()
    return -code

def attribute(kind, value):
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)

def link(change, kind=b"", flags=0):
    attributes = attribute(3, b"d0\\0")
    if kind:
        attributes += attribute(1, bytes([2, 0, 0, 0, 0, 7])) + attribute(18, attribute(1, kind))
    return request(16, flags, struct.pack("=BxHiII", 0, 0, 0, change, 1) + attributes)

def address(kind, family, text, prefix, flags=0):
    raw = socket.inet_pton(family, text)
    body = struct.pack("=BBBBI", family, prefix, 0, 0, socket.if_nametoindex("d0"))
    body += attribute(1, raw) + attribute(2, raw) + attribute(8, struct.pack("=I", flags))
    return request(kind, 0x600 if kind == 20 else 0, body)

def until(*expected):
    wanted = [{"name": "d0", "mac": "02:00:00:00:00:07", "addresses": list(expected)}] if expected else []
    heard = 0
    while not heard or here.interfaces() != wanted:
        assert select.select([here], [], [], 60)[0], "not told, or not what was expected: %r" % here.interfaces()
        assert here.drain()
        heard += 1

V4, V6 = (socket.AF_INET, "192.0.2.5", 24), (socket.AF_INET6, "2001:db8::5", 64)
with Addresses() as here:
    assert here.interfaces() == [] and not here.drain()
    for kind in (b"dummy", b"bridge", b"ifb"):
        code = link(1, kind, 0x600)
        if code == 0:
            break
    else:
        assert code == errno.EOPNOTSUPP, code
        print("no interfaces")
        raise SystemExit
    until()
    assert address(20, *V4) == 0
    until("192.0.2.5/24")
    assert address(20, *V6, flags=2) == 0  # without looking for a twin of it
    until("192.0.2.5/24", "2001:db8::5/64")
    assert address(21, *V4) == 0
    until("2001:db8::5/64")
    assert link(0) == 0
    until()
print("all told")
"""


def in_a_network_of_its_own(script):
    """What a Python script prints there; nothing where this user may not have one."""
    if not shutil.which("unshare") or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        return ""
    command = [*NAMESPACE, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG * 2, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_changes_are_told_at_once():
    """In a network of its own, where this user and kernel have one; test_this_machine and the messages do elsewhere."""
    assert in_a_network_of_its_own(CHANGES) in ("all told\n", "no interfaces\n", "")


def test_more_news_than_there_is_room_for_are_news(monkeypatch):
    with Addresses() as here:
        monkeypatch.setattr(here, "_news", Full(here._news))
        assert here.drain() is True and here.drain() is False


class Full:
    """A socket that has lost messages, as the kernel says once."""

    def __init__(self, real):
        self._real, self._lost = real, [OSError(errno.ENOBUFS, "No buffer space available")]

    def recv(self, size):
        if self._lost:
            raise self._lost.pop()
        return self._real.recv(size)

    def close(self):
        self._real.close()


def test_news_that_cannot_be_read_are_an_error():
    here = Addresses()
    here.close()
    with pytest.raises(AddressesUnavailable, match="cannot be read .Bad file descriptor."):
        here.drain()


def test_an_answer_that_is_interrupted_is_asked_for_again(monkeypatch):
    dump, interrupted = addresses._dump, [Interrupted(), OSError(errno.ENOBUFS, "No buffer space available")]

    def sometimes(request):
        if interrupted:
            raise interrupted.pop()
        return dump(request)

    with Addresses() as here:
        expected = here.interfaces()
        monkeypatch.setattr(addresses, "_dump", sometimes)
        assert here.interfaces() == expected and not interrupted
        interrupted += [Interrupted() for _unused in range(20)]
        with pytest.raises(AddressesUnavailable, match="change too fast to be read"):
            here.interfaces()


def test_a_refusal_names_the_reason(monkeypatch):
    with Addresses() as here:
        monkeypatch.setattr(addresses, "_RTM_GETLINK", 250)  # no kernel has this request
        with pytest.raises(AddressesUnavailable, match="cannot be read .Operation not supported.: .*netlink sockets"):
            here.interfaces()
        monkeypatch.setattr(addresses, "_RTM_GETLINK", 14)  # none answers this
        monkeypatch.setattr(addresses, "_PATIENCE", 0.05)
        with pytest.raises(AddressesUnavailable, match="cannot be read .no answer."):
            here.interfaces()


def test_where_there_is_no_netlink(monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(addresses, "AF_NETLINK", 99)
    with pytest.raises(AddressesUnavailable, match="Address family not supported by protocol.: see that this process"):
        Addresses()
    assert len(os.listdir("/proc/self/fd")) == before
