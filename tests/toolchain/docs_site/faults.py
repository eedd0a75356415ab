# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the pages in docs/, and with links in all others: a line each."""

import re
import subprocess

from toolchain import ROOT

from . import pages

#: What a program's page has, as it is a man page, too.
SECTIONS = ("Synopsis", "Exit codes")
#: Where plugins, roles and playbooks are, by what they are called in texts.
THINGS = {
    "module": "plugins/modules/*.py",
    "inventory plugin": "plugins/inventory/*.py",
    "lookup plugin": "plugins/lookup/*.py",
    "event source": "extensions/eda/plugins/event_source/*.py",
    "playbook": "playbooks/*.yml",
    "role": "roles/*/meta/argument_specs.yml",
}
#: Roles that only other roles use.
INNER = {"ovm_venv"}


def files():
    """All files that git has or would add, in the repository's own folders.

    :rtype: list of str
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(name for name in set(listing.split("\0")) if name and (ROOT / name).is_file())


def link_faults(written):
    """Links within the repository that lead nowhere.

    :param written: pages, of docs/ and others.
    """
    for page in written:
        for path, anchor in page.links:
            if pages.is_outside(path):
                continue
            target = page.target(path)
            if not target.exists():
                yield f"{page.name}: the link to {path} leads to nothing"
            elif anchor and target.suffix == ".md" and anchor not in pages.Page(target).anchors:
                yield f"{page.name}: the link to {path}#{anchor} leads to no heading"


def address_faults(texts):
    """Addresses of files of this repository, in whatever file they stand, that are not there.

    :param texts: names of files, and their text.
    """
    for name, text in texts:
        for path in re.findall(re.escape(pages.REPOSITORY) + r"([\w./-]*\w)", text):
            if not (ROOT / path).exists():
                yield f"{name}: {pages.REPOSITORY}{path} leads to nothing"


def index_faults(site, listed):
    """Pages that no reader of the index finds.

    :param site: all pages.
    :param listed: paths of those that the index has.
    """
    for page in site:
        if page.path not in listed and page.path != pages.INDEX:
            yield f"{page.name}: docs/index.md does not list it"
        titles = [title for level, title in page.headings if level == 1]
        if len(titles) != 1:
            yield f"{page.name}: has {len(titles)} titles, should have one"


def program_faults():
    """Programs without a page, and pages of programs that would be no good man page."""
    found = pages.programs()
    for path in ROOT.glob("programs/*/__main__.py"):
        name = path.parent.name
        page = found.get(name)
        if not page:
            yield f"programs/{name}: there is no docs/reference/{name}.md"
            continue
        if not page.title.startswith(name + ": "):
            yield f"{page.name}: the title is not '{name}: what it is'"
        there = {title for level, title in page.headings if level == 2}
        yield from (f"{page.name}: there is no section '{title}'" for title in SECTIONS if title not in there)


def mention_faults(text):
    """Plugins, roles and playbooks that no page mentions.

    :param str text: of all pages.
    """
    for kind, pattern in THINGS.items():
        for path in sorted(ROOT.glob(pattern)):
            name = path.parts[-3] if kind == "role" else path.stem
            if name not in INNER | {"__init__"} and not re.search(rf"`(ovm\.messaging\.)?{name}\b", text):
                yield f"docs: no page mentions the {kind} {name}"


def faults():
    """What is wrong with our pages, a line each."""
    names = files()
    written = [pages.Page(ROOT / name) for name in names if name.endswith(".md")]
    yield from link_faults(written)
    with_addresses = [name for name in names if name.endswith((".py", ".yml", ".md"))]
    yield from address_faults((name, (ROOT / name).read_text("utf-8", "replace")) for name in with_addresses)
    site = pages.pages()
    yield from index_faults(site, {path for _title, listed in pages.chapters() for path in listed})
    yield from program_faults()
    yield from mention_faults("\n".join(page.text for page in site))
