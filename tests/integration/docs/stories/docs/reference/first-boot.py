# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

MOLECULE = "extensions/molecule/first_boot/prepare.yml"
STORY = Story(
    elsewhere={
        "systemctl enable": (MOLECULE, "seal_template"),
        "ovmd -s cleanup": (MOLECULE, "seal_template"),
        "poweroff": (MOLECULE, "ovmd_seal_shutdown: true"),
        "<Environment": ("tests/integration/ovm_template_config/test_session.py", "ovf"),
        "genisoimage": ("tests/integration/ovm_template_config/test_session.py", "ovf"),
        "service ovmd": ("tests/integration/first_boot/test_init_script.py", "enable-initial-config"),
    },
)
