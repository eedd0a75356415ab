# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters are secrets by their name."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.secret_names import secret_by_name


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        (b"com.oracle.linux.root-password", True),
        (b"com.oracle.linux.user.password.0", True),
        (b"DB_PASSWD", True),
        (b"com.oracle.linux.ssh.private-key", True),
        (b"com.oracle.linux.ssh.private-key-type", False),
        (b"com.oracle.linux.ssh.host-rsa-key", True),
        (b"com.oracle.linux.ssh.host-rsa-key-pub", False),
        (b"com.oracle.linux.ssh.host-key", True),
        (b"api.token", True),
        (b"client-secret", True),
        (b"passphrase", True),
        (b"com.oracle.linux.network.hostname", False),
        (b"key1", False),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_names_tell(key, secret):
    assert secret_by_name(key) is secret


def test_what_a_guest_reports_about_a_secret_is_none():
    assert not secret_by_name(report.held_key(b"com.oracle.linux.root-password"))
