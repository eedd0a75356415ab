# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: users, certificate, check; and the program as one file."""

import os
import stat
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.programs import build
from lab.gateway import PROGRAM, Gateway

PATIENCE = 60


@pytest.fixture
def configuration(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text("[server]\nusers = %s/users\ndirectory = %s/state\n" % (tmp_path, tmp_path))
    return path


@pytest.fixture
def run(configuration):
    """A function that runs a command: its exit code, standard output and standard error."""

    def run(*arguments, stdin="", configured=True):
        command = [sys.executable, PROGRAM, *arguments] + (["--config", str(configuration)] if configured else [])
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


def test_users(run, tmp_path):
    users = tmp_path / "users"
    assert run("user", "list") == (0, "", "")
    assert run("user", "add", "admin", stdin="s3cret\n") == (0, "added admin\n", "")
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    first = users.read_text()
    assert first.startswith("admin:$argon2id$v=19$m=65536,t=3,p=4$") and "s3cret" not in first
    assert run("user", "add", "admin", stdin="other") == (0, "changed admin\n", "")
    assert users.read_text() != first
    assert run("user", "add", "ann@example.com", stdin="x\n")[0] == 0
    assert run("user", "list") == (0, "admin\nann@example.com\n", "")
    assert run("user", "remove", "admin") == (0, "removed admin\n", "")
    gone = "ovm-gateway: there is no user 'admin': see 'ovm-gateway user list'\n"
    assert run("user", "remove", "admin") == (4, "", gone)
    assert run("user", "list") == (0, "ann@example.com\n", "")


def test_a_password_can_be_checked(run):
    assert run("user", "add", "admin", stdin="s3cret\n")[0] == 0
    assert run("user", "check", "admin", stdin="s3cret\n") == (0, "", "")
    for name, password in (("admin", "S3cret"), ("admin", ""), ("nobody", "s3cret")):
        refused = "ovm-gateway: %s cannot log in with this password: set another by 'ovm-gateway user add'\n" % name
        assert run("user", "check", name, stdin=password) == (1, "", refused)


def test_users_that_cannot_be(run, tmp_path):
    assert run("user", "add", "a:b", stdin="x")[::2] == (
        1,
        "ovm-gateway: 'a:b' cannot be a user's name: %s\n"
        % "use up to 64 letters, digits and . _ @ -, a letter or digit first",
    )
    assert run("user", "add", "a", stdin="\n")[::2] == (
        1,
        "ovm-gateway: the password has 0 bytes: use one of 1 to 1024\n",
    )
    assert run("user", "add", "a", stdin="x" * 1025)[0] == 1
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
def test_a_user_who_was_added_can_log_in(gateway, connect):
    command = gateway.command("user", "add", "ann")
    subprocess.run(command, input=b"pass word\n", check=True, stdout=subprocess.DEVNULL)
    assert connect("ann", "pass word").get("/Vm").status_code == 200
    assert connect("ann", "pass").get("/Vm").status_code == 401
    subprocess.run(gateway.command("user", "remove", "ann"), check=True, stdout=subprocess.DEVNULL)
    assert connect("ann", "pass word").get("/Vm").status_code == 401


def test_the_certificate(run, tmp_path):
    code, out, err = run("certificate")
    path, fingerprint = out.splitlines()
    assert (code, err, path) == (0, "", str(tmp_path / "state" / "certificate.pem"))
    named = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", path], capture_output=True, check=True
    )
    assert named.stdout.decode().strip().rpartition("=")[2] == fingerprint.partition(" ")[2]
    assert run("certificate") == (code, out, err)


def test_check(run, configuration, tmp_path):
    assert run("check") == (0, "%s can be used; users: 0\n" % configuration, "")
    configuration.write_text("[server]\nport = 70000\n")
    assert run("check")[::2] == (
        3,
        "ovm-gateway: %s: the setting 'port' in [server] is '70000': give a whole number from 0 to 65535\n"
        % configuration,
    )
    configuration.write_text("[tls]\ncertificate = /nowhere\nkey = /nowhere\n[server]\nusers = %s/users\n" % tmp_path)
    assert run("check")[0] == 1
    configuration.unlink()
    missing = "ovm-gateway: there is no configuration file %s: make it, or name another\n" % configuration
    assert run("check") == (3, "", missing)


def test_usage(run):
    assert run("--version", configured=False) == (0, "ovm-gateway %s\n" % VERSION, "")
    code, out, _err = run("--help", configured=False)
    assert code == 0 and all(command in out for command in ("serve", "check", "certificate", "user"))
    assert run(configured=False)[0] == run("nonsense", configured=False)[0] == 2


def test_libraries_that_are_missing(tmp_path):
    """By a Python that has none: isolated, without site-packages."""
    environment = {"PYTHONPATH": os.environ["PYTHONPATH"]}
    command = [sys.executable, "-S", PROGRAM, "user", "list", "--config", str(tmp_path / "c")]
    (tmp_path / "c").write_text("")
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 5
    assert (
        done.stderr
        == b"ovm-gateway: there is no Python library cryptography: install those that its requirements.txt names\n"
    )


@pytest.mark.parametrize("xenstored", ["c"], indirect=True)
@pytest.mark.parametrize("compiled", [False, True])
def test_the_program_as_one_file(xenstored, connect_to, tmp_path, compiled):
    path = build.build("ovm-gateway", tmp_path, sys.executable, [sys.executable] if compiled else [])[0]
    with Gateway(xenstored, command=[str(path)]) as gateway:
        client = connect_to(gateway)
        assert client.get("//").status_code == client.get("//style.css").status_code == 200
        assert client.read("/Manager") and gateway.stop() == 0
