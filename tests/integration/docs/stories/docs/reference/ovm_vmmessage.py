# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import does, one_after_the_other, trusts
from tests.integration.docs.story import Story


def keep_the_password(world):
    (world.root / "password").write_text(world.gateway.password)


ASKED = [("Password of admin", "{password}")]
STORY = Story(
    guests=("MyVM02",),
    root="MyVM02",
    environment=("OVM_PORT",),
    setup=one_after_the_other(trusts("manager-ca.pem"), keep_the_password, does("MyVM02", "ovmd -p key1=value1")),
    replace={"OVM_PASSWORD=...": "OVM_PASSWORD=$(cat {root}/password)"},
    files={"/root/secret": "not-a-secret-here\n"},
    typed={
        "root-password --value-from-stdin\n": [("Value of 'com", "not-a-secret-here"), *ASKED],
        "ovm_vmmessage -v MyVM02": ASKED,
    },
)
