# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last value of a message of a virtual machine."""

DOCUMENTATION = r"""
name: vm_message
short_description: Read the messages of a virtual machine
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Returns the last values of messages that the guest of a virtual machine has sent, or that were sent to it and
    logged.
  - Can wait until the guest has sent them.
  - Runs on the controller. Each lookup logs in to the manager, so read all keys of a machine with one lookup, or use
    M(ovm.messaging.ovm_vm_message_info) for many machines.
  - Nothing is sent, and nothing is taken out of XenStore.
options:
  _terms:
    description:
      - The keys of the messages.
    type: list
    elements: str
    required: true
  vm:
    description:
      - The virtual machine, by its name, its id, or its UUID with or without dashes.
      - Hosts of the inventory plugin P(ovm.messaging.ovm#inventory) know their own.
    type: str
    vars:
      - name: ovm_messaging_vm
      - name: ovm_id
  direction:
    description:
      - V(received) is what the guest has sent, V(sent) is what was sent to it and logged.
    type: str
    choices: [received, sent]
    default: received
  default:
    description:
      - What to return for a message that does not exist. Without this, that is an error.
    type: raw
  wait:
    description:
      - Wait until the guest has sent all keys.
    type: bool
    default: false
  pattern:
    description:
      - A Python regular expression that the value of each key has to match somewhere. Implies O(wait=true).
    type: str
  wait_timeout:
    description:
      - How many seconds to wait. When they are over, O(default) is returned for what is missing.
    type: float
    default: 300.0
  wait_interval:
    description:
      - The longest time between two looks, in seconds. The first looks follow each other faster.
    type: float
    default: 2.0
  base64:
    description:
      - Return values in base64. Those that are no text cannot be returned otherwise.
    type: bool
    default: false
  show_secrets:
    description:
      - Return the values of secrets too. Use C(no_log) on such a task.
      - Secrets are the messages whose keys tell, such as C(app.password), and those that the guest reports to be
        secret. Without this, asking for one is an error.
    type: bool
    default: false
extends_documentation_fragment:
  - ovm.messaging.manager.connection
  - ovm.messaging.manager.plugins
seealso:
  - module: ovm.messaging.ovm_vm_message_info
  - plugin: ovm.messaging.ovm
    plugin_type: inventory
"""

EXAMPLES = r"""
# OVM_HOST, OVM_USER, OVM_PASSWORD and OVM_CA_FILE in the environment say where the manager is and who logs in.
- name: Show what a guest says of its state
  ansible.builtin.debug:
    msg: "{{ lookup('ovm.messaging.vm_message', 'app.state', vm='web1', default='unknown') }}"

- name: Use several messages, which are read with one login
  ansible.builtin.debug:
    msg: "{{ role }} listens on {{ port }}"
  vars:
    told: "{{ query('ovm.messaging.vm_message', 'app.role', 'app.port', vm='web1') }}"
    role: "{{ told[0] }}"
    port: "{{ told[1] }}"

- name: Wait until a guest is ready
  ansible.builtin.debug:
    msg: "{{ lookup('ovm.messaging.vm_message', 'app.state', vm='web1', pattern='^ready$', wait_timeout=60) }}"

- name: Say in variables where the manager is
  ansible.builtin.debug:
    msg: "{{ lookup('ovm.messaging.vm_message', 'app.state', vm='web1') }}"
  vars:
    ovm_messaging_host: manager.example.com
    ovm_messaging_username: admin
    ovm_messaging_password: "{{ vault_manager_password }}"
    ovm_messaging_ca_path: /etc/ssl/manager.pem
"""

RETURN = r"""
_raw:
  description:
    - The values, in the order of the keys. They are never taken for templates.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.ovm.messaging.plugins.module_utils import values
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import reading
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import TimeIsUp
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import newest
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.secret_names import secret_by_name
from ansible_collections.ovm.messaging.plugins.plugin_utils import manager

try:
    # From 2.22 on, ansible-core masks what it knows to be secret.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value):
        return value


class LookupModule(LookupBase):
    """Reads of one virtual machine."""

    def run(self, terms, variables=None, **kwargs):
        unknown = sorted(set(kwargs) - set(self.option_definitions))
        if unknown:
            raise AnsibleLookupError(
                "there is no option '%s': see ansible-doc -t lookup ovm.messaging.vm_message" % "', '".join(unknown)
            )
        self.set_options(var_options=self._variables(variables or {}), direct=kwargs)
        try:
            return self._read([values.encode_key(term) for term in self._flatten(terms)], "default" in kwargs)
        except Problem as problem:
            raise AnsibleLookupError(manager.explain(problem)) from None

    def _variables(self, variables):
        """The variables that are options, with their templates filled in."""
        names = [each["name"] for option in self.option_definitions.values() for each in option.get("vars") or ()]
        return {name: manager.rendered(self._templar, variables[name]) for name in names if name in variables}

    def _read(self, keys, lenient):
        """The values of some keys.

        :param bool lenient: there is a default.
        """
        option = self.get_option
        if not keys or not option("vm"):
            raise manager.BadOptions("there is no %s" % ("vm" if keys else "key"), "say which is meant")
        manager.check_seconds(option, "wait_interval")
        manager.check_seconds(option, "wait_timeout", least=0)
        waits, sent = option("wait") or option("pattern") is not None, option("direction") == reading.SENT
        if waits and sent:
            raise manager.BadOptions("only what guests send can be waited for", "use direction=received")
        query = reading.Query(
            set(keys),
            direction=option("direction"),
            conditions=[Condition(key, option("pattern")) for key in dict.fromkeys(keys)] if waits else (),
            timeout=option("wait_timeout") if waits else 0.0,
            interval=option("wait_interval"),
            details=False,
        )
        with manager.connect(option) as carrier:
            machine = reading.read(carrier, [option("vm")], query)[0]
        if machine.problem is not None and not (lenient and isinstance(machine.problem, TimeIsUp)):
            raise machine.problem
        there = newest(machine.sent if sent else machine.received)
        missing = [key for key in keys if key not in there]
        if missing and not lenient:
            raise manager.BadOptions(
                "'%s' has not %s '%s'"
                % (machine.vm.name, "been sent" if sent else "sent", "', '".join(map(values.key_text, missing))),
                "wait for it, or give a default",
            )
        return [
            self._value(key, there[key], machine) if key in there and key not in machine.missing else option("default")
            for key in keys
        ]

    def _value(self, key, record, machine):
        """What is returned for a message."""
        name = values.key_text(key)
        secret = secret_by_name(key) or machine.secret(record)
        if secret and not self.get_option("show_secrets"):
            raise manager.BadOptions(
                "the message '%s' is a secret" % name, "use show_secrets=true, and no_log: true on the task"
            )
        text = values.base64_text(record.value) if self.get_option("base64") else values.text(record.value)
        if text is None:
            raise manager.BadOptions("the value of '%s' is not UTF-8" % name, "use base64=true")
        return register_secret(text) if secret and text else text
