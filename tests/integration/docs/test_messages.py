# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each message that the documentation quotes is one that the programs, modules and plugins have."""

import ast
import itertools
import pathlib
import re

import ansible
import pytest

from .markdown import ROOT

GUIDE = ROOT / "docs/guides/troubleshooting.md"
#: Headings of the guide that describe what people see, and quote nothing.
DESCRIBED = {
    "the certificate cannot be trusted",
    "does not let the user in",
    "still lacks delivery",
    "still lacks, not sent",
    "the task is changed at each run",
    "the clone waits, and nothing happens",
    "nobody can log in to the clone",
}
ANSIBLE = tuple(int(part) for part in ansible.__version__.split(".")[:2])
#: Messages of Ansible's that older ones have in other words, with the first version that has them.
NEWER = {"Ansible requires Python 3.9 or newer on the target": (2, 20)}
#: What stands for something else in a quoted message: a name, a number, or what is left out.
_OPEN = re.compile(r"'[^']*'|\b[NM]\b|\d+|\.\.\.|%[a-z]|\{[^}]*\}|\([^)]*\)|: \w*$|\S+/\S+")


def quoted_in_tables():
    """The messages in all tables whose first column is "it says", and in the headings of the guide."""
    for path in sorted(ROOT.glob("docs/**/*.md")):
        rows = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.match(r"\| it says \|", line) and "it means" in line:
                rows = 0
            elif rows is not None and line.startswith("|"):
                rows += 1
                if rows > 1:
                    yield path, line.split("|")[1].strip().replace("`", "")
            else:
                rows = None
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        if line.startswith("### ") and line[4:] not in DESCRIBED and NEWER.get(line[4:], ()) <= ANSIBLE:
            yield GUIDE, line[4:]


QUOTED = list(quoted_in_tables())


@pytest.fixture(scope="session")
def texts():
    """All texts in the code of the collection, and those of Ansible that the guide quotes."""
    ours = itertools.chain(*(ROOT.glob(pattern) for pattern in ("plugins/**/*.py", "programs/**/*.py")))
    core = pathlib.Path(ansible.__file__).parent
    theirs = [core / name for name in ("module_utils/basic.py", "parsing/mod_args.py", "plugins/inventory/auto.py")]
    theirs += [core / "inventory/manager.py"]
    found = []
    for path in [*ours, *theirs]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "%s" for part in node.values))
    roles = ROOT.glob("roles/**/*.yml")
    return "\n".join([*found, *(path.read_text(encoding="utf-8") for path in roles)])


@pytest.mark.parametrize(("page", "message"), QUOTED, ids=[message[:60] for _page, message in QUOTED])
def test_the_message_exists(page, message, texts):
    plain = re.sub(r"'%[a-z]'|'\{\}'", "'%s'", texts)
    missing = [
        part for part in _OPEN.split(message) if len(part.strip(" ;:,.")) > 2 and part.strip(" ;:,.") not in plain
    ]
    assert not missing, "%s quotes %r, and no message has %r" % (page.relative_to(ROOT), message, missing)


def test_descriptions_are_headings():
    text = GUIDE.read_text(encoding="utf-8")
    assert all("\n### %s\n" % heading in text for heading in DESCRIBED)
