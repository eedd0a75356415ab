# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess
import sys

from lab import parts
from tests.integration.docs.story import Story

LAB = "python -m lab --dir {root}/lab"


def a_test_as_in_the_page(world, block):
    """It is a test, with the lab's fixtures."""
    text = "from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore\n\n\n"
    (world.folder / "test_example.py").write_text(text + block.text)
    (world.folder / "conftest.py").write_text('pytest_plugins = ["lab.fixtures"]\n')
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "test_example.py"], cwd=world.folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    clone=True,
    replace={"python -m lab": LAB},
    varies=(
        (r"\S*/ovm-lab-\w+", "LAB"),
        (r"gateway-\w+", "GATEWAY"),
        (r"(?<=PORT=)\d+", "PORT"),
        (r"(?<=PASSWORD=)\S+", "PASSWORD"),
        (r"lab: .*\n", ""),
    ),
    before={"lab receive": lambda world: world.run("controller", say_something(world))},
    checked={"def test_a_guest_reads_its_name": a_test_as_in_the_page},
    end=lambda world: world.run("controller", (LAB + " down").format(root=world.root)),
)


def say_something(world):
    """Guest 5 sends a message, for which the page waits."""
    lab = LAB.format(root=world.root)
    ovmd = "%s/usr/sbin/ovmd" % world.root
    assert parts.get()
    return 'eval "$(%s status 2>/dev/null)"; XENSTORED_PATH=$LAB_GUEST_5 OVM_STATE_DIR=%s/state %s -p a=1' % (
        lab,
        world.root,
        ovmd,
    )
