# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_guest_param_info: with -v it tells what is waited for.

The module runs in the guest, and says nothing before its end. So with -v it waits in parts, and between these it is
told what is still missing. The result is the same.
"""

import time

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..plugin_utils import progress


class ActionModule(NormalAction):
    """Runs the module as usual; where somebody looks, and it has to wait for long, several times."""

    def run(self, tmp=None, task_vars=None):
        arguments = self._task.args
        keys = progress.names(arguments.get("keys")) if progress.truth(arguments.get("wait")) else []
        keys += progress.names(arguments.get("patterns"))
        if not keys or not progress.wanted(self):
            return super().run(tmp, task_vars)
        timeout = progress.seconds(arguments.get("wait_timeout"), 300.0)
        progress.show(self, task_vars, "waiting up to %g s for %s" % (timeout, progress.listed(keys)))
        started, part = time.monotonic(), progress.FIRST
        try:
            while True:
                waited = time.monotonic() - started
                self._task.args = dict(arguments, _part=part, _waited=waited)
                result = super().run(tmp, task_vars)
                if "_missing" not in result:
                    return result
                text = "after %d s: still missing: %s" % (time.monotonic() - started, ", ".join(result["_missing"]))
                progress.show(self, task_vars, text)
                part = progress.AGAIN
        finally:
            self._task.args = arguments
