# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser tells what a page does: a test that finds nothing wrong has looked."""

import http.server
import os
import ssl
import threading

import pytest
import trustme

from lab import LabError
from lab.browser import Browser

PAGE = b"""<!DOCTYPE html><title>t</title><p style="width: 3000px">wide</p>
<script>console.log("said"); alert("ran")</script><img src="https://elsewhere.example.com/x.png">"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *arguments):
        """Nothing."""


@pytest.fixture
def served(tmp_path):
    """A server with that page: its address, and the file of its certificate."""
    authority = trustme.CA()
    shown = authority.issue_cert("127.0.0.1")
    path = tmp_path / "certificate.pem"
    shown.cert_chain_pems[0].write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield "https://127.0.0.1:%d/" % server.server_address[1], path
        server.shutdown()


def test_it_tells_what_a_page_does(served, tmp_path):
    url, certificate = served
    with Browser(certificate, width=800) as browser:
        browser.open(url)
        assert browser.alert() == "ran"
        browser.driver.switch_to.alert.accept()
        assert set(browser.requests()) >= {url, "https://elsewhere.example.com/x.png"}
        said = "\n".join(browser.complaints())
        assert "said" in said
        assert "elsewhere.example.com" in said
        assert browser.overflow() > 2000
        browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_it_trusts_that_certificate_only(served, tmp_path):
    url, _certificate = served
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with Browser(other) as browser:
        browser.open(url)
        assert browser.driver.title == "Privacy error"
        assert "wide" not in browser.driver.page_source


def test_a_system_that_has_none_and_gets_none(tmp_path, monkeypatch, served):
    nothing = tmp_path / "apt.conf"
    nothing.write_text('Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(nothing))
    monkeypatch.setenv("OVM_CACHE", str(tmp_path))
    # The usual programs, but no browser.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "apt-cache", "dpkg"):
        (programs / name).symlink_to("/usr/bin/" + name)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(
        LabError, match=r"^there is no Chromium, and it cannot be fetched: .*: see that /etc/apt is .*; or"
    ):
        Browser(served[1])
    assert os.listdir(tmp_path / "lab") == ["lock"]
