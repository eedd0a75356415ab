# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Ansible which of its hosts are guests of the lab, so that the pages' inventories need not."""

import json
import os
import sys

from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
name: lab
short_description: The lab's guests as hosts
description:
  - A guest of the lab is a process of this machine. Its Python has that guest's XenStore.
"""


class VarsModule(BaseVarsPlugin):
    """Reads what the page's world has written to the file that DOCS_WORLD names."""

    def get_vars(self, loader, path, entities, cache=True):
        super().get_vars(loader, path, entities)
        if os.path.basename(sys.argv[0]) == "ansible-inventory":
            return {}  # it shows what the pages' inventories give, and nothing of ours
        with open(os.environ["DOCS_WORLD"], encoding="utf-8") as stream:
            world = json.load(stream)
        found = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if isinstance(entity, Host):
                found.update(world["vars"], **world["hosts"].get(entity.name, {}))
        return found
