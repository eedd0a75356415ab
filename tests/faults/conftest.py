# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns: one fault after the other, each in a run of its own, and what has to hold after each."""

import contextlib
import os
import time

import pytest

from faults import figures
from faults.guests import PYTHON, World
from faults.hosts import ROOMY, Scene, XenHost, knows, manager_of, until
from faults.injector import chosen
from faults.relay import Relay
from lab.daemon import KINDS
from lab.gateway import Gateway
from lab.programs import Built

#: Seconds that a campaign may take.
LIMIT = 1800
_SHOWN = 12


def pytest_addoption(parser):
    parser.addoption(
        "--each",
        type=int,
        default=0,
        metavar="N",
        help="try only N calls of each name and place: the first, the last, and some between",
    )
    parser.addoption("--every", type=int, default=1, metavar="N", help="of what there is to try, try every Nth")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(LIMIT))


class Campaign:
    """Faults of one kind that a program meets.

    :param str program: its name, for the table.
    :param str fault: what happens to it, likewise.
    :param str store: the kind of XenStore, if there is one.
    :param str name: tells it from others.
    :param int each: see chosen().
    :param int every: try every so many of these.
    """

    def __init__(self, program, fault, store, name, each=0, every=1):
        self._what, self._name, self._each, self._every = (program, fault, store), name, each, every

    def run(self, points, trial, part=(0, 1), least=0.9):
        """Try all points.

        :param list points: all that there are to try: of Point, or of anything that can be shown.
        :param trial: called with one; returns what was hit, or None. Raises AssertionError where a promise is broken.
        :param part: which part of how many to try.
        :param float least: share of the faults that must have struck.
        """
        began, struck, failures = time.monotonic(), 0, []
        mine = chosen(points, self._each)[:: self._every][part[0] :: part[1]]
        assert mine, "there is nothing to try"
        try:
            for point in mine:
                try:
                    struck += trial(point) is not None
                except AssertionError as problem:
                    struck += 1
                    failures.append("%s: %s" % (point, str(problem).split("\nassert ", 1)[0]))
                    figures.broken("%s, %s, %s" % self._what, failures[-1])
        finally:
            places = {(getattr(point, "call", point), getattr(point, "place", "")) for point in points}
            row = figures.Row(
                *self._what, len(points), len(places), len(mine), struck, len(failures), time.monotonic() - began
            )
            figures.add(self._name, row)
            print("\n".join(failures))
        if failures:
            raise AssertionError(
                "%d of %d faults broke a promise:\n%s" % (len(failures), len(mine), "\n".join(failures[:_SHOWN]))
            )
        assert struck >= least * len(mine), "only %d of %d faults struck" % (struck, len(mine))


@pytest.fixture
def campaign(request):
    """A function from program, fault and kind of XenStore to a Campaign."""
    each, every = request.config.getoption("each"), request.config.getoption("every")
    return lambda program, fault, store="": Campaign(program, fault, store, request.node.nodeid + fault, each, every)


@pytest.fixture(params=KINDS)
def world(request, tmp_path, lab_parts):
    """A guest over each kind of XenStore."""
    with World(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def one_world(tmp_path, lab_parts):
    """The same over one of them, for what has nothing to do with it."""
    with World(KINDS[0], tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def programs():
    """A function from a program's name and the kind of XenStore to the command that starts it."""
    with contextlib.ExitStack() as stack:
        found = {}

        def get(name, kind=KINDS[0]):
            if name not in found:
                found[name] = stack.enter_context(Built(name))
            return [str(found[name](PYTHON[kind]))]

        yield get


@pytest.fixture(params=KINDS)
def scene(request, lab_parts):
    """A Scene over each kind of XenStore, in which messages have been exchanged once."""
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(XenHost(request.param))
        relay = stack.enter_context(Relay(site.daemon.path, os.path.join(site.daemon.directory, "relay")))
        options = dict(ROOMY, **{"server.xenstore": relay.path})
        made = Scene(site, relay, stack.enter_context(Gateway(site.daemon, options=options)))
        stack.callback(made.manager.close)
        with contextlib.closing(manager_of(made.gateway)) as asking:
            until(lambda: knows(asking, site.vm), "the gateway does not know the guest")
        made.exchange()
        yield made
