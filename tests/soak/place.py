# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with its gateway, and guests with their daemons; and a round of messages between them."""

import collections
import concurrent.futures
import os
import signal
import subprocess
import sys
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend
from ansible_collections.ovm.messaging.plugins.module_utils.vms import canonical_id
from bench.rest import Refused, Rest
from lab.guest import Guest
from lab.process import Process, last_words

from .flat import Watched

#: Messages each way, in one round with one guest. Together they stay below a stock quota.
EACH_WAY = 60
#: Seconds that anything may take to arrive, on a machine under load.
PATIENCE = 120
#: What the gateway keeps of each guest, so that it has all that it will ever have after some rounds.
KEPT = 400
_PREFIX = "soak."
_UP, _DOWN = _PREFIX + "up.", _PREFIX + "down."


class Wrong(Exception):
    """A message was lost, or came twice."""


class Machine:
    """A guest with its ovmd, and whoever in it works with parameters.

    :param Daemon daemon: the XenStore daemon.
    :param Gateway gateway: the gateway.
    :param int domid: the guest's first number.
    :param program: path of a built ovmd.
    :ivar Watched watched: its ovmd.
    :ivar list past: the earlier ones.
    :ivar int messages: that went either way so far.
    """

    def __init__(self, daemon, gateway, domid, program):
        self.guest = Guest(daemon, domid, name="soak-%d" % domid)
        self.vm, self.name = canonical_id(self.guest.uuid), self.guest.name
        self._gateway, self._program = gateway, str(program)
        self._place = os.path.join(daemon.directory, self.name)
        os.mkdir(self._place)
        self.log = os.path.join(self._place, "log")
        self.messages, self.round, self.past, self._rest, self._over = 0, 0, [], None, False
        state = os.path.join(self._place, "state")
        self._environment = dict(
            os.environ,
            XENSTORED_PATH=self.guest.path,
            OVM_DEVICE=os.path.join(self._place, "no-device"),
            OVM_STATE_DIR=state,
            OVM_TEMPLATE_DIR=os.path.join(self._place, "template.d"),
            OVM_TEMPLATE_LOCK=os.path.join(self._place, "lock"),
            OVM_TEMPLATE_LOG=os.path.join(self._place, "template-log"),
            OVM_INITIAL_CONFIG=os.path.join(self._place, "flag"),
        )
        self._start()
        # SQLite wants the same thread for all that is done in the guest.
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._inside = self._thread.submit(XenStoreBackend, self.guest.path, state, PATIENCE).result()

    def close(self):
        """End what works in the guest. The guest ends with its XenStore daemon."""
        self._over = True
        self._process.kill()
        self._thread.submit(self._inside.close)
        self._thread.shutdown()
        self.disconnect()

    def disconnect(self):
        """Forget the connection to the gateway; the next round makes a new one."""
        if self._rest:
            self._rest.close()
        self._rest = None

    def _start(self):
        with open(self.log, "ab") as output:
            child = subprocess.Popen(
                [self._program, "--foreground", "-d", "1"],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._process = Process.of(child)
        self.watched = Watched("ovmd in " + self.name, child.pid)

    # What happens to it now and then

    def restart_daemon(self, number=signal.SIGKILL):
        """End the guest's ovmd, whatever it is at, and start another one."""
        self._process.signal(number)
        self._process.kill()
        self.past.append(self.watched)
        self._start()

    def reboot(self):
        """The guest gets another domain. What works in it is new, but for the list, as after a migration."""
        self._process.kill()
        self.past.append(self.watched)
        self.guest.reboot()
        self._start()

    def command(self, *arguments):
        """Run ovmd as a one-shot command."""
        done = subprocess.run(
            [self._program, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Wrong("%s: ovmd %s: %s" % (self.name, " ".join(arguments), done.stderr))
        return done.stdout

    # A round

    def look(self):
        """Take a sample of its ovmd."""
        if not self._process.alive():
            raise Wrong("%s: ovmd has ended; it says: %s" % (self.name, last_words(self.log)))
        self.watched.look(self.messages)

    def begin(self, meanwhile=None):
        """Send messages both ways, and see that each arrives once. Its future raises Wrong where one does not.

        :param meanwhile: called when all are on their way.
        """
        return self._thread.submit(self._exchange, meanwhile)

    def _exchange(self, meanwhile):
        self.round += 1
        self._rest = self._rest or Rest(self._gateway)
        # The same keys in each round, so that all that remembers can forget what they replace.
        down, up = ({"%s%d" % (way, n): "%d-%d" % (self.round, n) for n in range(EACH_WAY)} for way in (_DOWN, _UP))
        again = self._parameters()
        if again:
            raise Wrong("%s: in the guest %d of an earlier round came again" % (self.name, len(again)))
        try:
            job = self._rest.send(self.vm, down)
        except Refused as answer:
            raise Wrong("%s: the gateway refuses to send: %s" % (self.name, answer)) from answer
        if job["jobRunState"] != "SUCCESS":
            raise Wrong("%s: the gateway did not send: %s" % (self.name, job["error"]))
        self._inside.set([Message(key.encode(), value.encode()) for key, value in up.items()])
        if meanwhile:
            meanwhile()
            self._rest = self._rest or Rest(self._gateway)
        self._see_inside(down, up)
        self._see_outside(up)
        self.messages += len(down) + len(up)

    def _see_inside(self, down, up):
        wanted = {**down, **up}
        found = self._until(self._parameters, lambda found: len(found) >= len(wanted))
        if found != wanted:
            raise Wrong("%s: in the guest %s" % (self.name, _difference(wanted, found)))
        gone = self._inside.delete([key.encode() for key in wanted])
        if len(gone) != len(wanted):
            raise Wrong("%s: only %d of %d parameters could be deleted" % (self.name, len(gone), len(wanted)))

    def _see_outside(self, up):
        def arrived():
            return [each for each in self._rest.received(self.vm) if each["key"].startswith(_UP)]

        found = self._until(
            arrived, lambda found: {(each["key"], each["value"]) for each in found}.issuperset(up.items())
        )
        times = collections.Counter((each["key"], each["value"]) for each in found)
        missing = [pair for pair in up.items() if pair not in times]
        if missing:
            raise Wrong("%s: on the host %d are missing, such as %s" % (self.name, len(missing), missing[0]))
        twice = [pair for pair, often in times.items() if often > 1]
        if twice:
            raise Wrong("%s: on the host %d came twice, such as %s" % (self.name, len(twice), twice[0]))

    def _parameters(self):
        return {
            entry.key.decode(): entry.value.decode()
            for entry in self._inside.entries()
            if entry.key.startswith(_PREFIX.encode())
        }

    def _until(self, look, enough):
        deadline = time.monotonic() + PATIENCE
        while True:
            found = look()
            if self._over or enough(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.01)


def _difference(wanted, found):
    missing, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    return "%d messages are missing%s, %d should not be there%s, %d have another value" % (
        *(len(missing), " (%s)" % missing[0] if missing else ""),
        *(len(more), " (%s)" % more[0] if more else ""),
        sum(found.get(key, value) != value for key, value in wanted.items()),
    )


def tie():
    """Have SIGTERM end this process as Ctrl-C does, so that all that it has started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit("soak: ended by SIGTERM"))
