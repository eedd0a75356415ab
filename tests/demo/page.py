# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the text of one of the gateway's pages: python page.py PATH. The environment says whom to ask, and as whom."""

import html.parser
import os
import sys

import requests


class Text(html.parser.HTMLParser):
    """What a person sees of a page, a line for each block."""

    blocks = frozenset(("p", "h1", "h2", "h3", "tr", "li", "summary", "details", "dt", "div", "pre", "nav", "caption"))
    hidden = frozenset(("style", "title", "head"))

    def __init__(self, page):
        super().__init__()
        self.lines, self._hidden = [""], 0
        self.feed(page)

    def handle_starttag(self, tag, _attributes):
        self._hidden += tag in self.hidden
        if tag in self.blocks:
            self.lines.append("")

    def handle_endtag(self, tag):
        self._hidden -= tag in self.hidden
        if tag in ("td", "th", "dt", "dd", "a", "time"):
            self.lines[-1] += " "

    def handle_data(self, data):
        if not self._hidden:
            self.lines[-1] += data.replace("\n", " ")

    def __str__(self):
        return "\n".join(line for line in (" ".join(line.split()) for line in self.lines) if line)


def main(path):
    ask = os.environ
    answer = requests.get(
        "https://%s:%s/%s" % (ask["OVM_HOST"], ask["OVM_PORT"], path),
        auth=(ask["OVM_USER"], ask["OVM_PASSWORD"]),
        verify=ask["OVM_CA_FILE"],
        timeout=30,
    )
    answer.raise_for_status()
    print(Text(answer.text))


if __name__ == "__main__":
    main(sys.argv[1])
