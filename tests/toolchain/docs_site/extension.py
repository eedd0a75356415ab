# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sphinx does not do: pictures from Mermaid's text, links from names to their reference, man pages as they are."""

import html
import re

import mermaidx
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

_log = logging.getLogger(__name__)

#: Plain drawings: they are on paper that is always light; no HTML within, so that they are the same everywhere.
_CONFIG = {
    "htmlLabels": False,
    "flowchart": {"htmlLabels": False},
    "fontFamily": "sans-serif",
    # Narrow enough to be read without a magnifying glass: long lines are wrapped.
    "sequence": {"mirrorActors": False, "wrap": True, "width": 150, "actorMargin": 25, "messageMargin": 30},
}
_TITLE = re.compile(r"^\s*accTitle\s*:\s*(.+?)\s*$", re.MULTILINE)
_SIZE = re.compile(r'viewBox="[-0-9.]+ [-0-9.]+ ([0-9.]+) [0-9.]+"')


#: Ansible's own documentation, and the pages of it that the reference leads to: address and title by label.
_ANSIBLE = "https://docs.ansible.com/ansible/latest/"
_ANSIBLE_PAGES = {
    "action_plugins": ("plugins/action.html#action-plugins", "Action plugins"),
    "ansible_configuration_settings": (
        "reference_appendices/config.html#ansible-configuration-settings",
        "Ansible Configuration Settings",
    ),
    "common_return_values": ("reference_appendices/common_return_values.html#common-return-values", "Return values"),
}
_ANSIBLE_PLUGIN = re.compile(r"ansible_collections\.(ansible)\.(builtin)\.(\w+_(?:module|lookup|inventory|filter))")


class Pictures(SphinxTransform):
    """Blocks of Mermaid become drawings, as they do on GitHub."""

    default_priority = 200

    def apply(self, **_options):
        for number, block in enumerate(list(self.document.findall(_is_mermaid))):
            block.replace_self(self._drawn(block, number))

    def _drawn(self, block, number):
        text = block.astext()
        title = _TITLE.search(text)
        if not title:
            _log.warning("a picture has no accTitle: say in it what it shows", location=block)
        try:
            drawing = mermaidx.render(text, theme="neutral", config=_CONFIG).svg()
        except Exception as problem:
            _log.warning("Mermaid cannot draw this: %s", problem, location=block)
            return block
        # Several pictures of a page must not share their names.
        drawing = drawing.replace("my-svg", f"picture-{number}")
        # In its own size where there is room; a narrow window scrolls.
        width = _SIZE.search(drawing)
        return nodes.raw(
            "",
            '<div class="picture" role="img" aria-label="%s" tabindex="0"><div style="min-width: %spx">%s</div></div>'
            % (html.escape(title[1] if title else ""), min(int(float(width[1])), 700), drawing),
            format="html",
        )


def _is_mermaid(node):
    return isinstance(node, nodes.literal_block) and node.get("language") == "mermaid"


class Names(SphinxTransform):
    """Names of plugins and roles lead to their reference, unless they stand in a heading or a link."""

    default_priority = 210

    def apply(self, **_options):
        known = self.config.reference_labels
        # Man pages stand alone.
        if self.app.builder.format != "html" or self.env.docname.startswith(self.config.reference_folder):
            return
        for literal in list(self.document.findall(nodes.literal)):
            label = known.get(literal.astext())
            if label and not _within(literal, (nodes.title, nodes.reference, addnodes.pending_xref)):
                link = addnodes.pending_xref(
                    "", refdomain="std", reftype="ref", reftarget=label, refexplicit=True, refwarn=True
                )
                link["refdoc"] = self.env.docname
                literal.replace_self(link)
                link += literal


class Lists(SphinxTransform):
    """In man pages a table is a list: of what its first column names."""

    default_priority = 220

    def apply(self, **_options):
        if self.app.builder.format == "html":
            return
        for table in list(self.document.findall(nodes.table)):
            titles = [entry.astext() for entry in next(iter(table.findall(nodes.thead))).findall(nodes.entry)]
            items = nodes.definition_list()
            for row in next(iter(table.findall(nodes.tbody))).findall(nodes.row):
                items += _item(titles, [entry.children for entry in row.findall(nodes.entry)])
            table.replace_self(items)


def _item(titles, cells):
    """An entry of a list, of a row of a table: the second column's text, then the others' with their titles."""
    first, *others = cells
    meaning = nodes.definition()
    for number, content in enumerate(others):
        paragraph = nodes.paragraph()
        if number and content:
            paragraph += nodes.Text(titles[number + 1] + ": ")
        for part in content:
            paragraph += part.children
        if len(paragraph):
            meaning += paragraph
    return nodes.definition_list_item("", nodes.term("", "", *(n for part in first for n in part.children)), meaning)


def _within(node, kinds):
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def ansible_page(_app, _env, node, content):
    """A link to Ansible's own documentation, where a label is one of that; no network is needed to know."""
    label = node.get("reftarget", "")
    plugin = _ANSIBLE_PLUGIN.fullmatch(label)
    if plugin:
        path, title = "collections/{}/{}/{}.html".format(*plugin.groups()), ".".join(plugin.groups())
    elif label in _ANSIBLE_PAGES:
        path, title = _ANSIBLE_PAGES[label]
    else:
        return None
    link = nodes.reference("", "", internal=False, refuri=_ANSIBLE + path)
    link += content if node.get("refexplicit") else nodes.inline("", title)
    return link


def setup(app):
    app.connect("missing-reference", ansible_page)
    app.add_config_value("reference_labels", {}, "env", [dict])
    app.add_config_value("reference_folder", "reference/ansible/", "env", [str])
    app.add_transform(Pictures)
    app.add_transform(Names)
    app.add_transform(Lists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
