#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the parameters of an Oracle VM or Xen guest, and wait for some."""

DOCUMENTATION = r"""
module: ovm_guest_param_info
short_description: Read the parameters of an Oracle VM or Xen guest, and wait for some
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Runs in a guest and returns its list of parameters, key-value pairs that guest and host share, as C(ovmd -l) does.
  - What the host has sent up to now is received first, so that the list is complete.
  - Can wait for parameters to arrive. It is woken by their arrival. It does not poll.
options:
  keys:
    description:
      - Return only these parameters. One that does not exist is no error, unless O(wait=true).
      - By default all are returned.
    type: list
    elements: str
  patterns:
    description:
      - For each key, a Python regular expression that its value has to match somewhere. Implies O(wait=true).
      - These parameters are returned besides those of O(keys).
    type: dict
  wait:
    description:
      - Wait until all O(keys) are there.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait. When they are over the task fails, and says what is missing and how things stand. See
        RV(last).
      - With C(-v) it is told what is waited for, and every half minute what is still missing.
    type: float
    default: 300.0
  show_secrets:
    description:
      - Return the values of secrets too. Use C(no_log) on such a task.
      - Secrets are the parameters set as such, and those whose names tell, such as C(com.oracle.linux.root-password).
    type: bool
    default: false
  _part:
    description:
      - Not for you. It is for how many seconds the controller's part of this module has it wait at once.
    type: float
  _waited:
    description:
      - Not for you. It is for how many seconds it has waited already.
    type: float
    default: 0.0
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.info
  - ovm.messaging.attributes.actiongroup_guest
  - ovm.messaging.guest
attributes:
  platform:
    support: full
    platforms: linux
seealso:
  - module: ovm.messaging.ovm_guest_param
"""

EXAMPLES = r"""
- name: Read all parameters
  ovm.messaging.ovm_guest_param_info:
  register: guest

- name: Show one of them
  ansible.builtin.debug:
    msg: "{{ guest.params['app.state'] | default('not set') }}"

- name: Wait until the host has said where to register
  ovm.messaging.ovm_guest_param_info:
    keys: [registry.url]
    wait: true
    wait_timeout: 60

- name: Wait until the host says that it is done
  ovm.messaging.ovm_guest_param_info:
    patterns:
      migration.state: ^(done|skipped)$

- name: Read a secret to use it
  ovm.messaging.ovm_guest_param_info:
    keys: [app.password]
    show_secrets: true
  no_log: true
  register: secret
"""

RETURN = r"""
params:
  description:
    - The parameters asked for. Values are text.
    - Those that are secrets appear as C(********), unless O(show_secrets=true). See RV(masked).
    - In a key that is not UTF-8, the odd bytes appear as C(\xNN).
    - A key that starts with C(__ansible_), as only Ansible's own may in results, appears with C(\x5f) at its start.
  returned: success, and when waiting failed
  type: dict
  sample: {app.state: ready, app.port: "5432"}
binary_params:
  description: The parameters whose values are not UTF-8, in base64. They are not in RV(params).
  returned: success, and when waiting failed
  type: dict
  sample: {app.blob: /wD+}
names:
  description: The keys of all parameters returned, in the order of the list, which is that of first arrival.
  returned: success, and when waiting failed
  type: list
  elements: str
  sample: [app.state, app.port]
masked:
  description: The keys whose values are not shown, because they are secrets.
  returned: success, and when waiting failed
  type: list
  elements: str
  sample: []
missing:
  description: The keys asked for that are not there, or whose values do not match.
  returned: success, and when waiting failed
  type: list
  elements: str
  sample: []
waited:
  description: How long the task waited, in seconds.
  returned: success, and when waiting failed
  type: float
  sample: 0.0
last:
  description: How things stood when time was up.
  returned: when waiting failed
  type: dict
  contains:
    backend:
      description: Where the parameters are kept, V(ovmapi) or V(xenstore).
      type: str
      sample: xenstore
    parameters:
      description: How many parameters the guest holds in all.
      type: int
      sample: 12
    uncollected:
      description: How many of its messages the host has not collected yet. Null where that cannot be known.
      type: int
      sample: 0
    daemon:
      description: Whether the daemon C(ovmd) runs. The task receives what the host sends with and without it.
      type: bool
      sample: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import guest_module


def main():
    module = AnsibleModule(
        argument_spec=dict(guest_module.INFO_OPTIONS, **guest_module.GUEST_OPTIONS),
        supports_check_mode=True,
        **guest_module.INFO_RULES,
    )
    guest_module.run(module, guest_module.read)


if __name__ == "__main__":
    main()
