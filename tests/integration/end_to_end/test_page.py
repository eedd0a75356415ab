# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's web page in a real browser.

The promises: behind the login, one finds a virtual machine, its messages and its events, and
an event expands to its key, value and time. Whatever bytes a guest sends, they are text to
the browser: nothing in them is run, loaded or hidden, and they do not break the page.
"""

import calendar
import time

import pytest
from selenium.webdriver.common.by import By

from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from lab.browser import Browser

PATIENCE = 30
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>'\"&amp;"
BREAKOUT = "</pre></dd></dl></details><iframe src=https://elsewhere.example.com/></iframe><!--"
# What a guest sends, and how a page shows it.
HOSTILE = {
    b"markup": (MARKUP.encode(), MARKUP),
    b"a way out": (BREAKOUT.encode(), BREAKOUT),
    b"template": (b"{{ 7*7 }} {% raw %} ${7*7}", "{{ 7*7 }} {% raw %} ${7*7}"),
    b"link": (
        b"javascript:alert(4) https://elsewhere.example.com/",
        "javascript:alert(4) https://elsewhere.example.com/",
    ),
    b"terminal": (b"\x1b[31mred\x1b]0;title\x07\r\x08", r"\x1b[31mred\x1b]0;title\x07\x0d\x08"),
    b"direction": ("\u202egpj.exe\u2066\u200b\ufeff".encode(), r"\u202egpj.exe\u2066\u200b\ufeff"),
    b"no UTF-8": (b"caf\xe9 \xff\xfe \xed\xa0\x80", r"caf\xe9 \xff\xfe \xed\xa0\x80"),
    b"lines": (b"one\ntwo\tthree", "one\\n\ntwo\\x09three"),
    b"long": (b"x" * 8191, "x" * 8191),
    b"wide": ("\u6f22".encode() * 2730, "\u6f22" * 2730),
    MARKUP.encode(): (b"a key of markup", "a key of markup"),
    b"K" * 255: (b"a long key", "a long key"),
}
#: What no page may have in it, whatever its text.
ACTIVE = "script, img, svg, iframe, object, embed, form, base, [style], [onerror], [onload], [onclick]"

#: What holds more than it shows at its width.
CLIPPED = """
return [...document.querySelectorAll("h1, td, th, dd, pre, code, p, summary")]
    .filter(element => element.clientWidth && element.scrollWidth > element.clientWidth)
    .map(element => element.outerHTML.slice(0, 200));
"""


@pytest.fixture
def vm_guest(make_guest):
    """A guest with a name that is hostile, too."""
    return make_guest(5, name="web<img src=x onerror=alert(5)>" + "n" * 200)


@pytest.fixture
def say(vm_guest, watch_progress):
    """A function with which the guest sends messages; it returns when the gateway has them."""

    def send(messages):
        progress = watch_progress([vm_guest])
        with XenStore(vm_guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for key, value in messages:
                end.send(Message(key, value), PATIENCE)
        progress.wait_until_collected(len(messages))

    return send


@pytest.fixture
def browser(vm_guest, gateway):
    with Browser(gateway.ca) as chromium:
        yield chromium


@pytest.fixture
def logged_in(browser, gateway):
    browser.open(gateway.url + "/", gateway.username, gateway.password)
    browser.requests()  # the only ones with user and password in their addresses
    return browser


def texts(where, selector):
    return [element.get_property("textContent") for element in where.find_elements(By.CSS_SELECTOR, selector)]


def test_an_event_expands_to_its_key_value_and_time(logged_in, say, gateway, vm_guest, tmp_path):
    say([(b"greeting", b"hello"), (b"answer", b"42")])
    page = logged_in.driver
    page.refresh()
    page.find_element(By.LINK_TEXT, vm_guest.name).click()
    assert texts(page, "h1") == [vm_guest.name]
    event = page.find_elements(By.CSS_SELECTOR, "details")[-1]  # the oldest
    summary = event.find_element(By.TAG_NAME, "summary")
    assert "Virtual Machine API Incoming Message" in summary.text
    assert "hello" not in event.text
    summary.click()
    shown = dict(zip(texts(event, "dt"), event.find_elements(By.TAG_NAME, "dd")))
    assert all(element.is_displayed() for element in shown.values())
    assert (shown["Key"].text, shown["Value"].text) == ("greeting", "hello")
    when = calendar.timegm(time.strptime(shown["Time"].text, "%Y-%m-%d %H:%M:%S UTC"))
    assert abs(time.time() - when) < 60
    summary.click()
    assert "hello" not in event.text
    summary.click()
    logged_in.screenshot(tmp_path / "event.png")


def test_nobody_sees_anything_without_logging_in(browser, say, gateway, vm_guest):
    say([(b"greeting", b"hello")])
    for user, password in ((None, None), (gateway.username, "wrong")):
        for path in ("/", "/events", "/vm/" + vm_guest.uuid):
            browser.open(gateway.url + path, user, password)
            assert vm_guest.name not in browser.driver.page_source
            assert "hello" not in browser.driver.page_source


@pytest.mark.parametrize("width", [1000, 400])
def test_hostile_bytes_are_shown_and_do_nothing(logged_in, say, gateway, vm_guest, make_manager, width, tmp_path):
    say([(key, value) for key, (value, _shown) in HOSTILE.items()])
    with make_manager() as manager:
        vm = find(manager.vms(), vm_guest.uuid)
        loggable = {key: value for key, (value, _shown) in HOSTILE.items() if len(value) <= 1024 and len(key) <= 254}
        manager.send(vm, loggable.items(), log=True)
    page = logged_in.driver
    page.set_window_size(width, 800)
    for number, path in enumerate(("/", "/vm/{0}", "/vm/{0}/received", "/vm/{0}/sent", "/vm/{0}/events", "/events")):
        page.get(gateway.url + path.format(vm.id))
        for summary in page.find_elements(By.TAG_NAME, "summary"):
            summary.click()
        logged_in.screenshot(tmp_path / ("%d.png" % number))
        # Nothing in it is run or loaded, and nothing was even tried: the browser has nothing to refuse.
        assert logged_in.alert() is None
        assert page.find_elements(By.CSS_SELECTOR, ACTIVE) == []
        assert logged_in.complaints() == []
        links = page.execute_script("return [...document.links].map(link => link.href)")
        assert [link for link in links if not link.startswith(gateway.url + "/")] == []
        # It does not break the page.
        assert logged_in.overflow() <= 0
        assert page.execute_script(CLIPPED) == []
        # All of it is there to see.
        if "events" in path or "received" in path:
            assert sorted(texts(page, "pre")) == sorted(shown for _value, shown in HOSTILE.values())
            assert {MARKUP, "K" * 255} < set(texts(page, "code"))
    assert [url for url in logged_in.requests() if not url.startswith(gateway.url + "/")] == []
