# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how each host fared into the file that OVM_MATRIX_OUTCOME names, as JSON. Only the tests have it."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: outcome
type: notification
short_description: Writes how each host fared
description:
  - Writes numbers and faults of all hosts into a file.
"""


class CallbackModule(CallbackBase):
    """Collects the faults while the play runs, and the numbers at its end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._faults = {}

    def v2_runner_on_failed(self, result, ignore_errors=False):
        # Of a loop, the items have been noted.
        if not ignore_errors and "results" not in result._result:
            self._note(result)

    def v2_runner_on_unreachable(self, result):
        self._note(result)

    def v2_runner_item_on_failed(self, result):
        if not result._task.ignore_errors:
            self._note(result)

    def v2_playbook_on_stats(self, stats):
        outcome = {
            host: dict(stats.summarize(host), faults=self._faults.get(host, [])) for host in sorted(stats.processed)
        }
        with open(os.environ["OVM_MATRIX_OUTCOME"], "w", encoding="utf-8") as stream:
            json.dump(outcome, stream)

    def _note(self, result):
        said = result._result
        text = "%s: %s" % (result._task.get_name(), said.get("msg", "no message"))
        for name in ("assertion", "module_stderr", "stderr"):
            if said.get(name):
                text += " (%s: %s)" % (name, said[name])
        self._faults.setdefault(result._host.get_name(), []).append(text)
