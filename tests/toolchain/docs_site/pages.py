# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages in docs/: their titles, anchors and links, as GitHub and the site see them."""

import functools
import os
import pathlib
import re

from toolchain import ROOT

DOCS = ROOT / "docs"
INDEX = DOCS / "index.md"
#: Where a file that is no page of the site is to be read.
REPOSITORY = "https://github.com/ovm-messaging/ovm.messaging/blob/main/"
#: Each command line has a page here, which is its man page, too.
PROGRAMS = DOCS / "reference"

_FENCE = re.compile(r"^(?P<fence> *(?:`{3,}|~{3,})).*?^(?P=fence) *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[(?P<text>[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*)\]\((?P<path>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
_HEADING = re.compile(r"^(#+) +(.*?) *$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)


class Page:
    """A page in Markdown.

    :param pathlib.Path path: its file, anywhere in the repository.
    """

    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    @property
    def name(self):
        """What it is called in an error."""
        return os.path.relpath(self.path, ROOT)

    @property
    def body(self):
        """Its text without the comment at its top."""
        return _COMMENT.sub("", self.text, count=1)

    @functools.cached_property
    def headings(self):
        """Level and text of each heading, code marks and all."""
        return [(len(level), text) for level, text in _HEADING.findall(_FENCE.sub("", self.text))]

    @property
    def title(self):
        return next((text for level, text in self.headings if level == 1), "")

    @functools.cached_property
    def anchors(self):
        """What a link can lead to within it.

        :rtype: set of str
        """
        found = set()
        for _level, text in self.headings:
            plain = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", _LINK.sub(r"\g<text>", text)).lower()).replace(" ", "-")
            # GitHub numbers those that are there already.
            numbered = (plain, *(f"{plain}-{number}" for number in range(1, len(self.headings))))
            found.add(next(one for one in numbered if one not in found))
        return found

    @functools.cached_property
    def links(self):
        """Path and anchor of each link, either may be empty."""
        plain = _CODE.sub(lambda code: "`" * len(code[0]), _FENCE.sub("", self.text))
        return [(link["path"], (link["anchor"] or "")[1:]) for link in _LINK.finditer(plain)]

    def target(self, path):
        """The file that a link's path leads to.

        :rtype: pathlib.Path
        """
        return pathlib.Path(self.path.parent, path).resolve() if path else self.path

    def with_links(self, change):
        """Its text with other links; what is in code stays.

        :param change: a function that returns what stands instead of a link, given its match.
        """

        def outside_code(text):
            kept = list(_CODE.finditer(text))
            inside = [span for code in kept for span in [code.span()]]
            return _LINK.sub(
                lambda link: link[0] if any(a <= link.start() < b for a, b in inside) else change(link), text
            )

        parts, end = [], 0
        for fence in _FENCE.finditer(self.text):
            parts += [outside_code(self.text[end : fence.start()]), fence[0]]
            end = fence.end()
        return "".join([*parts, outside_code(self.text[end:])])


def split(text):
    """A page's text from its title on, cut before each section; what is in a block of code is no heading."""
    hidden = _FENCE.sub(lambda block: re.sub(r"[^\n]", ".", block[0]), text)
    cuts = [heading.start() for heading in re.finditer(r"^#{1,2} ", hidden, re.MULTILINE)]
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)])]


def is_outside(path):
    """Whether a link's path leads out of the repository."""
    return re.match(r"[a-z][a-z0-9+.-]*:", path) is not None


def pages():
    """All pages of the site, in order of their paths.

    :rtype: list of Page
    """
    return [Page(path) for path in sorted(DOCS.rglob("*.md"))]


def programs():
    """The command lines by name, each with its page.

    :rtype: dict of str to Page
    """
    folders = sorted(path.parent.name for path in ROOT.glob("programs/*/__main__.py"))
    return {name: Page(PROGRAMS / (name + ".md")) for name in folders if (PROGRAMS / (name + ".md")).exists()}


def chapters():
    """The order of the site, as the index has it.

    :returns: each chapter's title, with what it calls the pages that it lists, and these.
    :rtype: list of tuple of str and dict of pathlib.Path to str
    """
    found = []
    index = Page(INDEX)
    for part in split(index.text)[1:]:
        title = part.splitlines()[0][3:].strip()
        items = [_LINK.search(line) for line in part.splitlines() if line.startswith("- ")]
        targets = {index.target(item["path"]): item["text"] for item in items if item}
        listed = {path: text for path, text in targets.items() if path.is_relative_to(DOCS) and path.suffix == ".md"}
        if listed:
            found.append((title, listed))
    return found
