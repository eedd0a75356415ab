# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import trusts
from tests.integration.docs.story import Story

STORY = Story(
    guests=("MyVM02",),
    root="MyVM02",
    environment=("OVM_PORT", "OVM_PASSWORD"),
    setup=trusts("manager.pem"),
    elsewhere={"curl": ("tests/integration/gateway/test_rest.py", "CaCertificate")},
)
