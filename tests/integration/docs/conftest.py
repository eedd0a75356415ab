# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the pages' machines have, built once."""

import sys

import pytest

from ansible_collections.ovm.messaging.programs import build


@pytest.fixture(scope="session")
def programs(tmp_path_factory, lab_parts):
    """A folder of the programs, for the Python of the tests."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("ovmd", "ovm-chkconfig", "ovm-template-config", "ovm_vmmessage"):
        build.build(name, folder, sys.executable, [sys.executable])
    return folder
