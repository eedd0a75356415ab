#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the scripts of ovm-template-config for a target, and wait for them."""

DOCUMENTATION = r"""
module: ovm_template_config
short_description: Run the scripts of ovm-template-config for a target
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Runs in a guest or a template. Has C(ovm-template-config) run the scripts that are enabled for a target, one after
    the other, and waits for them.
  - The result tells how each script went. One that fails keeps none of the others from running. The task fails then.
  - Parameters reach the program through a pipe, never through its command line or a file.
  - The host is not told of the run. It is told of those that C(ovmd -s) starts.
options:
  target:
    description:
      - What to run the scripts for.
    type: str
    required: true
    choices: [configure, unconfigure, reconfigure, cleanup, suspend, resume, migrate, shutdown]
  params:
    description:
      - The parameters, key by key.
      - A number becomes text as YAML reads it, so quote C(1.10) if the last zero matters.
      - A boolean becomes V(True) or V(False), as scripts expect it. A list or dict becomes compact JSON.
    type: dict
  secret_params:
    description:
      - Like O(params), for values that must not be seen. They appear in no result, and not in the log of the program.
      - Values of keys that a script describes as passwords, or that are secrets by their names, do not appear either.
      - Ansible masks a secret wherever it occurs in a result, so one of a letter or two hides more than itself.
    type: dict
  held:
    description:
      - Take the parameters that the guest holds as well, with all that the host has sent.
      - Where a key is in O(params) or O(secret_params) too, the task's value is taken.
      - The guest's list stays as it is.
      - Only then O(backend), O(xenstore_path), O(ovmapi_path), O(state_dir) and O(timeout) mean something.
    type: bool
    default: false
  script:
    description:
      - Run this script only. It has to be enabled for O(target).
    type: str
  script_timeout:
    description:
      - How many seconds each script may take.
    type: float
    default: 300.0
  lock_timeout:
    description:
      - How many seconds to wait for another run of C(ovm-template-config) to end.
    type: float
    default: 600.0
  executable:
    description:
      - The program. By default it is looked for in the usual places, with C(/usr/local/sbin).
      - The environment variable E(OVM_TEMPLATE_CONFIG) of the target is the fallback.
    type: path
  template_dir:
    description:
      - The directory of scripts and links. By default it is C(/etc/template.d).
      - The environment variable E(OVM_TEMPLATE_DIR) of the target is the fallback.
    type: path
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.actiongroup_guest
  - ovm.messaging.guest
attributes:
  check_mode:
    support: partial
    details:
      - Scripts that can tell what they would change are asked, such as those of this collection.
      - Others are not run. Their status is C(skipped), and they count as a change.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - As far as the scripts are. A script that does not say whether it changed anything counts as a change.
  platform:
    support: full
    platforms: linux
notes:
  - The program of the vendor has no C(--report), so this module does not work with it.
seealso:
  - module: ovm.messaging.ovm_template_script
  - module: ovm.messaging.ovm_program
"""

EXAMPLES = r"""
- name: Configure the guest now
  ovm.messaging.ovm_template_config:
    target: configure
    params:
      com.oracle.linux.network.hostname: db1.example.com
      com.oracle.linux.datetime.timezone: Europe/Vienna
    secret_params:
      com.oracle.linux.root-password: "{{ root_password | default('example only') }}"

- name: Configure it with what the host has sent
  ovm.messaging.ovm_template_config:
    target: configure
    held: true

- name: Run one script, which has ten minutes
  ovm.messaging.ovm_template_config:
    target: reconfigure
    script: myapp
    script_timeout: 600

- name: Prepare the machine for being a template
  ovm.messaging.ovm_template_config:
    target: cleanup
"""

RETURN = r"""
target:
  description: The target.
  returned: when scripts were run
  type: str
  sample: configure
scripts:
  description: How each script went, in the order in which they ran.
  returned: when scripts were run
  type: list
  elements: dict
  contains:
    name:
      description: The script.
      type: str
      sample: network
    priority:
      description: Its place in the order.
      type: int
      sample: 50
    status:
      description: C(ok), C(failed), or C(skipped) in check mode.
      type: str
      sample: ok
    changed:
      description: Whether it changed anything, or would. Null if it does not say.
      type: bool
      sample: true
    seconds:
      description: How long it took.
      type: float
      sample: 0.213
    message:
      description: Why it failed, otherwise empty.
      type: str
      sample: ""
failed_scripts:
  description: The names of those that failed.
  returned: when scripts were run
  type: list
  elements: str
  sample: []
"""

from ansible_collections.ovm.messaging.plugins.module_utils import guest_module, template_config_module
from ansible_collections.ovm.messaging.plugins.module_utils.parameter_module import ParameterModule


def main():
    module = ParameterModule(
        argument_spec=dict(template_config_module.OPTIONS, **guest_module.GUEST_OPTIONS),
        supports_check_mode=True,
    )
    template_config_module.run(module)


if __name__ == "__main__":
    main()
