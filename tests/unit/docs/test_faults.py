# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checker of the pages finds, and what it lets pass."""

import pytest

from toolchain.docs_site import faults, pages


@pytest.fixture
def page(tmp_path):
    """A function that makes a page."""

    def make(text, name="page.md"):
        path = tmp_path / name
        path.write_text(text)
        return pages.Page(path)

    return make


@pytest.mark.parametrize(
    "link, fault",
    [
        ("[a](other.md)", None),
        ("[a](other.md#some-code-here)", None),
        ("[a](other.md#twice-1)", None),
        ("[a](#page)", None),
        ("[a](https://example.com/x.md#y)", None),
        ("`[a](nothing.md)`", None),
        ("```text\n[a](nothing.md)\n```", None),
        ("~~~text\n[a](nothing.md)\n~~~", None),
        ("[a](nothing.md)", "the link to nothing.md leads to nothing"),
        ("[two\nlines](nothing.md)", "the link to nothing.md leads to nothing"),
        ("[`code`](nothing.md)", "the link to nothing.md leads to nothing"),
        ("[a](other.md#twice-2)", "the link to other.md#twice-2 leads to no heading"),
        ("[a](other.md#in-a-block)", "the link to other.md#in-a-block leads to no heading"),
        ("[a](#elsewhere)", "the link to #elsewhere leads to no heading"),
    ],
)
def test_links(page, link, fault):
    page("# Other\n\n## Some `code`, here\n\n## Twice\n\n## Twice\n\n```sh\n# in a block\n```\n", "other.md")
    found = list(faults.link_faults([page("# Page\n\n%s\n" % link)]))
    assert [line.partition(": ")[2] for line in found] == ([fault] if fault else [])


def test_addresses_of_files_in_the_repository():
    known = pages.REPOSITORY + "README.md"
    texts = [("a", "see %s. Or <%s#testing>" % (known, known)), ("b", "%sdocs/gone.md\n" % pages.REPOSITORY)]
    assert list(faults.address_faults(texts)) == ["b: %sdocs/gone.md leads to nothing" % pages.REPOSITORY]


def test_a_page_that_the_index_does_not_list(page):
    listed, other = page("# One\n"), page("# Two\n", "other.md")
    assert list(faults.index_faults([listed, other], {listed.path: "One"})) == [
        "%s: docs/index.md does not list it" % other.name
    ]


@pytest.mark.parametrize("text, count", [("no title\n", 0), ("# One\n\n# Two\n", 2)])
def test_a_page_has_one_title(page, text, count):
    made = page(text)
    found = list(faults.index_faults([made], {made.path: ""}))
    assert found == ["%s: has %d titles, should have one" % (made.name, count)]


def test_what_no_page_mentions():
    found = list(faults.mention_faults("`ovm_guest_param` and `ovm.messaging.ovmd`, but ovm_vm_message only like this"))
    assert "docs: no page mentions the module ovm_vm_message" in found
    assert "docs: no page mentions the playbook seal_template" in found
    assert not {"docs: no page mentions the module ovm_guest_param", "docs: no page mentions the role ovmd"} & set(
        found
    )


def test_every_program_is_known():
    assert set(pages.programs()) == {"ovm-chkconfig", "ovm-gateway", "ovm-template-config", "ovm_vmmessage", "ovmd"}


def test_links_are_changed_outside_of_code_only(page):
    made = page("[a](b.md#c)\n\n`[a](b.md)` [x](y)\n\n```text\n[a](b.md)\n```\n")
    changed = made.with_links(lambda link: "<%s|%s|%s>" % (link["text"], link["path"], link["anchor"] or ""))
    assert changed == "<a|b.md|#c>\n\n`[a](b.md)` <x|y|>\n\n```text\n[a](b.md)\n```\n"


def test_a_page_is_cut_at_its_headings_and_not_at_a_prompt_of_root():
    text = "<!-- x -->\n# Title\n\n```console\n# ovmd\n```\n\n## One\n\ntext\n\n### Deeper\n\n## Two\n"
    assert pages.split(text) == [
        "# Title\n\n```console\n# ovmd\n```\n\n",
        "## One\n\ntext\n\n### Deeper\n\n",
        "## Two\n",
    ]
