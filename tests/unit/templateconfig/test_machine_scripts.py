# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock scripts as files that are run, by every Python that a guest may have."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.header import read_header
from lab.programs import PYTHONS

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "roles/ovmd/files/scripts"
LIBRARY = ROOT / "programs/ovm-template-config/lib"
PRIORITIES = {
    "authentication": {"configure": 90, "reconfigure": 90, "cleanup": 90},
    "datetime": {"configure": 50, "reconfigure": 50, "cleanup": 50},
    "selinux": {"configure": 30, "reconfigure": 30},
    "system": {"configure": 60, "cleanup": 95},
    "user": {"configure": 60, "reconfigure": 60},
}
ASKED = {
    "com.oracle.linux.root-password": "geheim",
    "com.oracle.linux.user.name.0": "alice",
    "com.oracle.linux.user.uid.0": "2000",
    "com.oracle.linux.user.password.0": "geheimer",
    "com.oracle.linux.datetime.timezone": "Europe/Oslo",
    "com.oracle.linux.selinux": "permissive",
    "com.example.other": "gr\udcfcn",
}
CHANGES = {
    "authentication": ["set the password of root"],
    "datetime": ["link /etc/localtime to ../usr/share/zoneinfo/Europe/Oslo"],
    "selinux": ["write /etc/selinux/config"],
    "system": ["make a machine-id"],
    "user": ["add the user alice", "set the password of alice"],
}


@pytest.fixture
def run(system):
    """Run a script as ovm-template-config does."""

    def run(python, name, *arguments, parameters=None):
        reading, writing = os.pipe()
        command = [python, SCRIPTS / name, *arguments]
        environment = {
            "PATH": str(system.bin),
            "FAKE": os.environ["FAKE"],
            "PYTHONPATH": str(LIBRARY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C",
            "OVM_TEMPLATE_ROOT": str(system.root),
            "TEMPLATECONFIG_RESULT_FD": str(writing),
        }
        environment.update((name, value) for name, value in os.environ.items() if name.startswith("COV"))
        try:
            done = subprocess.run(
                [str(word) for word in command],
                input=json.dumps(parameters),
                capture_output=True,
                text=True,
                env=environment,
                pass_fds=[writing],
                timeout=60,
                check=False,
            )
        finally:
            os.close(writing)
            with open(reading) as pipe:
                told = pipe.read()
        return done, json.loads(told) if told else None

    system.tools("chpasswd", "useradd", "usermod", "systemd-machine-id-setup")
    system.write(
        {
            "usr/share/zoneinfo/Europe/Oslo": "TZif2",
            "etc/selinux/config": "SELINUX=enforcing\n",
            "etc/selinux/targeted/policy/policy.33": "",
        }
    )
    return run


@pytest.mark.parametrize("name", sorted(PRIORITIES))
def test_headers(name):
    header = read_header(str(SCRIPTS / name))
    assert (header.name, header.targets) == (name, PRIORITIES[name])
    assert header.description
    assert os.access(SCRIPTS / name, os.X_OK)


@pytest.mark.parametrize("name", sorted(PRIORITIES))
@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_configure(run, system, python, name):
    before = system.snapshot()
    for arguments, changed in ((["--check"], True), ([], True), (["--check"], False), ([], False)):
        done, told = run(python, name, *arguments, "configure", parameters=ASKED)
        assert (done.returncode, json.loads(done.stdout)) == (0, ASKED)
        assert told["changed"] is changed
        assert told["check"] is True
        # what a script prints is what goes to the log
        assert done.stderr.splitlines() == (CHANGES[name] if changed else [])
        assert (system.snapshot() == before) is (changed and arguments == ["--check"])
        assert "geheim" not in done.stderr + str(told["message"])
        if not arguments:
            before = None


@pytest.mark.parametrize("name", sorted(PRIORITIES))
def test_enumerate(run, name):
    for target in PRIORITIES[name]:
        done, _told = run(sys.executable, name, "--enumerate", target)
        described = json.loads(done.stdout)
        assert all(one["key"].startswith("com.oracle.linux.") and one["description"] for one in described)
        required = [one["key"] for one in described if one.get("required")]
        assert required == ["com.oracle.linux.root-password"] * (name == "authentication" and target == "configure")


@pytest.mark.parametrize("name", [name for name in sorted(PRIORITIES) if "reconfigure" in PRIORITIES[name]])
def test_reconfigure(run, name):
    done, told = run(sys.executable, name, "reconfigure", parameters=ASKED)
    assert (done.returncode, told["changed"]) == (0, True)
    assert done.stderr.splitlines() == CHANGES[name]


@pytest.mark.parametrize("name", [name for name in sorted(PRIORITIES) if "cleanup" in PRIORITIES[name]])
def test_cleanup(run, name):
    done, told = run(sys.executable, name, "cleanup", parameters={"com.oracle.linux.root-lock": "True"})
    assert (done.returncode, told["message"], told["changed"]) == (0, "", False)


def test_a_failure_is_told_in_one_line(run, system):
    system.fail("chpasswd", "cannot lock /etc/shadow; try again later.")
    asked = dict(ASKED, **{"com.oracle.linux.user.uid.0": "none"})
    done, told = run(sys.executable, "user", "configure", parameters=asked)
    assert (done.returncode, done.stdout) == (1, "")
    assert told["changed"] is False
    assert told["message"] == "com.oracle.linux.user.uid.0 is no number from 1 to 4294967293"
    done, told = run(sys.executable, "user", "configure", parameters=ASKED)
    assert done.returncode == 1
    assert told["changed"] is True  # alice is there, without a password
    assert told["message"] == "chpasswd failed with exit code 1: chpasswd: cannot lock /etc/shadow; try again later."
    assert done.stderr.splitlines()[0] == "add the user alice"
