# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin: where it gets its options, and what it says where it cannot work."""

import os
import socket

import pytest

from ansible_collections.ovm.messaging.tests.integration.manager_plugins.conftest import SECRET
from lab import faults as actions


@pytest.fixture
def web1(make_guest):
    return make_guest("web1")


def test_options_are_written_as_templates_encrypted_or_elsewhere(ansible, web1, gateway):
    """Of each kind, one at a time; all are needed to log in."""
    plain = {"host": gateway.host, "port": gateway.port, "username": gateway.username, "ca_path": gateway.ca}
    ansible.environment = {}
    secret = ansible.folder / "secret"
    secret.write_text(gateway.password)
    (ansible.folder / "vault").write_text("a passphrase")
    template = {
        "password": "{{ lookup('ansible.builtin.file', '%s') }}" % secret,
        "port": "{{ %d + 0 }}" % gateway.port,
    }
    assert "web1" in ansible.inventory(**dict(plain, **template))[0]
    assert "web1" in ansible.inventory("-e", "ovm_messaging_password=" + gateway.password, **plain)[0]
    assert "web1" in ansible.inventory("-e", "pw=" + gateway.password, **plain, password="{{ pw }}")[0]
    settings = "".join("%s = %s\n" % pair for pair in plain.items())
    (ansible.folder / "ansible.cfg").write_text("[ovm_messaging]\n" + settings)
    here = {"OVM_PASSWORD": gateway.password, "ANSIBLE_CONFIG": str(ansible.folder / "ansible.cfg")}
    assert "web1" in ansible.inventory(environment=here)[0]
    encrypted = ansible.run(
        "ansible-vault", "encrypt_string", "--vault-password-file", "vault", "--name", "password", gateway.password
    )
    path = ansible.write(plain)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(encrypted)
    ansible.run("ansible-inventory", "-i", path, "--graph", "--vault-password-file", "vault")
    assert "web1" in ansible.output


def test_it_says_what_is_wrong_with_the_connection(ansible, web1, gateway, faults):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        said = ansible.refusal(port=nobody.getsockname()[1], retries=0)
    assert "cannot be reached (Connection refused): check host and port, and that the manager runs" in said
    said = ansible.refusal("-vvvv", password=SECRET)
    assert "does not let the user 'admin' in" in said and "check user and password" in said and SECRET not in said
    assert gateway.password not in said
    said = ansible.refusal(port=faults.port)
    assert "the certificate of the manager at %s:%d cannot be trusted" % (faults.host, faults.port) in said
    assert "the CA file /nowhere does not exist" in ansible.refusal(ca_path="/nowhere")
    faults.add(actions.status(500), "GET", "/Vm$")
    assert "GEN_000000" in ansible.refusal(port=faults.port, ca_path=faults.ca, retries=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"hots": "x", "stats": []},
            "there is no option 'hots', 'stats': see ansible-doc -t inventory ovm.messaging.ovm",
        ),
        ({"networks": ["192.0.2.0/33"]}, "'192.0.2.0/33' is no network: write it as 192.0.2.0/24 or 2001:db8::/32"),
        ({"transport": "smoke"}, "smoke"),
        ({"concurrency": 0}, "concurrency is 0: give 1 to 100"),
        ({"timeout": "nan"}, "timeout is nan: give 0.001 to 864000 seconds"),
        ({"ready_timeout": -1}, "ready_timeout is -1: give 0 to 864000 seconds"),
        ({"host": ""}, "it is not known where the manager is: give host, or set OVM_HOST in the environment"),
        ({"password": "{{ nothing_of_this_name }}"}, "nothing_of_this_name"),
        ({"dialect": {"x": "y"}}, "there is no option 'x' of the dialect"),
        ({"messages": "some"}, "some"),
        ({"transport": "xenstore", "xenstore_path": "/nowhere"}, "XenStore at /nowhere cannot be opened"),
    ],
)
def test_it_says_what_is_wrong_with_the_options(ansible, options, says):
    assert says in ansible.refusal(**options)


def test_the_missing_library_is_named(ansible):
    (ansible.folder / "requests.py").write_text("raise ImportError('broken')")
    path = os.pathsep.join([str(ansible.folder), os.environ.get("PYTHONPATH", "")])
    said = ansible.refusal(environment={"PYTHONPATH": path})
    assert "Failed to import the required Python library (requests)" in said and "Traceback" not in said


def test_only_files_of_its_own_are_read(ansible, web1):
    failing = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"}
    other = ansible.write({}, "other.yml")
    ansible.run("ansible-inventory", "-i", other, "--list", environment=failing, fails=True)
    assert "could not be verified by inventory plugin" in " ".join((ansible.output + ansible.errors).split())
    for name in ("ovm.yaml", "our.ovm.yml"):
        assert "web1" in ansible.run("ansible-inventory", "-i", ansible.write({}, name), "--graph", environment=failing)
