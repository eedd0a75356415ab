# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    elsewhere={"direction_parameter: direction": ("tests/unit/manager/test_dialect.py", "direction_parameter")}
)
