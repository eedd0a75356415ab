# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers
from tests.integration.docs.story import Story

STORY = Story(setup=answers("web1", "registry.url", "registry.state=done"))
