# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
from lab import parts
from tests.integration.docs.story import Story


def stop_the_gateway(world):
    """What reads everything at once; and Xen's own tool is there."""
    world.gateway.stop()
    made = parts.get()
    tool = '#!/bin/sh\nXENSTORED_PATH=%s LD_LIBRARY_PATH=%s exec %s "$@"\n' % (
        world.daemon.path,
        made.library_path(),
        made.program("xenstore-ls"),
    )
    # Not as the page's own files: what is in it is of this system, even where that begins as the page's places do.
    path = world.root / "usr/sbin/xenstore-ls"
    path.write_text(tool, encoding="utf-8")
    path.chmod(0o755)
    world.run("web1", "export XENSTORED_PATH; ovmd -p key1=value1")


STORY = Story(guests=("web1",), daemons=False, before={"xenstore-ls": stop_the_gateway})
