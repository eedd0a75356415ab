#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pass an event on to the daemon of an Oracle VM or Xen guest."""

DOCUMENTATION = r"""
module: ovm_guest_event
short_description: Pass an event on to the daemon of an Oracle VM or Xen guest
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Runs in a guest and injects an event to its daemon, as C(ovmd -e) does.
  - The daemon runs the matching target of C(ovm-template-config) if scripts are enabled for it.
  - The task ends when the daemon has the event. It does not wait for the scripts.
    To run a target and wait for it, there is C(ovmd -s).
options:
  event:
    description:
      - The event, as C(NAME), C(NAME:PHASE) or C(NAME:PHASE:TEXT).
      - The names are V(snapshot), V(migrate), V(shutdown), V(reconfig), V(ip-address), V(user), V(new-param)
        and V(system).
      - The phases are V(pre), V(immediate), which is the default, and V(post).
      - V(suspend) means V(snapshot:pre), V(resume) means V(snapshot:post), and V(reconfigure) means V(reconfig).
      - The text has up to 4071 bytes. The daemon does nothing with it.
    type: str
    required: true
extends_documentation_fragment:
  - ovm.messaging.attributes
  - ovm.messaging.attributes.actiongroup_guest
  - ovm.messaging.guest
attributes:
  check_mode:
    support: full
    details:
      - Looks at the event alone. Whether a daemon runs does not count, as an earlier task may be what starts it.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - An event happens each time.
  platform:
    support: full
    platforms: linux
notes:
  - Without a running daemon the task fails, and the event is not kept for later. With O(backend=ovmapi) it cannot be
    known who listens. The kernel passes the event on to all that do, and the task succeeds.
seealso:
  - module: ovm.messaging.ovm_guest_param
"""

EXAMPLES = r"""
- name: Have the guest run its scripts for the target reconfigure
  ovm.messaging.ovm_guest_event:
    event: reconfigure

- name: Say that a snapshot is about to be taken
  ovm.messaging.ovm_guest_event:
    event: snapshot:pre

- name: Say that it is taken
  ovm.messaging.ovm_guest_event:
    event: snapshot:post
"""

RETURN = r"""
type:
  description: The type of the event.
  returned: success
  type: str
  sample: reconfig
severity:
  description: How severe it is.
  returned: success
  type: str
  sample: info
phase:
  description: Its phase.
  returned: success
  type: str
  sample: immediate
target:
  description: The target of C(ovm-template-config) that the daemon runs for it, or null.
  returned: success
  type: str
  sample: reconfigure
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import guest_module


def main():
    module = AnsibleModule(
        argument_spec=dict(guest_module.EVENT_OPTIONS, **guest_module.GUEST_OPTIONS), supports_check_mode=True
    )
    guest_module.run(module, guest_module.post_event)


if __name__ == "__main__":
    main()
