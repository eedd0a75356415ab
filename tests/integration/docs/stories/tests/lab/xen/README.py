# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    elsewhere={
        "make xen-shell": ("tests/xen/test_boot.py", "def test_"),
        "cd .cache/xen": ("tests/xen/test_boot.py", "def test_"),
        "./guest-pv": ("tests/xen/test_boot.py", "ovmd"),
        "./dom0": ("tests/xen/test_boot.py", "def test_"),
        "def test_a_guest_knows_its_name": ("tests/xen/test_lives.py", 'on_crash="restart"'),
    },
)
