# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A module that takes parameters, some of which may be secrets by their names. Private to this collection."""

from ansible.module_utils.basic import AnsibleModule

from .secret_names import secret_by_name
from .values import MASK


class ParameterModule(AnsibleModule):
    """An AnsibleModule that logs no secret.

    Ansible has the target's syslog tell how a module was invoked, and leaves out only options that are secrets as a
    whole. The options ``params``, and ``key`` and ``value``, are secrets where the key says so.
    """

    def _log_invocation(self):
        options = self.params
        self.params = masked(options)
        try:
            super()._log_invocation()
        finally:
            self.params = options


def masked(options: dict) -> dict:
    """Options with the values of secrets masked."""
    result = dict(options)
    if isinstance(options.get("params"), dict):
        result["params"] = {key: MASK if _secret(key) else value for key, value in options["params"].items()}
    if options.get("value") is not None and _secret(options.get("key")):
        result["value"] = MASK
    return result


def _secret(key):
    return secret_by_name(str(key).encode("utf-8", "surrogateescape"))
