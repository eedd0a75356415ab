# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything runs in sight of a Watch: real daemons, a real gateway over TLS, real Ansible."""

import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import NotFound
from lab.daemon import Daemon
from lab.gateway import Gateway
from tests.secrets import figures
from tests.secrets.boots import Boots
from tests.secrets.screen import Screen
from tests.secrets.watch import PATIENCE, Watch

#: Seconds that a test may take: all that it runs is traced.
LIMIT = 3600


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(LIMIT))


@pytest.fixture
def xenstored(lab_parts):
    # Where secrets may be is a matter of our programs. One kind will do.
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture
def watch(request):
    """A Watch; at the end of the test all is looked at that was not yet."""
    # Its name is short: Ansible has sockets below it, and says only that they cannot be made.
    place = pathlib.Path(tempfile.mkdtemp(prefix="ovm-", dir=os.path.realpath("/tmp")))
    try:
        with Watch(place) as watching:
            yield watching
            try:
                watching.finish()
            finally:
                figures.add(request.node.nodeid, watching)
    finally:
        shutil.rmtree(place)


@pytest.fixture
def gateway(xenstored, watch):
    """A traced gateway with a user whose password is a secret."""
    state = watch.place / "gateway"
    running = Gateway(xenstored, directory=str(state))
    running.username, running.password = "watched", watch.secret("password of the gateway's user", between="+/&<%")
    running.add_user(running.username, running.password)
    command, environment = watch.wrapped([sys.executable, running.command()[1]], daemon=True)
    running._command = ["env", *("%s=%s" % pair for pair in environment.items()), *command]
    watch.paths.append("gateway, serving")
    with running:
        watch.private_key(state / "key.pem")
        yield running
        assert running.stop() == 0
        watch.shown("the gateway's log", running.said())
        with open(running.users, "rb") as users:
            watch.shown("the gateway's users file", users.read())


class Plays:
    """Runs tasks with everything shown: -vvvv and --diff, several times, also in check mode.

    :ivar dict defaults: module_defaults.
    :ivar dict environment: more variables.
    """

    def __init__(self, watch):
        self.watch, self.defaults, self.environment, self._count = watch, {}, {}, 0

    def __call__(self, path, *tasks, variables=(), again=True, **play):
        """Run a play: each task in check mode, for real, and once more. Failures do not end it.

        :param str path: for the figures.
        :param variables: where the secrets are: in a file of the user's, as they are in a vault.
        :param bool again: not just once.
        """
        shown = []
        for task in tasks:
            for mode in ("check", "first", "again") if again else ("first",):
                register = "result%d" % len(shown)
                shown.append(dict(task, register=register, ignore_errors=True, check_mode=mode == "check"))
                self.watch.paths.append("%s, %s" % (path, mode))
        results = "{{ [%s] }}" % ", ".join(task["register"] for task in shown)
        # What a user would do with results: show them, keep them as facts.
        shown += [
            {"ansible.builtin.debug": {"msg": results}},
            {"ansible.builtin.set_fact": {"kept": results, "cacheable": True}},
        ]
        return self._run(path, shown, variables, (), (0,), **play)

    def role(self, path, role, variables, check=False, wanted=(0, 2), **options):
        """Run a role. It may fail.

        :param role: what include_role takes.
        :param variables: as above, those of the role, too.
        :param bool check: in check mode.
        """
        self.watch.paths.append(path + (", check" if check else ""))
        return self._run(
            path, [{"ansible.builtin.include_role": role, **options}], variables, ["--check"] if check else [], wanted
        )

    def _run(self, path, tasks, variables, words, wanted, **play):
        self._count += 1
        book = self.watch.place / ("play-%d.yml" % self._count)
        given = self.watch.given(self.watch.place / ("variables-%d.json" % self._count))
        given.touch(0o600)
        given.write_text(json.dumps(dict(variables)))
        whole = {"hosts": "localhost", "gather_facts": False, "module_defaults": self.defaults, "tasks": tasks, **play}
        book.write_text(json.dumps([whole]))
        command = ["ansible-playbook", "-vvvv", "--diff", "-e", "@" + str(given), *words, str(book)]
        return self.watch.run(path, command, self.watch.environment(**self.environment), wanted=wanted)


@pytest.fixture
def plays(watch):
    return Plays(watch)


@pytest.fixture
def in_guest(plays, guest, watch):
    """Plays whose tasks are in the guest."""
    plays.defaults["group/ovm.messaging.guest"] = {
        "xenstore_path": guest.path, "state_dir": str(watch.place / "guest"), "timeout": 30,
    }  # fmt: skip
    return plays


@pytest.fixture
def at_gateway(plays, gateway):
    """Plays whose tasks reach the gateway by what is in the environment."""
    plays.environment.update(gateway.environment())
    plays.defaults["group/ovm.messaging.manager"] = {"ready_timeout": 20, "retries": 1, "wait_timeout": PATIENCE}
    return plays


@pytest.fixture
def nothing_waits(host, guest, watch):
    """A function that waits until the host has collected all, and looks at what XenStore holds then."""

    def look():
        directory = layout.child(layout.home(guest.domid), layout.FROM_GUEST)
        host.watch(directory, b"look")
        while layout.numbers(host.directory(directory)):
            assert host.wait(PATIENCE, b"look"), "the gateway does not collect"
        host.unwatch(directory, b"look")
        watch.shown("XenStore when all is received", b"\n".join(_tree(host, b"/local/domain/%d" % guest.domid)))

    return look


@pytest.fixture
def boots(watch, guest):
    """The first boots of a guest."""
    return Boots(watch, guest.path)


@pytest.fixture
def screen(watch):
    """A terminal, or the console of a guest. What it has shown is looked at in the end."""
    found = Screen()
    yield found
    found.close()
    watch.shown("what the terminal has shown", found.seen)


@pytest.fixture
def the_host_sees(host, host_end, guest, watch):
    """A function that looks at all that the host has been told, and at what XenStore still has of the guest."""

    def look():
        told = [b"%s=%s" % tuple(arrival.message) for arrival in host_end.inbox.receive()]
        watch.shown("what the host is told", b"\n".join(told))
        watch.shown("XenStore when all is received", b"\n".join(_tree(host, b"/local/domain/%d" % guest.domid)))
        return told

    return look


def _tree(store, path):
    try:
        yield path + b" = " + store.read(path)
        for name in store.directory(path):
            yield from _tree(store, path + b"/" + name)
    except NotFound:
        pass
