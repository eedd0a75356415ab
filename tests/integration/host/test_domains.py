# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which virtual machines a host has, as real daemons show it."""

import functools
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import DeadlineExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host import domains
from ansible_collections.ovm.messaging.plugins.module_utils.host.domains import Domain, News

LONG = 20.0
DASHED = "0004fb00-0006-0000-6f8e-65a5d245ea0c"
PLAIN = DASHED.replace("-", "")
NODE = b"/vm/" + DASHED.encode()


def found(host):
    return domains.discover(host, domains.homes(host))


def make(host, domid, vm=NODE, name=b"web"):
    home = b"/local/domain/%d" % domid
    host.mkdir(home)
    if vm is not None:
        host.write(home + b"/vm", vm)
    if name is not None:
        host.write(home + b"/name", name)


def test_a_host_without_domains(host):
    assert domains.homes(host) == [] and found(host) == {}


def test_domains_and_not_the_host_itself(host, make_guest):
    web, db = make_guest(5, name="web"), make_guest(6, name="db")
    make(host, 0, b"/vm/" + b"0" * 32, b"Domain-0")
    assert found(host) == {
        5: Domain(5, web.uuid.replace("-", ""), "web"),
        6: Domain(6, db.uuid.replace("-", ""), "db"),
    }


@pytest.mark.parametrize(
    "vm",
    [
        b"/vm/" + DASHED.encode(),
        b"/vm/" + DASHED.upper().encode(),
        b"/vm/" + PLAIN.encode(),
        b"/vm/" + DASHED.encode() + b"-1",
    ],
)
def test_forms_of_the_uuid(host, vm):
    make(host, 7, vm)
    assert found(host) == {7: Domain(7, PLAIN, "web")}


@pytest.mark.parametrize("vm", [None, b"", b"/vm/", b"/vm/x", b"/vm/" + PLAIN.encode() + b"0/..", PLAIN.encode()])
def test_without_a_uuid_it_does_not_count(host, vm):
    make(host, 7, vm)
    assert domains.homes(host) == [7] and found(host) == {}


@pytest.mark.parametrize("name", [None, b""])
def test_without_a_name_it_does_not_count(host, name):
    make(host, 7, name=name)
    assert found(host) == {}


@pytest.mark.parametrize(
    "name, text",
    [
        (b"web--incoming", "web"),
        (b"web--migratedaway", "web"),
        (b"web--incoming-2", "web--incoming-2"),
        ("käse".encode(), "käse"),
        (b"\xff", "\\xff"),
    ],
)
def test_names(host, name, text):
    make(host, 7, name=name)
    assert found(host)[7].name == text


def test_of_two_domains_of_one_machine_the_newest_counts(host):
    for domid, name in ((12, b"web--incoming"), (9, b"web")):
        make(host, domid, name=name)
    make(host, 10, b"/vm/" + b"1" * 32, b"db")
    current = domains.current(found(host).values())
    assert {vm: domain.domid for vm, domain in current.items()} == {PLAIN: 12, "1" * 32: 10}


def test_what_is_known_is_not_looked_at_again(host):
    make(host, 7)
    known = found(host)
    host.write(b"/local/domain/7/name", b"new")
    assert domains.discover(host, [7, 8], known) == known
    make(host, 8, b"/vm/" + b"1" * 32, b"db")
    assert domains.discover(host, [7, 8], known)[8].name == "db"


# News


@pytest.fixture
def news(xenstored):
    """Watches, whose first events have come."""
    opened = []

    def follow(*domids, **options):
        opened.append(News(functools.partial(XenStore, xenstored.path), **options))
        opened[-1].follow(domids)
        settle(opened[-1])
        forget(opened[-1])
        return opened[-1]

    yield follow
    for each in opened:
        each.close()


def forget(news):
    news.listing, news.changed, news.begun, news.arrived = False, set(), set(), {}


def settle(news):
    """Takes all that has come: XenStore answers a request after the events before it."""
    news.store.exists(b"/local")
    while news.wait(0):
        pass


def told(news):
    """What is new, once it has come."""
    assert news.wait(LONG)
    settle(news)
    assert not news.changed & news.begun
    result = (news.listing, sorted(news.changed), sorted(news.begun), sorted(news.arrived))
    forget(news)
    return result


def test_at_first_everything_is_new(xenstored, guest):
    news = News(functools.partial(XenStore, xenstored.path))
    assert news.listing
    news.follow([5])
    assert told(news) == (True, [], [5], [5])
    news.close()


def test_a_domain_comes_is_renamed_sends_and_goes(news, make_guest, host, host_end, say):
    assert host_end.domid == 5
    news = news(5)
    other = make_guest(6)
    assert told(news) == (True, [], [], [])
    news.follow([5, 6])
    assert told(news) == (False, [], [6], [6])
    host.write(b"/local/domain/6/name", b"new")
    assert told(news) == (False, [6], [], [])
    say(other, (b"k", b"v"))
    assert told(news) == (False, [], [], [6])
    host_end.send(Message(b"k", b"v"), LONG)
    assert not news.wait(0.1)
    other.destroy()
    assert told(news)[0]
    news.follow([5])
    host.write(b"/local/domain/6/name", b"again")
    assert not news.wait(0.1)


def test_deliveries_are_told_when_they_are_asked_for(news, guest, host_end, hear):
    news = news(5, deliveries=True)
    host_end.send(Message(b"k", b"v"), LONG)
    assert told(news) == (False, [], [], [])
    hear(guest)
    assert told(news) == (False, [], [], [])


def test_after_a_restart_all_may_have_changed(xenstored, host, news):
    make(host, 7)
    news = news(7)
    xenstored.restart()
    assert told(news) == (True, [7], [], [7])


def test_an_event_of_a_watch_that_has_ended_is_no_news(news, host):
    make(host, 7)
    news = news(7)
    host.write(b"/local/domain/7/name", b"new")
    news.store.exists(b"/local")  # the event came before this answer
    news.follow([])
    assert not news.wait(0.1) and news.changed == set()


def test_events_without_end_do_not_keep_it_busy(news, host, monkeypatch):
    monkeypatch.setattr(domains, "_AT_ONCE", 3)
    make(host, 7)
    news = news(7)
    for number in range(5):  # the same one five times would be one
        host.write(b"/local/domain/7/name/%d" % number, b"new")
    news.store.exists(b"/local")
    assert news.wait(0) and news.wait(0) and not news.wait(0)


def test_as_many_domains_as_a_host_may_have(host, news):
    for domid in range(1, 301):
        make(host, domid, b"/vm/%032d" % domid, b"vm-%d" % domid)
    assert len(found(host)) == 300
    news = news(*domains.homes(host))
    host.write(b"/local/domain/300/name", b"new")
    assert told(news) == (False, [300], [], [])


# Homes, without asking each time


@pytest.fixture
def homes(xenstored):
    made = domains.Homes(functools.partial(XenStore, xenstored.path))
    yield made
    made.close()


def test_homes_are_asked_for_again_when_one_comes_or_goes(homes, make_guest, monkeypatch):
    monkeypatch.setattr(domains, "_NOW_AND_THEN", 1000.0)
    guest = make_guest(5)
    first = homes.now()
    assert first == [5] and homes.now() is first
    make_guest(6)
    assert homes.now() == [5, 6]
    guest.destroy()
    assert homes.now() == [6]


def test_a_home_that_is_made_later_than_its_domain_is_found(homes, host, monkeypatch):
    monkeypatch.setattr(domains, "_NOW_AND_THEN", 1000.0)
    assert homes.now() == []
    make(host, 7)
    assert homes.now() == [] and homes.now(anew=True) == [7]
    make(host, 8)
    monkeypatch.setattr(homes, "_until", 0.0)
    assert homes.now() == [7, 8]


def test_a_restarted_xenstored_has_homes_of_its_own(homes, host, xenstored, monkeypatch):
    monkeypatch.setattr(domains, "_NOW_AND_THEN", 1000.0)
    make(host, 7)
    assert homes.now() == [7]
    xenstored.restart()
    assert homes.now() == []


def test_threads_do_not_wait_for_each_other_one_by_one(xenstored):
    """Where XenStore does not answer, each waits for the one before it at most, and for itself."""
    homes = domains.Homes(functools.partial(XenStore, xenstored.path, timeout=0.5))
    homes.now()
    xenstored.pause()
    problems = []

    def ask():
        try:
            homes.now()
        except DeadlineExceeded as problem:
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _unused in range(12)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    xenstored.resume()
    assert len(problems) == 12 and took < 4.0
    assert homes.now() == []
    homes.close()


def test_a_census_has_each_machine_s_domains_in_order():
    known = {9: domains.Domain(9, "a", "x"), 5: domains.Domain(5, "a", "x"), 6: domains.Domain(6, "b", "y")}
    listed = [5, 6, 9]
    census = domains.Census(listed, known)
    assert [domain.domid for domain in census.of("a")] == [5, 9] and census.of("c") == []
    assert census.holds(listed) and not census.holds([5, 6, 9])
    assert not domains.Census(listed, {5: known[5]}).holds(listed)
