# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

MOLECULE = "extensions/molecule/gateway/converge.yml"
STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    groups={"admin_hosts": ["admin1"]},
    elsewhere={"- ovm.messaging.ovm_vmmessage": (MOLECULE, "ovm.messaging.ovm_vmmessage")},
)
