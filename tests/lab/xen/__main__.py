# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a real Xen host in QEMU, and leave it running until Ctrl-C.

usage: tests/bootstrap python -m lab.xen shell [light | full]
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys

from .. import LabError
from . import light, machine
from .full import full_system
from .host import Host
from .ssh import Key


@contextlib.contextmanager
def light_system():
    """The light system with a guest of each kind: the machine, and shells by name."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(machine.run_folder())
        key = Key(folder)
        running = stack.enter_context(machine.Machine(light.make(folder, key.public), key, folder))
        running.start()
        say("dom0 is there; next a guest of each kind")
        host = Host(running.dom0, key)
        stack.callback(host.close)
        created = [host.create("guest-" + kind, kind, wait=False) for kind in ("pv", "pvh")]
        for domain in created:
            domain.wait()
            host.shell.python("host", "prepare", domain.domid)
        yield running, {"dom0": running.dom0, **{domain.name: domain.shell for domain in created}}


def _command(folder, name, shell):
    """Make a command that opens a shell on a machine, or runs there what it is given.

    :returns: its path.
    """
    path = os.path.join(folder, name)
    program, environment = shell.program()
    libraries = environment.get("LD_LIBRARY_PATH")
    setting = "LD_LIBRARY_PATH=%s " % shlex.quote(libraries) if libraries else ""
    # Whatever else is there is in use.
    with open(path, "x", encoding="utf-8") as stream:
        stream.write('#!/bin/sh\n%sexec %s "$@"\n' % (setting, shlex.join([program, *shell.destination])))
    os.chmod(path, 0o700)
    return path


def shell(system, programs):
    """Boot a system, tell how to get in, and wait for Ctrl-C or for its end.

    :param str programs: what is there, to be told.
    """
    with system() as (running, shells):
        print("\nIt runs. Each of these opens a shell there, or runs what it is given:\n")
        for name, one in shells.items():
            print("  " + _command(running.folder, name, one))
        print("\nIn dom0, xl and the xenstore tools are there%s." % programs)
        print("The consoles: %s, in dom0 /var/log/xen/console" % running.serial)
        print("\nCtrl-C ends it all.", flush=True)
        running.wait()
    say("it has ended")


def say(text):
    print("xen: " + text, file=sys.stderr, flush=True)


#: The systems that there are, by name, and what of this collection they have.
SYSTEMS = {
    "light": (light_system, ", and ovm-gateway and ovm_vmmessage; in guests ovmd"),
    "full": (full_system, "; the roles ovm_gateway and ovmd install the rest"),
}


def main():
    parser = argparse.ArgumentParser(prog="python -m lab.xen", description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["shell"])
    parser.add_argument("system", nargs="?", choices=sorted(SYSTEMS), default="light")
    arguments = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        shell(*SYSTEMS[arguments.system])
    except LabError as problem:
        sys.exit("xen: %s" % problem)
    except KeyboardInterrupt:
        say("it has ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
