# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_template_script: it brings the script, which the module then finds on its target.

Text given inline goes the same way, so that it is not in the target's log of what modules were asked to do.
"""

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs the module as usual, once the script is there."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            # What does not go together is the module's to refuse.
            if arguments.get("state") != "absent" and None in (arguments.get("src"), arguments.get("content")):
                self._bring(arguments)
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _bring(self, arguments):
        """Put the script into a temporary file on the target, and have the arguments say so."""
        there = self._connection._shell.join_path(self._connection._shell.tmpdir, "script")
        if arguments.get("content") is not None:
            content = arguments.pop("content")
            if not isinstance(content, str):
                raise AnsibleActionFail("content is no text: write it as a block, after 'content: |'")
            self._transfer_data(there, content)
        elif arguments.get("src") is not None and not boolean(arguments.get("remote_src", False), strict=False):
            try:
                found = self._find_needle("files", arguments["src"])
                here = self._loader.get_real_file(found, decrypt=True)
            except AnsibleError as problem:
                raise AnsibleActionFail("src cannot be read: %s" % problem) from problem
            try:
                self._transfer_file(here, there)
            finally:
                self._loader.cleanup_tmp_file(here)
        else:
            return
        self._fixup_perms2((self._connection._shell.tmpdir, there))
        arguments.update(src=there, remote_src=True)
