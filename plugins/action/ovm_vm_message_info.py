# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_vm_message_info: with -v it tells what is waited for."""

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..plugin_utils import progress


class ActionModule(NormalAction):
    """Runs the module as usual, and shows how things stand meanwhile."""

    def run(self, tmp=None, task_vars=None):
        if not progress.wanted(self):
            return super().run(tmp, task_vars)
        arguments = self._task.args
        keys = progress.names(arguments.get("keys")) if progress.truth(arguments.get("wait")) else []
        keys += progress.names(arguments.get("patterns"))
        if keys:
            machines = progress.names(arguments.get("vms") or [arguments.get("vm")])
            timeout = progress.seconds(arguments.get("wait_timeout"), 300.0)
            text = "waiting up to %g s for %s of %s" % (timeout, progress.listed(keys), progress.listed(machines))
            progress.show(self, task_vars, text)
        try:
            with progress.watching(self, task_vars) as options:
                self._task.args = dict(arguments, **options)
                return super().run(tmp, task_vars)
        finally:
            self._task.args = arguments
