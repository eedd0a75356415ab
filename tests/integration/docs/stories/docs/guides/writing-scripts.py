# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import sys

from tests.integration.docs.story import Story

STORY = Story(
    guests=("web1",),
    replace={"#!/usr/bin/python3": "#!" + sys.executable},
)
