# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m soak [--minutes N] [--guests N]: have everything work; see that nothing is lost or stays behind.

One real xenstored, guests with an ovmd each, a gateway over TLS. In rounds, messages go both ways, and each must
arrive once. In the first part everything is restarted now and then, and whoever keeps things gets all that it will
ever have. After that memory and descriptors are watched. Then, too, guests are rebooted and xenstored restarted,
but the processes that are watched live on.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import sys
import time

from bench.measure import machine
from bench.rest import Refused, Rest
from lab import LabError
from lab.daemon import KINDS, Daemon
from lab.gateway import Gateway
from lab.programs import Built

from . import place
from .flat import Watched, enough, judge

REPORT = "soak.json"
#: How much of the time has passed when memory and descriptors begin to count; xenstored's only after its last restart.
LATER = 0.4
#: How much longer than asked for it may take where the machine is busy.
LONGEST = 4
#: What happens when so much of the time has passed. What is watched later is not started anew after LATER.
XENSTORED = (0.06, 0.14, 0.22, 0.3, 0.45, 0.5, 0.55)
GATEWAY = (0.1, 0.26)
DAEMONS = (0.18, 0.34)
#: Rounds after which the restless guest's ovmd is killed, or the guest is rebooted, all the time.
RESTLESS_EACH = 5
#: Rounds after which a one-shot command runs.
COMMAND_EACH = 5


class Soak:
    """All of it. A context manager.

    :param int guests: how many guests; the last one is the restless one.
    :param str kind: which xenstored.
    """

    def __init__(self, guests, kind="c"):
        self._count, self._kind = guests, kind
        self.rounds = 0
        self.restarts = dict.fromkeys(("xenstored", "gateway", "ovmd", "guest"), 0)
        self.past = []

    def __enter__(self):
        self._built = Built("ovmd")
        self.daemon = Daemon(self._kind).start()
        try:
            kept = {"retention.messages": place.KEPT, "retention.events": place.KEPT}
            # As quick as it goes: limits of a single client are not what is tried here.
            pace = {"limits.requests_per_second": 100000, "limits.requests_burst": 100000}
            self.gateway = Gateway(self.daemon, options={**kept, **pace}).start()
            program = self._built(sys.executable)
            self.machines = []
            for number in range(self._count):
                # Far apart: the restless one gets a new number at each reboot.
                self.machines.append(place.Machine(self.daemon, self.gateway, 10 + 2000 * number, program))
        except BaseException:
            self.__exit__()
            raise
        self.xenstored = Watched("xenstored", self.daemon.process.pid)
        self.served = Watched("ovm-gateway", self.gateway.process.pid)
        return self

    def __exit__(self, *_exc):
        for each in getattr(self, "machines", ()):
            each.close()
        if hasattr(self, "gateway"):
            self.gateway.close()
        self.daemon.close()
        self._built.__exit__()

    @property
    def messages(self):
        return sum(each.messages for each in self.machines)

    def run(self, seconds):
        """Work for so long.

        :raises Wrong: a message was lost, or came twice.
        """
        began = time.monotonic()
        plan = sorted(
            [(when, self.restart_xenstored) for when in XENSTORED]
            + [(when, self.restart_gateway) for when in GATEWAY]
            + [(when, self.restart_daemons) for when in DAEMONS]
        )
        told = began
        while True:
            passed = (time.monotonic() - began) / seconds
            # A busy machine gets some more time for as many rounds as a verdict needs.
            if passed >= (1 if all(enough(each.samples) for each in self.lasting()) else LONGEST):
                return
            meanwhile = None
            if plan and passed >= plan[0][0]:
                _when, event = plan.pop(0)
                # What is in XenStore goes with xenstored; so that is restarted between two rounds.
                meanwhile = event()
            self.round(meanwhile)
            if passed >= LATER:
                self.look()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print("%3d min: %d rounds, %d messages" % ((told - began) / 60, self.rounds, self.messages), flush=True)

    def round(self, meanwhile):
        """One round with all guests at once.

        :param meanwhile: what happens to the first machine while its messages are under way.
        """
        self.rounds += 1
        restless = self.machines[-1]
        whiles = {self.machines[0]: meanwhile} if meanwhile else {}
        if self.rounds % RESTLESS_EACH == 0:
            if self.rounds % (2 * RESTLESS_EACH):
                whiles[restless] = restless.restart_daemon
                self.restarts["ovmd"] += 1
            else:
                restless.reboot()
                self.restarts["guest"] += 1
        work = [each.begin(whiles.get(each)) for each in self.machines]
        concurrent.futures.wait(work)
        for each in work:
            each.result()
        if self.rounds % COMMAND_EACH == 0:
            key = "soak.command=%d" % self.rounds
            self.machines[0].command("-p", key)
            if self.machines[0].command("-g", "soak.command") != "%d\n" % self.rounds:
                raise place.Wrong("ovmd -g does not give what ovmd -p has set")
            self.machines[0].command("-r", "soak.command")

    def look(self):
        """Take samples of all that live on."""
        self.xenstored.look(self.messages)
        self.served.look(self.messages)
        for each in self.machines:
            each.look()

    def restart_xenstored(self):
        self.daemon.restart()
        self.past.append(self.xenstored)
        self.xenstored = Watched("xenstored", self.daemon.process.pid)
        self.restarts["xenstored"] += 1
        # Until it has found XenStore again, the gateway says so to whoever asks.
        rest, deadline = Rest(self.gateway), time.monotonic() + place.PATIENCE
        while True:
            try:
                rest.ask("GET", "/Vm/" + self.machines[0].vm)
                break
            except Refused as answer:
                if answer.status != 503 or time.monotonic() > deadline:
                    raise place.Wrong("the gateway does not find XenStore again: %s" % answer) from answer
            time.sleep(0.05)
        rest.close()

    def restart_gateway(self):
        """:returns: what kills the gateway in the middle of a round."""

        def kill():
            self.gateway.kill()
            self.gateway.start()
            self.machines[0].disconnect()

        for each in self.machines[1:]:
            each.disconnect()
        self.restarts["gateway"] += 1
        # With the others in the round, its clients would have to try again; so only this one is in it.
        self.machines[0].begin(kill).result()
        self.served = Watched("ovm-gateway", self.gateway.process.pid)
        self.crowd()

    def crowd(self):
        """Have the gateway serve more at once than it will have to later: it keeps the connections that it makes."""

        def one(number):
            machine = self.machines[number % len(self.machines)]
            rest = Rest(self.gateway)
            for _unused in range(10):
                rest.received(machine.vm)
                rest.send(machine.vm, {"crowd": "here"})
            rest.close()

        count = 4 * len(self.machines)
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(one, range(count)))

    def restart_daemons(self):
        """:returns: what kills a daemon in the middle of a round."""
        for each in self.machines[1:]:
            each.restart_daemon(signal.SIGTERM)
        self.restarts["ovmd"] += len(self.machines)
        return self.machines[0].restart_daemon

    def lasting(self):
        """:returns: what is not started anew any more in the end."""
        return [self.xenstored, self.served] + [each.watched for each in self.machines[:-1]]

    def verdicts(self):
        """:returns: by process, whether it is flat, and how many samples say so."""
        return {each.name: (judge(each.samples), len(each.samples)) for each in self.lasting()}


def main():
    parser = argparse.ArgumentParser(prog="make soak ARGS=", description="Have everything work for a long time.")
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--guests", type=int, default=4, help="how many guests, at least 2 (default: 4)")
    parser.add_argument("--daemon", choices=KINDS, default="c", help="which xenstored: Xen's in C or the one in OCaml")
    arguments = parser.parse_args()
    if arguments.guests < 2 or arguments.minutes <= 0:
        parser.error("at least two guests, and some time, are needed")
    place.tie()
    problem = ""
    try:
        with Soak(arguments.guests, arguments.daemon) as soak:
            began = time.monotonic()
            try:
                soak.run(60 * arguments.minutes)
            except place.Wrong as wrong:
                problem = str(wrong)
            seconds = time.monotonic() - began
            verdicts = soak.verdicts()
    except LabError as failed:
        sys.exit("soak: %s" % failed)
    return tell(soak, seconds, verdicts, problem)


def tell(soak, seconds, verdicts, problem):
    """Print what was found, and write it to the cache folder.

    :returns: the exit code.
    """
    print(
        "%d messages in %d rounds with %d guests in %.1f min, %.0f/s; restarts: %s"
        % (soak.messages, soak.rounds, len(soak.machines), seconds / 60, soak.messages / seconds,
           ", ".join("%s %d" % pair for pair in soak.restarts.items()))
    )  # fmt: skip
    print("lost or doubled: %s" % (problem or "none"))
    print("%-20s %8s %9s %19s %19s %12s %11s" % (
        "process", "samples", "messages", "resident MiB", "proportional MiB", "growth KiB", "descriptors"))  # fmt: skip
    found = {}
    for name, (verdict, samples) in verdicts.items():
        if not verdict.first:
            found[name] = {"samples": samples, "problem": verdict.problem}
            print("%-20s %8d  %s" % (name, samples, verdict.problem))
            continue
        first, last = verdict.first, verdict.last
        print(
            "%-20s %8d %9d %8.2f -> %7.2f %8.2f -> %7.2f %5d of %4d %4d -> %3d  %s"
            % (name, samples, last.messages - first.messages,
               first.resident / 2**20, last.resident / 2**20, first.proportional / 2**20, last.proportional / 2**20,
               verdict.growth / 1024, verdict.bound / 1024, first.descriptors, last.descriptors,
               verdict.problem or "flat")
        )  # fmt: skip
        found[name] = {
            "samples": samples,
            "first": first._asdict(),
            "last": last._asdict(),
            "growth": verdict.growth,
            "bound": verdict.bound,
            "problem": verdict.problem,
        }
    report = {
        "machine": machine(),
        "seconds": round(seconds, 1),
        "messages": soak.messages,
        "rounds": soak.rounds,
        "guests": len(soak.machines),
        "restarts": soak.restarts,
        "lost or doubled": problem,
        "processes": found,
    }
    path = os.path.join(os.environ["OVM_CACHE"], REPORT)
    with open(path, "w", encoding="utf-8") as target:
        json.dump(report, target, indent=2)
        target.write("\n")
    bad = problem or any(verdict.problem for verdict, _samples in verdicts.values())
    print("%s; as JSON: %s" % ("FAILED" if bad else "all is flat", path))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
