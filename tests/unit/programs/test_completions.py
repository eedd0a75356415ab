# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What completes command lines, against the programs' own parsers."""

import re

import pytest

from ansible_collections.ovm.messaging.programs import build
from toolchain import completions

FILES = completions.files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_are_what_the_parsers_say(path):
    assert path.read_text() == FILES[path], "run: tests/bootstrap python -m toolchain.completions"


def test_each_program_has_them_for_each_shell_and_carries_none():
    assert {path.parent.parent.name for path in FILES} == set(build.names())
    for name in build.names():
        assert set(build.completions(name)) == set(completions.SHELLS)
        assert not [path for path in build.collect(name) if "completion" in path]


@pytest.mark.parametrize("describe", completions.PROGRAMS)
def test_every_option_is_in_every_shells_file(describe):
    program = describe()
    assert len(program.options) > 2 and all(option.help for option in program.options)
    for shell in completions.SHELLS:
        text = FILES[completions.ROOT / "programs" / program.name / "completions" / ("%s.%s" % (program.name, shell))]
        for option in program.options:
            forms = option.spellings()
            if shell == "fish":
                forms = ["-s " + option.letter] * bool(option.letter) + ["-l " + option.name] * bool(option.name)
            for form in forms:
                assert re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(form), text), (shell, form)


def test_a_help_text_that_lacks_an_option_is_noticed():
    with pytest.raises(SystemExit, match="does not have the options that there are: .'help', 'quiet'."):
        completions._from_usage("  -h, --help           show this\n", {}, ["help", "quiet"])
