# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway is killed at each system call that matters, and each that can fail fails, while messages move.

What a guest has sent is stored once, in its order, with its event. What a client was told to be sent has arrived once,
and where nobody knows, at most once. After a kill the next start mends everything; after a failure the gateway goes on
by itself, or has said why it cannot.
"""

import re

import pytest

from faults.guests import failures, usual
from faults.hosts import Story, XenHost
from faults.injector import chosen, kill
from lab.daemon import KINDS

LIVES = {"its first start": True, "a later start": False}
#: What must be in no log, whatever fails.
DEFECT = re.compile("Traceback|this is a defect")


@pytest.fixture
def site(request, lab_parts):
    with XenHost(getattr(request, "param", "c")) as made:
        yield made


@pytest.fixture
def story(site, tmp_path):
    """A function that makes a Story, undisturbed at first: with the points of that."""
    made = []

    def make(first):
        story = Story(site, tmp_path, first)
        made.append(story)
        assert story.tell(), story.problems
        assert story.gateway.ended() == 0
        story.points = story.gateway.points()
        assert story.problems == []
        story.recover()
        return story

    yield make
    for story in made:
        story.close()


@pytest.mark.parametrize("site", KINDS, indirect=True)
@pytest.mark.parametrize("life", LIVES)
def test_killed(campaign, story, site, life):
    told = story(LIVES[life])

    def killed(point):
        told.tell(kill(point))
        told.gateway.ended()
        told.recover()
        return told.gateway.run.hit

    # Threads count their calls each on its own, and which thread is first differs from run to run.
    campaign("ovm-gateway", "killed in " + life, site.kind).run(chosen(told.points, 3), killed, least=0.6)


def ways(point):
    """How a gateway's call can fail: as any program's, and for want of descriptors."""
    if point.call in ("accept", "accept4"):
        return ("EMFILE", "ECONNABORTED")
    if point.call == "sendto" and point.nth == 1:
        return ()  # systemd is not told that it serves, and will see to that
    return () if unlocks(point) else usual(point)


def unlocks(point):
    """Whether a call gives up a lock.

    On a disk of this host that does not fail, and SQLite does not look whether it did: its locks between threads would
    stay until all of them have closed the file.
    """
    return point.place.endswith("F_UNLCK")


@pytest.mark.parametrize("life", LIVES)
def test_calls_fail(campaign, story, site, life):
    told = story(LIVES[life])

    def failed(failure):
        try:
            return survived(failure)
        except AssertionError:
            told.gateway.ended()
            if any(unlocks(point) for point in told.gateway.run.hits):
                return None  # of another thread, which had made as many calls
            raise

    def survived(failure):
        served = told.tell(failure.fault)
        code = told.gateway.ended()
        said = told.gateway.said()
        assert not DEFECT.search(said + " ".join(told.problems)), said
        if served:
            assert code == 0, said
            told.check()  # by itself, without another start
        else:
            last = said.strip().rpartition("\n")[2]
            assert code == 1, "exit code %d: %s" % (code, said)
            assert last.startswith("ovm-gateway: "), said
            told.recover()
        return told.gateway.run.hit

    campaign("ovm-gateway", "a call fails in " + life, site.kind).run(
        failures(chosen(told.points, 2), ways), failed, least=0.6
    )
