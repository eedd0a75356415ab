# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    elsewhere={
        "make demo\nmake test": ("tests/toolchain/fresh.py", "the README's commands"),
        "toolchain.ansible_test": ("tests/toolchain/gates.py", '"toolchain.ansible_test", command'),
    },
)
