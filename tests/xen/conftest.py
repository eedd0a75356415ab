# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on real Xen. One machine serves all tests of a run, so they run in one process."""

import contextlib
import itertools
import os
import time

import pytest

from lab import making
from lab.xen import figures, machine, packages
from lab.xen import light as images
from lab.xen.agent import Agent
from lab.xen.host import Host
from lab.xen.ssh import Key

#: How many tests have failed, where the fixtures of a session can see it.
_FAILED = pytest.StashKey()
#: Where the logs are, if they were kept.
_LOGS = pytest.StashKey()


def pytest_collection_modifyitems(items):
    for item in items:
        # All is computed here, and the first of them boots the machine.
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().failed:
        item.config.stash[_FAILED] = item.config.stash.get(_FAILED, 0) + 1


def pytest_terminal_summary(terminalreporter, config):
    if _LOGS in config.stash:
        terminalreporter.write_line("The logs of all consoles are in %s" % config.stash[_LOGS])


@pytest.fixture(scope="session")
def light(request):
    """A running Machine with the light system."""
    with machine.run_folder() as folder:
        key = Key(folder)
        with machine.Machine(images.make(folder, key.public), key, folder) as running:
            started = False
            try:
                running.start()
                started = True
                yield running
            finally:
                if not started or request.config.stash.get(_FAILED, 0):
                    place = os.path.join(making.cache(packages.CACHE), "logs", time.strftime("%Y-%m-%d-%H%M%S"))
                    running.keep_logs(place)
                    request.config.stash[_LOGS] = place


@pytest.fixture(scope="session")
def xen_host(light):
    """The Host in that machine."""
    host = Host(light.dom0, light.key)
    yield host
    host.close()


@pytest.fixture(scope="session")
def guests(xen_host):
    """Two guests for all tests that leave them as they were: {"pv": Domain, "pvh": Domain}."""
    created = {kind: xen_host.create("guest-" + kind, kind, wait=False) for kind in ("pv", "pvh")}
    for domain in created.values():
        domain.wait()
    return created


@pytest.fixture(scope="session")
def _numbers():
    return itertools.count(1)


@pytest.fixture
def make_domain(xen_host, _numbers):
    """A function that makes a Domain, which ends with the test: ``make_domain(name=None, kind="pv", **options)``.

    For the options see Host.create.
    """
    created = []

    def make(name=None, kind="pv", **options):
        name = name or "%s-%d" % (kind, next(_numbers))
        # Known before it is created: one that cannot be reached ends with the test, too.
        created.append(name)
        return xen_host.create(name, kind, **options)

    yield make
    for name in created:
        xen_host.destroy(name)


@pytest.fixture
def figure():
    """A function that notes a measured figure, for the table at the end: ``figure(name, value, unit)``."""
    return figures.Figures().add


@pytest.fixture(scope="session")
def dom0_agent(xen_host):
    """An Agent in dom0, for all tests."""
    with Agent.on("dom0", xen_host.shell) as agent:
        yield agent


@pytest.fixture
def agent_of():
    """A function that starts an Agent on a Domain, or in a Host's dom0. It ends with the test."""
    with contextlib.ExitStack() as started:
        yield lambda machine: started.enter_context(Agent.on(machine.shell.name, machine.shell))


@pytest.fixture
def folder(xen_host, dom0_agent):
    """An empty folder in dom0, gone after the test; nothing collects into it any more then."""
    path = xen_host.shell.run("mktemp", "-d", "/tmp/test-XXXXXX").out.strip()
    yield path
    # A test that has failed left that to us. It would take the next one's messages.
    dom0_agent("collecting.stop", directory=path)
    xen_host.shell.run("rm", "-rf", path)


@pytest.fixture
def prepared(xen_host):
    """A function that opens a Domain's channel and gives its number."""

    def prepare(domain):
        domid = domain.domid
        xen_host.shell.python("host", "prepare", domid)
        return domid

    return prepare
