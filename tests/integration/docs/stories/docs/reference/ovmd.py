# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import sys

from tests.integration.docs.acts import sends
from tests.integration.docs.story import Story
from tests.integration.docs.world import ROOT

LOOP = "tests/integration/daemon/test_events.py"
STORY = Story(
    daemons=False,
    replace={
        "python programs/build.py": "python %s/programs/build.py" % ROOT,
        "/usr/bin/python3.6": sys.executable,
    },
    before={"ovmd --list": sends("web1", key2="value2")},
    files={"/root/secret": "not-a-secret-here\n"},
    codes={"ovmd -d1": 0},
    typed={"ovmd --set-secret=root-password\n": [("Value of 'root-password'", "not-a-secret-here")]},
    elsewhere={
        "journalctl": (LOOP, "SIGUSR1"),
        "Type=notify": ("roles/ovmd/templates/ovmd.service.j2", "Type=notify"),
        "json.loads(line)": ("tests/integration/ovmd/test_session.py", '"surrogateescape"'),
    },
)
