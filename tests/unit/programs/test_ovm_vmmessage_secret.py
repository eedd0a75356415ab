# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage says when the terminal fails it. All else about secrets is tested with a gateway."""

import os
import pathlib
import pty

import pytest

from ansible_collections.ovm.messaging.programs import build


@pytest.fixture
def secret(monkeypatch):
    """The module, imported as the program does."""
    monkeypatch.syspath_prepend(pathlib.Path(build.ROOT, "programs", "ovm_vmmessage"))
    import ovm_vmmessage_secret

    return ovm_vmmessage_secret


def test_a_terminal_that_is_gone(secret, monkeypatch):
    master, slave = pty.openpty()
    # Once its other end is closed nobody can open it any more, as between the opening of /dev/tty and its use.
    monkeypatch.setattr(secret.os, "open", lambda _path, _flags: slave)
    os.close(master)
    with pytest.raises(secret.BadUsage) as found:
        secret.read_password("admin", "localhost")
    assert str(found.value) == (
        "the password cannot be read from the terminal (Input/output error): "
        "set OVM_PASSWORD, or use a client certificate"
    )
