# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sphinx builds from: our pages, made ready, and the reference that antsibull-docs makes of plugins and roles."""

import os
import shutil
import subprocess

from toolchain import CACHE, ROOT

from . import pages

WORK = CACHE / "docs"
SITE = WORK / "site-source"
MAN = WORK / "man-source"
#: Where the reference of plugins and roles is, within the site.
REFERENCE = "reference/ansible/"

_REFERENCE_TITLE = "Modules, plugins and roles"

COLLECTION = "ovm.messaging"
_PREFIX = "ansible_collections." + COLLECTION + "."
_KINDS = "module", "role", "inventory", "lookup", "filter", "test", "callback"

#: The chapter of a man page by its program; 8 is for administrators' commands.
SECTIONS = {"ovm_vmmessage": 1}
#: What sections are called in man pages, and what comes first there.
_MAN_TITLES = {"Exit codes": "Exit status"}


class Broken(Exception):
    """The documentation cannot be built; with what to do about it."""


def make_site():
    """Write all that the site is made of.

    :raises Broken: the reference cannot be made.
    """
    _empty(SITE)
    for page in pages.pages():
        text = page.with_links(lambda link, page=page: _for_site(page, link))
        if page.path == pages.INDEX:
            text = _with_navigation(text)
        _write(SITE / page.path.relative_to(pages.DOCS), text)
    for picture in sorted(pages.DOCS.rglob("*.svg")):
        _write(SITE / picture.relative_to(pages.DOCS), picture.read_text(encoding="utf-8"))
    _make_reference(SITE / REFERENCE)


def make_man():
    """Write what the man pages are made of.

    :raises Broken: a program's page has not what a man page needs.
    """
    _empty(MAN)
    programs = pages.programs()
    for name, page in programs.items():
        others = [f"**{other}**({section(other)})" for other in programs if other != name]
        _write(MAN / (name + ".md"), _as_man_page(page, others))
    _write(MAN / "index.md", "# Man pages\n\n```{toctree}\n" + "\n".join(programs) + "\n```\n")


def man_pages():
    """The man pages as Sphinx wants them: document, name, description, authors, section.

    :rtype: list of tuple
    """
    return [(name, name, description(page), [], section(name)) for name, page in pages.programs().items()]


def section(program):
    """The section of the manual that a program belongs to.

    :rtype: int
    """
    return SECTIONS.get(program, 8)


def description(page):
    """What a program is, in a few words: what follows its name in the title.

    :rtype: str
    """
    name, separator, text = page.title.partition(": ")
    if not separator:
        raise Broken(f"{page.name}: its title is not 'NAME: what it is', as a man page wants it")
    return text.replace("`", "")


def labels():
    """The label of each plugin and role that the reference has, by its names in texts.

    :rtype: dict of str to str
    """
    found = {}
    for path in sorted((SITE / REFERENCE).glob("*.rst")):
        name, _separator, kind = path.stem.rpartition("_")
        if kind in _KINDS:
            found[COLLECTION + "." + name] = _PREFIX + path.stem
            # A short name that a program or a role has as well says too little.
            if kind == "module":
                found[name] = _PREFIX + path.stem
    return found


def _empty(folder):
    # What is left of an earlier run would hide that a page is gone.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _for_site(page, link):
    """A link as the site has it: what is no page of it is read in the repository."""
    path = link["path"]
    if not path or pages.is_outside(path):
        return link[0]
    target = page.target(path)
    if target.is_relative_to(pages.DOCS) and target.suffix in (".md", ".svg"):
        return link[0]
    return f"[{link['text']}]({pages.REPOSITORY}{target.relative_to(ROOT).as_posix()}{link['anchor'] or ''})"


def _with_navigation(text):
    """The index as the site has it: with a link to the reference, and tables of contents that nobody sees there."""
    reference = f"{REFERENCE}index"
    link = f"- [{_REFERENCE_TITLE}]({reference}.rst): all options and results\n"
    before, heading, rest = text.partition("\n## Reference\n")
    text = before + heading + rest.replace("\n- ", "\n" + link + "- ", 1)
    for title, listed in pages.chapters():
        entries = [
            f"{text} <{path.relative_to(pages.DOCS).with_suffix('').as_posix()}>" for path, text in listed.items()
        ]
        if title == "Reference":
            entries.insert(0, f"{_REFERENCE_TITLE} <{reference}>")
        text += "\n```{toctree}\n:hidden:\n:caption: %s\n\n%s\n```\n" % (title, "\n".join(entries))
    return text


def _make_reference(folder):
    folder.mkdir(parents=True)
    command = [
        *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
        *("--no-add-antsibull-docs-version", "--dest-dir", str(folder), COLLECTION),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ, NO_COLOR="1"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Broken(f"antsibull-docs cannot make the reference of plugins and roles:\n{done.stdout}")


# --- man pages --------------------------------------------------------------------------


def _as_man_page(page, others):
    """A program's page with the sections of a man page, and without links.

    :param list others: what else there is to see.
    """
    plain = page.with_links(_for_man)
    title, *rest = pages.split(plain)
    heading, _newline, introduction = title.partition("\n")
    parts = {part.splitlines()[0][3:].strip(): part.partition("\n")[2] for part in rest}
    if "Synopsis" not in parts:
        raise Broken(f"{page.name}: there is no section '## Synopsis', which a man page needs")
    sections = [("Synopsis", parts.pop("Synopsis")), ("Description", introduction)]
    sections += [(_MAN_TITLES.get(name, name), text) for name, text in parts.items()]
    sections.append(("See also", "\n" + ", ".join(others) + f"\n\n<{pages.REPOSITORY}docs/index.md>\n"))
    return heading + "\n\n" + "\n".join(f"## {name}\n{text}" for name, text in sections)


def _for_man(link):
    path = link["path"]
    return f"{link['text']} <{path}{link['anchor'] or ''}>" if pages.is_outside(path) else link["text"]
