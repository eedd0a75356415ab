# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import is_json
from tests.integration.docs.story import Story

TESTS = "tests/integration/gateway/conftest.py"
STORY = Story(
    elsewhere={"curl": (TESTS, "sendMessage?logFlag"), "base=": (TESTS, "/ovm/core/wsapi/rest")},
    checked={'"errorCode"': is_json},
)
