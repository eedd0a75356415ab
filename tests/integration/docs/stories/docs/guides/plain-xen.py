# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import runs_a_gateway
from tests.integration.docs.story import Story

MOLECULE = "extensions/molecule/gateway/converge.yml"
STORY = Story(
    environment=("OVM_PORT", "OVM_PASSWORD"),
    setup=runs_a_gateway,
    elsewhere={
        "role: ovm.messaging.ovm_gateway": (MOLECULE, "ovm_gateway"),
        "ansible-playbook -i inventory.yml gateway.yml": (MOLECULE, "ovm_gateway"),
        "systemctl status": ("extensions/molecule/gateway/verify.yml", "ovm-gateway"),
    },
)
