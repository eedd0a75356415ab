# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import configuration_of_the_gateway
from tests.integration.docs.story import Story

CONFIGURATION = """\
[server]
address = 127.0.0.1
port = 0
directory = /var/lib/ovm-gateway
users = /etc/ovm-gateway/users
"""
STORY = Story(
    guests=("MyVM02",),
    root="dom0",
    files={"/etc/ovm-gateway/ovm-gateway.conf": CONFIGURATION, "password-file": "not-a-secret-here\n"},
    setup=lambda world: world.gateway.stop(),
    typed={"user add admin\n": [("Password", "not-a-secret-here"), ("Again", "not-a-secret-here")]},
    elsewhere={"curl": ("tests/integration/gateway/conftest.py", "/ovm/core/wsapi/rest")},
    checked={"[server]": configuration_of_the_gateway},
)
