#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the messages of virtual machines, and wait for some."""

DOCUMENTATION = r"""
module: ovm_vm_message_info
short_description: Read the messages of virtual machines, and wait for some
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Returns what the guests of virtual machines have sent, and what was sent to them and logged.
  - Can wait for guests to send something.
  - Machines that do not run can be read as well, as far as the manager remembers their messages.
options:
  keys:
    description:
      - Return only messages of these keys. One that does not exist is no error, unless O(wait=true).
      - By default all are returned, but for guests' reports, see O(reports).
    type: list
    elements: str
  direction:
    description:
      - V(received) is what guests have sent, V(sent) is what was sent to them and logged.
    type: str
    choices: [received, sent, both]
    default: both
  history:
    description:
      - Return RV(vms[].history), too. With the vendor's manager it holds no more than the newest message of each key.
    type: bool
    default: false
  events:
    description:
      - Return RV(vms[].events), too.
    type: bool
    default: false
  reports:
    description:
      - Return also the messages in which a guest reports how it is. Their keys start with
        C(ovmd.report.). What matters of them is in RV(vms[].report) anyway.
      - Those that O(keys) names are always returned.
    type: bool
    default: false
  patterns:
    description:
      - For each key, a Python regular expression that the last value of this key has to match somewhere. Implies
        O(wait=true).
      - These messages are returned besides those of O(keys).
    type: dict
  wait:
    description:
      - Wait until each guest has sent all O(keys).
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait. When they are over the task fails, and says what is missing and how things stand. See
        RV(last).
      - With C(-v) it is told what is waited for, and every half minute who still lacks what. The latter needs the task
        to run on the controller, as the user who runs Ansible.
    type: float
    default: 300.0
  wait_interval:
    description:
      - The longest time between two looks, in seconds. The first looks follow each other faster.
    type: float
    default: 2.0
  show_secrets:
    description:
      - Return the values of secrets too. Use C(no_log) on such a task.
      - Secrets are the messages whose keys tell, such as C(com.oracle.linux.root-password), and those that a guest
        reports to be secret. Events that may tell a secret have no description without this.
    type: bool
    default: false
  _progress:
    description:
      - Not for you. It is where the module tells the controller's part of it what is going on.
    type: path
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.info
  - ovm.messaging.attributes.actiongroup_manager
  - ovm.messaging.manager
  - ovm.messaging.manager.connection
attributes:
  platform:
    support: full
    platforms: posix
seealso:
  - module: ovm.messaging.ovm_vm_message
  - module: ovm.messaging.ovm_guest_param
"""

EXAMPLES = r"""
# OVM_HOST, OVM_USER, OVM_PASSWORD and OVM_CA_FILE in the environment say where the manager is and who logs in.
- name: Read all messages of a virtual machine
  ovm.messaging.ovm_vm_message_info:
    vm: web1
  register: web1

- name: Show one of them, and how old it is
  ansible.builtin.debug:
    msg: "{{ web1.received['app.state'] | default('nothing') }}, {{ web1.ages['app.state'] | default('?') }} s ago"

- name: Wait until two machines are ready
  ovm.messaging.ovm_vm_message_info:
    vms: [web1, web2]
    patterns:
      app.state: ^ready$
    wait_timeout: 60

- name: Show what has happened
  ovm.messaging.ovm_vm_message_info:
    vm: web1
    direction: received
    events: true
    history: true

- name: Read a secret to use it
  ovm.messaging.ovm_vm_message_info:
    vm: web1
    keys: [app.token]
    show_secrets: true
  no_log: true
  register: secret
"""

RETURN = r"""
vms:
  description: What is known of each virtual machine, in the order in which they were named.
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
      description: Its state, as the manager calls it.
      type: str
      sample: RUNNING
    status: &status
      description: V(ok) or V(failed).
      type: str
      sample: ok
    changed:
      description: Always false.
      type: bool
      sample: false
    msg:
      description: Why it failed.
      returned: when it failed
      type: str
      sample: "there is no virtual machine 'web1': give its exact name, its id or its UUID"
    received: &received
      description:
        - The last message of each key that the guest has sent. Values are text.
        - Secrets appear as C(********), unless O(show_secrets=true). See RV(vms[].masked).
        - In a key that is not UTF-8, the odd bytes appear as C(\xNN).
        - A key that starts with C(__ansible_), as only Ansible's own may in results, appears with C(\x5f) at its start.
      type: dict
      sample: {app.state: ready}
    binary_received: &binary_received
      description: Those whose values are not UTF-8, in base64. They are not in RV(vms[].received).
      type: dict
      sample: {app.blob: /wD+}
    times: &times
      description: When these were received, in UTC, as far as known.
      type: dict
      sample: {app.state: "2026-01-31T12:30:00.000Z"}
    ages: &ages
      description: How many seconds ago that was, by the manager's clock.
      type: dict
      sample: {app.state: 420.0}
    sent: &sent
      description: The last message of each key that was sent to the guest and logged. As RV(vms[].received) otherwise.
      type: dict
      sample: {app.port: "8080"}
    binary_sent: &binary_sent
      description: Those whose values are not UTF-8, in base64.
      type: dict
      sample: {}
    sent_times: &sent_times
      description: When these were sent, in UTC, as far as known.
      type: dict
      sample: {app.port: "2026-01-31T12:29:00.000Z"}
    sent_ages: &sent_ages
      description: How many seconds ago that was, by the manager's clock.
      type: dict
      sample: {app.port: 480.0}
    history: &history
      description:
        - With O(history=true), all messages that are remembered, oldest first, received ones before sent ones.
        - Each has C(direction), C(key), C(value) or in base64 C(binary_value), and C(time).
      type: list
      elements: dict
      sample:
        - direction: received
          key: app.state
          value: ready
          time: "2026-01-31T12:30:00.000Z"
    events: &events
      description:
        - With O(events=true), what the manager says to have happened to the machine, oldest first.
        - Each has C(time), C(severity), C(type), C(summary) and C(description).
      type: list
      elements: dict
      sample:
        - time: "2026-01-31T12:30:00.000Z"
          severity: INFORMATIONAL
          type: VM_API_INCOMING_MESSAGE
          summary: Virtual Machine API Incoming Message
          description: >-
            Message received from virtual machine "web1": {"key": "app.state", "value": "ready"}
            at 2026-01-31T12:30:00Z
    report: &report
      description:
        - What the guest reports of itself, if anything in it does.
        - C(present) is whether it does, C(boot) tells one boot from another, and C(configuration) is how the
          configuration at its first boot stands.
      type: dict
      sample: {present: true, boot: 6f1c0b1e, configuration: {state: done}}
    masked: &masked
      description: The keys whose values are not shown, because they are secrets.
      type: list
      elements: str
      sample: []
    missing: &missing
      description: The keys waited for that the guest has not sent, or whose values do not match.
      type: list
      elements: str
      sample: []
    waiting: &waiting
      description: How many messages the guest has not taken yet. Null where the manager does not tell.
      type: int
      sample: 0
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
received:
  <<: *received
  returned: when there is one virtual machine
binary_received:
  <<: *binary_received
  returned: when there is one virtual machine
times:
  <<: *times
  returned: when there is one virtual machine
ages:
  <<: *ages
  returned: when there is one virtual machine
sent:
  <<: *sent
  returned: when there is one virtual machine
binary_sent:
  <<: *binary_sent
  returned: when there is one virtual machine
sent_times:
  <<: *sent_times
  returned: when there is one virtual machine
sent_ages:
  <<: *sent_ages
  returned: when there is one virtual machine
history:
  <<: *history
  returned: when there is one virtual machine, with O(history=true)
events:
  <<: *events
  returned: when there is one virtual machine, with O(events=true)
report:
  <<: *report
  returned: when there is one virtual machine
masked:
  <<: *masked
  returned: when there is one virtual machine
missing:
  <<: *missing
  returned: when there is one virtual machine
waiting:
  <<: *waiting
  returned: when there is one virtual machine
waited:
  <<: *waited
  returned: when there is one virtual machine
last:
  description: How the machine was when time was up.
  returned: when there is one virtual machine, and time was up
  type: dict
  contains: *last_contains
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import vm_module


def main():
    module = AnsibleModule(
        argument_spec=dict(vm_module.INFO_OPTIONS, **vm_module.MANAGER_OPTIONS),
        supports_check_mode=True,
        **vm_module.INFO_RULES,
    )
    vm_module.run(module, vm_module.read)


if __name__ == "__main__":
    main()
