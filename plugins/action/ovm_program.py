# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_program: it finds the programs' sources, and brings them to the target."""

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_list
from ansible.plugins.action import ActionBase

from ...programs import build
from ..module_utils.program_module import pack


class ActionModule(ActionBase):
    """Runs the module as usual, once the sources are there."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            programs = _programs(arguments.get("name"))
            if programs and arguments.get("state") != "absent":
                arguments["_sources"] = self._bring(pack(programs))
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _bring(self, sources):
        """Put the sources into a temporary file on the target.

        :returns: its path there.
        """
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        # Through a file: not all connections, and not all ways to become root, hand standard input on.
        there = self._transfer_data(shell.join_path(shell.tmpdir, "sources"), sources)
        self._fixup_perms2((shell.tmpdir, there), execute=False)
        return there


def _programs(names):
    """Name to files, whether it wants libraries, and completions; what is no list of names the module refuses."""
    try:
        return {
            name: (build.collect(name), build.requirements(name) is not None, build.completions(name))
            for name in check_type_list(names or [])
        }
    except (TypeError, build.BuildError) as problem:
        raise AnsibleActionFail(str(problem)) from None
