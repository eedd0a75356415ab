#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install, enable, disable and remove scripts of ovm-template-config."""

DOCUMENTATION = r"""
module: ovm_template_script
short_description: Install, enable, disable and remove scripts of ovm-template-config
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Runs in a guest or a template, and sees to scripts that C(ovm-template-config) runs, such as those that configure
    the machine at its first boot.
  - Puts the script to C(scripts/) and makes the links that enable it, as C(ovm-chkconfig) does.
  - The links are always exactly those that the task asks for, whatever was switched by hand.
  - All scripts and their headers are checked before anything is changed.
options:
  name:
    description:
      - The script's name. It is the name of its file, and has to be the one in its header.
      - Either this or O(scripts) is required.
    type: str
  state:
    description:
      - V(present) sees that the script is there.
      - V(absent) removes the script and its links. Only O(name), O(template_dir) and O(root) count then.
    type: str
    choices: [present, absent]
    default: present
  src:
    description:
      - The script's file on the controller, absolute or relative to the C(files) of a role or a playbook.
      - With neither this nor O(content), the script has to be there already, from a package for example.
    type: path
  content:
    description:
      - The script itself, instead of a file.
    type: str
  remote_src:
    description:
      - O(src) is a file of the target.
    type: bool
    default: false
  enabled:
    description:
      - Whether the script is to run, for O(targets).
      - With V(false) it runs for none, whatever O(targets) says.
    type: bool
    default: true
  targets:
    description:
      - For which targets it is to run. For all others it is disabled.
      - Either a list of targets, or a dict of targets and priorities from 0 to 99.
      - A target without a priority has the one in the script's header.
      - Each has to be in the script's header. By default it is all of these.
      - The targets are C(configure), C(unconfigure), C(reconfigure), C(cleanup), C(suspend), C(resume), C(migrate)
        and C(shutdown).
    type: raw
  scripts:
    description:
      - Several scripts, in place of O(name) and what belongs to it. This is a lot quicker than a loop.
    type: list
    elements: dict
    suboptions:
      name:
        description: See O(name).
        type: str
        required: true
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
        default: present
      src:
        description: See O(src).
        type: path
      content:
        description: See O(content).
        type: str
      remote_src:
        description: See O(remote_src).
        type: bool
        default: false
      enabled:
        description: See O(enabled).
        type: bool
        default: true
      targets:
        description: See O(targets).
        type: raw
  template_dir:
    description:
      - The directory of the scripts and links.
      - The environment variable E(OVM_TEMPLATE_DIR) of the target is the fallback.
    type: path
    default: /etc/template.d
  root:
    description:
      - Where the system is mounted to which all this belongs, such as an image that is being made.
      - O(template_dir) is in there. Links of that system are followed as it would follow them.
    type: path
    default: /
  _contents:
    description:
      - Not for you. It is where the controller's part of this module has put the scripts.
    type: path
extends_documentation_fragment:
  - ovm.messaging.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the script's content, and its targets with their priorities. Use C(no_log) if the script has secrets.
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
requirements:
  - Python 3.6 or later on the target.
  - root on the target. The script will be root's, with the mode 0755.
seealso:
  - name: ovm-chkconfig
    description: The same on the command line.
    link: https://github.com/ovm-messaging/ovm.messaging/blob/main/docs/reference/ovm-chkconfig.md
  - name: Writing scripts
    description: How to write a script, with a working example.
    link: https://github.com/ovm-messaging/ovm.messaging/blob/main/docs/guides/writing-scripts.md
"""

EXAMPLES = r"""
- name: Install a script, and enable it for the targets of its header
  ovm.messaging.ovm_template_script:
    name: motd
    content: |
      #!/usr/bin/python3
      ### BEGIN PLUGIN INFO
      # name: motd
      # configure: 95
      # cleanup: 5
      # description: The message of the day.
      ### END PLUGIN INFO
      import json
      from templateconfig.cli import main
      from templateconfig.common import changed

      KEY = "com.example.motd"

      def enumerate_parameters(target):
          return json.dumps([{"key": KEY, "description": "Message of the day"}] if target == "configure" else [])

      def write(text):
          with open("/etc/motd", "w") as motd:
              motd.write(text)
          changed()

      def configure(parameters):
          text = json.loads(parameters).get(KEY)
          if text is not None:
              write(text + "\n")
          return parameters

      def cleanup(parameters):
          write("")
          return parameters

      main(enumerate_parameters, {"configure": configure, "cleanup": cleanup})

- name: Have it run late, and at the first boot only
  ovm.messaging.ovm_template_script:
    name: motd
    targets:
      configure: 99

- name: Keep it, but do not run it
  ovm.messaging.ovm_template_script:
    name: motd
    enabled: false

- name: Remove it
  ovm.messaging.ovm_template_script:
    name: motd
    state: absent

- name: See to several scripts
  ovm.messaging.ovm_template_script:
    scripts:
      - name: greeting
        content: |
          #!/bin/sh
          ### BEGIN PLUGIN INFO
          # name: greeting
          # resume: 50
          # description: Greets whoever is logged in.
          ### END PLUGIN INFO
          if [ "$1" = --enumerate ]; then echo '[]' >"/dev/fd/$3"; exit; fi
          wall Hello
          cat <"/dev/fd/$2" >"/dev/fd/$4"
      - name: motd
        state: absent
"""

RETURN = r"""
name:
  description: The script's name.
  returned: with O(name)
  type: str
  sample: motd
path:
  description:
    - Where the script is. With O(state=absent), where it was.
    - As with all modules that return a path, Ansible adds owner, group, mode and the like of the file.
  returned: with O(name)
  type: str
  sample: /etc/template.d/scripts/motd
targets:
  description: Each target with its priority, or null where the script is disabled for it.
  returned: with O(name)
  type: dict
  sample:
    configure: 99
    unconfigure: null
    reconfigure: null
    cleanup: null
    suspend: null
    resume: null
    migrate: null
    shutdown: null
header:
  description: What the script's header says.
  returned: with O(name), for O(state=present)
  type: dict
  contains:
    name:
      description: The script's name.
      type: str
      sample: motd
    description:
      description: What it is for, in one line.
      type: str
      sample: The message of the day.
    targets:
      description: The targets that it supports, with their priorities.
      type: dict
      sample: {configure: 95, cleanup: 5}
scripts:
  description:
    - Each script of O(scripts), in their order, with what there is for one script.
    - That is RV(name), RV(path), RV(targets), RV(header), and whether it was C(changed).
  returned: with O(scripts)
  type: list
  elements: dict
  sample:
    - name: motd
      changed: false
      path: /etc/template.d/scripts/motd
      targets:
        configure: null
        unconfigure: null
        reconfigure: null
        cleanup: null
        suspend: null
        resume: null
        migrate: null
        shutdown: null
diff:
  description: The content of each script, and its targets, each before and after, if they differ.
  returned: success, in diff mode
  type: list
  elements: dict
  sample:
    - before_header: targets of motd
      after_header: targets of motd
      before: "configure: 95\ncleanup: 5\n"
      after: "configure: 99\n"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils import template_script_module


def main():
    module = AnsibleModule(
        argument_spec=template_script_module.OPTIONS, supports_check_mode=True, **template_script_module.RULES
    )
    template_script_module.run(module)


if __name__ == "__main__":
    main()
