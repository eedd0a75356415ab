# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The virtual machines of a manager as hosts."""

DOCUMENTATION = r"""
name: ovm
short_description: Virtual machines of Oracle VM Manager, ovm-gateway or a Xen host
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Takes the virtual machines from an Oracle VM Manager, from C(ovm-gateway), or on a Xen host from XenStore itself.
  - The address that a guest reports becomes C(ansible_host), its messages become variables.
  - The file's name has to end in C(ovm.yml) or C(ovm.yaml).
  - Text from guests is never taken for a template. Secrets are neither read into variables nor cached.
  - Nothing is sent, and nothing is taken out of XenStore.
options:
  plugin:
    description:
      - The name of this plugin, so that Ansible knows whose file it is.
    type: str
    required: true
    choices: [ovm.messaging.ovm]
  states:
    description:
      - The states of the machines that become hosts, as the manager calls them. V(all) stands for every state.
      - There are C(TEMPLATE), C(STARTING), C(RUNNING), C(STOPPING), C(STOPPED) and C(SUSPENDED).
    type: list
    elements: str
    default: [RUNNING]
  include:
    description:
      - Only machines of these names. Shell patterns such as V(web*) will do, and so do ids.
      - By default all.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - No machines of these names. Shell patterns such as V(*-template) will do, and so do ids.
    type: list
    elements: str
    default: []
  filters:
    description:
      - Jinja2 conditions on the variables of a host. Only machines of which all are true become hosts.
      - A condition that cannot be evaluated, such as one about a message that a guest has not sent, is not true, or
        with O(strict=true) an error.
    type: list
    elements: str
    default: []
  messages:
    description:
      - Which messages to read. For each direction that is one request to the manager for each machine.
      - V(received) is what guests have sent, with their reports. V(both) adds what was sent to them and logged.
      - With V(none), variables about messages and reports are missing. Addresses are still known with
        O(transport=rest).
    type: str
    choices: [none, received, both]
    default: received
  hostnames:
    description:
      - Jinja2 expressions on the variables of a host. The first one that gives a text that is not empty is the host's
        name. By default, that is the machine's name.
      - Characters other than letters, digits and C(_.@+-) become C(_).
      - Where several machines would have the same name, the id of each is appended. So it is where a name would mean
        the controller, such as V(localhost), or a group that is always there.
      - A guest that may choose its name can also choose that of a host in another inventory.
    type: list
    elements: str
    default: []
  hostvars_prefix:
    description:
      - What the names of all variables start with.
    type: str
    default: ovm_
  set_ansible_host:
    description:
      - Whether to set C(ansible_host) to an address that the guest reports. Without such an address it is not set.
    type: bool
    default: true
  address_families:
    description:
      - Which addresses to use, in order of preference.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4, ipv6]
  networks:
    description:
      - Use only addresses of these networks, such as V(192.0.2.0/24), in order of preference. By default any.
      - Guests can report any address. With this, no other machine than one of these networks is ever connected to.
      - An address that several machines claim is never used.
    type: list
    elements: str
  interfaces:
    description:
      - Use only addresses of interfaces with these names, in order of preference. Shell patterns such as V(eth*) will
        do. By default any.
    type: list
    elements: str
extends_documentation_fragment:
  - ovm.messaging.manager.connection
  - ovm.messaging.manager.plugins
  - constructed
  - inventory_cache
notes:
  - The options that say where the manager is and who logs in may be templates, as in
    C({{ lookup('ansible.builtin.file', '/run/secrets/ovm') }}), or encrypted with ansible-vault.
  - Each host has the variables C(ovm_id), C(ovm_name), C(ovm_state), C(ovm_interfaces), a list of dicts of C(name),
    C(mac) and C(addresses), and C(ovm_addresses), a list.
  - Unless O(messages=none), it has C(ovm_received), C(ovm_binary_received) and C(ovm_times), dicts of the last messages
    by key, C(ovm_masked), the keys of secrets, which are in none of them, and C(ovm_report) with C(present), C(boot)
    and C(configuration). With O(messages=both), also C(ovm_sent), C(ovm_binary_sent) and C(ovm_sent_times).
  - These are what RV(ovm.messaging.ovm_vm_message_info#module:vms) has.
  - Of names of groups, all but letters, digits and underscores becomes underscores. A guest chooses the groups that
    O(keyed_groups) makes of its messages, so give them a C(prefix) that no other groups have.
seealso:
  - plugin: ovm.messaging.vm_message
    plugin_type: lookup
  - module: ovm.messaging.ovm_vm_message_info
"""

EXAMPLES = r"""
---
# Save it as ovm.yml, and see what there is: ansible-inventory -i ovm.yml --graph
# OVM_PASSWORD in the environment has the password.
plugin: ovm.messaging.ovm
host: manager.example.com
username: admin
ca_path: /etc/ssl/manager.pem
---
# Groups and variables from what guests have sent, only machines that are configured, only their management network.
plugin: ovm.messaging.ovm
host: manager.example.com
username: admin
password: "{{ lookup('ansible.builtin.file', '/run/secrets/ovm') }}"
ca_path: /etc/ssl/manager.pem
exclude: ["*-template"]
filters:
  - ovm_report.configuration.state == 'done'
networks: [192.0.2.0/24]
keyed_groups:
  - key: ovm_received['app.role']
    prefix: role
groups:
  degraded: ovm_received['app.state'] | default('ready') != 'ready'
compose:
  app_port: ovm_received['app.port'] | int
---
# Ask the manager once an hour, and keep what it says in files.
plugin: ovm.messaging.ovm
host: manager.example.com
username: admin
ca_path: /etc/ssl/manager.pem
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/cache/ansible/ovm
cache_timeout: 3600
---
# On a Xen host itself, as root, without any manager.
plugin: ovm.messaging.ovm
transport: xenstore
"""

import hashlib
import json

from ansible.errors import AnsibleParserError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.ovm.messaging.plugins.module_utils.inventory import census, hosts
from ansible_collections.ovm.messaging.plugins.module_utils.inventory.addresses import Choice
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem, one_line
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.plugins.plugin_utils import manager

# What the cached answer depends on. No secret must be among these.
_CACHED_FOR = ("transport", "host", "port", "username", "dialect", "xenstore_path", "state_dir")
_QUERY = ("states", "include", "exclude", "messages")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads one file of this plugin's."""

    NAME = "ovm.messaging.ovm"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("ovm.yml", "ovm.yaml"))

    def set_options(self, task_keys=None, var_options=None, direct=None):
        """Fill in the templates of the options that say where the manager is and who logs in."""
        if direct:
            self.templar.available_variables = self._vars
            direct = dict(direct)
            for name in manager.CONNECTION:
                if name in direct:
                    direct[name] = manager.rendered(self.templar, direct[name])
        super().set_options(task_keys, var_options, direct)

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        unknown = sorted(str(name) for name in set(config) - set(self.option_definitions))
        if unknown:
            raise AnsibleParserError(
                "there is no option '%s': see ansible-doc -t inventory %s" % ("', '".join(unknown), self.NAME)
            )
        try:
            self._populate(self._machines(path, cache))
        except Problem as problem:
            raise AnsibleParserError(manager.explain(problem)) from None

    def _machines(self, path, cache):
        """The census, from the cache if that has one for the same question."""
        query = {name: self.get_option(name) for name in _QUERY}
        question = [VERSION, query, {name: self.get_option(name) for name in _CACHED_FOR}]
        mark = hashlib.sha256(json.dumps(question, sort_keys=True).encode("ascii")).hexdigest()
        key, cached = self.get_cache_key(path), self.get_option("cache")
        if cached and cache:
            try:
                kept = self._cache[key]
            except KeyError:
                kept = None
            if isinstance(kept, dict) and kept.get("question") == mark:
                return json.loads(kept["machines"])
        with manager.connect(self.get_option) as carrier:
            machines = census.take(carrier, census.Query(concurrency=self.get_option("concurrency"), **query))
        if cached:
            # As one text: to a cache, some keys that a guest may send have a meaning.
            self._cache[key] = {"question": mark, "machines": json.dumps(machines)}
        return machines

    def _populate(self, machines):
        """Make hosts of machines."""
        prefix = self.get_option("hostvars_prefix")
        if not hosts.good_prefix(prefix):
            raise manager.BadOptions(
                "no variable's name can start with '%s'" % prefix, "use letters, digits and underscores"
            )
        choice = Choice(self.get_option("address_families"), self.get_option("networks"), self.get_option("interfaces"))
        found = {}
        for facts in machines:
            variables = manager.untrusted(hosts.variables(facts, prefix))
            if self.get_option("set_ansible_host"):
                variables.update(self._address(facts, choice))
            if self._wanted(facts, variables):
                found[facts["id"]] = variables
        wanted = [(facts["id"], self._name(facts, found[facts["id"]])) for facts in machines if facts["id"] in found]
        names, ambiguous = hosts.unique_names(wanted)
        if ambiguous:
            self.display.warning(
                "these names of hosts are taken or have a meaning of their own, so ids were appended to them: %s"
                % ", ".join(ambiguous)
            )
        for identity, variables in found.items():
            self._add(names[identity], variables)

    def _address(self, facts, choice):
        """The variable with the address to connect to, if there is one."""
        address = choice.best(facts["interfaces"], facts["shared"])
        if address:
            return {"ansible_host": address}
        claimed = choice.best(facts["interfaces"])
        if claimed:
            self.display.warning(
                "'%s' has no ansible_host: other machines claim its address %s, too"
                % (one_line(facts["name"]), claimed)
            )
        return {}

    def _wanted(self, facts, variables):
        """Whether all conditions are true of a machine."""
        return all(self._true(condition, facts, variables) for condition in self.get_option("filters"))

    def _true(self, condition, facts, variables):
        try:
            return boolean(self._compose(condition, variables))
        except Exception as problem:
            if self.get_option("strict"):
                raise AnsibleParserError(
                    "the filter '%s' cannot be evaluated for '%s': %s"
                    % (condition, one_line(facts["name"]), one_line(str(problem)))
                ) from None
            return False

    def _name(self, facts, variables):
        """The name that a machine is to have as a host."""
        for expression in self.get_option("hostnames"):
            try:
                name = self._compose(expression, variables)
            except Exception as problem:
                if self.get_option("strict"):
                    raise AnsibleParserError(
                        "the name '%s' cannot be evaluated for '%s': %s"
                        % (expression, one_line(facts["name"]), one_line(str(problem)))
                    ) from None
                continue
            if isinstance(name, str) and name:
                return hosts.safe_name(name)
        return hosts.safe_name(facts["name"]) or facts["id"]

    def _add(self, host, variables):
        """Add a host, with its variables and groups."""
        self.inventory.add_host(host)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
