# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import shlex

import yaml

from tests.integration.docs.story import Story

_SECRETS = "/run/secrets/manager"


def lives(world):
    """Guests tell what the page shows of them."""
    told = {
        "web1": ["app.role=frontend", "app.state=ready", "app.password=not-a-secret-here"],
        "web2": ["app.role=frontend", "app.state=ready"],
        "db1": ["app.port=5432"],
    }
    told["web1"].append('ovmd.report.guest={"boot":"6f1c0b1e","version":"1.0.0"}')
    told["web1"].append('ovmd.report.configuration={"boot":"6f1c0b1e","state":"done","target":"configure"}')
    for number, (name, parameters) in enumerate(told.items(), 11):
        interface = {"name": "eth0", "mac": "00:16:3e:00:00:%d" % number, "addresses": ["192.0.2.%d/24" % number]}
        parameters.append("ovmd.report.addresses=" + json.dumps({"interfaces": [interface]}))
        world.run(name, "; ".join("ovmd -p " + shlex.quote(parameter) for parameter in parameters))
        world.heard(name, "ovmd.report.addresses")
    world.write(_SECRETS, world.gateway.password)


def gives(*hosts, **variables):
    """With the options of the block, and those of the page's first one, these are the hosts.

    :param variables: some that the first of them has.
    """

    def check(world, block):
        options = {"host": "localhost", "username": "admin", "ca_path": world.gateway.ca}
        options = dict(options if "transport" not in block.text else {}, **yaml.safe_load(world.real(block.text)))
        path = world.write("snippet-%d.ovm.yml" % block.line, yaml.safe_dump(options))
        place = "dom0" if "transport" in options else "controller"
        shown = "ANSIBLE_INVENTORY_UNPARSED_FAILED=true ansible-inventory -i %s --list --yaml" % shlex.quote(str(path))
        text = world.run(place, shown)
        found = _hosts(yaml.safe_load(text).get("all", {}))
        assert set(found) == set(hosts), text
        for name, value in variables.items():
            assert found[hosts[0]][name] == value, text

    return check


def _hosts(group):
    """All hosts of a group, with their variables."""
    found = {name: dict(variables or {}) for name, variables in group.get("hosts", {}).items()}
    for child in group.get("children", {}).values():
        for name, variables in _hosts(child or {}).items():
            found.setdefault(name, {}).update(variables)
    return found


_ALL = ("web1", "web2", "db1")
STORY = Story(
    guests=_ALL,
    daemons=False,
    environment=("OVM_PORT", "OVM_PASSWORD"),
    setup=lives,
    codes={"--host web1": 0},  # what it prints looks like errors of programs
    checked={
        'include: ["web*", "db*"]': gives(*_ALL),
        "state == 'done'": gives("web1"),
        "networks: [": gives(*_ALL, ansible_host="192.0.2.11"),
        "HostKeyAlias": gives(*_ALL),
        "prefix: meant": gives(*_ALL, app_port=80),
        "hostnames:": gives(*_ALL),
        "cache: true": gives(*_ALL),
        "run/secrets": gives(*_ALL),
        "transport: xenstore": gives(*_ALL),
    },
)
