# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovmd does, from both ends of the channel."""

import json
import os

import pytest

OK = 0
ALL_BYTES = bytes(range(1, 256))
#: Around every border that there is on the way: pieces, the stock quota, the driver's pieces, the limit.
SIZES = [0, 1, 1639, 1640, 1641, 2015, 2016, 2047, 2048, 2049, 4095, 4096, 6143, 8190, 8191]


def test_the_session_of_the_vendors_manual(ovmd, other_side):
    assert ovmd("-p", "key1=value1") == (OK, b"", b"")
    assert other_side.heard() == [(b"key1", b"value1")]
    other_side.send(b"key2", b"value2")
    assert ovmd("--list") == (OK, b'{"key1":"value1"}\n{"key2":"value2"}\n', b"")
    assert ovmd("-r", "key1") == (OK, b"", b"")
    assert ovmd("--list") == (OK, b'{"key2":"value2"}\n', b"")
    assert other_side.heard() == []  # deleting is local


@pytest.mark.parametrize("spelling", [["-g", "k"], ["-gk"], ["--get-param", "k"], ["--get-param=k"], ["--ge=k"]])
def test_a_value_is_printed_bare_however_it_is_asked_for(one_ovmd, spelling):
    assert one_ovmd("--set-param=k=a=b\n") == (OK, b"", b"")
    assert one_ovmd(*spelling) == (OK, b"a=b\n\n", b"")


def test_several_actions_in_the_order_given(ovmd, other_side):
    other_side.send(b"sent", b"before")
    assert ovmd("-lp", "a=1", "-g", "sent", "-pb=2", "-ra", "-l", "-x", "--list", "-p", "c=3", "-l") == (
        OK,
        b'{"sent":"before"}\n' + b"before\n" + b'{"sent":"before"}\n{"b":"2"}\n' + b'{"c":"3"}\n',
        b"",
    )
    assert other_side.heard() == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]


def test_a_key_keeps_its_place_and_takes_its_last_value(one_ovmd, other_side):
    one_ovmd("-p", "a=1", "-p", "b=2", "-p", "a=3")
    assert one_ovmd("-l") == (OK, b'{"a":"3"}\n{"b":"2"}\n', b"")
    assert other_side.heard() == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_deleting_all_of_nothing_is_fine(one_ovmd):
    assert one_ovmd("-x", "-l") == (OK, b"", b"")


def test_values_of_every_size(ovmd, other_side):
    values = {b"k%d" % size: (ALL_BYTES * 40)[:size] for size in SIZES}
    assert ovmd(*(word for key, value in values.items() for word in (b"-p", key + b"=" + value))) == (OK, b"", b"")
    assert other_side.heard() == list(values.items())
    for key, value in values.items():
        assert ovmd("-g", key) == (OK, value + b"\n", b"")
    for key, value in values.items():
        other_side.send(key, value[::-1])
    code, out, err = ovmd("-l")
    found = {}
    for line in out.decode("utf-8").splitlines():
        found.update(json.loads(line))
    assert (code, err) == (OK, b"") and found == {
        key.decode(): value[::-1].decode("utf-8", "surrogateescape") for key, value in values.items()
    }


def test_text_and_what_is_no_text(ovmd, other_side):
    pairs = [("Schlüssel".encode(), 'Zürich €\t"x" \\'.encode()), (b"raw\xff\xfe", b"\x80\x81"), (b" ", b"=")]
    for key, value in pairs:
        assert ovmd(b"-p", key + b"=" + value) == (OK, b"", b"")
        assert ovmd(b"-g", key) == (OK, value + b"\n", b"")
    assert other_side.heard() == pairs
    expected = '{"Schlüssel":"Zürich €\\t\\"x\\" \\\\"}\n{"raw\\udcff\\udcfe":"\\udc80\\udc81"}\n{" ":"="}\n'
    assert ovmd("-l") == (OK, expected.encode(), b"")
    assert ovmd(b"-r", b"raw\xff\xfe", "-x", "-l") == (OK, b"", b"")


def test_an_empty_key_that_the_host_sent_can_be_read_and_deleted(one_ovmd, host):
    tree = b"/local/domain/5/control/oracle-vmapi/to-guest"
    host.write(tree + b"/1", b"")
    host.write(tree + b"/1/0", b"v")
    host.write(tree + b"/last-write", b"1")
    assert one_ovmd("-l", "-g", "", "-r", "", "-l") == (OK, b'{"":"v"}\nv\n', b"")


def test_pending_messages_come_before_the_first_action(one_ovmd, other_side):
    other_side.send(b"k", b"theirs")
    assert one_ovmd("-p", "k=mine", "-l") == (OK, b'{"k":"mine"}\n', b"")
    assert one_ovmd("-l") == (OK, b'{"k":"mine"}\n', b"")


def test_help_and_version_do_nothing_else(ovmd, environment):
    code, out, err = ovmd("-p", "k=v", "--help")
    assert (code, err) == (OK, b"") and out.startswith(b"usage: ovmd [options]\noptions:\n  -p, --set-param=PARAM ")
    code, out, err = ovmd("-vh", "-p", "k=v")
    assert (code, err) == (OK, b"") and out.startswith(b"ovmd ") and out.count(b"\n") == 1
    assert not os.path.exists(environment["OVM_STATE_DIR"])


def test_level_1_tells_what_happens_but_no_value(ovmd, other_side):
    other_side.send(b"sent", b"SECRET")
    other_side.send(b"user.password", b"SECRET")
    arguments = ["-r", "user.password", "-p", "k=SECRET", "-g", "sent", "-l", "--set-secret=s", "-r", "k", "-x"]
    code, out, err = ovmd("-d", "1", *arguments, stdin=b"SECRET\n")
    assert code == OK and out.count(b"SECRET") == 3
    assert err.decode("ascii").splitlines() == [
        "ovmd: using the backend xenstore",
        "ovmd: received 'sent' (6 bytes)",
        "ovmd: received 'user.password' (a secret)",
        "ovmd: deleted 'user.password'",
        "ovmd: set 'k' (6 bytes)",
        "ovmd: read 'sent' (6 bytes)",
        "ovmd: listed 2 parameters",
        "ovmd: set 's' (a secret)",
        "ovmd: deleted 'k'",
        "ovmd: deleted all parameters (2)",
    ]


def test_the_guests_own_device_works_as_well(one_ovmd, guest, other_side):
    where = {"XENSTORED_PATH": guest.device}
    assert one_ovmd("-p", "k=" + "v" * 8191, environment=where) == (OK, b"", b"")
    assert other_side.heard() == [(b"k", b"v" * 8191)]
