# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page that says what is not so, or what nobody has run, is found."""

import pytest

from .acts import does
from .markdown import Page
from .runner import Runner, excuses
from .shell import ShellError
from .story import Story
from .world import World

GUEST = {"guests": ("web1",), "daemons": False}


@pytest.fixture
def run(programs):
    """A function that runs a page, given by its text, in the world of a story."""

    def run(text, **story):
        with World(
            Story(**{"guests": (), "daemons": False, "gateway": False, "environment": (), **story}), programs
        ) as world:
            runner = Runner(Page("docs/page.md", text), world)
            runner.run()
            return runner.printed

    return run


def block(language, text):
    return "# Page\n\n```%s\n%s```\n" % (language, text)


def test_what_is_printed_is_compared(run):
    session = "# ovmd -p key1=value1\n# ovmd --list\n%s"
    assert run(block("console", session % '{"key1":"value1"}\n'), **GUEST) == '{"key1":"value1"}\n'
    assert run(block("console", session % '{"key1":"..."}\n'), **GUEST)
    assert run(block("console", session % "...\n"), **GUEST)
    for wrong in ("", '{"key1":"value2"}\n', '{"key1":"value1"}\n...\n{}\n'):
        with pytest.raises(AssertionError, match="the page says otherwise"):
            run(block("console", session % wrong), **GUEST)


def test_what_differs_from_run_to_run_does_not_count(run):
    text = "$ echo at 2026-03-02T08:15:04Z, by 0.1.0, 7 minutes ago\nat 2031-01-01T00:00:00Z, by 1.2.3, 9 days ago\n"
    run(block("console", text))
    with pytest.raises(AssertionError, match="the page says otherwise"):
        run(block("console", text.replace("9 days ago", "soon")))


def test_errors_are_errors_and_all_else_succeeds(run):
    missing = "# ovmd -g key1\novmd: there is no parameter 'key1'...\n"
    run(block("console", missing), **GUEST)
    with pytest.raises(AssertionError, match="the page shows an error, and there was none"):
        run(block("console", missing), setup=does("web1", "ovmd -p key1=value1"), **GUEST)
    with pytest.raises(AssertionError, match="exit code 1"):
        run(block("console", "# ovmd -g key1\nvalue1\n"), **GUEST)
    with pytest.raises(ShellError, match="failed"):
        run(block("sh", "false\ntrue\n"))


def test_a_story_goes_on_from_block_to_block(run):
    page = "Save this as `a.txt`:\n\n```json\n{}\n```\n" + block("sh", "export B=b\ncd .\n")
    page += block(
        "console", '$ cat a.txt && echo "$B" \\\n    c\n{}\nb c\n$ cat made.yml\na: 1\n$ grep a made.yml\na: 1\n'
    )
    assert run(page) == "{}\nb c\na: 1\na: 1\n"


def test_every_block_is_run_or_explained(run):
    for page in (block("xml", "<a/>\n"), block("yaml", "ovmd_state: absent\n"), block("", "a\n")):
        with pytest.raises(AssertionError, match="nothing|without a language"):
            run(page)
    role = block("yaml", "- hosts: guests\n  roles: [ovm.messaging.ovmd]\n")
    with pytest.raises(AssertionError, match="its story has to say what runs it"):
        run(role)
    run(role, elsewhere={"roles: [": ("README.md", "ovmd")}, **GUEST)
    run(block("text", "a\n"))


def test_plays_are_run(run):
    task = "- name: Tell\n  ovm.messaging.ovm_guest_param:\n    params: {key1: %s}\n"
    listed = block("console", '# ovmd --list\n{"key1":"value1"}\n')
    run(block("yaml", task % "value1") + listed, **GUEST)
    with pytest.raises(AssertionError, match="is null"):
        run(block("yaml", task % "null"), **GUEST)
    with pytest.raises(AssertionError, match="no_such_option"):
        run(block("yaml", "- ovm.messaging.ovm_guest_param:\n    no_such_option: 1\n"), **GUEST)


def test_a_role_that_does_not_exist_is_found(run):
    role = block("yaml", "- hosts: guests\n  roles: [ovm.messaging.no_such_role]\n")
    with pytest.raises(AssertionError, match="no_such_role"):
        run(role, elsewhere={"roles: [": ("README.md", "ovmd")}, **GUEST)


def test_a_story_has_nothing_that_the_page_has_not(run):
    for kind in ("before", "elsewhere", "nowhere", "checked"):
        with pytest.raises(AssertionError, match="has what the page has not"):
            run("# Page\n", **{kind: {"not there": None}})


def test_excuses_are_looked_into():
    excuses(Story(elsewhere={"a": ("README.md", "ovm.messaging")}))
    with pytest.raises(AssertionError, match="there is no"):
        excuses(Story(elsewhere={"a": ("no/such/file", "b")}))
    with pytest.raises(AssertionError, match="has no"):
        excuses(Story(elsewhere={"a": ("README.md", "what nobody would ever write there")}))
    with pytest.raises(AssertionError, match="say why"):
        excuses(Story(nowhere={"a": "no"}))


def test_a_person_types(run):
    session = "# ovmd --set-secret=key1\nValue of 'key1':\n"
    run(block("console", session), typed={"--set-secret": [("Value of", "secret")]}, **GUEST)
    with pytest.raises(AssertionError, match="never asked"):
        run(block("console", "$ true\n"), typed={"true": [("Value of", "secret")]})
