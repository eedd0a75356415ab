# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import os

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.guest import Guest
from tests.integration.docs.acts import does, one_after_the_other
from tests.integration.docs.story import Story
from tests.integration.docs.world import until

PLACES = ("/dev/xen/xenbus", "/proc/xen/xenbus", "/run/xenstored/socket", "/var/run/xenstored/socket")


def in_guest(commands):
    """Something that stays so in the guest's shell."""
    return lambda world: world.shell("web1").run(commands)


def a_guest_without_a_channel(world):
    world.gateway.stop()  # it opens the channel of any guest
    bare = Guest(world.daemon, 30, name="bare", prepare=False)
    world.shell("web1").run("export XENSTORED_PATH=%s OVM_STATE_DIR=%s/bare" % (bare.path, world.root))


def nobody_collects(world):
    with XenStore(world.guests["web1"].path) as store:
        end, number = GuestEnd(store), 0
        try:
            while True:
                end.send(Message(b"key%d" % number, b"value"), 0.5)
                number += 1
        except QuotaExceeded:
            pass
    in_guest("export XENSTORED_PATH=$OWN_PATH OVM_STATE_DIR=$OWN_STATE")(world)


def hangs(world):
    world.gateway.start()
    world.heard("web1", "key0")
    world.daemon.pause()


def is_stopped(world):
    world.guests["web2"].destroy()
    query = "ovm_vmmessage -v web2 -q ovmd.report.guest"
    until(lambda: "Stopped" in world.run("controller", query), "the gateway sees that web2 is gone")


ELSEWHERE = {}
if any(map(os.path.exists, PLACES)):  # the tests run on a Xen machine, which is not theirs to ask
    ELSEWHERE["ovmd --list"] = ("tests/integration/ovmd/test_errors.py", "no XenStore here")

STORY = Story(
    files={"ovm.yml": "plugin: ovm.messaging.ovm\nset_ansible_host: false\n"},
    varies=(
        (r"\S*/ovm-lab-\w+/guest-\d+/xenbus", "/dev/xen/xenbus"),
        (r"/guests/web1/state", "/run/ovmd"),
        (r"\b\d+ messages? in ", "N messages in "),
    ),
    setup=one_after_the_other(
        in_guest("OWN_PATH=$XENSTORED_PATH OWN_STATE=$OVM_STATE_DIR; unset XENSTORED_PATH"),
        does("web2", "ovmd -p app.state=ready"),
    ),
    before={
        "ovmd -p app.state=ready": a_guest_without_a_channel,
        "ovmd -p key170=value": nobody_collects,
        "ovmd -p app.state=busy": hangs,
        "ovmd -g app.state": lambda world: world.daemon.resume(),
        "ovmd -e reconfigure": lambda world: world.stop_daemon("web1"),
        "-v web2": is_stopped,
        "keys=app.registered": lambda world: world.start_daemon("web1"),
        "echo '{}'": does("web1", "ovm-chkconfig --add authentication"),
        "Europe/Atlantis": does("web1", "ovm-chkconfig --add datetime"),
        "ovm-chkconfig --add motd": does("web1", "ovm-chkconfig --del authentication"),
    },
    elsewhere=ELSEWHERE,
)
