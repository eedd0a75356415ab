# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Xen host in user space: a real XenStore daemon, and guests with a domain's true identity."""

import argparse
import contextlib
import fcntl
import glob
import json
import os
import shlex
import shutil
import sys
import time

from . import LabError, parts
from .daemon import KINDS, NAMES, Daemon, make_directory
from .process import Process

try:
    from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError
    from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
    from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message, display
    from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore

    from .gateway import Gateway
    from .guest import Guest
except ImportError as missing:
    sys.exit("lab: %s: run it as 'tests/bootstrap python -m lab ...', or source .cache/activate first" % missing)

#: Seconds that a message may take to be sent.
SENDING = 10.0
_RECORD = "lab.json"


class Lab:
    """A lab that lives on after the command that has started it.

    :param str folder: where it is recorded: what tells it from other labs.
    """

    def __init__(self, folder):
        self._folder = folder
        self.daemon = self._find()

    def _find(self):
        """The daemon that an earlier command has started, or None."""
        try:
            with open(os.path.join(self._folder, _RECORD), encoding="utf-8") as stream:
                record = json.load(stream)
        except FileNotFoundError:
            return None
        daemon = Daemon(record["kind"], record["directory"], detached=True)
        daemon.process = Process(*record["process"])
        return daemon

    @property
    def up(self):
        return bool(self.daemon and self.daemon.process.alive())

    def require(self):
        """:returns: the lab. Raises LabError when it is not up."""
        if not self.up:
            raise LabError("the lab is not up: run 'python -m lab up'")
        return self

    @contextlib.contextmanager
    def changing(self):
        """One command at a time changes what runs; the state is that of the moment it may."""
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            folder = os.open(self._folder, os.O_RDONLY)
        except OSError as problem:
            raise LabError(
                "cannot keep the lab's state in %s (%s): name another folder with --dir, or set OVM_CACHE"
                % (self._folder, problem.strerror)
            ) from problem
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self.daemon = self._find()
            yield self
        finally:
            os.close(folder)

    def start(self, kind):
        self.stop()  # what was left by one that was killed
        daemon = Daemon(kind, make_directory(), detached=True)
        try:
            daemon.start()
            record = {
                "kind": kind,
                "directory": daemon.directory,
                "process": [daemon.process.pid, daemon.process.started],
            }
            with open(os.path.join(self._folder, _RECORD), "w", encoding="utf-8") as stream:
                json.dump(record, stream)
        except BaseException:
            daemon.stop()
            shutil.rmtree(daemon.directory, ignore_errors=True)
            raise
        self.daemon = daemon

    def stop(self):
        if not self.daemon:
            return
        gateway = self.gateway()
        if gateway:
            gateway.close()
        for guest in self.guests():
            guest.close()
        self.daemon.stop()
        shutil.rmtree(self.daemon.directory, ignore_errors=True)
        os.unlink(os.path.join(self._folder, _RECORD))
        self.daemon = None

    def guests(self):
        """:returns: its Guests, ordered by domain."""
        records = glob.glob(os.path.join(self.daemon.directory, "guest-*", "guest.json"))
        guests = [Guest.load(self.daemon, os.path.dirname(path)) for path in records]
        return sorted(guests, key=lambda guest: guest.domid)

    def guest(self, domid):
        """:returns: the Guest with this number. Raises LabError when there is none."""
        for guest in self.guests():
            if guest.domid == domid:
                return guest
        raise LabError("there is no guest %d: run 'python -m lab guest %d'" % (domid, domid))

    def gateway(self):
        """:returns: its Gateway, or None."""
        return Gateway.load(self.daemon)

    def host(self):
        """:returns: a connection as dom0."""
        return XenStore(self.daemon.path)


# --- the commands -----------------------------------------------------------------------


def up(lab, arguments):
    with lab.changing():
        if not lab.up:
            lab.start(arguments.daemon or KINDS[0])
        elif arguments.daemon in (None, lab.daemon.kind):
            say("it is up already")
        else:
            raise LabError("it is up already, with %s: run 'python -m lab down' first" % NAMES[lab.daemon.kind])
    status(lab, arguments)


def down(lab, _arguments):
    with lab.changing():
        if not lab.daemon:
            say("it is down already")
        lab.stop()


def status(lab, _arguments):
    lab.require()
    say("%s serves %s" % (NAMES[lab.daemon.kind], lab.daemon.directory))
    print("XENSTORED_PATH=%s" % lab.daemon.path)
    for guest in lab.guests():
        if not guest.running():
            say("guest %d (%s) does not run" % (guest.domid, guest.name))
        print("LAB_GUEST_%d=%s" % (guest.domid, guest.path))
    running = lab.gateway()
    if running:
        if not running.process.alive():
            say("the gateway does not run")
        show_gateway(running)


def show_gateway(running):
    for name, value in running.environment().items():
        print("%s=%s" % (name, shlex.quote(value)))


def guest(lab, arguments):
    with lab.changing():
        lab.require()
        made = Guest(lab.daemon, arguments.domid, arguments.name, prepare=not arguments.bare, detached=True)
    print(made.path)


def gateway(lab, _arguments):
    with lab.changing():
        running = lab.require().gateway()
        if running and running.process.alive():
            say("it runs already")
        else:
            running = (running or Gateway(lab.daemon, detached=True)).start()
    show_gateway(running)


def destroy(lab, arguments):
    with lab.changing():
        lab.require().guest(arguments.domid).destroy()


def send(lab, arguments):
    lab.require().guest(arguments.domid)
    with lab.host() as host:
        message = Message(os.fsencode(arguments.key), os.fsencode(arguments.value))
        HostEnd(host, arguments.domid).send(message, SENDING)


def receive(lab, arguments):
    lab.require().guest(arguments.domid)
    deadline = time.monotonic() + arguments.wait
    with lab.host() as host:
        inbox = HostEnd(host, arguments.domid).inbox
        inbox.watch(b"lab")
        received = 0
        while host.wait(max(0, deadline - time.monotonic())):
            for arrival in inbox.receive():
                received += 1
                if arrival.message:
                    print("%s=%s" % tuple(display(part, sys.maxsize) for part in arrival.message), flush=True)
                else:
                    say("message %d from guest %d is lost: %s" % (arrival.number, arguments.domid, arrival.fault))
            if received:
                return
    if arguments.wait:
        nothing = "guest %d sent nothing in %g s: see that it sends, or wait longer"
        raise LabError(nothing % (arguments.domid, arguments.wait))


def ls(lab, arguments):
    lab.require()
    with lab.host() as host:
        show(host, os.fsencode(arguments.path))


def show(host, path):
    """Print a node and all below it."""
    permissions = b",".join(host.get_permissions(path)).decode()
    print('%s = "%s" (%s)' % (path.decode(), display(host.read(path), sys.maxsize), permissions))
    for name in sorted(host.directory(path)):
        if path == b"/" and name.startswith(b"@"):
            continue  # oxenstored lists its special watches, which are no nodes
        show(host, path.rstrip(b"/") + b"/" + name)


def say(text):
    print("lab: " + text, file=sys.stderr)


def parse(argv):
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    parser.add_argument("--dir", help="folder that tells this lab from others (default: lab/run in the cache folder)")
    # The same after the command; it must not undo what was said before.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(function, text):
        added = commands.add_parser(function.__name__, help=text, description=text, parents=[common])
        added.set_defaults(run=function)
        return added

    def domid(added):
        added.add_argument("domid", type=int, help="the guest's domain number")

    added = command(up, "start the daemon, and print how to reach it")
    added.add_argument("--daemon", choices=KINDS, help="xenstored or oxenstored (default: c, which is xenstored)")
    command(status, "print how to reach it, as NAME=value lines")
    added = command(guest, "make a guest, and print the socket that is its /dev/xen/xenbus")
    domid(added)
    added.add_argument("--name", help="its name (default: guest-DOMID)")
    added.add_argument("--bare", action="store_true", help="do not open the message channel for it")
    command(gateway, "run ovm-gateway, and print how to reach it, as NAME=value lines")
    added = command(send, "send a message to a guest, as its host does")
    domid(added)
    added.add_argument("key")
    added.add_argument("value")
    added = command(receive, "print what a guest has sent to its host, and take it out of XenStore")
    domid(added)
    added.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="wait so long for a first message")
    added = command(ls, "print nodes with values and permissions")
    added.add_argument("path", nargs="?", default="/")
    added = command(destroy, "destroy a guest")
    domid(added)
    command(down, "end everything, and remove it")
    return parser.parse_args(argv)


def main(argv=None):
    """Run one command.

    :param argv: its arguments; those of this process if None.
    :returns: the exit code.
    """
    arguments = parse(argv)
    try:
        lab = Lab(os.path.abspath(arguments.dir) if arguments.dir else os.path.join(parts.cache(), "run"))
        arguments.run(lab, arguments)
        sys.stdout.flush()
    except (LabError, ChannelError) as problem:
        say(str(problem))
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
