# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_template_config: with -v it tells what is waited for."""

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..plugin_utils import progress


class ActionModule(NormalAction):
    """Runs the module as usual."""

    def run(self, tmp=None, task_vars=None):
        if progress.wanted(self):
            arguments = self._task.args
            script = arguments.get("script")
            text = "running %s for the target %s, up to %g s%s; another run is waited for up to %g s" % (
                "the scripts" if script is None else "the script %s" % progress.listed([str(script)]),
                progress.listed([str(arguments.get("target"))]),
                progress.seconds(arguments.get("script_timeout"), 300.0),
                " each" if script is None else "",
                progress.seconds(arguments.get("lock_timeout"), 600.0),
            )
            progress.show(self, task_vars, text)
        return super().run(tmp, task_vars)
