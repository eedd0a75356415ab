#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Set and delete the parameters of an Oracle VM or Xen guest."""

DOCUMENTATION = r"""
module: ovm_guest_param
short_description: Set and delete the parameters of an Oracle VM or Xen guest
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Runs in a guest and works on its list of parameters, as C(ovmd -p) and C(ovmd -r) do.
  - Parameters are key-value pairs that guest and host share.
  - Setting a parameter sends it to the host, and keeps it in the guest's list.
  - Deleting is local to the guest. Nothing is sent.
  - A parameter that has its value already is not sent again, unless O(resend=true).
  - What the host has sent up to now is received first, so that the list is complete.
  - One task with many parameters costs as much as one with a single one. Prefer it to a loop.
options:
  params:
    description:
      - The parameters, key by key. They are sent in this order.
      - Text is sent as UTF-8. A number is sent as YAML reads it, so quote C(1.10) if the last zero matters.
      - A boolean is sent as C(True) or C(False). A list or dict is sent as compact JSON with sorted keys.
      - Null is an error. Write V('') for an empty value.
      - Keys have 1 to 255 bytes. Values have up to 8191 bytes, with O(backend=ovmapi) up to 8190.
      - Neither can hold a NUL byte.
      - With O(state=absent) only the keys count.
    type: dict
  key:
    description:
      - The key of a single parameter, instead of O(params).
    type: str
  value:
    description:
      - The value of O(key). See O(params) for what is sent.
    type: raw
  keys:
    description:
      - The keys to delete with O(state=absent), as a list.
    type: list
    elements: str
  secret_params:
    description:
      - Like O(params), for values that must not be seen. They appear in no result, diff or log.
      - They are marked in the guest's list too, so that M(ovm.messaging.ovm_guest_param_info) does not show them.
      - Ansible masks a secret wherever it occurs in a result, so one of a letter or two hides more than itself.
    type: dict
  binary_params:
    description:
      - Like O(params), for values that are not text. Each is given in base64.
    type: dict
  state:
    description:
      - V(present) sets the parameters given.
      - V(absent) deletes them.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - With O(state=present), delete every parameter that is not given.
      - With none given at all, O(params={}) deletes everything.
    type: bool
  all:
    description:
      - With O(state=absent), delete every parameter, as C(ovmd -x) does.
    type: bool
  resend:
    description:
      - Send the parameters even if the guest has them with these values. The task reports a change then.
    type: bool
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.actiongroup_guest
  - ovm.messaging.guest
attributes:
  check_mode:
    support: full
    details:
      - What the host has sent is looked at and stays where it is.
  diff_mode:
    support: full
    details:
      - Shows the parameters that are touched. Secrets are masked.
  idempotent:
    support: partial
    details:
      - Not with O(resend=true), which sends every time.
  platform:
    support: full
    platforms: linux
seealso:
  - module: ovm.messaging.ovm_guest_param_info
"""

EXAMPLES = r"""
- name: Tell the host which role this guest has
  ovm.messaging.ovm_guest_param:
    key: role
    value: database

- name: Set several parameters at once
  ovm.messaging.ovm_guest_param:
    params:
      app.state: ready
      app.port: 5432
      app.replicas: [db2, db3]

- name: Set a secret that no output shows
  ovm.messaging.ovm_guest_param:
    secret_params:
      app.password: "{{ app_password | default('example only') }}"

- name: Delete two parameters
  ovm.messaging.ovm_guest_param:
    keys: [app.port, app.replicas]
    state: absent

- name: Keep these parameters and no others
  ovm.messaging.ovm_guest_param:
    params:
      app.state: ready
    exclusive: true

- name: Say it again, although nothing changed
  ovm.messaging.ovm_guest_param:
    key: app.state
    value: ready
    resend: true

- name: Delete all parameters
  ovm.messaging.ovm_guest_param:
    all: true
    state: absent
"""

RETURN = r"""
transmitted:
  description:
    - The keys that were sent to the host, in order. In check mode, those that would be.
    - When sending fails midway, the keys sent before.
  returned: always
  type: list
  elements: str
  sample: [app.state, app.port]
deleted:
  description: The keys that were deleted. In check mode, those that would be.
  returned: success
  type: list
  elements: str
  sample: []
params:
  description:
    - The guest's list afterwards, received parameters included. Values are text.
    - Those that are secrets appear as C(********). See RV(masked).
    - In a key that is not UTF-8, the odd bytes appear as C(\xNN).
    - A key that starts with C(__ansible_), as only Ansible's own may in results, appears with C(\x5f) at its start.
  returned: success
  type: dict
  sample: {app.state: ready, app.port: "5432"}
binary_params:
  description: The parameters of the list whose values are not UTF-8, in base64. They are not in RV(params).
  returned: success
  type: dict
  sample: {app.blob: /wD+}
names:
  description: All keys of the list in its order, which is the order of first arrival.
  returned: success
  type: list
  elements: str
  sample: [app.state, app.port]
masked:
  description: The keys whose values are not shown, because they are secrets.
  returned: success
  type: list
  elements: str
  sample: []
diff:
  description: The touched parameters before and after.
  returned: success
  type: dict
  sample: {before: {}, after: {app.state: ready}}
"""

from ansible_collections.ovm.messaging.plugins.module_utils import guest_module
from ansible_collections.ovm.messaging.plugins.module_utils.parameter_module import ParameterModule


def main():
    module = ParameterModule(
        argument_spec=dict(guest_module.PARAM_OPTIONS, **guest_module.GUEST_OPTIONS),
        supports_check_mode=True,
        **guest_module.PARAM_RULES,
    )
    guest_module.run(module, guest_module.set_or_delete)


if __name__ == "__main__":
    main()
