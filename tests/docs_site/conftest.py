# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site that `make docs` has built, served from this machine, and a browser that reads all of it on a phone."""

import functools
import http.server
import threading
import urllib.parse
from collections import namedtuple

import pytest

from lab.browser import Browser
from toolchain.docs_site.__main__ import BUILT

#: What a page in the browser tells about itself.
LOOK = """
const shown = element => element.getClientRects().length > 0;
return {
  title: document.title,
  links: Array.from(document.querySelectorAll("a[href]"), link => link.href),
  ids: Array.from(document.querySelectorAll("[id]"), element => element.id),
  broken: Array.from(document.images).filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
  letters: parseFloat(getComputedStyle(document.querySelector("article section > p") || document.body).fontSize),
  pictures: Array.from(document.querySelectorAll(".picture svg")).filter(shown).map(p => p.textContent),
};
"""

Seen = namedtuple("Seen", "pages requests complaints")


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        """Say nothing: what was asked for, the browser tells."""


@pytest.fixture(scope="session")
def site():
    """The address of the site.

    :rtype: str
    """
    assert (BUILT["site"] / "index.html").is_file(), "the site is not built: make docs builds it and looks at it"
    handler = functools.partial(_Handler, directory=BUILT["site"])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield "http://127.0.0.1:%d/" % server.server_port
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """A browser in a desktop's window."""
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def seen(site):
    """What is found when one follows all links from the first page, on a phone.

    :returns: by address what each page tells of itself, all that was asked for, all that the browser complained of.
    :rtype: Seen
    """
    found = Seen({}, [], [])
    with Browser(width=500) as phone:
        phone.be_a_phone()
        # No link leads to the page of the search, a form does.
        waiting = [site + "index.html", site + "search.html"]
        while waiting:
            address = waiting.pop()
            if address in found.pages:
                continue
            phone.open(address)
            page = found.pages[address] = phone.driver.execute_script(LOOK)
            page["overflow"] = phone.overflow()
            found.requests.extend(phone.requests())
            found.complaints.extend((address, complaint) for complaint in phone.complaints())
            links = {urllib.parse.urldefrag(link).url for link in page["links"]}
            waiting += [link for link in links if link.startswith(site) and link.endswith(".html")]
    return found
