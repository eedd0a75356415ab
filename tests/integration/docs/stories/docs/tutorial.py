# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.story import Story
from tests.integration.docs.world import ROOT

LAB = "python -m lab --dir {root}/lab"
OPTIONS = "--python $VIRTUAL_ENV/bin/python"


def make_does_that(_world):
    """What stands here for ``make programs`` is what that runs; the toolchain must not be made anew within a test."""
    assert "programs/build.py --output build $(ARGS)" in (ROOT / "Makefile").read_text(encoding="utf-8")


STORY = Story(
    guests=(),
    gateway=False,
    environment=(),
    clone=True,
    replace={
        "python -m lab": LAB,
        'make programs ARGS="%s"' % OPTIONS: "python %s/programs/build.py --output build %s" % (ROOT, OPTIONS),
    },
    elsewhere={"make demo": ("tests/toolchain/fresh.py", "the README's commands")},
    setup=make_does_that,
    end=lambda world: world.run("controller", (LAB + " down").format(root=world.root)),
)
