# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_guest_param: what the module itself cannot see any more.

YAML tells the keys 1 and "1" apart. On the way to the module both become "1", and one of
the two values is lost without a word. So this is refused here, before anything is sent.
"""

import json

from ansible.errors import AnsibleActionFail
from ansible.plugins.action.normal import ActionModule as NormalAction

_DICTS = ("params", "secret_params", "binary_params")


class ActionModule(NormalAction):
    """Runs the module as usual, once its dicts have been looked at."""

    def run(self, tmp=None, task_vars=None):
        for option in _DICTS:
            given = self._task.args.get(option)
            if isinstance(given, dict):
                _refuse_twins(option, given)
        return super().run(tmp, task_vars)


def _refuse_twins(option, given):
    """Raise AnsibleActionFail where two keys are the same once they are text."""
    seen = {}
    for key in given:
        name = next(iter(json.loads(json.dumps({key: 0}, default=str))))
        if name in seen:
            raise AnsibleActionFail(
                "%s has the key '%s' twice, as %s and as %s: give each parameter once"
                % (option, name, _kind(seen[name]), _kind(key))
            )
        seen[name] = key


def _kind(key):
    return "a number" if isinstance(key, (int, float)) else "text"
