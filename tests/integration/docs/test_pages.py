# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command and playbook of the documentation is run, in the order of the page, and prints what the page says.

What cannot be run here stands in a story of that page (stories/), with the place where it is run.
"""

import pytest

from .markdown import ROOT, Page, pages
from .runner import Runner, excuses
from .story import STORIES, path_of, story_of
from .world import World

PAGES = [Page.of(path) for path in pages()]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", [page for page in PAGES if page.blocks], ids=lambda page: page.name)
def test_the_page_does_what_it_says(page, programs):
    story = story_of(page.name)
    with World(story, programs) as world:
        Runner(page, world).run()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_run_elsewhere_is_there(page):
    excuses(story_of(page.name))


def test_every_story_has_a_page():
    known = {path_of(page.name) for page in PAGES}
    assert set(STORIES.rglob("*.py")) <= known


def test_all_pages_are_found():
    names = {page.name for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/index.md", "docs/tutorial.md", "docs/reference/ovmd.md"} <= names
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/guides/*.md")} <= names
