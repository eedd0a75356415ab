# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story


def two_scripts(world):
    """As in the page's first example."""
    scripts = world.root / "etc/template.d/scripts"
    for path in scripts.iterdir():
        if path.name not in ("network", "firewall"):
            path.unlink()


STORY = Story(
    setup=two_scripts,
    elsewhere={
        "chroot": ("tests/integration/ovm_chkconfig/test_image.py", "root"),
        "--root=": ("tests/integration/ovm_chkconfig/test_image.py", "--root"),
    },
)
