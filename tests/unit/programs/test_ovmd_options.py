# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd's command line, against getopt and against the vendor's manual."""

import getopt
import os

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.programs.ovmd.ovmd_options import OWN, VENDOR, BadUsage, parse, usage

# What the vendor's manual says, one option a line.
MANUAL = """\
usage: ovmd [options]
options:
-p, --set-param=PARAM Set param in format: key=value.
-g, --get-param=KEY Get param value.
-r, --delete-param=KEY Delete param by key name.
-x, --delete-params Delete all params.
-l, --list-params List all params.
-e, --event=EVENT Inject event.
-s, --script=SCRIPT Run script.
-d, --debug=LEVEL Set debug level: 0(DEBUG_OFF), 1(DEBUG_STDERR) or 2(DEBUG_SYSLOG).
Default: 2.
-f, --pid-file=FILENAME Set the pathname of the process ID (PID) file.
-t, --time-period=secs Set the period for daemon mode(default=10 seconds).
-v, --version Show version number and exit.
-h, --help Show this help information.
"""
SHORT = "p:g:r:xle:s:d:f:t:vh"
LONG = [
    "set-param=", "get-param=", "delete-param=", "delete-params", "list-params", "event=", "script=", "debug=",
    "pid-file=", "time-period=", "version", "help",
]  # fmt: skip
NAMES = {letter: long.rstrip("=") for letter, long in zip(SHORT.replace(":", ""), LONG, strict=True)}

# Words that look like options: whole, cut short, with and without an argument.
NAMED = st.sampled_from(LONG).map(lambda name: name.rstrip("="))
CUT = st.builds(lambda name, end: "--" + name[:end], NAMED, st.integers(0, 15))
ARGUMENT = st.sampled_from(["", "k", "k=v", "=", "-x", "--", "\udcff", "ä b"])
WORDS = st.one_of(
    CUT,
    st.builds(lambda name, argument: name + "=" + argument, CUT, ARGUMENT),
    st.text("pgrxlesdftvhzé-=", max_size=4).map("-".__add__),
    ARGUMENT,
)


def as_getopt_reads(words):
    """The same from the standard library's getopt; None where it refuses."""
    try:
        found, operands = getopt.gnu_getopt(words, SHORT, LONG)
    except getopt.GetoptError:
        return None
    if operands:
        return None
    takes = {name.rstrip("=") for name in LONG if name.endswith("=")}
    pairs = [(name[2:] if name.startswith("--") else NAMES[name[1:]], argument) for name, argument in found]
    return [(name, os.fsencode(argument) if name in takes else None) for name, argument in pairs]


def is_ours(word):
    """Whether a word is a beginning of an option that only this ovmd has."""
    name = word[2:].partition("=")[0]
    return (
        word.startswith("--")
        and any(option.name.startswith(name) for option in OWN)
        and not any(known.startswith(name) for known in LONG)
    )


@given(st.lists(WORDS, max_size=5))
@example(["--list"])
@example(["--delete-param", "k"])
@example(["--delete-param"])
@example(["--delete", "k"])
@example(["-xlp", "k=v", "-gk", "--"])
@example(["--list-params="])
def test_a_command_line_is_read_as_getopt_reads_it(words):
    assume(not any(is_ours(word) for word in words))
    expected = as_getopt_reads(words)
    arguments = [os.fsencode(word) for word in words]
    if expected is None:
        with pytest.raises(BadUsage) as found:
            parse(arguments)
        assert "\n" not in str(found.value)
    else:
        assert parse(arguments) == expected


@given(st.lists(st.binary(max_size=6)))
def test_any_bytes_are_read_or_refused(arguments):
    try:
        found = parse(arguments)
    except BadUsage:
        return
    known = {option.name: option.takes for option in VENDOR + OWN}
    assert all((argument is not None) == bool(known[name]) for name, argument in found)


def test_the_help_has_the_manuals_words_and_then_our_own():
    vendor, own = usage().split("\n\n")
    assert vendor.split() == MANUAL.split()
    starts = [line.split()[0] for line in MANUAL.splitlines()[2:] if line.startswith("-")]
    assert [line.split()[0] for line in vendor.splitlines() if line.startswith("  -")] == starts
    assert "--set-secret=KEY" in own and all(len(line) <= 100 for line in usage().splitlines())


@pytest.mark.parametrize(
    "word, name", [("--set", "set-param"), ("--set-p", "set-param"), ("--set-s", "set-secret"), ("--l", "list-params")]
)
def test_our_options_do_not_make_the_vendors_ambiguous(word, name):
    assert parse([word.encode(), b"k"] if name.startswith("set") else [word.encode()])[0][0] == name


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["-z"], "there is no option -z: try 'ovmd --help'"),
        (["-\n"], "there is no option -\\n: try 'ovmd --help'"),
        (["--zap=secret"], "there is no option --zap: try 'ovmd --help'"),
        (["--delete"], "the option --delete is ambiguous: it could be --delete-param or --delete-params"),
        (["-lp"], "the option -p needs an argument: try 'ovmd --help'"),
        (["--get"], "the option --get-param needs an argument: try 'ovmd --help'"),
        (["--list=x"], "the option --list-params takes no argument: try 'ovmd --help'"),
        (
            ["-p", "k=two", "words"],
            "unexpected argument 'words': quote a value that has blanks in it; try 'ovmd --help'",
        ),
        (["--", "-l"], "unexpected argument '-l': quote a value that has blanks in it; try 'ovmd --help'"),
        (["-"], "unexpected argument '-': quote a value that has blanks in it; try 'ovmd --help'"),
    ],
)
def test_what_is_said_of_a_bad_command_line(arguments, text):
    with pytest.raises(BadUsage) as found:
        parse([os.fsencode(argument) for argument in arguments])
    assert str(found.value) == text
