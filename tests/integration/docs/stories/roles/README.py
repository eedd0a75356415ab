# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    elsewhere={
        "role: ovm.messaging.ovm_gateway": ("extensions/molecule/gateway/converge.yml", "ovm.messaging.ovm_gateway"),
        "pip download": ("extensions/molecule/gateway_wheelhouse/prepare.yml", "Fill a wheelhouse"),
    },
)
