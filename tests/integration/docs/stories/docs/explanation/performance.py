# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    elsewhere={
        "make bench": ("tests/bench/__main__.py", "def main"),
        "make soak": ("tests/soak/__main__.py", "def main"),
    },
)
