# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helpers of scripts, by every Python that a script may be of."""

import json
import os
import subprocess

import pytest

from lab.template_scripts import LIBRARY, pythons

PYTHONS = pythons()
PREFACE = """\
# -*- coding: utf-8 -*-
import json, os, signal, sys
from templateconfig import common
from templateconfig.common import CommandFailed, keep_secret, redacted, run_cmd, shell_cmd
def tell(what):
    os.write(1, (json.dumps(what) + "\\n").encode("ascii"))
def caught(function, *arguments, **more):
    try:
        function(*arguments, **more)
    except CommandFailed as problem:
        return [str(problem), problem.returncode, problem.output]
"""


@pytest.fixture(params=list(PYTHONS))
def does(request, tmp_path):
    """Runs lines in that Python: what they told, and what they wrote to standard error."""

    def run(*lines, **more):
        program = tmp_path / "program.py"
        program.write_text(PREFACE + "\n".join(lines) + "\n", encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
        environment = dict(kept, PATH=os.environ["PATH"], PYTHONPATH=LIBRARY, LC_ALL="C", PYTHONIOENCODING="utf-8")
        done = subprocess.run(
            [PYTHONS[request.param], str(program)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=60,
            check=False,
            **more,
        )
        err = done.stderr.decode("utf-8", "surrogateescape")
        assert done.returncode == 0, err
        return [json.loads(line) for line in done.stdout.splitlines()], err

    return run


def test_commands_give_what_they_print(does):
    told, err = does(
        "tell(run_cmd(['echo', 'a  b']))",
        "tell(shell_cmd('echo $((1 + 1)); echo aside >&2'))",
        "tell(run_cmd(['cat']))",
        "tell(run_cmd(['cat'], input=u'h\\xfc'))",
        "tell(run_cmd(['cat'], input=b'bytes'))",
        "tell(run_cmd(['sh', '-c', 'exit 3'], ok=(0, 3)))",
        "tell(run_cmd([u'echo', u'h\\xfc']))",
    )
    assert told == ["a  b\n", "2\n", "", "hü", "bytes", "", "hü\n"]
    assert err.startswith("+ echo a  b\n+ echo $((1 + 1)); echo aside >&2\naside\n+ cat\n")


def test_commands_that_fail(does):
    told, err = does(
        "tell(caught(run_cmd, ['sh', '-c', 'echo out; echo first >&2; echo second >&2; exit 7']))",
        "tell(caught(shell_cmd, 'kill -9 $$'))",
        "tell(caught(run_cmd, ['/no/such/command']))",
        "tell(caught(run_cmd, [os.getcwd()]))",
        "tell(caught(shell_cmd, '   '))",
        "tell(caught(shell_cmd, 'false', ok=(1,)))",
    )
    assert told == [
        ["sh failed with exit code 7: first", 7, "out\n"],
        ["kill failed with signal 9", -9, ""],
        ["command cannot be run (No such file or directory)", None, ""],
        [told[3][0], None, ""],
        None,
        None,
    ]
    assert told[3][0].endswith(" cannot be run (Permission denied)") and "first\nsecond\n" in err


def test_a_line_is_no_list(does):
    told, _err = does("try:", "    run_cmd('echo a')", "except TypeError as problem:", "    tell(str(problem))")
    assert told == ["run_cmd takes a list, shell_cmd a line"]


def test_input_and_output_larger_than_pipes_are_no_deadlock(does):
    told, _err = does(
        "big = 'x' * 3000000",
        "tell(run_cmd(['cat'], input=big) == big)",
        "tell(run_cmd(['sh', '-c', 'cat >&2; cat /dev/null'], input='y' * 300000))",
        "tell(run_cmd(['head', '-c', '5'], input=big))",  # which reads some only
        "tell(run_cmd(['true'], input=big))",
        "tell(run_cmd(['sh', '-c', 'exec <&-; sleep 0.2; echo end'], input=big))",
    )
    assert told == [True, "", "xxxxx", "", "end\n"]


def test_a_service_left_behind_is_not_waited_for(does):
    # It holds the pipes for longer than this test may take.
    told, _err = does(
        "text = shell_cmd('sleep 300 & echo $!')",
        "tell(text.strip().isdigit())",
        "os.kill(int(text), signal.SIGKILL)",
    )
    assert told == [True]


def test_what_closes_its_output_is_waited_for(does):
    told, _err = does("tell(caught(run_cmd, ['sh', '-c', 'exec >&- 2>&-; sleep 0.2; exit 4'])[1])")
    assert told == [4]


def test_a_signal_in_between_ends_nothing(does):
    told, _err = does(
        "signal.signal(signal.SIGALRM, lambda *ignored: None)",
        "signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)",
        "tell(run_cmd(['sh', '-c', 'sleep 0.3; echo end']))",
        "signal.setitimer(signal.ITIMER_REAL, 0)",
    )
    assert told == ["end\n"]


def test_secrets_are_blanked_in_what_is_logged(does):
    told, err = does(
        "keep_secret([u'hunter\\xfc\"2', u'multi\\nline secret\\n', u'', u'ab'])",
        "tell(redacted(u'is hunter\\xfc\"2 ' + json.dumps(u'hunter\\xfc\"2')).decode('ascii'))",
        "tell(redacted(repr(u'hunter\\xfc\"2')).decode('ascii'))",
        "tell(redacted('line secret').decode('ascii'))",
        "tell(redacted('one\\ncab\\ntwo').decode('ascii'))",
        'tell(caught(shell_cmd, u\'echo hunter\\xfc\\\\"2 "line secret"; echo "line secret" >&2; exit 1\'))',
        "shell_cmd('echo ab >&2')",
    )
    assert told[0] == 'is ******** "********"' and told[1].endswith("'********'") and told[2] == "********"
    assert told[3] == "one\n(a line with a secret was withheld)\ntwo"
    assert told[4][0] == "echo failed with exit code 1: ********"
    assert "line secret" not in err and "(a line with a secret was withheld)" in err and "ab" not in err


def test_nobody_who_reads_is_no_error(does, tmp_path):
    told, _err = does("os.close(2)", "tell(run_cmd(['echo', 'a']))", "tell(shell_cmd('echo a'))")
    assert told == ["a\n", "a\n"]
