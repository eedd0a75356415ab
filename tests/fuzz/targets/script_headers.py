# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of scripts."""

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadScript
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.header import is_name, parse_header
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import check_content
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS
from fuzz.checks import only
from fuzz.draw import Draw

_BEGIN, _END = b"### BEGIN PLUGIN INFO", b"### END PLUGIN INFO"
TOKENS = [_BEGIN + b"\n", _END + b"\n", b"# name: ", b"# description: ", b"#\t", b"\r\n", b"#!/bin/sh\n"]
TOKENS += [("# %s: 50\n" % target).encode() for target in TARGETS]
SEEDS = [
    b"#!/usr/bin/python3\n%s\n# name: network\n# configure: 50\n# cleanup: 5\n# description: Name\n#   and more;\n%s\n"
    % (_BEGIN, _END),
    b"%s\r\n#name:a\r\n#configure:0\r\n%s\r\n" % (_BEGIN, _END),
    b"%s\n# name: a\n# name: b\n%s" % (_BEGIN, _END),
    b"%s\n" % _BEGIN * 3,
    b"",
]
LONGEST = 70000


def run(data):
    with only(BadScript):
        header = parse_header(data, "it")
        if not is_name(header.name) or "/" in header.name or header.name.startswith((".", "-")):
            raise AssertionError("a script is called %r" % header.name)
        if not header.targets or not all(0 <= priority <= 99 for priority in header.targets.values()):
            raise AssertionError("a script for nothing, or with a priority that is none")
        if list(header.targets) != [target for target in TARGETS if target in header.targets]:
            raise AssertionError("targets in another order")
        if "\n" in header.description:
            raise AssertionError("a description over several lines")
        _again(header)
    with only(BadScript):
        if not data.startswith(b"#!"):
            check_content("network", data)
            raise AssertionError("nobody knows what runs this script")
        check_content("network", data)
    _spelt(Draw(data))


def _again(header):
    """Written as we would write it, a header says the same."""
    lines = [_BEGIN, b"# name: " + header.name.encode()]
    lines += [("# %s: %d" % pair).encode() for pair in header.targets.items()]
    lines += [b"# description: " + header.description.encode("utf-8"), _END]
    again = parse_header(b"\n".join(lines), "it")
    if again[::2] != header[::2] or again.description.split() != header.description.split():
        raise AssertionError("%r became %r" % (header, again))


def _spelt(draw):
    """However it is spelt, what is in a header is found."""
    blanks = (b"", b" ", b"\t", b"   ")
    ends = draw.one_of((b"\n", b"\r\n"))
    wanted = {target: draw.below(100) for target in TARGETS if draw.flag()} or {"configure": 1}
    members = [(b"name", b"x" * (1 + draw.below(100)))]
    members += [(target.encode(), b"%d" % priority) for target, priority in wanted.items()]
    lines = [draw.bytes(30).replace(b"\n", b"").replace(b"###", b""), _BEGIN]
    for name, value in members:
        before, between, behind = draw.one_of(blanks), draw.one_of(blanks), draw.one_of(blanks)
        lines.append(b"#" + before + name + between + b":" + behind + value + draw.one_of(blanks))
        if draw.flag():
            lines.append(b"# " + draw.one_of((b"", b"Something: else", b"-", b"### "[:3])))
    header = parse_header(ends.join([*lines, _END, draw.rest()]), "it")
    if header.targets != wanted or header.name.encode() != members[0][1]:
        raise AssertionError("%r instead of %r" % (header, wanted))
