# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages say of the code is what the code has."""

import ast
import contextlib
import io
import json
import pathlib
import re

from ansible_collections.ovm.messaging.plugins.module_utils import report, secret_names
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect

DOCS = pathlib.Path(__file__).parents[3] / "docs"
REPORTS = (DOCS / "reference" / "reports.md").read_text("utf-8")
BOOT = "6b1f3c9f2a7d4e10"


def sample(section):
    """The JSON that a section of the page about reports shows."""
    return json.loads(REPORTS.split("\n## %s\n" % section)[1].split("```json\n")[1].split("```")[0])


def test_the_samples_of_reports_are_what_a_guest_sends():
    assert json.loads(report.guest(BOOT, "1.0.0")[1]) == sample("guest")
    shown = sample("held.KEY")
    assert shown.keys() == json.loads(report.held(BOOT, b"key1", b"value1")[1]).keys()
    assert len(shown["digest"]) == len(report.digest(BOOT, b"key1", b"value1"))
    shown = sample("configuration")
    sent = report.configuration(BOOT, report.FAILED, target="configure", failed=["network"], scripts=shown["scripts"])
    assert json.loads(sent[1]) == shown
    assert json.loads(report.interfaces(sample("addresses")["interfaces"])[1]) == sample("addresses")


def test_a_digest_is_made_as_the_page_says():
    code = REPORTS.split("```python\n")[1].split("```")[0]
    ast.parse(code)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "reports.md", "exec"), {})
    assert printed.getvalue().strip() == report.digest("b1", b"key1", b"value1")


def test_the_keys_of_reports_are_those_on_the_page():
    rows = set(re.findall(r"^\| `(ovmd\.report\.\w+)", REPORTS, re.MULTILINE))
    assert rows == {
        key.decode().rstrip(".") for key in (report.GUEST, report.HELD, report.CONFIGURATION, report.ADDRESSES)
    }
    longest = int(re.search(r"\(over (\d+) bytes\)", REPORTS)[1])
    assert report.held_key(b"k" * longest) == report.HELD + b"k" * longest
    assert report.held_key(b"k" * (longest + 1)).startswith(report.HELD + b"#")
    assert "A report has up to %d bytes" % report.LIMIT in REPORTS
    for state in (report.WAITING, report.RUNNING, report.DONE, report.FAILED):
        assert "`%s`" % state in REPORTS


def test_each_guess_about_the_manager_is_on_the_page_with_its_value():
    text = (DOCS / "explanation" / "comparison.md").read_text("utf-8")
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", text.split("## Not confirmed")[1].split("\n## ")[0], re.MULTILINE
    )
    names = [(name, guess) for several, guess in rows for name in re.findall(r"`(\w+)`", several)]
    assert sorted(name for name, _guess in names) == Dialect.names()
    assert all("`%s`" % getattr(Dialect, name) in guess for name, guess in names)


def test_the_words_that_make_a_key_a_secret_are_on_the_page():
    text = (DOCS / "explanation" / "security.md").read_text("utf-8")
    assert all("`%s`" % word.decode() in text for word in secret_names._SECRET)
