#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send messages to virtual machines, and wait for what they answer."""

DOCUMENTATION = r"""
module: ovm_vm_message
short_description: Send messages to virtual machines, and wait for what they answer
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Sends messages, pairs of a key and a value, to running virtual machines of Oracle VM or Xen. In the guest they are
    parameters, see M(ovm.messaging.ovm_guest_param_info).
  - Runs on the controller, through an Oracle VM Manager or C(ovm-gateway), or on a Xen host itself. See O(transport).
  - Sends only what a guest lacks, as far as that is known. RV(evidence) says for each message how it was known.
  - One task with many messages and many virtual machines costs far less than a loop. It logs in once.
options:
  messages:
    description:
      - The messages, as a dict, or as a list of dicts, which are sent in this order.
      - Each dict of the list has a C(key), and a C(value) or, for what must not be seen, a C(secret).
      - Text is sent as UTF-8. A number is sent as YAML reads it, so quote C(1.10) if the last zero matters.
      - A boolean is sent as C(True) or C(False). A list or dict is sent as compact JSON with sorted keys.
      - Null is an error. Write V('') for an empty value.
      - Keys have 1 to 254 bytes. Values have up to 8191 bytes. Neither can hold a NUL byte.
      - All messages are checked before the first is sent to anybody.
      - Messages whose keys say so are secrets anyway, such as C(com.oracle.linux.root-password).
      - The root password is always sent last, wherever it stands, because it ends a guest's first-boot configuration.
    type: raw
  secret_messages:
    description:
      - Messages whose values must not be seen, as a dict. They appear in no result, diff or log. They are never logged
        by the manager.
      - They are sent after O(messages). An entry there that has nothing but a C(key) takes the secret of that key to
        its place.
      - Ansible masks a secret wherever it occurs in a result, so one of a letter or two hides more than itself.
    type: dict
  log:
    description:
      - Whether the manager is to remember the messages. They are evidence for the next run then.
      - By default it remembers those that it can, with values of up to 1024 bytes. With V(true), a longer one is
        refused. With V(false), it remembers none.
      - Secrets are never remembered.
    type: bool
  force:
    description:
      - Send all messages, whatever the evidence. The task reports a change then.
    type: bool
    default: false
  unless_received:
    description:
      - Send nothing to a virtual machine whose guest has reported this. O(wait_for) still holds.
      - The last message of that key counts.
    type: dict
    suboptions:
      key:
        description: The key of a message that the guest sends.
        type: str
        required: true
      value:
        description: The value that it has to have. By default any will do.
        type: raw
  update_secret:
    description:
      - What to do about a secret that the guest reports to hold already. Nobody can compare its value.
      - V(always) sends it each time.
      - V(on_create) sends it only where the guest does not report to hold that key.
    type: str
    choices: [always, on_create]
    default: always
  wait:
    description:
      - Wait until each guest has all messages. That is seen by its reports, where something in the guest sends them, or
        by its having taken everything out of XenStore, which C(ovm-gateway) and O(transport=xenstore) can tell.
      - Where neither can be seen, the task does not wait. It warns, and RV(delivered) is null.
    type: bool
    default: false
  wait_for:
    description:
      - Messages that each guest has to send. The task waits for all of them.
      - Where something was sent to a guest, only what it says after that counts. Where nothing had to be sent, what it
        said last counts.
      - A single one may be given without the list.
    type: list
    elements: dict
    suboptions:
      key:
        description: The key of the answer.
        type: str
        required: true
      pattern:
        description: A Python regular expression that its value has to match somewhere. By default any value will do.
        type: str
  wait_timeout:
    description:
      - How many seconds to wait, with O(wait) or O(wait_for), from when all machines were sent their messages. When
        they are over the task fails, and says what is missing and how things stand. See RV(last).
      - With C(-v) it is told what is waited for, and every half minute who still lacks what. The latter needs the task
        to run on the controller, as the user who runs Ansible.
    type: float
    default: 300.0
  wait_interval:
    description:
      - The longest time between two looks, in seconds. The first looks follow each other faster.
    type: float
    default: 2.0
  _progress:
    description:
      - Not for you. It is where the module tells the controller's part of it what is going on.
    type: path
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.actiongroup_manager
  - ovm.messaging.manager
  - ovm.messaging.manager.connection
attributes:
  check_mode:
    support: full
    details:
      - Looks at the same evidence. Nothing is sent, and nothing is waited for.
  diff_mode:
    support: full
    details:
      - Shows the messages that are sent. What the guest held before comes from its reports and the manager's log, and
        is C((unknown)) where neither tells. Secrets are masked.
  idempotent:
    support: partial
    details:
      - As far as there is evidence of what a guest holds. Secrets are sent each time, unless
        O(update_secret=on_create). With O(force=true) everything is.
  platform:
    support: full
    platforms: posix
seealso:
  - module: ovm.messaging.ovm_vm_message_info
  - module: ovm.messaging.ovm_guest_param_info
"""

EXAMPLES = r"""
# OVM_HOST, OVM_USER, OVM_PASSWORD and OVM_CA_FILE in the environment say where the manager is and who logs in.
- name: Send two messages to a virtual machine
  ovm.messaging.ovm_vm_message:
    vm: web1
    messages:
      app.role: frontend
      app.port: 8080

- name: Send one to several, and wait until they have it
  ovm.messaging.ovm_vm_message:
    vms: [web1, web2]
    messages:
      registry.url: https://registry.example.com/
    wait: true
    wait_timeout: 60

- name: Configure a machine at its first boot
  ovm.messaging.ovm_vm_message:
    vm: web1
    messages:
      - key: com.oracle.linux.network.hostname
        value: web1.example.com
      - key: com.oracle.linux.root-password
        secret: "{{ root_password | default('example only') }}"
    update_secret: on_create

- name: Start a migration, unless it is done, and wait for its end
  ovm.messaging.ovm_vm_message:
    vm: web1
    messages:
      migration.start: "7"
    unless_received:
      key: migration.state
      value: done
    wait_for:
      - key: migration.state
        pattern: ^(done|failed)$
  register: migration

- name: Show how it ended
  ansible.builtin.debug:
    msg: "{{ migration.answers['migration.state'] }}"

- name: Say it again, although nothing changed
  ovm.messaging.ovm_vm_message:
    vm: web1
    messages:
      app.role: frontend
    force: true

- name: Name the manager in the task
  ovm.messaging.ovm_vm_message:
    host: "{{ lookup('ansible.builtin.env', 'OVM_HOST') }}"
    username: admin
    password: "{{ lookup('ansible.builtin.env', 'OVM_PASSWORD') }}"
    ca_path: "{{ lookup('ansible.builtin.env', 'OVM_CA_FILE') }}"
    vm: web1
    messages:
      app.role: frontend
"""

RETURN = r"""
vms:
  description: What became of each virtual machine, in the order in which they were named.
  returned: always, once the options were accepted and the manager answered
  type: list
  elements: dict
  contains:
    vm: &vm
      description: What the task calls it.
      type: str
      sample: web1
    id: &id
      description: Its id, which is its UUID without dashes. Null where there is no such machine.
      type: str
      sample: 0004fb00000600006f8e65a5d245ea0c
    name: &name
      description: Its name.
      type: str
      sample: web1
    state: &state
      description: Its state, as the manager calls it, when it was last looked at.
      type: str
      sample: RUNNING
    status: &status
      description: V(ok), V(failed), or V(skipped) after O(unless_received).
      type: str
      sample: ok
    changed:
      description: Whether anything was sent to it.
      type: bool
      sample: true
    msg:
      description: Why it failed.
      returned: when it failed
      type: str
      sample: "the virtual machine 'web1' is not running (STOPPED): start it first"
    sent: &sent
      description:
        - The keys that were sent, in order. In check mode, those that would be.
        - When it failed, those sent before, and those of which nobody knows whether they were.
      type: list
      elements: str
      sample: [app.port]
    unchanged: &unchanged
      description: The keys that did not have to be sent.
      type: list
      elements: str
      sample: [app.role]
    evidence: &evidence
      description:
        - For each key, how it was known whether it had to be sent.
        - V(forced) is O(force=true).
        - V(received) is what O(unless_received) names.
        - V(report) is what the guest reports that it holds.
        - V(sent_log) is what the manager remembers to have sent.
        - V(none) means that nothing was known, so that it was sent.
      type: dict
      sample: {app.role: report, app.port: none}
    delivered: &delivered
      description: Whether the guest has all messages. Null where that is not known.
      type: bool
      sample: true
    undelivered: &undelivered
      description: With O(wait=true), the keys of the messages that the guest does not have, as far as that can be seen.
      type: list
      elements: str
      sample: []
    answers: &answers
      description: The values of O(wait_for) that have come. Values are text. Secrets appear as C(********).
      type: dict
      sample: {migration.state: done}
    binary_answers: &binary_answers
      description: Those of them that are not UTF-8, in base64.
      type: dict
      sample: {}
    missing: &missing
      description: The keys of O(wait_for) that have not come, or whose values do not match.
      type: list
      elements: str
      sample: []
    waited: &waited
      description: How long it was waited for, in seconds.
      type: float
      sample: 0.0
    last: &last
      description: How the machine was when time was up.
      returned: when time was up
      type: dict
      contains: &last_contains
        heard:
          description: When its guest last sent anything, in UTC. Null where it never did, or that is not known.
          type: str
          sample: "2026-01-31T12:30:00.000Z"
        heard_key:
          description: The key of what it sent then.
          type: str
          sample: app.state
        age:
          description: How many seconds ago that was, by the manager's clock.
          type: float
          sample: 420.0
        said:
          description:
            - Its last messages of the keys that were waited for, where there are any. Secrets appear as C(********).
            - A value that is not UTF-8 is in base64, after C(base64:).
          type: dict
          sample: {migration.state: begun}
        waiting:
          description: How many messages the guest has not taken yet. Null where the manager does not tell.
          type: int
          sample: 1
        reports:
          description: Whether anything in the guest reports, as C(ovmd) does.
          type: bool
          sample: true
        configuration:
          description: The state of the configuration at this boot. Empty where the guest reports none.
          type: str
          sample: running
        failed_scripts:
          description: The scripts of the configuration that have failed.
          type: list
          elements: str
          sample: []
vm:
  <<: *vm
  returned: when there is one virtual machine
id:
  <<: *id
  returned: when there is one virtual machine
name:
  <<: *name
  returned: when there is one virtual machine
state:
  <<: *state
  returned: when there is one virtual machine
status:
  <<: *status
  returned: when there is one virtual machine
sent:
  <<: *sent
  returned: when there is one virtual machine
unchanged:
  <<: *unchanged
  returned: when there is one virtual machine
evidence:
  <<: *evidence
  returned: when there is one virtual machine
delivered:
  <<: *delivered
  returned: when there is one virtual machine
undelivered:
  <<: *undelivered
  returned: when there is one virtual machine
answers:
  <<: *answers
  returned: when there is one virtual machine
binary_answers:
  <<: *binary_answers
  returned: when there is one virtual machine
missing:
  <<: *missing
  returned: when there is one virtual machine
waited:
  <<: *waited
  returned: when there is one virtual machine
last:
  description: How the machine was when time was up.
  returned: when there is one virtual machine, and time was up
  type: dict
  contains: *last_contains
diff:
  description: For each virtual machine that is sent something, the messages before and after.
  returned: in diff mode
  type: list
  elements: dict
  sample:
    - before: {app.port: (unknown)}
      after: {app.port: "8080"}
      before_header: web1
      after_header: web1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import vm_module


def main():
    module = AnsibleModule(
        argument_spec=dict(vm_module.MESSAGE_OPTIONS, **vm_module.MANAGER_OPTIONS),
        supports_check_mode=True,
        **vm_module.MESSAGE_RULES,
    )
    vm_module.run(module, vm_module.send)


if __name__ == "__main__":
    main()
