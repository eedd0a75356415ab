# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with ovm-chkconfig, and what it prints."""

import os
import pathlib
import re

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.programs import build

DONE = (0, "", "")
HEADER = "name            configure  unconfigure  reconfigure  cleanup  suspend  resume  migrate  shutdown\n"
ALL_OFF = "off        off          off          off      off      off     off      off\n"


def test_a_session(chkconfig):
    assert chkconfig("--list") == (0, HEADER + "firewall        " + ALL_OFF + "network         " + ALL_OFF, "")
    assert chkconfig("--add", "network") == DONE
    assert chkconfig.links() == {
        "cleanup.d/40network": "../scripts/network",
        "configure.d/50network": "../scripts/network",
    }
    listed = (
        0,
        HEADER
        + "firewall        "
        + ALL_OFF
        + "network         on:50      off          off          on:40    off      off     off      off\n",
        "",
    )
    assert chkconfig("--list") == listed
    assert chkconfig("--add", "network") == DONE and chkconfig("--list") == listed
    assert chkconfig("--target=cleanup,configure", "network", "off") == DONE
    assert chkconfig.links() == {}
    assert chkconfig("--target=cleanup", "network", "on") == DONE
    assert chkconfig.links() == {"cleanup.d/40network": "../scripts/network"}
    assert chkconfig("network", "on") == DONE and chkconfig("firewall", "on") == DONE
    assert len(chkconfig.links()) == 3
    assert chkconfig("network", "off") == DONE
    assert chkconfig.links() == {"configure.d/41firewall": "../scripts/firewall"}
    assert chkconfig("--list", "firewall") == (
        0, HEADER + "firewall        on:41      off          off          off      off      off     off      off\n", ""
    )  # fmt: skip
    assert chkconfig("--del", "firewall") == DONE and chkconfig("--del", "firewall") == DONE
    assert chkconfig.links() == {} and len(os.listdir(chkconfig.folder / "scripts")) == 2


def test_a_line_can_be_split_at_blanks_whatever_the_names(chkconfig):
    long = "n" * 100
    chkconfig.put(long, *("%s: %d" % (target, number) for number, target in enumerate(TARGETS)))
    chkconfig.put("s", "shutdown: 99")
    assert chkconfig("--add", long) == DONE and chkconfig("--add", "s") == DONE
    code, out, err = chkconfig("--list")
    rows = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "") and rows[0] == ["name", *TARGETS]
    assert [row[0] for row in rows[1:]] == ["firewall", "network", long, "s"]
    assert rows[3][1:] == ["on:%02d" % number for number in range(8)]
    assert rows[4][1:] == ["off"] * 7 + ["on:99"]
    # Aligned, and without blanks at the end.
    starts = {tuple(word.start() for word in re.finditer(r"\S+", line)) for line in out.splitlines()}
    assert len(starts) == 1 and not any(line != line.rstrip() for line in out.splitlines())


def test_an_empty_directory_has_a_header(one_chkconfig):
    assert one_chkconfig("--list") == (0, HEADER, "")


@pytest.mark.parametrize(
    "arguments, made",
    [
        (["--target", "cleanup,configure", "network", "on"], 2),
        (["--target=cleanup, configure,", "network", "on"], 2),
        (["--target=cleanup", "--target=configure", "network", "on"], 2),
        (["--target=cleanup,cleanup", "network", "on"], 1),
        (["--t=cleanup", "network", "on"], 1),
        (["network", "--target=cleanup", "on"], 1),
        (["network", "on", "--target=cleanup"], 1),
        (["--target=cleanup", "--", "network", "on"], 1),
        (["--add=network"], 2),
        (["--a", "network"], 2),
    ],
)
def test_options_are_read_as_gnu_does(chkconfig, arguments, made):
    assert chkconfig(*arguments) == DONE
    assert len(chkconfig.links()) == made


def test_adding_resets_and_switching_on_keeps_the_priority(chkconfig):
    assert chkconfig("--add", "network") == DONE
    os.rename(chkconfig.folder / "configure.d/50network", chkconfig.folder / "configure.d/07network")
    assert chkconfig("--target=configure", "network", "on") == DONE
    assert set(chkconfig.links()) == {"configure.d/07network", "cleanup.d/40network"}
    assert chkconfig("--target=cleanup", "network", "off") == DONE
    assert chkconfig("--add", "network") == DONE
    assert set(chkconfig.links()) == {"configure.d/50network", "cleanup.d/40network"}


def test_a_list_tells_what_is_wrong_with_a_script(chkconfig):
    assert chkconfig("--add", "network") == DONE and chkconfig("--add", "firewall") == DONE
    os.unlink(chkconfig.folder / "scripts/network")
    (chkconfig.folder / "scripts/firewall").write_text("#!/bin/sh\n")
    code, out, err = chkconfig("--list")
    assert code == 0 and [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["firewall", "on:41"],
        ["network", "on:50"],
    ]
    first, second = err.splitlines()
    where = chkconfig.folder / "scripts"
    assert first.startswith("ovm-chkconfig: the script %s/firewall has no header: add one " % where)
    assert second == (
        "ovm-chkconfig: the script 'network' is missing, but turned on: put it to %s/network, or run "
        "'ovm-chkconfig --del network'" % where
    )
    assert chkconfig("--list", "network") == (0, "".join(out.splitlines(True)[::2]), second + "\n")
    # All that can be done about it works.
    assert chkconfig("--del", "network") == DONE and chkconfig("firewall", "off") == DONE
    assert chkconfig.links() == {}


def test_help_and_version(chkconfig):
    assert chkconfig("--version") == (0, "ovm-chkconfig %s\n" % VERSION, "")
    code, out, err = chkconfig("--help")
    assert (code, err) == (0, "") and out.startswith("usage: ovm-chkconfig --list [NAME]\n")
    assert chkconfig("-h") == chkconfig("--add", "network", "--help") == (0, out, "")
    assert chkconfig.links() == {}
    manual = pathlib.Path(build.ROOT, "docs", "reference", "ovm-chkconfig.md").read_text()
    for option in ("--list", "--add", "--del", "--target", "--root", "--version", "--help"):
        assert option in out and option in manual


def test_the_example_in_the_manual_is_what_it_prints(one_chkconfig):
    """Each command of its first example, with what it shows."""
    manual = pathlib.Path(build.ROOT, "docs", "reference", "ovm-chkconfig.md").read_text()
    example = manual.split("```console\n", 1)[1].split("```", 1)[0]
    one_chkconfig.put("network", "configure: 50", "reconfigure: 50", "cleanup: 50")
    one_chkconfig.put("firewall", "configure: 41")
    shown = ""
    for command in (line[2:] for line in example.splitlines() if line.startswith("# ")):
        code, out, err = one_chkconfig(*command.split()[1:])
        assert (code, err) == (0, "")
        shown += "# %s\n%s" % (command, out)
    assert shown == example
