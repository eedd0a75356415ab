# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine is configured at its first boot: by the playbook, over the gateway, by daemon and scripts in the guest.

All of it is real, but for the guest's files: they are below a folder, so that any user can run this.
The molecule scenario first_boot does the same on whole systems.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import Scripts
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from ansible_collections.ovm.messaging.programs import build

#: Seconds after which something is taken to hang.
PATIENCE = 60
ROOT = pathlib.Path(__file__).parents[3]
PASSWORD = "Xq7-end-to-end"
PARAMETERS = {
    "com.oracle.linux.network.hostname": "web1.example.com",
    "com.oracle.linux.network.host.0": "192.0.2.9 db",
}
#: Stands for the stock script of that name, which needs a real system: it keeps the password's length.
AUTHENTICATION = """\
#!{python}
### BEGIN PLUGIN INFO
# name: authentication
# configure: 90
# description: The root password.
### END PLUGIN INFO
import json, os
from templateconfig.cli import main

KEY = "com.oracle.linux.root-password"

def describe(target):
    return json.dumps([{{"key": KEY, "description": "Root password", "required": True, "password": True}}])

def configure(parameters):
    password = json.loads(parameters)[KEY]
    print("the password is", password)  # what no script should do: the log must not have it
    with open(os.environ["OVM_TEMPLATE_ROOT"] + "/etc/password-length", "a") as target:
        target.write("%d\\n" % len(password))
    return parameters

main(describe, {{"configure": configure}})
"""


class Machine:
    """The guest's system: its files, and the programs in it."""

    def __init__(self, folder, guest):
        self.folder, self.root, self.flag = folder, folder / "root", folder / "flag"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc/os-release").write_text("ID=debian\n")
        (folder / "template.d").mkdir()
        self.scripts = Scripts(root="/", directory=str(folder / "template.d"))
        for name in ("ovmd", "ovm-template-config"):
            build.build(name, folder / "sbin", self.python(), [sys.executable])
        stock = (ROOT / "roles/ovmd/files/scripts/network").read_text()
        self.install("network", re.sub("^#!.*", "#!" + self.python(), stock))
        self.install("authentication", AUTHENTICATION.format(python=self.python()))
        self.environment = dict(
            PATH="%s:%s" % (folder / "sbin", os.environ["PATH"]),
            XENSTORED_PATH=guest.path,
            OVM_STATE_DIR=str(folder / "state"),
            OVM_TEMPLATE_DIR=str(folder / "template.d"),
            OVM_TEMPLATE_ROOT=str(self.root),
            OVM_TEMPLATE_LOCK=str(folder / "lock"),
            OVM_INITIAL_CONFIG=str(self.flag),
        )
        self.seal()

    def python(self):
        """The Python of the guest, by a path short enough for a first line."""
        link = self.folder / "python"
        if not link.exists():
            link.symlink_to(sys.executable)
        return str(link)

    def install(self, name, text):
        self.scripts.install(name, text.encode())
        self.scripts.add(name)

    def seal(self):
        self.flag.write_text('INITIAL_CONFIG=yes\nINITIAL_CONFIG_SOURCES="messages"\n')

    def start(self, *command, **more):
        log = open(self.folder / (command[0] + ".said"), "ab")  # noqa: SIM115 - the child's
        with log:
            return subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **more
            )

    def first_boot(self):
        return self.start("ovm-template-config", "--logfile", str(self.folder / "log"), "--initial-config")

    def said(self):
        """Everything that the programs in the guest have said."""
        return "".join(path.read_text() for path in [self.folder / "log", *self.folder.glob("*.said")] if path.exists())


@pytest.fixture
def machine(tmp_path_factory, guest):
    # A first line is short, so the paths in it have to be.
    return Machine(tmp_path_factory.mktemp("m"), guest)


@pytest.fixture
def daemon(machine):
    """The daemon in the guest; ends with the test."""
    with subprocess.Popen(
        [machine.folder / "sbin/ovmd", "--foreground", "-d", "1"],
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stderr=open(machine.folder / "daemon.said", "ab"),  # noqa: SIM115 - the child's
    ) as process:
        yield process
        process.terminate()


@pytest.fixture
def provision(gateway, guest, tmp_path):
    """A function that runs the playbook; returns its exit code and what it printed."""

    def run(**variables):
        variables = dict(
            provision_vm=guest.name,
            provision_parameters=PARAMETERS,
            provision_root_password=PASSWORD,
            provision_timeout=PATIENCE,
            **variables,
        )
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        done = subprocess.run(
            ["ansible-playbook", "ovm.messaging.provision_guest", "-vvv", "-e", "@" + str(tmp_path / "variables.json")],
            env=login(gateway),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def login(gateway):
    """An environment in which Ansible reaches the gateway."""
    return dict(
        os.environ,
        OVM_HOST=gateway.host,
        OVM_PORT=str(gateway.port),
        OVM_USER=gateway.username,
        OVM_PASSWORD=gateway.password,
        OVM_CA_FILE=gateway.ca,
        ANSIBLE_NOCOLOR="1",
    )


def changes(output):
    return int(re.search(r"changed=(\d+)", output).group(1))


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_a_machine_is_configured_at_its_first_boot(machine, daemon, provision, gateway, guest):
    booting = machine.first_boot()
    code, output = provision()
    assert code == 0, output + machine.said()
    assert booting.wait(PATIENCE) == 0

    assert (machine.root / "etc/hostname").read_text() == "web1.example.com\n"
    assert "192.0.2.9 db" in (machine.root / "etc/hosts").read_text()
    assert (machine.root / "etc/password-length").read_text() == "%d\n" % len(PASSWORD)
    assert "INITIAL_CONFIG=no\n" in machine.flag.read_text()

    # The secret is nowhere: not in the guest, not with the host, not on the screen.
    with ParameterList(machine.environment["OVM_STATE_DIR"]) as parameters:
        assert sorted(entry.key.decode() for entry in parameters.entries()) == sorted(PARAMETERS)
    for path in machine.folder.rglob("*"):
        assert path.is_dir() or path.is_socket() or PASSWORD.encode() not in path.read_bytes(), path
    for path in pathlib.Path(gateway.directory).rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in output

    # The next boot does nothing, and neither does the next run of the playbook.
    assert machine.first_boot().wait(PATIENCE) == 0
    assert (machine.root / "etc/password-length").read_text() == "%d\n" % len(PASSWORD)
    code, output = provision()
    assert code == 0 and changes(output) == 0, output

    # Sealed again, it says that it waits, so that it is configured again.
    machine.seal()
    booting = machine.first_boot()
    ask = "vm=%s patterns='ovmd.report.configuration=waiting' wait_timeout=%d" % (guest.name, PATIENCE)
    done = subprocess.run(
        ["ansible", "localhost", "-m", "ovm.messaging.ovm_vm_message_info", "-a", ask],
        env=login(gateway), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    code, output = provision()
    assert code == 0 and changes(output) == 1, output
    assert booting.wait(PATIENCE) == 0
    assert (machine.root / "etc/password-length").read_text() == 2 * ("%d\n" % len(PASSWORD))


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_a_failing_script_fails_the_playbook_by_name_and_the_next_boot_tries_again(machine, daemon, provision):
    machine.install(
        "registration",
        AUTHENTICATION.format(python=machine.python())
        .replace("# name: authentication", "# name: registration")
        .replace("configure: 90", "configure: 20")
        .replace("def configure(parameters):", "def configure(parameters):\n    raise OSError('no registry there')"),
    )
    booting = machine.first_boot()
    code, output = provision()
    assert code != 0
    assert "registration" in output and "authentication" not in output.split("What failed there:")[1][:60]
    assert booting.wait(PATIENCE) == 1
    assert (machine.root / "etc/hostname").exists(), "the other scripts run all the same"
    assert "INITIAL_CONFIG=yes\n" in machine.flag.read_text()
    machine.scripts.delete("registration")
    booting = machine.first_boot()
    code, output = provision()
    assert code == 0, output + machine.said()
    assert booting.wait(PATIENCE) == 0
    assert "INITIAL_CONFIG=no\n" in machine.flag.read_text()


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_the_daemon_is_what_ends_the_wait_for_delivery(machine, daemon, gateway, guest, tmp_path):
    """ovm_vm_message waits for a real guest's report, knows what it holds, and sends nothing twice."""
    tasks = [
        {
            "ovm.messaging.ovm_vm_message": {
                "vm": guest.name,
                "messages": {"app.role": "frontend"},
                "wait": True,
                "wait_timeout": PATIENCE,
            },
            "register": "sent",
        },
        {"ansible.builtin.debug": {"msg": "evidence={{ sent.evidence['app.role'] }} {{ sent.changed }}"}},
    ]
    play = tmp_path / "play.json"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    outputs = [
        subprocess.run(
            ["ansible-playbook", play], env=login(gateway), capture_output=True, text=True, check=False
        ).stdout
        for _time in range(2)
    ]
    assert "True" in outputs[0] and changes(outputs[0]) == 1, outputs[0]
    assert "evidence=report False" in outputs[1], outputs[1]
