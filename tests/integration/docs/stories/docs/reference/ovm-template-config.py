# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import is_json, puts_motd
from tests.integration.docs.story import Story

STORY = Story(
    setup=puts_motd,
    checked={'[["95"': is_json, '"status"': is_json},
)
