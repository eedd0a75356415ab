# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a target's syslog may be told of a module's options; that it is told so is tested by ``make secrets``."""

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ovm.messaging.plugins.module_utils.parameter_module import ParameterModule, masked
from ansible_collections.ovm.messaging.plugins.module_utils.values import MASK


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"params": {"a": "on", "app.password": "s3"}}, {"params": {"a": "on", "app.password": MASK}}),
        ({"params": {"App.Token": ["s3"], 5: "x"}}, {"params": {"App.Token": MASK, 5: "x"}}),
        ({"params": None, "key": None, "value": None}, {"params": None, "key": None, "value": None}),
        ({"key": "app.state", "value": "on"}, {"key": "app.state", "value": "on"}),
        ({"key": "app.password", "value": "s3"}, {"key": "app.password", "value": MASK}),
        ({"key": "app.password", "value": None}, {"key": "app.password", "value": None}),
        ({"held": True, "params": {"\udc80token": "s"}}, {"held": True, "params": {"\udc80token": MASK}}),
    ],
)  # fmt: skip
def test_secrets_by_name_are_masked(options, shown):
    assert masked(options) == shown


@pytest.mark.parametrize("problem", [None, OSError("no syslog")])
def test_only_the_log_is_told_so(monkeypatch, problem):
    told = []

    def log(module):
        told.append(module.params)
        if problem:
            raise problem

    monkeypatch.setattr(AnsibleModule, "_log_invocation", log)
    module = object.__new__(ParameterModule)
    module.params = {"params": {"app.password": "s3"}}
    try:
        module._log_invocation()
    except OSError as caught:
        assert caught is problem
    assert told == [{"params": {"app.password": "********"}}]
    assert module.params == {"params": {"app.password": "s3"}}
