# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import shlex

from tests.integration.docs.story import Story

RULEBOOKS = "tests/eda/test_rulebook.py"
SOURCE = "tests/integration/eda/test_vm_message.py"


def starts(world, block):
    """Run the playbook as ansible-rulebook does: the event is an extra variable."""
    event = {"event": {"vm": {"name": "web1", "id": world.guests["web1"].uuid}}}
    world.write(block.file, block.text)
    arguments = "%s -e %s" % (block.file, shlex.quote(json.dumps({"ansible_eda": event})))
    world.run("controller", "ansible-playbook " + arguments)
    assert world.run("web1", "ovmd -g registry.url") == "https://registry.example.com/\n"


STORY = Story(
    guests=("web1",),
    checked={"Register a guest\n  hosts": starts},
    elsewhere={
        "ansible-rulebook --rulebook": (RULEBOOKS, "test_a_guests_message_starts_a_playbook"),
        "kinds: [configuration]": (SOURCE, "test_reports_are_events_of_their_own_kinds"),
        "checkpoint:": (RULEBOOKS, "test_a_restart_with_a_checkpoint"),
        "event_source/vm_message.py": (SOURCE, "test_by_hand_it_prints_events"),
    },
)
