# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import boots_first, variables_of
from tests.integration.docs.story import Story

FIRST_BOOT = "extensions/molecule/first_boot/prepare.yml"
STORY = Story(
    files={"motd.py": "", "vault.yml": "vault_root_password: not-a-secret-here\n"},
    before={"ovm.messaging.provision_guest": boots_first("web1", "network", "datetime")},
    checked={"ovmd_scripts:": variables_of("ovmd")},
    elsewhere={
        "- ovm.messaging.ovmd\n": ("extensions/molecule/default/converge.yml", "ovm.messaging.ovmd"),
        "ovm.messaging.seal_template": (FIRST_BOOT, "ovm.messaging.seal_template"),
        "tasks_from: seal": (FIRST_BOOT, "ovm.messaging.seal_template"),
    },
)
