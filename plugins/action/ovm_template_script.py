# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_template_script: it brings the scripts, which the module then finds on its target.

All in one file, since each file takes its time. Text given inline goes the same way, so that it is not in the
target's log of what modules were asked to do.
"""

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils.template_script_module import pack


class ActionModule(ActionBase):
    """Runs the module as usual, once the scripts are there."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            # What is no list of scripts is the module's to refuse.
            if _are_scripts(arguments.get("scripts")):
                scripts = arguments["scripts"] = [dict(script) for script in arguments["scripts"]]
            else:
                scripts = [arguments]
            contents = [self._take(script) for script in scripts]
            if any(content is not None for content in contents):
                arguments["_contents"] = self._bring(pack(contents))
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _take(self, script):
        """Take the content of a script out of the options that say where it is.

        :returns: bytes; None where the target has it, or where the options do not go together, which the module tells.
        """
        if script.get("state") == "absent" or None not in (script.get("src"), script.get("content")):
            return None
        if script.get("content") is not None:
            content = script.pop("content")
            if not isinstance(content, str):
                raise AnsibleActionFail("content is no text: write it as a block, after 'content: |'")
            return content.encode("utf-8", "surrogateescape")
        if script.get("src") is None or boolean(script.get("remote_src", False), strict=False):
            return None
        try:
            path = self._loader.get_real_file(self._find_needle("files", script.pop("src")), decrypt=True)
        except AnsibleError as problem:
            raise AnsibleActionFail("src cannot be read: %s" % problem) from problem
        try:
            with open(path, "rb") as source:
                return source.read()
        finally:
            self._loader.cleanup_tmp_file(path)

    def _bring(self, contents):
        """Put the scripts into a temporary file on the target.

        :returns: its path there.
        """
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        there = self._transfer_data(shell.join_path(shell.tmpdir, "scripts"), contents)
        self._fixup_perms2((shell.tmpdir, there), execute=False)
        return there


def _are_scripts(given):
    return isinstance(given, (list, tuple)) and all(isinstance(script, dict) for script in given)
