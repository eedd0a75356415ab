# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers, one_after_the_other, sends
from tests.integration.docs.story import Story

FRESH = ("tests/toolchain/fresh.py", "the README's commands")
FIRST_BOOT = ("extensions/molecule/first_boot/prepare.yml", "ovm.messaging.seal_template")
STORY = Story(
    before={
        "Wait until the host has said where to register": sends("web1", registry__url="https://registry.example.com/"),
        "Tell two guests where to register": one_after_the_other(
            answers("web1", "registry.url", "app.registered=yes"),
            answers("web2", "registry.url", "app.registered=yes"),
        ),
    },
    elsewhere={
        "apt-get install": FRESH,
        "make demo\nmake test": FRESH,
        "ansible-galaxy collection install": ("tests/toolchain/gates.py", "install"),
        "role: ovm.messaging.ovm_gateway": ("extensions/molecule/gateway/converge.yml", "ovm.messaging.ovm_gateway"),
        "- ovm.messaging.ovmd": ("extensions/molecule/default/converge.yml", "ovm.messaging.ovmd"),
        "ovm.messaging.seal_template": FIRST_BOOT,
    },
)
