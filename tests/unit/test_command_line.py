# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What command lines share: options, output, and how a program ends."""

import os
import signal

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import command_line
from ansible_collections.ovm.messaging.plugins.module_utils.command_line import BadUsage, OutputFailed, ReaderGone
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem


class Special(Problem):
    pass


def ended(work, codes=()):
    """Run a program in a process of its own, as some of its ends are deaths.

    :returns: its exit code, and what it said.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        try:
            os._exit(command_line.run("prog", work, codes))
        finally:
            os._exit(99)
    os.close(writer)
    with open(reader, encoding="utf-8") as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def raising(problem):
    def work(_arguments):
        raise problem

    return work


@pytest.mark.parametrize("returned, code", [(None, 0), (0, 0), (1, 1)])
def test_what_a_program_returns_is_its_exit_code(returned, code):
    assert ended(lambda _arguments: returned) == (code, "")


@pytest.mark.parametrize(
    "problem, code, said",
    [
        (BadUsage("no", "try"), 2, "prog: no: try\n"),
        (OutputFailed("full"), 5, "prog: full\n"),
        (Problem("broken", "mend it"), 3, "prog: broken: mend it\n"),
        (Special("special"), 42, "prog: special\n"),
        (Problem("two\nlines\x1b[0m, grüße \udcff"), 3, "prog: two\\nlines\\x1b[0m, grüße \\udcff\n"),
        (
            ImportError("no", name="sqlite3"),
            3,
            "prog: this Python has no module sqlite3: install its whole standard lib",
        ),
        (ReaderGone(), -signal.SIGPIPE, ""),
        (KeyboardInterrupt(), -signal.SIGINT, ""),
        (ValueError("SECRET\nSECRET"), 70, "prog: this is a defect of prog (ValueError in "),
    ],
)
def test_every_end_has_an_exit_code_and_at_most_one_line(problem, code, said):
    found, text = ended(raising(problem), ((Special, 42),))
    assert found == code and text.startswith(said) and text.count("\n") == bool(said)
    assert "SECRET" not in text


def test_a_program_may_give_even_these_a_code_of_its_own():
    assert ended(raising(BadUsage("no")), ((BadUsage, 1),)) == (1, "prog: no\n")


def test_a_defect_is_told_with_its_place():
    def work(_arguments):
        return {}["x"]

    found, text = ended(work)
    assert found == 70 and "KeyError in " in text and text.rstrip().split(", line ")[0].endswith("test_command_line.py")


def test_a_blocked_signal_still_gives_an_exit_code():
    def work(_arguments):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        raise KeyboardInterrupt

    assert ended(work) == (128 + signal.SIGINT, "")


def test_options_are_read_as_gnu_does():
    assert command_line.parse("prog", ["a", "--na=x", "-vf", "y", "--", "-z"], "vf:", ["name=", "other"]) == (
        [("--name", "x"), ("-v", ""), ("-f", "y")],
        ["a", "-z"],
    )
    for wrong in (["-x"], ["--nix"], ["--name"], ["--other=1"], ["-f"]):
        with pytest.raises(BadUsage, match="^option .*: try 'prog --help'$"):
            command_line.parse("prog", wrong, "vf:", ["name=", "other"])


def test_all_of_the_output_is_written_or_it_is_told():
    reader, writer = os.pipe()
    command_line.write(b"output", writer)
    assert os.read(reader, 100) == b"output"
    os.close(reader)
    with pytest.raises(ReaderGone):
        command_line.write(b"output", writer)
    os.close(writer)
    with pytest.raises(OutputFailed, match=r"descriptor %d cannot be written \(Bad file descriptor\)" % writer):
        command_line.write(b"output", writer)
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OutputFailed, match="No space left on device"):
        command_line.write(b"output", full)
    os.close(full)


def test_a_pipe_that_takes_only_parts_gets_all():
    """More than a pipe holds; the reader comes later."""
    reader, writer = os.pipe()
    data = os.urandom(300000)
    child = os.fork()
    if child == 0:
        os.close(reader)
        command_line.write(data, writer)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as source:
        assert source.read() == data
    assert os.waitpid(child, 0)[1] == 0
