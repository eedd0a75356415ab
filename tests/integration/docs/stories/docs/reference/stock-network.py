# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import does, one_after_the_other, parameters_of, sends
from tests.integration.docs.story import Story

PREFIX = "com__oracle__linux__network__"
SENT = [
    ("hostname", "db1.example.com"),
    ("device__0", "eth0"),
    ("bootproto__0", "static"),
    ("ipaddr__0", "192.0.2.5"),
    ("netmask__0", "255.255.255.0"),
    ("gateway__0", "192.0.2.1"),
    ("dns-servers__0", "192.0.2.53"),
]
STORY = Story(
    setup=one_after_the_other(
        does("web1", "ovm-chkconfig --add network"),
        *(sends("web1", **{PREFIX + key: value}) for key, value in SENT),
    ),
    elsewhere={
        "hostname": ("tests/toolchain/stock_network.py", "podman"),
        "ip -brief": ("tests/toolchain/stock_network.py", "podman"),
    },
    checked={"com.oracle.linux.network.": parameters_of("network")},
)
