#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install this collection's programs."""

DOCUMENTATION = r"""
module: ovm_program
short_description: Install this collection's programs
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Brings the sources of programs out of this collection to the target, and makes a single file of each there.
  - The file has all that the program needs but a Python, and the libraries that its C(requirements.txt) names.
  - It is replaced at once, so whoever runs the old one is not disturbed, and only where it differs.
options:
  name:
    description:
      - Which program, or a list of several. These are quicker installed together than one by one.
    type: list
    elements: str
    required: true
    choices: [ovm-chkconfig, ovm-gateway, ovm-template-config, ovm_vmmessage, ovmd]
  dest:
    description:
      - Where it shall be. An existing directory, or a path that ends in a slash, means a file named O(name) in there.
      - Several programs need such a directory.
    type: path
    required: true
  state:
    description:
      - V(present) installs it, V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
  python:
    description:
      - The Python of the target that shall run it, as an absolute path without blanks.
      - By default the one that Ansible's modules run on there.
    type: path
  compile:
    description:
      - Have that Python compile the program beforehand, so that it starts faster. It has to be installed then.
      - In check mode it may be missing, since an earlier task may be about to install it. A warning says so.
      - Without this, the program's file does not depend on the version of the target's Python.
    type: bool
    default: true
  completions:
    description:
      - The directory below which shells look for what completes a program's command line, C(/usr/share) on most
        systems. Files for bash, fish and zsh go there, and V(absent) removes them.
      - By default there are none.
    type: path
  mode:
    default: '0755'
  _sources:
    description:
      - Not for you. It is where the controller's part of this module has put what the target needs.
    type: path
extends_documentation_fragment:
  - ansible.builtin.files
  - ovm.messaging.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows version and checksum, not the content.
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
requirements:
  - Python 3.6 or later on the target. V(ovm-gateway) wants 3.9.
  - ansible-core 2.16 on the controller where the Python that modules run on is 3.6.
notes:
  - Not to be confused with the packages of the same names that the vendor has. Those are never touched.
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Install the command ovmd
  ovm.messaging.ovm_program:
    name: ovmd
    dest: /usr/local/sbin/

- name: Install all that a guest needs
  ovm.messaging.ovm_program:
    name: [ovmd, ovm-template-config, ovm-chkconfig]
    dest: /usr/local/sbin/

- name: Install a command for a Python of its own
  ovm.messaging.ovm_program:
    name: ovm_vmmessage
    dest: /usr/local/bin/ovm_vmmessage
    python: /opt/ovm_vmmessage/venv/bin/python3

- name: Install ovmd into the tree of an image, whose Python does not run here
  ovm.messaging.ovm_program:
    name: ovmd
    dest: /srv/image/usr/local/sbin/ovmd
    python: /usr/bin/python3
    compile: false

- name: Install a command with completions for bash, fish and zsh
  ovm.messaging.ovm_program:
    name: ovmd
    dest: /usr/local/sbin/
    completions: /usr/share

- name: Remove it
  ovm.messaging.ovm_program:
    name: ovmd
    dest: /usr/local/sbin/
    state: absent
"""

RETURN = r"""
programs:
  description: Each of the programs, in the order of O(name).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Which program.
      type: str
      sample: ovmd
    dest:
      description: Its path on the target.
      type: str
      sample: /usr/local/sbin/ovmd
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
    completions:
      description: The paths of what completes its command line.
      returned: O(state=present), with O(completions)
      type: list
      elements: str
      sample: [/usr/share/bash-completion/completions/ovmd]
    checksum:
      description: The SHA-1 checksum of the file. Not with O(state=absent).
      type: str
      sample: 5b39f1d6f5b8a6b0f3b63f4f0e1df2ba5b3f5c2e
dest:
  description:
    - The program's path on the target.
    - As with all modules that return a path, Ansible adds owner, group, mode and the like of the file.
  returned: when O(name) is one program
  type: str
  sample: /usr/local/sbin/ovmd
checksum:
  description: The SHA-1 checksum of the file.
  returned: O(state=present), when O(name) is one program
  type: str
  sample: 5b39f1d6f5b8a6b0f3b63f4f0e1df2ba5b3f5c2e
program_version:
  description: The version of the programs, which is this collection's.
  returned: O(state=present)
  type: str
  sample: 1.0.0
python:
  description: The Python that runs them.
  returned: O(state=present)
  type: str
  sample: /usr/bin/python3
compiled:
  description: Whether they have the bytecode of that Python.
  returned: O(state=present)
  type: bool
  sample: true
diff:
  description: Checksum and version before and after, of each program that differs.
  returned: success, in diff mode
  type: list
  elements: dict
  sample:
    - before_header: /usr/local/sbin/ovmd
      after_header: /usr/local/sbin/ovmd
      before: ""
      after: "version 1.0.0, checksum 5b39f1d6f5b8a6b0f3b63f4f0e1df2ba5b3f5c2e\n"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import program_module


def main():
    module = AnsibleModule(argument_spec=program_module.OPTIONS, supports_check_mode=True, add_file_common_args=True)
    program_module.run(module)


if __name__ == "__main__":
    main()
