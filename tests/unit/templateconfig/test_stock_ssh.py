# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script ssh, with OpenSSH's own ssh-keygen. systemctl is a stand-in, see tools.py."""

import os
import subprocess

import pytest

from lab import parts
from templateconfig.stock import machine as stock_machine
from templateconfig.stock import ssh as script
from templateconfig.stock.machine import Failed
from templateconfig.stock.parameters import PREFIX

COMMAND, ENVIRONMENT = parts.ssh_keygen()
#: Seconds after which ssh-keygen counts as hanging.
PATIENCE = 60


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys: name -> (private, public)."""
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for name, options in {
        "rsa": ["-t", "rsa", "-b", "1024", "-m", "PEM"],
        "rsa2": ["-t", "rsa", "-b", "1024"],
        "ecdsa": ["-t", "ecdsa"],
        "ed25519": ["-t", "ed25519"],
        "locked": ["-t", "ed25519"],
    }.items():
        passphrase = "secret" if name == "locked" else ""
        command = [*COMMAND, "-q", *options, "-N", passphrase, "-C", name + "@test", "-f", folder / name]
        subprocess.run(command, env=ENVIRONMENT, check=True, timeout=PATIENCE)
        found[name] = (folder / name).read_text(), (folder / (name + ".pub")).read_text()
    return found


@pytest.fixture
def host(system, monkeypatch):
    """A system with OpenSSH and its keys."""
    (system.bin / "ssh-keygen").symlink_to(COMMAND[0])
    if "LD_LIBRARY_PATH" in ENVIRONMENT:
        monkeypatch.setenv("LD_LIBRARY_PATH", ENVIRONMENT["LD_LIBRARY_PATH"])
    system.write({"etc/ssh/sshd_config": "", "etc/ssh/ssh_host_ed25519_key": "old", "root/.bashrc": ""})
    system.write({"home/oracle/.bashrc": ""})
    return system


def mode(system, name):
    return (system.root / name).stat().st_mode & 0o777


def blob(public):
    return public.split()[:2]


# --- keys of the host -------------------------------------------------------------------


def test_nothing_is_asked_for(host):
    assert host.run(script.configure) == []


@pytest.mark.parametrize("name", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("whose", ["host-key", "host-%s-key"])
@pytest.mark.parametrize("with_public", [True, False])
def test_a_host_key(host, keys, name, whose, with_public):
    private, public = keys[name]
    parameter = "ssh." + (whose % name if "%" in whose else whose)
    given = {parameter: private.strip().replace("\n", "\r\n")}
    if with_public:
        given[parameter + "-pub"] = public
    file = f"etc/ssh/ssh_host_{name}_key"
    assert host.run(script.configure, given) == [f"write /{file}", f"write /{file}.pub"]
    assert host.read(file) == private
    assert mode(host, file) == 0o600
    if with_public:
        assert host.read(file + ".pub") == public
    assert blob(host.read(file + ".pub")) == blob(public)
    assert mode(host, file + ".pub") == 0o644


def test_several_host_keys(host, keys):
    given = {"ssh.host-key": keys["rsa"][0], "ssh.host-rsa-key": keys["rsa"][0], "ssh.host-ecdsa-key": keys["ecdsa"][0]}
    assert len(host.run(script.configure, given)) == 4


@pytest.mark.parametrize("service", ["sshd", "ssh"])
def test_a_running_sshd_takes_a_new_key(host, keys, service):
    host.boot()
    host.service(service, enabled=True, active=True)
    changes = host.run(script.reconfigure, {"ssh.host-key": keys["ed25519"][0]}, live=True)
    assert changes[-1] == "reload " + service


@pytest.mark.parametrize("old", [{}, {"etc/ssh/ssh_host_rsa_key": ""}])
def test_a_system_without_host_keys_gets_some(host, old):
    (host.root / "etc/ssh/ssh_host_ed25519_key").unlink()
    host.write(old)
    assert host.run(script.configure) == ["make ssh host keys"]
    assert "PRIVATE KEY" in host.read("etc/ssh/ssh_host_ed25519_key")
    assert mode(host, "etc/ssh/ssh_host_ed25519_key") == 0o600


def test_a_given_key_is_all_that_is_needed(host, keys):
    (host.root / "etc/ssh/ssh_host_ed25519_key").unlink()
    host.run(script.configure, {"ssh.host-rsa-key": keys["rsa"][0]})
    assert [path.name for path in (host.root / "etc/ssh").glob("*_key")] == ["ssh_host_rsa_key"]


def test_a_system_without_sshd_needs_no_key(host):
    (host.root / "etc/ssh/ssh_host_ed25519_key").unlink()
    (host.root / "etc/ssh/sshd_config").unlink()
    assert host.run(script.configure) == []


@pytest.mark.parametrize(
    "given, why",
    [
        ({"ssh.host-key": "no key"}, "ssh.host-key is no private key"),
        ({"ssh.host-key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"}, "ssh.host-key is no private key"),
        ({"ssh.host-key": "{locked}"}, "ssh.host-key is no private key"),
        ({"ssh.host-key": "{ed25519 public}"}, "ssh.host-key is no private key"),
        ({"ssh.host-key": "{ed25519}\0"}, "ssh.host-key has a control character"),
        ({"ssh.host-rsa-key": "{ed25519}"}, "ssh.host-rsa-key is a key of type ed25519, and must be of type rsa"),
        ({"ssh.host-dsa-key": "{rsa}"}, "ssh.host-dsa-key is a key of type rsa, and must be of type dsa"),
        ({"ssh.host-key-pub": "{rsa public}"}, "ssh.host-key-pub is given without com.oracle.linux.ssh.host-key"),
        ({"ssh.host-key": "{rsa}", "ssh.host-key-pub": "{rsa2 public}"}, "is not the public half"),
        ({"ssh.host-key": "{rsa}", "ssh.host-key-pub": "junk"}, "is not the public half"),
        ({"ssh.host-key": "{rsa}", "ssh.host-rsa-key": "{rsa2}"}, "are different keys of one type, rsa"),
        ({"ssh.user": "nobody2"}, "ssh.user is 'nobody2', and this system has no such user"),
        ({"ssh.user": "daemon", "ssh.authorized-keys": "{rsa public}"}, "", ),
        ({"ssh.authorized-keys": "ssh-rsa AAAA"}, "ssh.authorized-keys has a line without a public key"),
        ({"ssh.authorized-keys": "{rsa public}\nssh-rsa x@y"}, "ssh.authorized-keys has a line without a public key"),
        ({"ssh.known-hosts": "db1.example.com"}, "ssh.known-hosts has a line without a public key"),
        ({"ssh.private-key": "junk"}, "ssh.private-key is no private key"),
        ({"ssh.private-key": "junk", "ssh.private-key-type": "rsa"}, "ssh.private-key is no private key"),
        ({"ssh.private-key": "{locked}"}, "if it has a passphrase, give com.oracle.linux.ssh.private-key-type"),
        ({"ssh.private-key": "{rsa}", "ssh.private-key-type": "ecdsa"}, "is a key of type rsa, not ecdsa"),
        ({"ssh.private-key": "{rsa}", "ssh.private-key-type": "x"}, "use one of rsa, dsa, ecdsa, ed25519"),
    ],
)  # fmt: skip
def test_refused(host, keys, given, why):
    names = {}
    for name, (private, public) in keys.items():
        names["{%s}" % name], names["{%s public}" % name] = private, public
    # With one that would do, so that it is seen that nothing is done by halves.
    values = {"ssh.host-ed25519-key": keys["ed25519"][0]}
    for key, value in given.items():
        for name, text in names.items():
            value = value.replace(name, text)
        values[key] = value
    host.write({"etc/passwd": host.read("etc/passwd").replace("/:/sbin", "/gone:/sbin")})
    said = host.refused(script.configure, values)
    assert (why or "whose home directory /gone is not there") in said
    assert "\n" not in said
    assert not any(word in said for value in given.values() for word in value.split() if len(word) > 20)


def test_no_ssh_keygen(host, keys):
    (host.bin / "ssh-keygen").unlink()
    assert "install OpenSSH" in host.refused(script.configure, {"ssh.host-key": keys["rsa"][0]})


def test_keys_are_not_in_a_repr(keys):
    key = script._Key("rsa", keys["rsa"][0], keys["rsa"][1], "x")
    assert "PRIVATE" not in repr(key) + str(key)


# --- keys of a user ---------------------------------------------------------------------


@pytest.fixture
def oracle(host):
    """Its user oracle is whoever runs the tests; else files could not be his."""
    line = f"oracle:x:{os.geteuid()}:{os.getegid()}::/home/oracle:/bin/bash\n"
    text = "".join(line for line in host.read("etc/passwd").splitlines(True) if not line.startswith("oracle"))
    host.write({"etc/passwd": text + line})
    return host


@pytest.mark.parametrize("user, home", [(None, "root"), ("root", "root"), ("oracle", "home/oracle")])
def test_authorized_keys(oracle, keys, user, home):
    given = {"ssh.authorized-keys": "# mine\n\n" + keys["rsa"][1] + keys["ecdsa"][1]}
    if user:
        given["ssh.user"] = user
    assert oracle.run(script.configure, given) == [f"make /{home}/.ssh", f"write /{home}/.ssh/authorized_keys"]
    assert oracle.read(home + "/.ssh/authorized_keys") == keys["rsa"][1] + keys["ecdsa"][1]
    assert (mode(oracle, home + "/.ssh"), mode(oracle, home + "/.ssh/authorized_keys")) == (0o700, 0o600)


def test_keys_that_are_there_stay(host, keys):
    old = "# by hand\n" + keys["rsa"][1] + keys["ecdsa"][1].strip()
    host.write({"root/.ssh/authorized_keys": old})
    (host.root / "root/.ssh").chmod(0o755)
    restricted = 'from="192.0.2.0/24",command="echo ssh-rsa" ' + keys["rsa"][1]
    given = {"ssh.authorized-keys": keys["ed25519"][1] + restricted}
    assert host.run(script.configure, given) == ["set owner and mode of /root/.ssh", "write /root/.ssh/authorized_keys"]
    # The same key, as it is given now.
    wanted = "# by hand\n" + restricted + keys["ecdsa"][1] + keys["ed25519"][1]
    assert host.read("root/.ssh/authorized_keys") == wanted


def test_a_key_that_is_there_twice(host, keys):
    host.write({"root/.ssh/authorized_keys": keys["rsa"][1] + keys["ecdsa"][1] + "restrict " + keys["rsa"][1]})
    host.run(script.configure, {"ssh.authorized-keys": keys["rsa"][1]})
    assert host.read("root/.ssh/authorized_keys") == keys["rsa"][1] + keys["ecdsa"][1]


def test_known_hosts(host, keys):
    line = "db1,192.0.2.1 " + keys["ed25519"][1]
    host.write({"root/.ssh/known_hosts": "old"})
    (host.root / "root/.ssh").chmod(0o700)
    assert host.run(script.configure, {"ssh.known-hosts": "@cert-authority *.x " + keys["rsa"][1] + line + line}) == [
        "write /root/.ssh/known_hosts"
    ]
    assert host.read("root/.ssh/known_hosts") == "old\n@cert-authority *.x " + keys["rsa"][1] + line


def test_a_private_key(host, keys):
    given = {"ssh.private-key": keys["rsa"][0], "ssh.private-key-type": "RSA"}
    assert host.run(script.configure, given) == [
        "make /root/.ssh", "write /root/.ssh/id_rsa", "write /root/.ssh/id_rsa.pub",
    ]  # fmt: skip
    assert host.read("root/.ssh/id_rsa") == keys["rsa"][0]
    assert mode(host, "root/.ssh/id_rsa") == 0o600
    assert blob(host.read("root/.ssh/id_rsa.pub")) == blob(keys["rsa"][1])


def test_a_private_key_with_a_passphrase(host, keys):
    host.write({"root/.ssh/id_ed25519.pub": "another's"})
    given = {"ssh.private-key": keys["locked"][0], "ssh.private-key-type": "ed25519"}
    host.run(script.configure, given)
    assert host.read("root/.ssh/id_ed25519") == keys["locked"][0]
    assert not (host.root / "root/.ssh/id_ed25519.pub").exists()


def test_a_user_of_the_same_run_is_foretold(oracle, keys):
    given = {"user.name.0": "dba", "ssh.user": "dba", "ssh.authorized-keys": keys["rsa"][1]}
    machine = oracle.machine(check=True)
    script.configure(machine, {PREFIX + key: value for key, value in given.items()})
    assert machine.changes == ["make /home/dba/.ssh", "write /home/dba/.ssh/authorized_keys"]
    assert "no such user" in oracle.refused(script.configure, given)


@pytest.mark.parametrize("failing", [False, True])
def test_a_user_s_files_are_touched_as_that_user(host, keys, monkeypatch, failing):
    """The kernel's part in it is a stand-in here: an ordinary user cannot become another."""
    state, seen = dict(euid=0, egid=0, groups=[0, 4]), []
    monkeypatch.setattr(os, "geteuid", lambda: state["euid"])
    monkeypatch.setattr(os, "getegid", lambda: state["egid"])
    monkeypatch.setattr(os, "getgroups", lambda: state["groups"])
    for name, member in ("seteuid", "euid"), ("setegid", "egid"), ("setgroups", "groups"):
        monkeypatch.setattr(os, name, lambda value, member=member: state.update({member: value}))

    def configure_user(*_arguments):
        seen.append(dict(state))
        if failing:
            raise Failed("no room")

    monkeypatch.setattr(script, "_configure_user", configure_user)
    given = {PREFIX + "ssh.user": "oracle", PREFIX + "ssh.authorized-keys": keys["rsa"][1]}
    try:
        script.configure(host.machine(), given)
    except Failed:
        assert failing
    assert seen == [dict(euid=1000, egid=1000, groups=[1000])]
    assert state == dict(euid=0, egid=0, groups=[0, 4])


# --- cleanup ----------------------------------------------------------------------------


def test_cleanup(host, keys):
    host.run(script.configure, {"ssh.host-key": keys["rsa"][0], "ssh.authorized-keys": keys["rsa"][1]})
    host.write({"etc/ssh/ssh_host_key": "x", "etc/ssh/ssh_host_key.pub": "x", "home/oracle/.ssh/authorized_keys": "x"})
    host.run(script.cleanup)
    assert sorted(path.name for path in (host.root / "etc/ssh").iterdir()) == ["sshd_config"]
    assert not (host.root / "root/.ssh").exists()
    assert host.read("home/oracle/.ssh/authorized_keys") == "x"
    assert host.run(script.configure) == ["make ssh host keys"]


def test_cleanup_where_root_lives_elsewhere(host):
    host.write({"etc/passwd": "root:x:0:0::/var/root:/bin/sh\n", "var/root/.ssh/known_hosts": "x"})
    assert host.run(script.cleanup)[-1] == "remove /var/root/.ssh"


# --- the script -------------------------------------------------------------------------


def test_described():
    described = {one["key"][len(PREFIX) :]: one for one in script.DESCRIBED["configure"]}
    for name in "host-key", "host-rsa-key", "host-dsa-key", "private-key":
        assert described["ssh." + name]["password"]
    assert described["ssh.host-rsa-key-pub"]["requires"] == [PREFIX + "ssh.host-rsa-key"]
    assert stock_machine.script(script)[1].keys() == {"configure", "reconfigure", "cleanup"}
