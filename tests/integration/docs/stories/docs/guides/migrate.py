# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from tests.integration.docs.acts import answers, does, sends
from tests.integration.docs.story import Story

SCRIPT = "#!/bin/sh\n### BEGIN PLUGIN INFO\n# name: registry\n# configure: 95\n### END PLUGIN INFO\n"


def old_answer(world):
    """The guest has said something long ago."""
    world.run("web1", "ovmd -p app.updated=7")
    world.heard("web1", "app.updated")


STORY = Story(
    setup=does("web1", "ovm-chkconfig --add datetime"),
    files={"registry": SCRIPT, "token": "not-a-secret-here\n", "/root/secret": "not-a-secret-here\n"},
    before={
        "Wait until the host has said where to register": sends("web1", registry__url="https://registry.example.com/"),
        "It should be done by then": old_answer,
        "Have web1 update, and wait for its answer": answers("web1", "app.release=8", "app.updated=8"),
    },
)
