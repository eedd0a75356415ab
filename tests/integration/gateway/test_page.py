# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web page: what it shows, and that nothing a guest sends becomes more than text."""

import html.parser

import pytest

pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)

VOID = ("meta", "link")
HOSTILE = (
    b"<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{7*7}}{% raw %}"
    b"\x1b[31m\x07\r\n\t\xff\xfe\xed\xb2\x80" + "\u202egnp.exe\u2066\u200b\ufeff\u0085\u2028\U000e0041".encode()
)


class Page(html.parser.HTMLParser):
    """A page: its elements, and its text by element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self._open, self.texts = [], [], [], {}
        self.feed(text)
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        for tag in set(self._open):
            self.texts[tag][-1] += data


@pytest.fixture
def show(client):
    def show(path):
        answer = client.get("/" + path, headers={"Accept": "text/html"})
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return Page(answer.text)

    return show


def test_the_pages(client, show, make_guest, guest_sends, until):
    web = make_guest(5, name="web")
    make_guest(6, name="<b>db</b>")
    guest_sends(web, (b"key1", b"value1"))
    until(lambda: client.messages(web.uuid))
    client.tell(web.uuid, ("key2", "value2"), flag="Yes")
    page = show("/")
    assert page.texts["h1"] == ["Virtual machines"]
    assert page.texts["th"][4:] == ["<b>db</b>", "web"] and "b" not in page.tags
    rows = page.texts["tr"]
    assert rows[1] == "<b>db</b>RUNNING6none" and rows[2].startswith("webRUNNING5key1 20")
    links = [value for name, value in page.attributes if name == "href"]
    identity = client.read("/Vm/" + web.uuid)["id"]["value"]
    assert links == ["/style.css", "/", "/events", links[3], "/vm/" + identity]
    page = show("/vm/" + identity)
    assert page.texts["h1"] == ["web"] and page.texts["title"] == ["web - ovm-gateway"]
    assert page.texts["h2"] == ["Received from the guest", "Sent to the guest and logged", "Events"]
    assert page.texts["pre"] == ["value1", "value2", "value1"] and page.texts["code"][1:] == ["key1", "key2", "key1"]
    assert page.texts["summary"][0].startswith("Virtual Machine API Incoming Message 20")
    assert page.texts["dd"][-3:-1] == ["key1", "value1"] and page.texts["dd"][-1].endswith(" UTC")
    assert page.texts["dd"][3] == "1"  # one message waits
    (summary,) = show("/events").texts["summary"]
    assert summary.startswith("Virtual Machine API Incoming Message web 20")


def test_hostile_values_are_shown_and_harm_nobody(client, show, guest, guest_sends, until):
    guest_sends(guest, (HOSTILE.replace(b"/", b"|")[:200], HOSTILE), (b"long", b"x" * 8191))
    until(lambda: len(client.messages(guest.uuid)) == 2)
    shown = (
        "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{7*7}}{% raw %}"
        r"\x1b[31m\x07\x0d\n" + "\n" + r"\x09\xff\xfe\xed\xb2\x80\u202egnp.exe\u2066\u200b\ufeff\u0085\u2028\U000e0041"
    )
    for path in ("/vm/" + guest.uuid, "/vm/%s/received" % guest.uuid, "/events", "/vm/%s/events" % guest.uuid):
        page = show(path)
        assert shown in page.texts["pre"] and "x" * 8191 in page.texts["pre"]
        assert not {"script", "img"} & set(page.tags)
        assert not [name for name, _value in page.attributes if name.startswith("on") or name == "style"]
        raw = client.get("/" + path).content
        assert not any(byte < 0x20 and byte != 0x0A for byte in raw)
        assert "\u202e" not in raw.decode("utf-8")  # which is valid, too
        assert "{{7*7}}" in raw.decode("utf-8")
    assert show("/").texts["tr"][1].count("long") == 1


def test_secrets_are_masked(client, show, guest, guest_sends, until):
    guest_sends(guest, (b"app.password", b"s3cret"))
    until(lambda: client.messages(guest.uuid))
    for path in ("/", "/vm/" + guest.uuid, "/vm/%s/received" % guest.uuid, "/events"):
        text = client.get("/" + path).text
        assert "app.password" in text and "s3cret" not in text
    assert show("/events").texts["pre"] == ["********"]


def test_long_lists_have_pages(client, show, guest, guest_sends, until):
    guest_sends(guest, *[(b"k", b"%d" % number) for number in range(205)])
    until(lambda: len(client.messages(guest.uuid)) == 205)
    path = "/vm/%s/received" % guest.uuid
    page, seen = show(path), []
    while True:
        seen += page.texts["pre"]
        following = [value for name, value in page.attributes if name == "href" and value.startswith("?")]
        if not following:
            break
        page = show(path + following[0])
    assert seen == [str(number) for number in reversed(range(205))]
    assert len(show("/vm/" + guest.uuid).texts["pre"]) == 20
    assert len(show("/events").texts["summary"]) == 100


def test_headers_that_keep_a_browser_safe(client, guest):
    for path in ("//", "//vm/" + guest.uuid, "//events", "//style.css", "/Manager", "//nothing"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';") and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer" and "Server" not in headers
    assert client.get("//style.css").headers["Content-Type"] == "text/css; charset=utf-8"


def test_pages_that_are_not_there(client, guest):
    for path in ("//nothing", "//vm/x", "//vm/" + "0" * 32, "//vm/%s/jobs" % guest.uuid, "//vm/..%2f..%2fetc"):
        answer = client.get(path)
        assert answer.status_code == 404 and Page(answer.text).texts["h1"] == ["404"]
    assert client.get("//events?before=x").status_code == 400
    assert client.post("//").status_code == 405
