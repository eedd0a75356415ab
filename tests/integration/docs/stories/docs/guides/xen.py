# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story

STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    elsewhere={
        "provision_vm=clone2": ("tests/xen/test_story.py", "transport"),
        "make xen\n": ("tests/toolchain/xen.py", "tests/xen"),
        "make xen-shell": ("tests/lab/xen/full.py", "OVM_XEN_TEMPLATE"),
    },
    nowhere={
        "vi /etc/xen/template.cfg": "an editor, which a person uses",
        "xl create": "a template of one's own, which nobody else has",
    },
)
