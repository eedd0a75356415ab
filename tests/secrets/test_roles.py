# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that provisions guests, roles that get passwords, and the module that runs scripts in a guest.

Roles work below a folder: their own variables, which others have no business with, are set from outside.
"""

import json
import sys
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList
from tests.secrets import boots as booting
from tests.secrets.boots import DONE, FAILED, PIN, ROOT_PASSWORD, USER
from tests.secrets.watch import PATIENCE

#: Stands for the Python of the gateway's virtual environment, and has the program work below a folder.
PYTHON = """#!/bin/sh
case "$*" in *--config*) ;; *ovm-gateway*) set -- "$@" --config {place}/etc/ovm-gateway.conf ;; esac
exec {python} "$@"
"""
#: Knows of each unit that it is there and enabled.
SYSTEMCTL = """#!/bin/sh
[ "$1" = is-enabled ] && echo enabled || printf '%s\\n' LoadState=loaded ActiveState=inactive UnitFileState=enabled
"""


def test_provision_guest(watch, gateway, boots, guest):
    names = {"pin": PIN, "user": USER + "password.0"}
    values = {name: watch.secret(name) for name in (*names, "root")}
    given = watch.given(watch.place / "web1.json")
    given.touch(0o600)
    variables = dict(
        provision_vm=guest.name,
        provision_parameters={USER + "name.0": "alice", "com.example.password": values["pin"]},
        provision_secret_parameters={key: values[name] for name, key in names.items()},
        provision_root_password=values["root"],
        provision_timeout=PATIENCE,
    )
    given.write_text(json.dumps(variables))
    environment = watch.environment(**gateway.environment())

    def provision(path, *words, wanted=(0,)):
        command = ["ansible-playbook", "-vvvv", "--diff", "-e", "@" + str(given), *words]
        return watch.run(path, [*command, "ovm.messaging.provision_guest"], environment, wanted=wanted).said

    boots.talking("fail")
    boot = boots.start("first boot, provisioned, a script fails")
    provision("provision_guest, check", "--check")
    said = provision("provision_guest, a script fails", wanted=(2,))
    boot.end(FAILED)
    assert "what is wrong is ********" in said, said[-4000:]
    boots.talking("good")
    boot = boots.start("first boot, provisioned")
    said = provision("provision_guest, first", "-e", "provision_again=true")
    boot.end(DONE)
    said = provision("provision_guest, again")
    assert "changed=0" in said and boots.was_set()[-2:] == ["alice", "root"], said
    bad = [
        ("no such machine", {"provision_vm": "none"}),
        ("parameters of a bad kind", {"provision_secret_parameters": values["pin"]}),
        ("parameters in a list", {"provision_parameters": [values["pin"]]}),
        ("a value that is too long", {"provision_secret_parameters": {PIN: values["pin"] * 400}}),
        ("the time is over", {"provision_timeout": 0}),
        ("a wrong password", {"provision_manager": {"password": values["root"]}}),
    ]
    for what, more in bad:
        given.write_text(json.dumps({**variables, "provision_again": True, **more}))
        provision("provision_guest, " + what, wanted=(1, 2, 4))
    watch.shown("the gateway's log", gateway.said())


def test_the_module_that_runs_scripts(watch, in_guest, boots):
    module = "ovm.messaging.ovm_template_config"
    values = {name: watch.secret(name) for name in ("pin", "user", "root", "held")}
    program = boots.place / "ovm-template-config"
    boots.executable(program, '#!/bin/sh\nexec %s "$@"\n' % " ".join(booting.PROGRAM))
    in_guest.environment.update(
        {name: value for name, value in boots.environment.items() if name.startswith("OVM_TEMPLATE_")}
    )
    watch.run(
        "ovmd --set-secret for the module", [*booting.DAEMON, "--set-secret=" + PIN], boots.environment,
        given=values["held"].encode(),
    )  # fmt: skip
    options = {
        "target": "configure",
        "executable": str(program),
        "params": {USER + "name.0": "alice", USER + "password.0": "{{ user }}", ROOT_PASSWORD: "{{ root }}"},
        "secret_params": {PIN: "{{ pin }}"},
    }
    for what in ("good", "fail", "raise"):
        boots.talking(what)
        in_guest(
            "ovm_template_config, a script that is to %s" % what,
            {module: options},
            {module: dict(options, held=True, secret_params={"app.x": "{{ pin }}"})},
            variables=values,
            again=what != "raise",
        )
    bad = [
        {module: dict(options, params="{{ root }}")},
        {module: dict(options, secret_params=["{{ root }}"])},
        {module: dict(options, executable="/no/such/program")},
        {module: dict(options, script="none")},
        {module: dict(options, target="{{ 'none' }}")},
        {module: dict(options, template_dir="/no/scripts")},
        {module: dict(options, held=True, xenstore_path="/no/xenstore", state_dir="/proc/none")},
    ]
    ran = in_guest("ovm_template_config, failing", *bad, variables=values, again=False)
    assert ran.said.count("...ignoring") == len(bad), ran.said
    assert "alice" in boots.was_set() and "root" in boots.was_set()
    with ParameterList(str(boots.state)) as parameters:
        assert [entry.key.decode() for entry in parameters.entries()] == [PIN]


def a_key(watch):
    """A private key, as its user has it."""
    path = watch.given(watch.place / "key-of-the-user.pem")
    path.touch(0o600)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form))
    watch.private_key(path)
    return path.read_text()


def test_the_gateways_role(watch, plays):
    """All of it but the libraries and the service, which stand-ins stand for."""
    place = watch.place
    (place / "opt/venv/bin").mkdir(parents=True)
    (place / "bin").mkdir()
    for path, text in (
        (place / "opt/venv/bin/python3", PYTHON.format(place=place, python=sys.executable)),
        (place / "bin/systemctl", SYSTEMCTL),
    ):
        path.write_text(text)
        path.chmod(0o755)
    plays.environment["PATH"] = "%s:%s" % (place / "bin", watch.environment()["PATH"])
    values = {name: watch.secret(name, between="+/&<%") for name in ("first", "second", "third")}
    values["key"] = a_key(watch)
    state = {
        "ovm_gateway_path": str(place / "sbin/ovm-gateway"),
        "ovm_gateway_home": str(place / "opt"),
        "ovm_gateway_completions": False,
        "__ovm_gateway_found": {"systemd": "252", "python": "yes", "booted": "no"},
        "__ovm_gateway_installed": True,
        "__ovm_gateway_configuration": str(place / "etc"),
        "__ovm_gateway_directory": str(place / "state"),
        "__ovm_gateway_unit": str(place / "ovm-gateway.service"),
        "__ovm_venv_looked": {"rc": 0, "stdout_lines": ["libraries=yes", "index=no"]},
    }
    (place / "sbin").mkdir()

    def run(path, ends, *users, check=False, **more):
        # Those given from outside win over those of the task.
        options = {"vars": {"ovm_gateway_users": list(users)}}
        role = {"name": "ovm.messaging.ovm_gateway"}
        ran = plays.role("role ovm_gateway, " + path, role, {**state, **more, **values}, check, **options)
        assert ends is None or (ran.code == 0) is ends, (path, ran.said[-6000:])

    first = {"name": "first", "password": "{{ first }}"}
    second = {"name": "second", "password": "{{ second }}"}
    run("first", True, first, second)
    run("again", True, first, second, check=True)
    run("another password", True, dict(first, password="{{ third }}"), {"name": "second", "state": "absent"})
    certificate = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
    run("a key", None, first, ovm_gateway_tls_certificate=certificate, ovm_gateway_tls_key="{{ key }}")
    run("a key without its certificate", False, first, ovm_gateway_tls_key="{{ key }}")
    run("a user without a password", False, first, {"name": "second"})
    run("a bad name", None, dict(first, name="a:b"))
    run("a password that is a list", None, dict(first, state="gone", password=["{{ first }}"]))
    run("no program", False, first, ovm_gateway_path="/proc/none/ovm-gateway")
    assert (place / "etc/users").stat().st_mode & 0o077 == 0


def test_the_address_of_an_index(watch, plays):
    """The role that makes virtual environments, with a password in that address."""
    password = watch.secret("password of the index")
    values = {"index": "http://user:%s@127.0.0.1:1/simple" % urllib.parse.quote(password, safe="")}
    plays.environment["PIP_RETRIES"] = "0"
    home = watch.place / "opt"
    options = {
        "ovm_venv_program": "ovm-gateway",
        "ovm_venv_path": str(home / "venv"),
        "ovm_venv_python": sys.executable,
        "ovm_venv_package": "",
        "ovm_venv_index_url": "{{ index }}",
    }
    role = {"name": "ovm.messaging.ovm_venv"}
    ran = plays.role("role ovm_venv, an index with a password", role, values, vars=options)
    assert (home / "venv/pip.conf").stat().st_mode & 0o077 == 0 and ran.code == 2, ran.said
    # A folder besides it is one too many.
    more = dict(options, ovm_venv_wheelhouse=str(watch.place))
    assert plays.role("role ovm_venv, too many sources", role, values, vars=more).code == 2
