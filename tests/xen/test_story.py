# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole system, by ansible-playbook from this machine: a gateway on the Xen host, a template, its clones.

The tests are one story: each goes on where the one before has ended.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
import time

import pytest

from lab import making
from lab.xen import figures, full, packages
from lab.xen.ssh import Shell

PLAYBOOKS = pathlib.Path(__file__).parent / "story"
#: Seconds for one playbook.
PATIENCE = 900
#: What no two machines have alike.
WHO_IT_IS = ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub")

pytestmark = pytest.mark.timeout(1800)


class Story:
    """A full system, and playbooks on it.

    :param Full system: the system.
    :param pathlib.Path folder: for files.
    """

    def __init__(self, system, folder):
        self.system, self.folder = system, folder
        self.clones, self.started, self.done, self.template_is = {}, {}, set(), ()
        self.passwords = {name: "Xq7-" + secrets.token_urlsafe(12) for name in ("admin", "root", "alice")}
        self.certificate = folder / "gateway.pem"
        self.hosts = {
            "localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "dom0": self.reach(system.dom0),
            "template": self.reach(system.template.shell),
        }
        self.manager = {
            "host": "localhost",
            "port": system.machine.port(7002),
            "username": "admin",
            "password": self.passwords["admin"],
            "ca_path": str(self.certificate),
        }

    @staticmethod
    def reach(shell):
        """How Ansible reaches a machine."""
        return {
            "ansible_host": shell.host,
            "ansible_port": shell.port,
            "ansible_user": shell.user,
            "ansible_ssh_common_args": shlex.join(shell.destination[:-1]),
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def after(self, *names):
        """See that the story came that far."""
        missing = [name for name in names if name not in self.done]
        if missing:
            pytest.fail("the story has ended before: %s did not succeed" % ", ".join(missing), pytrace=False)

    def play(self, playbook, variables, *options, code=0):
        """Run a playbook.

        :returns: host -> counts of the recap; and all that was printed.
        """
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}))
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=self.folder) as extra:
            json.dump(variables, extra)
            extra.flush()
            name = playbook if "." in playbook and not playbook.endswith(".yml") else str(PLAYBOOKS / playbook)
            started = time.monotonic()
            done = subprocess.run(
                ["ansible-playbook", "-i", str(inventory), "-e", "@" + extra.name, *options, name],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        seconds = time.monotonic() - started
        label = " ".join([os.path.basename(playbook), *options])
        print("--- %s: %.1f s, exit code %d\n%s" % (label, seconds, done.returncode, done.stdout), flush=True)
        assert done.returncode == code, "%s: exit code %d, see above" % (label, done.returncode)
        counts = {
            host: {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", rest)}
            for host, rest in re.findall(r"^(\S+)\s+: (ok=.*)$", done.stdout, re.M)
        }
        assert counts, "%s has reached no host" % label
        return Played(counts, done.stdout, seconds)

    def environment(self):
        _program, environment = self.system.dom0.program()
        return dict(
            environment,
            ANSIBLE_PIPELINING="1",
            ANSIBLE_SSH_TRANSFER_METHOD="piped",
            # Each connection costs seconds of computing there.
            ANSIBLE_SSH_ARGS="-o ControlMaster=auto -o ControlPersist=600s",
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(self.folder),
            ANSIBLE_SSH_TIMEOUT="60",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_FORCE_COLOR="0",
        )

    def clone(self, name):
        """Boot a clone, which Ansible will reach as its user once it is configured."""
        self.started[name] = time.monotonic()
        address = self.system.clone(name).shell.host
        user = Shell("guest " + name, address, self.system.key, via=self.system.dom0, user="alice")
        self.hosts[name] = dict(self.reach(user), ansible_become_password=self.passwords["alice"])
        self.clones[name] = user

    def configuration(self, name):
        """What a clone is to be: variables of ovm.messaging.provision_guest."""
        return {
            "provision_vm": name,
            "provision_parameters": {
                "com.oracle.linux.network.hostname": name + ".example.com",
                "com.oracle.linux.network.device.0": "eth0",
                "com.oracle.linux.network.bootproto.0": "static",
                "com.oracle.linux.network.ipaddr.0": self.clones[name].host,
                "com.oracle.linux.network.netmask.0": "255.255.0.0",
                "com.oracle.linux.datetime.timezone": "Europe/Oslo",
                "com.oracle.linux.user.name.0": "alice",
                "com.oracle.linux.user.groups.0": "sudo",
                "com.oracle.linux.ssh.user": "alice",
                "com.oracle.linux.ssh.authorized-keys": self.system.key.public,
            },
            "provision_secret_parameters": {"com.oracle.linux.user.password.0": self.passwords["alice"]},
            "provision_root_password": self.passwords["root"],
            "provision_timeout": 600,
        }

    def check_secrets(self, played):
        """See that no password was shown."""
        shown = [name for name, password in self.passwords.items() if password in played.output]
        assert not shown, "the passwords of %s are in the output" % ", ".join(shown)


class Played:
    """How a playbook went: counts by host, all output, seconds."""

    def __init__(self, counts, output, seconds):
        self.counts, self.output, self.seconds = counts, output, seconds

    def changed(self):
        return {host: counts["changed"] for host, counts in self.counts.items()}


@pytest.fixture(scope="module")
def story(request):
    failed = request.session.testsfailed
    with full.running() as system, tempfile.TemporaryDirectory(prefix="ovm-story-", dir="/tmp") as place:
        try:
            yield Story(system, pathlib.Path(place))
        finally:
            if request.session.testsfailed > failed:
                logs = os.path.join(making.cache(packages.CACHE), "logs", time.strftime("%Y-%m-%d-%H%M%S-story"))
                system.machine.keep_logs(logs)
                making.say("the logs of all consoles are in %s" % logs)


def gateway_variables(story):
    return {
        "ovm_gateway_names": ["localhost"],
        "ovm_gateway_users": [{"name": "admin", "password": story.passwords["admin"]}],
        "ovm_gateway_fetch_certificate": str(story.certificate),
    }


def both_roles(story):
    """Apply the roles to dom0 and to the template, at the same time."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        plays = [
            pool.submit(story.play, "gateway.yml", gateway_variables(story)),
            pool.submit(story.play, "guest.yml", {}),
        ]
        return [play.result() for play in plays]


def test_roles_install_gateway_and_ovmd(story):
    gateway, guest = both_roles(story)
    assert gateway.changed()["dom0"] > 0 and guest.changed()["template"] > 0
    story.check_secrets(gateway)
    figures.record("role ovm_gateway on dom0", gateway.seconds, "s")
    figures.record("role ovmd in a guest", guest.seconds, "s")
    assert story.system.dom0.run("systemctl", "is-active", "ovm-gateway").out == "active\n"
    assert story.system.template.shell.run("systemctl", "is-active", "ovmd").out == "active\n"
    story.done.add("roles")


def test_the_second_run_of_the_roles_changes_nothing(story):
    story.after("roles")
    gateway, guest = both_roles(story)
    assert gateway.changed() == {"dom0": 0} and guest.changed() == {"template": 0}
    figures.record("role ovm_gateway again", gateway.seconds, "s")
    figures.record("role ovmd again", guest.seconds, "s")


def test_the_template_is_sealed(story):
    story.after("roles")
    template = story.system.template
    story.template_is = template.shell.run("cat", *WHO_IT_IS).out.split()
    variables = {"seal_install": False, "ovmd_seal_lock_root": True, "ovmd_seal_shutdown": True}
    played = story.play("ovm.messaging.seal_template", variables)
    figures.record("playbook seal_template", played.seconds, "s")
    template.wait_gone()
    story.done.add("seal")


def test_a_clone_is_configured_through_the_gateway(story):
    story.after("seal")
    story.clone("clone1")
    # It boots meanwhile, and waits.
    story.clone("clone2")
    variables = dict(story.configuration("clone1"), provision_manager=story.manager)
    played = story.play("ovm.messaging.provision_guest", variables, "-vvv")
    figures.record("clone: from `xl create` to configured", time.monotonic() - story.started["clone1"], "s")
    story.check_secrets(played)
    assert played.changed() == {"localhost": 1}
    check_configured(story, "clone1")
    story.done.add("clone1")


def check_configured(story, name):
    """Look in a clone whether it is what it was asked to be."""
    user = story.clones[name]
    user.wait()
    script = 'hostname; readlink -f /etc/localtime; id -nG | tr " " ,; cat "$@"'
    hostname, zone, groups, machine_id, *host_key = user.run("sh", "-c", script, "sh", *WHO_IT_IS).out.split()
    assert hostname == name + ".example.com"
    assert zone == "/usr/share/zoneinfo/Europe/Oslo"
    assert "sudo" in groups.split(",")
    assert re.fullmatch("[0-9a-f]{32}", machine_id) and machine_id not in story.template_is
    assert host_key[0] == "ssh-ed25519" and host_key[1] not in story.template_is
    # Whoever knows root's password gets to be root, and nobody else.
    for password, code in (story.passwords["root"], 0), ("Xq7-wrong", 1):
        become = user.run("su", "-c", "id -u", input=password + "\n", check=False)
        assert (become.code, become.out.strip()) == (code, "" if code else "0"), become.err


def test_the_host_hears_what_the_clone_tells(story):
    story.after("clone1")
    played = story.play("tell.yml", {"guest": "clone1"})
    assert played.changed() == {"clone1": 1}
    story.check_secrets(played)
    asked = story.play("ask.yml", {"asked": "localhost", "guest": "clone1", "provision_manager": story.manager})
    assert "clone1 says: ready on clone1" in asked.output
    assert asked.changed() == {"localhost": 0}
    assert query(story, "clone1", "com.example.app.state") == "ready on clone1\n"
    story.done.add("told")


def query(story, name, key):
    """What ovm_vmmessage on this machine says."""
    program = os.path.join(making.ROOT, "programs", "ovm_vmmessage")
    options = ["-h", "localhost", "--port", str(story.manager["port"]), "-u", "admin", "-E"]
    options += ["--ca-file", str(story.certificate), "--quiet", "-v", name, "-q", key]
    done = subprocess.run(
        [sys.executable, program, *options],
        env=dict(os.environ, OVM_PASSWORD=story.passwords["admin"]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_once_more_changes_nothing(story):
    story.after("told")
    provisioned = story.play(
        "ovm.messaging.provision_guest", dict(story.configuration("clone1"), provision_manager=story.manager)
    )
    assert provisioned.changed() == {"localhost": 0}
    assert story.play("tell.yml", {"guest": "clone1"}).changed() == {"clone1": 0}


def test_without_a_gateway_the_same_works_on_the_xen_host(story):
    story.after("clone1")
    story.system.dom0.run("systemctl", "stop", "ovm-gateway")
    # The playbook runs on the controller, unless it is told otherwise.
    there = {"provision_hosts": "dom0", "provision_manager": {"transport": "xenstore"}}
    there.update(ansible_connection="ssh", ansible_python_interpreter="/usr/bin/python3")
    variables = dict(story.configuration("clone2"), **there)
    played = story.play("ovm.messaging.provision_guest", variables, "-vvv")
    figures.record("clone without a gateway: from its configuration sent to configured", played.seconds, "s")
    story.check_secrets(played)
    assert played.changed() == {"dom0": 1}
    check_configured(story, "clone2")

    assert story.play("tell.yml", {"guest": "clone2"}).changed() == {"clone2": 1}
    asked = story.play("ask.yml", {"asked": "dom0", "guest": "clone2", "provision_manager": {"transport": "xenstore"}})
    assert "clone2 says: ready on clone2" in asked.output

    assert story.play("ovm.messaging.provision_guest", variables).changed() == {"dom0": 0}
    assert story.play("tell.yml", {"guest": "clone2"}).changed() == {"clone2": 0}
