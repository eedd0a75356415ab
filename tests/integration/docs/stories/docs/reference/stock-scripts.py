# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import does, parameters_of
from tests.integration.docs.story import Story

STORY = Story(
    guests=("MyVM02",),
    root="MyVM02",
    setup=does("MyVM02", "ovm-chkconfig --add datetime"),
    elsewhere={"root-lock": ("extensions/molecule/first_boot/prepare.yml", "ovmd_seal_lock_root: true")},
    checked={"com.oracle.linux.group.name.0": parameters_of("user")},
)
