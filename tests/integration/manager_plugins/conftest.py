# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of the manager's side, used by the real commands of Ansible: over TLS to a real gateway, and on the host.

Starting a gateway takes longer than most of these tests: those of a file share one. Each test has guests of its own.
"""

import itertools
import json
import os
import subprocess

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.daemon import Daemon
from lab.faults import Faults
from lab.gateway import Gateway
from lab.guest import Guest

#: Seconds after which a command is taken to hang.
PATIENCE = 120
#: A value that nobody but its reader may see.
SECRET = "Xq7-hunter2-Xq7"
#: The limits of a gateway that many tests share are not theirs to run into.
ROOMY = {
    "limits.requests_per_second": 100000,
    "limits.requests_burst": 100000,
    "limits.failed_logins_per_minute": 1000,
    "sessions.per_user": 10000,
}


@pytest.fixture(scope="module")
def xenstored(lab_parts):
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(xenstored):
    with Gateway(xenstored, options=ROOMY) as running:
        yield running


@pytest.fixture(scope="module")
def domids():
    """The numbers of domains, each given once, as on a real host."""
    return itertools.count(5)


@pytest.fixture
def make_guest(xenstored, domids):
    """A function that makes a Guest of some name, which ends with the test."""
    made = []

    def make(name):
        made.append(Guest(xenstored, next(domids), name=name))
        return made[-1]

    yield make
    for guest in made:
        if guest in xenstored.domains:  # the test may have destroyed it
            guest.destroy()


@pytest.fixture
def faults(gateway):
    """A proxy before the gateway, which counts requests."""
    with Faults(gateway) as proxy:
        yield proxy
    assert not proxy.broken


@pytest.fixture
def say(gateway, host):
    """A function that sends from a guest, ``say(guest, {b"key": b"value"})``, until the gateway has it all."""

    def send(guest, messages):
        with XenStore(guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for pair in dict(messages).items():
                end.send(Message(*pair), PATIENCE)
        directory = layout.child(layout.home(guest.domid), layout.FROM_GUEST)
        host.watch(directory, b"say")
        while layout.numbers(host.directory(directory)):
            assert host.wait(PATIENCE, b"say"), "the gateway does not collect"
        host.unwatch(directory, b"say")

    return send


@pytest.fixture
def tell(say):
    """A function that has a guest report its addresses: ``tell(guest, eth0=["192.0.2.5/24"])``."""

    def send(guest, **interfaces):
        found = [dict(name=name, mac="", addresses=addresses) for name, addresses in interfaces.items()]
        say(guest, dict([report.interfaces(found)]))

    return send


class Ansible:
    """Runs Ansible's commands in a folder.

    :ivar dict environment: variables for all of them.
    :ivar str output: what the last one has printed.
    :ivar str errors: what it has printed to standard error.
    """

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.output = self.errors = ""

    def run(self, *command, environment=None, fails=False):
        """Run a command."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("OVM_", "XENSTORED_"))}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            encoding="utf-8",
            cwd=self.folder,
            env={**mine, "COLUMNS": "1000", **self.environment, **(environment or {})},
        )
        self.output, self.errors = done.stdout, done.stderr
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout

    def write(self, options, name="ovm.yml"):
        """Write an inventory file of the plugin's.

        :returns: its path.
        """
        path = self.folder / name
        path.write_text(yaml.safe_dump({"plugin": "ovm.messaging.ovm", **options}))
        return str(path)

    def inventory(self, *arguments, environment=None, **options):
        """What ansible-inventory --list shows of a file with these options.

        :returns: the hosts' variables, and the groups with their hosts or, where they have none, with their children.
        """
        path, shown = self.write(options), self.folder / "inventory.json"
        self.run("ansible-inventory", "-i", path, "--list", "--output", str(shown), *arguments, environment=environment)
        assert "Failed to parse" not in self.errors, self.errors
        # Text that must not become a template has a mark.
        found = json.loads(shown.read_text(), object_hook=lambda each: each.get("__ansible_unsafe", each))
        groups = {n: sorted(g.get("hosts", g.get("children", ()))) for n, g in found.items() if n != "_meta"}
        return found["_meta"]["hostvars"], groups

    def refusal(self, *arguments, environment=None, **options):
        """Why a file with these options is no inventory."""
        path = self.write(options)
        failing = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "true", **(environment or {})}
        self.run("ansible-inventory", "-i", path, "--list", *arguments, environment=failing, fails=True)
        return " ".join((self.output + self.errors).split())

    def play(self, *tasks, hosts="localhost", arguments=(), environment=None, fails=False, variables=None):
        """Run tasks; failed ones are ignored.

        :returns: each one's results: a dict by host.
        """
        shown = self.folder / "results"
        shown.mkdir(exist_ok=True)
        book = self.folder / "play.yml"
        registered = [dict(task, register="result%d" % n, ignore_errors=True) for n, task in enumerate(tasks)]
        collected = "{{ [%s] | to_json }}" % ", ".join("result%d" % n for n in range(len(tasks)))
        results = "{{ playbook_dir }}/results/{{ inventory_hostname }}"
        copy = {"content": collected, "dest": results, "mode": "0600"}
        here = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        last = {"ansible.builtin.copy": copy, "no_log": True, "vars": here}
        play = {"hosts": hosts, "gather_facts": False, "connection": "local", "tasks": [*registered, last]}
        book.write_text(yaml.safe_dump([dict(play, vars=variables or {})]))
        self.run("ansible-playbook", str(book), *arguments, environment=environment, fails=fails)
        by_host = {path.name: json.loads(path.read_text()) for path in shown.iterdir()}
        return [{host: results[n] for host, results in by_host.items()} for n in range(len(tasks))]


@pytest.fixture
def ansible(gateway, tmp_path):
    """Ansible, with an environment that says where the gateway is and who logs in."""
    return Ansible(tmp_path, gateway.environment())


@pytest.fixture
def on_host(xenstored, tmp_path):
    """Ansible, on the Xen host."""
    state = {"OVM_TRANSPORT": "xenstore", "OVM_GATEWAY_DIR": str(tmp_path / "state")}
    return Ansible(tmp_path, {**state, "XENSTORED_PATH": xenstored.path})
