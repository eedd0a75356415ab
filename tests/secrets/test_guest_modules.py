# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in a guest: what is given to them as a secret."""

PARAM, INFO = "ovm.messaging.ovm_guest_param", "ovm.messaging.ovm_guest_param_info"


def test_parameters_and_what_reads_them(watch, in_guest):
    values = {name: watch.secret(name) for name in ("marked", "named", "second")}
    secrets = {"app.pin": "{{ marked }}", "app.password": "{{ named }}"}
    ran = in_guest(
        "ovm_guest_param",
        {PARAM: {"params": {"app.state": "on"}, "secret_params": secrets}},
        {PARAM: {"secret_params": {"app.pin": "{{ second }}"}}},
        {INFO: {}},
        variables=values,
    )
    assert "'app.pin': '********'" in ran.said.replace('"', "'"), ran.said


def test_secrets_by_their_names(watch, in_guest):
    values = {name: watch.secret(name) for name in ("listed", "single")}
    in_guest(
        "ovm_guest_param, secrets by name",
        {PARAM: {"params": {"app.state": "on", "app.password": "{{ listed }}"}}},
        {PARAM: {"key": "app.token", "value": "{{ single }}"}},
        {INFO: {}},
        variables=values,
    )


def test_failures(watch, in_guest):
    value = {"app.pin": "{{ value }}"}
    bad = [
        {PARAM: {"secret_params": {"app.pin": "{{ value * 300 }}"}}},  # too long
        {PARAM: {"secret_params": {"k" * 300: "{{ value }}"}}},
        {PARAM: {"secret_params": {"app.pin": {"deep": ["{{ value }}"]}, "": "{{ value }}"}}},
        {PARAM: {"secret_params": "{{ value }}"}},  # no dict
        {PARAM: {"secret_params": ["{{ value }}"]}},
        {PARAM: {"secret_params": value, "timeout": "soon"}},
        {PARAM: {"secret_params": value, "xenstore_path": "/no/such/xenstore"}},
        {PARAM: {"secret_params": value, "state_dir": "/proc/none"}},
        {PARAM: {"secret_params": value, "binary_params": {"app.pin": "AAAA"}}},
        {PARAM: {"secret_params": value}, "vars": {"ansible_python_interpreter": "/no/python"}},
    ]
    ran = in_guest("ovm_guest_param, failing", *bad, variables={"value": watch.secret("value")}, again=False)
    assert ran.said.count("...ignoring") == len(bad), ran.said
