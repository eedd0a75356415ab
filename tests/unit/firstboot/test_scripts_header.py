# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a script: what is one, and what an error says of one that is not."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import header as headers
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadScript
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.header import Header, parse_header, read_header
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS

BEGIN, END = b"### BEGIN PLUGIN INFO", b"### END PLUGIN INFO"
#: As scripts in the field have it.
FIELD = b"""\
#!/usr/bin/env python

### BEGIN PLUGIN INFO
# name: example
# configure: 80
# cleanup: 20
# description: Script to register the server.
### END PLUGIN INFO

from templateconfig.cli import main
"""


def block(*lines):
    return b"\n".join((b"#!/usr/bin/python3", BEGIN) + lines + (END, b"import os\n"))


def refusal(data, what="the script"):
    with pytest.raises(BadScript) as caught:
        parse_header(data, what)
    assert str(caught.value).count("\n") == 0 and caught.value.remedy
    return str(caught.value)


def test_a_header_as_in_the_field():
    expected = Header("example", "Script to register the server.", {"configure": 80, "cleanup": 20})
    assert parse_header(FIELD, "x") == expected


def test_targets_come_in_their_order_whatever_that_of_the_header():
    lines = [b"# %s: %d" % (target.encode(), 10 + n) for n, target in enumerate(reversed(TARGETS))]
    assert list(parse_header(block(b"# name: a", *lines), "x").targets) == list(TARGETS)


@pytest.mark.parametrize("before", [b"", b"\xff\xfe\x00 nonsense\n", b"# name: other\n\n# configure: 1\n", b"\r\n" * 9])
@pytest.mark.parametrize(
    "behind", [b"", b"\n\xff\xfe", b"\n### BEGIN PLUGIN INFO\n# name: second\n", b"\n# configure: 9"]
)
def test_what_is_around_it_does_not_matter(before, behind):
    found = parse_header(before + BEGIN + b"\n# name: a\n# configure: 5\n" + END + behind, "x")
    assert found == Header("a", "", {"configure": 5})


@pytest.mark.parametrize(
    "lines",
    [
        (b"#name:a", b"#configure:5"),
        (b"#\tname:\ta\t", b"#\tconfigure\t:\t5  "),
        (b"#      name: a", b"# configure: 05"),
        (b"# name: a\r", b"# configure: 5\r", b"\r"),
        (b"", b"#", b"# name: a", b"#####", b"# configure: 5", b"# -*- coding: latin-1 -*-"),
        (
            b"# name: a",
            b"# version: 3",
            b"# Configure: 7",
            b"# author: M\xfcller",
            b"# configure: 5",
            b"# configured: x",
        ),
    ],
)
def test_blanks_ends_of_lines_and_what_is_unknown_do_not_matter(lines):
    assert parse_header(block(*lines), "x") == Header("a", "", {"configure": 5})


def test_the_markers_may_have_blanks():
    data = b"###  BEGIN PLUGIN\tINFO \r\n# name: a\n# configure: 5\n### END PLUGIN INFO\t\n"
    assert parse_header(data, "x").name == "a"


@pytest.mark.parametrize(
    "lines, description",
    [
        ((b"# description: one",), "one"),
        ((b"# description:",), ""),
        ((b"# description: one", b"#   two:  2", b"#\tthree"), "one two:  2 three"),
        ((b"# description: one", b"#   cleanup: 50"), "one cleanup: 50"),
        ((b"# description:", b"#   one"), "one"),
        ((b"# description: one", b"# two"), "one"),
        ((b"# description: one", b"#", b"#   two"), "one"),
        ((b"# description: one", b"# author: me", b"#   two"), "one"),
        ((b"# description: one", b"# description: two"), "one two"),
        # Those who indent everything alike mean no continuation.
        ((b"#   description: one", b"#   resume: 4"), "one"),
        ((b"# description: gr\xc3\xbc\xc3\x9fe \xff",), "grüße \\xff"),
    ],
)
def test_a_description_goes_on_where_it_is_indented_deeper(lines, description):
    found = parse_header(block(b"# name: a", *lines, b"# configure: 5"), "x")
    assert (found.description, found.targets["configure"]) == (description, 5)
    assert ("resume" in found.targets) == any(b"resume" in line for line in lines)


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "the script has no header: add one"),
        (b"#!/bin/sh\n# name: a\n# configure: 5\n", "the script has no header: add one"),
        (b"#!/bin/sh\n## BEGIN PLUGIN INFO\n", "has no header"),
        (b"\n" + BEGIN + b"\n# name: a\n# configure: 5\n", "begins in line 2, has no end: end it with"),
        (BEGIN + b"\n# name: a\n# configure: 5\n" + b"#" * headers.LIMIT + b"\n" + END, "has no end"),
        (b"\n" * headers.LIMIT + FIELD, "has no header"),
        (block(b"# configure: 5"), "has no name: add the line '# name: NAME'"),
        (block(b"# name: a"), "has no target: add a line such as '# configure: 50'; the targets are configure, unc"),
        (block(b"# name: a", b"# configre: 50"), "has no target"),
        (block(b"# name: a", b"import os", b"# configure: 5"), "line 4 of the script is within the header, but no com"),
        (block(b"# name: a", b"# configure: 5", b"# configure: 5"), "line 5 of the script gives 'configure' a second"),
        (block(b"# name: a", b"# configure: 5", b"# name: b"), "line 5 of the script gives 'name' a second time"),
        (block(b"# name:", b"# configure: 5"), "line 3 of the script gives a name that cannot be one"),
        (block(b"# name: ../a", b"# configure: 5"), "line 3 of the script gives a name that cannot be one"),
        (block(b"# name: a b", b"# configure: 5"), "line 3 of the script gives a name that cannot be one"),
        (block(b"# name: caf\xc3\xa9", b"# configure: 5"), "line 3 of the script gives a name that cannot be one"),
    ],
)  # fmt: skip
def test_an_error_says_what_is_wrong_and_where(data, said):
    assert said in refusal(data)


@pytest.mark.parametrize("priority", ["", "100", "-1", "5.0", "0x5", "five", "5 # late", "1 0", "\u0665", "None"])
def test_a_priority_is_a_number_from_0_to_99(priority):
    said = refusal(block(b"# name: a", b"# cleanup: " + priority.encode()))
    assert said == "line 4 of the script gives no usable priority for 'cleanup': give a number from 0 to 99"


@pytest.mark.parametrize("priority, number", [("0", 0), ("00", 0), ("7", 7), ("07", 7), ("99", 99)])
def test_priorities_have_one_digit_or_two(priority, number):
    found = parse_header(block(b"# name: a", b"# cleanup: " + priority.encode()), "x")
    assert found.targets == {"cleanup": number}


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_is_in_a_script_it_is_a_header_or_refused(first, second):
    for data in (
        first,
        first + b"\n" + BEGIN + b"\n" + second + b"\n" + END,
        block(b"# name: a", second, b"# resume: 1"),
    ):
        try:
            found = parse_header(data, "x")
        except BadScript:
            continue
        assert headers.is_name(found.name) and found.targets and "\n" not in found.description


def test_it_is_read_from_a_file(tmp_path):
    path = tmp_path / "example"
    path.write_bytes(FIELD + os.urandom(3 * headers.LIMIT))
    assert read_header(str(path)).targets == {"configure": 80, "cleanup": 20}
    link = tmp_path / "link"
    link.symlink_to("example")
    assert read_header(str(link)).name == "example"


def test_a_file_that_is_none_is_refused_and_never_waited_for(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, said in {
        "missing": "cannot be read (No such file or directory): there is no such file",
        "folder": "is no regular file: replace it by one",
        "pipe": "is no regular file: replace it by one",
        "loop": "cannot be read (Too many levels of symbolic links)",
    }.items():
        with pytest.raises(BadScript) as caught:
            read_header(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value) and said in str(caught.value)


def test_a_file_that_breaks_while_it_is_read_is_refused():
    # The kernel's own memory: it opens, and reading its first page fails, for root too.
    with pytest.raises(BadScript, match=r"/proc/self/mem cannot be read \(Input/output error\)"):
        read_header("/proc/self/mem")


def test_reading_without_permission_says_to_be_root(tmp_path, monkeypatch):
    path = tmp_path / "example"
    path.write_bytes(FIELD)
    # Also where the tests run as root, to whom nothing is forbidden.
    monkeypatch.setattr(os, "open", lambda *_more: _refuse())
    with pytest.raises(BadScript, match="Permission denied.: run this as root"):
        read_header(str(path))


def _refuse():
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("name", ["a", "network", "3com", "my-app_2.x+y", "a" * 100])
def test_names(name):
    assert headers.is_name(name) and headers.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "_a", "a/b", "/etc/passwd", "a b", "a\n", "é", "a\0", "a~", "a" * 101,
     "network.rpmnew", "network.rpmsave", "network.rpmorig", "network.dpkg-dist", "network.bak", "network.orig",
     "\udcff"],
)  # fmt: skip
def test_what_is_no_name(name):
    assert not headers.is_name(name)
    with pytest.raises(BadScript, match="cannot be a script's name: use at most 100 letters"):
        headers.check_name(name)


def test_targets_that_a_script_does_not_support_are_named():
    header = parse_header(FIELD, "x")
    header.supported(["configure", "cleanup"])
    with pytest.raises(BadScript) as caught:
        header.supported(["configure", "suspend", "resume"])
    assert str(caught.value) == (
        "the script 'example' does not support suspend and resume: by its header, it supports configure, cleanup"
    )


def test_the_file_is_closed(tmp_path):
    path = tmp_path / "example"
    path.write_bytes(b"none")
    before = len(os.listdir("/proc/self/fd"))
    for _number in range(5):
        with pytest.raises(BadScript):
            read_header(str(path))
        with pytest.raises(BadScript):
            read_header(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before
