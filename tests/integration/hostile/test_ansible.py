# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a guest that means harm, through everything that takes it to Ansible, used by a real playbook.

``make fuzz`` does the same with every supported release of ansible-core.
"""

import pytest

from lab.daemon import Daemon
from lab.gateway import Gateway
from tests.integration.hostile import scene


@pytest.fixture(scope="module")
def xenstored(lab_parts):
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(xenstored):
    with Gateway(xenstored) as running:
        yield running


@pytest.fixture
def trace(tmp_path):
    """A folder in which whatever is carried out leaves a file."""
    folder = tmp_path / "trace"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())


def test_nothing_that_comes_from_outside_is_anything_but_text(xenstored, gateway, trace, tmp_path, host):
    scene.play(["ansible-playbook"], {}, xenstored, gateway, host, trace, tmp_path)
