# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built site in a real browser: complete, whole, alone, readable on a phone, and searched."""

import re
import urllib.parse

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from toolchain import ROOT
from toolchain.docs_site import pages, source
from toolchain.docs_site.__main__ import BUILT

PATIENCE = 60


def test_every_page_is_reached_by_links(site, seen):
    built = {site + path.relative_to(BUILT["site"]).as_posix() for path in BUILT["site"].rglob("*.html")}
    assert set(seen.pages) == built
    written = {page.path.relative_to(pages.DOCS).with_suffix(".html").as_posix() for page in pages.pages()}
    assert {site + name for name in written} <= built


def test_every_plugin_and_role_has_a_page(site, seen):
    names = {label.rpartition(".")[2] for label in source.labels().values()}
    assert {"ovm_guest_param_module", "ovm_vm_message_module", "ovmd_role", "ovm_gateway_role"} <= names
    assert {site + source.REFERENCE + name + ".html" for name in names} <= set(seen.pages)


def test_every_link_and_anchor_leads_somewhere(site, seen):
    broken = []
    for address, page in seen.pages.items():
        for link in page["links"]:
            target, anchor = urllib.parse.urldefrag(link)
            if target.startswith(site):
                there = seen.pages.get(target)
                if there is None:
                    path = BUILT["site"] / urllib.parse.unquote(target[len(site) :])
                    if not path.is_file():
                        broken.append((address, link))
                elif anchor and urllib.parse.unquote(anchor) not in there["ids"]:
                    broken.append((address, link))
    assert not broken


def test_links_to_elsewhere_are_well_formed_and_those_to_the_repository_lead_to_files(site, seen):
    links = {link for page in seen.pages.values() for link in page["links"] if not link.startswith(site)}
    assert links
    for link in links:
        parts = urllib.parse.urlsplit(link)
        assert parts.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname), link
        assert not re.search(r"[\s<>\"{}|\\^`]", link), link
        if link.startswith(pages.REPOSITORY):
            assert (ROOT / urllib.parse.unquote(parts.path.partition("/blob/main/")[2])).exists(), link


def test_nothing_is_asked_of_any_other_machine(site, seen):
    asked = [url for url in seen.requests if not url.startswith("data:")]
    assert len(asked) > len(seen.pages)
    assert [url for url in asked if not url.startswith(site)] == []


def test_the_browser_has_nothing_to_complain_of(seen):
    assert seen.complaints == []
    assert {address: page["broken"] for address, page in seen.pages.items() if page["broken"]} == {}


def test_pages_fit_on_a_phone(seen):
    assert {address: page["overflow"] for address, page in seen.pages.items() if page["overflow"] > 0} == {}
    assert {address: page["letters"] for address, page in seen.pages.items() if page["letters"] < 14} == {}


def test_every_picture_is_drawn(site, seen):
    """Each block of Mermaid in a page is a drawing there, with the text of its source."""
    count = 0
    for page in pages.pages():
        blocks = re.findall(r"^```mermaid\n(.*?)^```$", page.text, re.MULTILINE | re.DOTALL)
        drawn = seen.pages[site + page.path.relative_to(pages.DOCS).with_suffix(".html").as_posix()]["pictures"]
        assert len(drawn) == len(blocks), page.name
        for block, picture in zip(blocks, drawn, strict=True):
            for words in re.findall(r"participant \w+ as (.+)", block):
                assert re.sub(r"\W", "", words) in re.sub(r"\W", "", picture), page.name
            count += 1
    assert count


@pytest.mark.parametrize(
    "words, target",
    [
        ("VMAPIEvent", "explanation/protocol.html"),
        ("INITIAL_CONFIG_ON_TIMEOUT", "reference/first-boot.html"),
        ("ovm_guest_param", "reference/ansible/ovm_guest_param_module.html"),
        ("ovmd_initial_config_sources", "reference/ansible/ovmd_role.html"),
        ("sealing a template", "reference/stock-scripts.html"),
    ],
)
def test_the_search_finds(site, browser, words, target):
    """As a reader does it: words into the field, Enter, and Enter again on the page in the list."""
    browser.open(site + "index.html")
    driver = browser.driver
    field = driver.find_element(By.CSS_SELECTOR, ".sidebar-search")
    field.send_keys(words + Keys.ENTER)

    def listed(driver):
        return driver.find_elements(By.CSS_SELECTOR, "#search-results li a")

    def finished(driver):
        text = driver.find_element(By.ID, "search-results").text
        return "found" in text and listed(driver)

    WebDriverWait(driver, PATIENCE).until(finished)
    addresses = {urllib.parse.urlsplit(link.get_attribute("href")).path[1:]: link for link in listed(driver)}
    assert target in addresses
    addresses[target].send_keys(Keys.ENTER)
    WebDriverWait(driver, PATIENCE).until(lambda driver: driver.current_url.startswith(site + target))
    article = driver.find_element(By.TAG_NAME, "article").text.lower()
    assert all(word.lower() in article for word in words.split())
    assert browser.complaints() == []
    assert all(url.startswith((site, "data:")) for url in browser.requests())


def test_the_search_says_when_it_finds_nothing(site, browser):
    browser.open(site + "search.html?q=xylophone-quartz")
    said = "did not match any documents"
    WebDriverWait(browser.driver, PATIENCE).until(
        lambda driver: said in driver.find_element(By.ID, "search-results").text
    )


def test_names_of_modules_lead_to_their_reference(site, browser):
    browser.open(site + "explanation/guest-parameters.html")
    links = {
        link.text: link.get_attribute("href") for link in browser.driver.find_elements(By.CSS_SELECTOR, "article a")
    }
    assert links["ovm_guest_param_info"].startswith(site + "reference/ansible/ovm_guest_param_info_module.html")
