# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes in the manuals are those in the code: each program's own page, and the one about all of them."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
COMMON = "plugins/module_utils/command_line.py"
#: Where each program's exit codes are defined.
HOMES = {
    "ovmd": ["programs/ovmd/ovmd.py"],
    "ovm-template-config": [COMMON, "programs/ovm-template-config/ovm_template_config.py"],
    "ovm-chkconfig": [COMMON, "programs/ovm-chkconfig/ovm_chkconfig.py"],
    "ovm_vmmessage": ["programs/ovm_vmmessage/ovm_vmmessage.py"],
    "ovm-gateway": ["programs/ovm-gateway/ovm_gateway/%s.py" % name for name in ("cli", "settings", "users")],
}
#: A bad command line of a program that has argparse read it.
ARGPARSE = {"ovm-gateway": {2}}


def assigned(body):
    """Names and numbers of plain assignments, of several at once and of range() too."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from ((name, value) for name, value in assigned(statement.body) if name == "exit_code")
        elif isinstance(statement, ast.Assign):
            (target,) = statement.targets
            try:
                value = ast.literal_eval(statement.value)
            except ValueError:
                called = ast.unparse(statement.value)
                value = tuple(range(int(called[6:-1]))) if called.startswith("range(") else None
            if isinstance(target, ast.Tuple) and isinstance(value, tuple):
                yield from zip([name.id for name in target.elts], value)
            elif isinstance(target, ast.Name):
                yield target.id, value


def defined(program):
    """The exit codes in a program's code."""
    codes = set(ARGPARSE.get(program, ()))
    for home in HOMES[program]:
        for name, value in assigned(ast.parse((ROOT / home).read_text("utf-8")).body):
            if isinstance(value, int) and value < 256 and (name == "exit_code" or re.fullmatch("[A-Z][A-Z_]*", name)):
                codes.add(value)
    return codes


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]


def test_every_program_is_here():
    assert set(HOMES) == {path.parent.name for path in ROOT.glob("programs/*/__main__.py")}


@pytest.mark.parametrize("program", HOMES)
def test_its_page_has_its_codes(program):
    section = (REFERENCE / (program + ".md")).read_text("utf-8").split("\n## Exit codes\n")[1].split("\n## ")[0]
    assert {int(code) for code, *_meaning in rows(section)[2:]} == defined(program)


@pytest.mark.parametrize("program", HOMES)
def test_the_page_of_all_codes_has_them_too(program):
    section = (REFERENCE / "exit-codes.md").read_text("utf-8").split("\n## Of each program\n")[1]
    titles, _line, *codes = rows(section)
    (column,) = [at for at, title in enumerate(titles) if title.startswith("[%s](" % program)]
    assert {int(row[0]) for row in codes if row[column]} == defined(program)
