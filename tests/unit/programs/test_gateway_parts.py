# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small parts of the gateway: limits, sessions, what is shown of bytes, and addresses."""

import importlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

PACKAGE = "ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway."
limits = importlib.import_module(PACKAGE + "limits")
visible = importlib.import_module(PACKAGE + "visible")
shapes = importlib.import_module(PACKAGE + "shapes")
files = importlib.import_module(PACKAGE + "files")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_bucket_fills_again():
    clock = Clock()
    buckets = limits.Buckets(rate=2.0, burst=3, clock=clock)
    assert [buckets.take("a") for _unused in range(4)] == [0, 0, 0, 1]
    assert buckets.take("b") == 0
    clock.now += 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 1]
    buckets.give_back("a")
    assert buckets.take("a") == 0
    clock.now += 1000
    assert [buckets.take("a") for _unused in range(4)] == [0, 0, 0, 1]


def test_a_slow_bucket_says_how_long_to_wait():
    buckets = limits.Buckets(rate=1 / 6.0, burst=1, clock=Clock())
    assert [buckets.take("a"), buckets.take("a")] == [0, 6]


def test_buckets_do_not_fill_the_memory():
    buckets = limits.Buckets(rate=1, burst=1, clock=Clock())
    for number in range(limits._CLIENTS + 10):
        buckets.take(number)
    assert len(buckets._buckets) == limits._CLIENTS
    buckets.give_back("never seen")


@pytest.mark.parametrize(
    "address, key",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_counts_as_one_client(address, key):
    assert limits.client_key(address) == key


def test_sessions_end_when_idle_or_when_the_password_is_another():
    clock, stored = Clock(), {"a": "1", "b": "1"}
    sessions = limits.Sessions(10, 5, clock)
    cookie, other = sessions.open("a", "1"), sessions.open("a", "1")
    assert cookie != other
    for _unused in range(3):
        clock.now += 9
        assert sessions.user(cookie, stored.get) == "a"
    assert sessions.user(other, stored.get) is None
    assert sessions.user(cookie.replace("a:", "b:", 1), stored.get) is None
    stored["a"] = "2"
    assert sessions.user(cookie, stored.get) is None
    stored["a"] = "1"
    assert sessions.user(cookie, stored.get) is None  # it is over for good
    clock.now += 11
    sessions.open("b", "1")
    assert list(sessions._users) == ["b"]


@pytest.mark.parametrize(
    "raw, shown",
    [
        (b"", []),
        (b"plain \xc3\xbc", [("plain ü", False)]),
        (b"\x1b[2J", [(r"\x1b", True), ("[2J", False)]),
        (b"\\x1b", [(r"\x1b", False)]),
        (b"a\nb", [("a", False), ("\\n\n", True), ("b", False)]),
        (b"\xff\x80", [(r"\xff\x80", True)]),
        ("\u202e\u0085\U000e0041".encode(), [(r"\u202e\u0085\U000e0041", True)]),
        (b"\xed\xa0\x80", [(r"\xed\xa0\x80", True)]),
        ("\ud800", [(r"\ud800", True)]),
    ],
)
def test_what_is_shown_of_bytes(raw, shown):
    assert visible.pieces(raw) == shown


@given(st.binary())
def test_what_is_shown_is_always_printable(raw):
    text = "".join(text for text, _escape in visible.pieces(raw))
    assert all(character.isprintable() or character == "\n" for character in text)
    text.encode("utf-8")


@pytest.mark.parametrize("text", ["", "nonsense", "192.0.2.1/33", "fe80::1%eth0%1/64", "1/2/3"])
def test_what_is_no_address(text):
    assert shapes._address(text) is None


def test_an_address_without_a_prefix():
    assert shapes._address("192.0.2.1")["netmask"] == "255.255.255.255"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    files.replace(str(path), b"one", mode=0o644)
    assert path.read_bytes() == b"one" and path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(TypeError):
        files.replace(str(path), None)
    assert path.read_bytes() == b"one" and os.listdir(tmp_path) == ["file"]
