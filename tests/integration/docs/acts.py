# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in the worlds of several pages, and how blocks that are no commands are checked."""

import configparser
import json
import os
import shlex
import shutil
import sys

import trustme
import yaml

from .world import ROOT


def sends(name, **parameters):
    """The host sends messages to a guest; keys are written with ``__`` for a dot."""

    def act(world):
        for key, value in parameters.items():
            arguments = ["-v", name, "-k", key.replace("__", "."), "-V", value]
            world.run("controller", "ovm_vmmessage --quiet " + " ".join(map(shlex.quote, arguments)))

    return act


def does(place, commands):
    """A machine does something."""
    return lambda world: world.run(place, commands)


def answers(name, key, answer):
    """A guest's own program waits for a key, and sets ``KEY=VALUE`` then."""
    return lambda world: world.answer(name, key, answer)


def one_after_the_other(*acts):
    """Several of these."""

    def act(world):
        for each in acts:
            each(world)

    return act


def is_json(_world, block):
    """It is one JSON document."""
    json.loads(block.text)


def variables_of(role):
    """It sets variables that a role has, to values that it takes."""

    def check(world, block):
        given = yaml.safe_load(block.text)
        spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        options = spec["argument_specs"]["main"]["options"]
        assert set(given) <= set(options), "the role %s has no %s" % (role, ", ".join(set(given) - set(options)))
        task = {
            "ansible.builtin.validate_argument_spec": {
                "argument_spec": {name: options[name] for name in given},
                "provided_arguments": {name: "{{ %s }}" % name for name in given},
            }
        }
        play = [{"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [task]}]
        world.write("variables-%d.yml" % block.line, yaml.safe_dump(play))
        world.run("controller", "ansible-playbook variables-%d.yml" % block.line)

    return check


def parameters_of(*scripts):
    """It has parameters that stock scripts know, with values that their descriptions allow."""

    def check(world, block):
        given = {key: str(value) for key, value in yaml.safe_load(block.text).items()}
        for script in scripts:
            world.run(world.story.root, "ovm-chkconfig --add " + script)
        listed = json.loads(world.run(world.story.root, "ovm-template-config --enumerate configure"))
        known = {parameter["key"] for _priority, _name, parameters in listed for parameter in parameters}
        numbered = {key.rstrip("0123456789") + "0" if key[-1].isdigit() else key for key in given}
        assert numbered <= known, "no script has %s" % ", ".join(sorted(numbered - known))

    return check


def configuration_of_the_gateway(world, block):
    """The gateway takes its settings; the files that it names are made before."""
    parser = configparser.ConfigParser()
    parser.read_string(world.real(block.text))
    assert parser.sections()
    issued = trustme.CA().issue_cert("localhost")
    for section in parser.values():
        for name in set(section) & {"certificate", "key"}:
            os.makedirs(os.path.dirname(section[name]), exist_ok=True)
            (issued.cert_chain_pems[0] if name == "certificate" else issued.private_key_pem).write_to_path(
                section[name]
            )
    path = world.write("/etc/ovm-gateway/checked.conf", block.text)
    world.run("dom0", "ovm-gateway check --config " + shlex.quote(str(path)))


def puts_motd(world):
    """The script of the guide to writing scripts is installed."""
    page = (ROOT / "docs/guides/writing-scripts.md").read_text(encoding="utf-8")
    text = page.split("```python\n", 1)[1].split("```", 1)[0]
    world.write("/etc/template.d/scripts/motd", text.replace("/usr/bin/python3", sys.executable, 1), 0o755)
    world.run(world.story.root, "ovm-chkconfig --add motd; ovm-chkconfig --add datetime")


def like_the_report(name, guest="web1"):
    """It has the members that this guest's own report has."""

    def check(world, block):
        world.heard(guest, name)
        arguments = "-v %s --quiet -q %s" % (guest, shlex.quote(name))
        sent = json.loads(world.run("controller", "ovm_vmmessage " + arguments))
        shown = json.loads(block.text)
        assert set(shown) == set(sent), "%s has %s" % (name, ", ".join(sorted(sent)))

    return check


def trusts(name):
    """The reader has the manager's certificate as this file."""
    return lambda world: shutil.copy(world.gateway.ca, world.folder / name)


def boots_first(name, *scripts):
    """A clone boots for the first time: it waits for the parameters of these scripts."""

    def act(world):
        world.write(
            "/etc/sysconfig/ovm-template-initial-config", 'INITIAL_CONFIG=yes\nINITIAL_CONFIG_SOURCES="messages"\n'
        )
        world.run(name, "for name in %s; do ovm-chkconfig --add $name; done" % " ".join(scripts))
        world.background(name, "ovm-template-config --initial-config")

    return act


def runs_a_gateway(world):
    """The Xen host has a gateway's settings; ``ovm-gateway`` finds them without being told."""
    lines = ["[server]", "address = 127.0.0.1", "port = 0", "directory = /var/lib/ovm-gateway"]
    lines += ["users = /etc/ovm-gateway/users", ""]
    world.write("/etc/ovm-gateway/ovm-gateway.conf", "\n".join(lines))
