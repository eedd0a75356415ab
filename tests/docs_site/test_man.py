# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built man pages, shown by mandoc."""

import re
import subprocess

import pytest

from lab import parts
from toolchain.docs_site import pages, source
from toolchain.docs_site.__main__ import BUILT

PROGRAMS = sorted(pages.programs())


def man_page(program):
    number = source.section(program)
    path = BUILT["man pages"] / ("man%d" % number) / ("%s.%d" % (program, number))
    assert path.is_file(), "the man pages are not built: make docs builds them and looks at them"
    return path


def mandoc(*arguments):
    command, environment = parts.mandoc()
    done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(".\b", "", done.stdout), done.stderr


def test_every_program_has_one():
    assert PROGRAMS == ["ovm-chkconfig", "ovm-gateway", "ovm-template-config", "ovm_vmmessage", "ovmd"]
    built = {path.name for path in BUILT["man pages"].glob("*/*")}
    assert built == {man_page(program).name for program in PROGRAMS}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_well_formed(program):
    assert mandoc("-T", "lint", "-W", "warning", man_page(program)) == (0, "", "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_a_whole_man_page(program):
    code, shown, errors = mandoc("-T", "utf8", "-O", "width=100", man_page(program))
    assert (code, errors) == (0, "")
    sections = re.findall(r"^[A-Z].*$", shown, re.MULTILINE)[1:-1]
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and sections[-1] == "SEE ALSO"
    assert {"EXIT STATUS"} <= set(sections)
    assert all(other in shown.partition("SEE ALSO")[2] for other in PROGRAMS if other != program)
    # Nothing is lost on the way: each piece of code of the Markdown, and no sign of Markdown.
    flat = re.sub(r"\s", "", shown)
    page = pages.programs()[program]
    for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", page.body, flags=re.DOTALL)):
        assert re.sub(r"\s", "", code) in flat, code
    assert "](" not in shown and "```" not in shown


@pytest.mark.parametrize("program", PROGRAMS)
def test_apropos_knows_what_it_is_about(program):
    name, _separator, text = pages.programs()[program].title.partition(": ")
    assert name == program
    assert re.search(re.escape(program) + r" [-—–] " + re.escape(text), mandoc("-T", "utf8", man_page(program))[1])
