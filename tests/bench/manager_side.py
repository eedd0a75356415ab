# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's side: the module and the gateway, beside their alternatives and their lower bounds."""

import concurrent.futures
import itertools
import json
import os
import statistics
import sys
import time

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect
from lab.daemon import Daemon
from lab.gateway import Gateway
from lab.guest import Guest

from .measure import playbook, side_by_side
from .rest import Rest

VMS, MESSAGES, CONCURRENCY = 200, 10, 4
#: How many of the messages are sent by one uri task each: all of them would take many minutes.
SAMPLE = 50


class ManagerSide:
    """The benchmarks, each a method of one letter."""

    letters = "ef"

    def __init__(self, folder, report):
        self.folder, self.report = folder, report

    def __enter__(self):
        self.daemon = Daemon().start()
        self.gateway = Gateway(self.daemon).start()
        self.dialect = Dialect()
        self.environment = dict(
            os.environ,
            OVM_HOST=self.gateway.host,
            OVM_PORT=str(self.gateway.port),
            OVM_USER=self.gateway.username,
            OVM_PASSWORD=self.gateway.password,
            OVM_CA_FILE=self.gateway.ca,
            ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        )
        return self

    def __exit__(self, *_exc):
        self.gateway.stop()
        self.daemon.close()

    def e(self):
        """Many VMs in one task, beside bare requests and beside a uri task a message."""
        guests = [Guest(self.daemon, domid) for domid in range(100, 100 + VMS)]
        names = [guest.name for guest in guests]
        rounds = itertools.count()
        connections = [Rest(self.gateway) for _unused in range(CONCURRENCY)]
        ids = {vm["name"]: vm["id"]["value"] for vm in connections[0].ask("GET", "/Vm")[1]}
        missing = set(names) - set(ids)
        if missing:
            raise SystemExit("bench: the gateway does not know %s" % ", ".join(sorted(missing)))

        def messages(prefix):
            return {"bench.key-%d" % n: "%s-%d" % (prefix, n) for n in range(MESSAGES)}

        def task():
            task.counts = []
            before = requests_served()
            wanted = messages("task%d" % next(rounds))
            playbook(
                self.folder,
                "vms",
                [{"ovm.messaging.ovm_vm_message": dict(vms=names, messages=wanted, concurrency=CONCURRENCY)}],
                self.environment,
            )()
            task.requests = requests_served() - before

        def requests_served():
            with open(self.gateway.log, encoding="utf-8", errors="replace") as log:
                return sum(self.dialect.base_path in line for line in log)

        def bare():
            """What the task has to ask for: the list, what was received and sent, one send a VM."""
            body = json.dumps([{"key": k, "value": v} for k, v in messages("bare%d" % next(rounds)).items()])
            ours = connections[0]
            ours.ask("GET", "/Manager")
            ours.ask("GET", "/Vm")

            def one(connection, chosen):
                for name in chosen:
                    where = "/Vm/" + ids[name]
                    for direction in (self.dialect.received, self.dialect.sent):
                        connection.ask(
                            "GET", "%s/messages?%s=%s" % (where, self.dialect.direction_parameter, direction)
                        )
                    connection.ask("PUT", where + "/sendMessage?logFlag=Yes", body)

            with concurrent.futures.ThreadPoolExecutor(CONCURRENCY) as pool:
                list(pool.map(one, connections, [names[n::CONCURRENCY] for n in range(CONCURRENCY)]))

        def uri():
            base = self.gateway.url + self.dialect.base_path
            wanted = list(messages("uri%d" % next(rounds)).items())
            pairs = list(itertools.islice(itertools.product(names, wanted), SAMPLE))
            playbook(
                self.folder,
                "uri",
                [
                    {
                        "ansible.builtin.uri": {
                            "url": base + "/Vm/{{ item[0] }}/sendMessage?logFlag=Yes",
                            "method": "PUT",
                            "body_format": "json",
                            "body": [{"key": "{{ item[1][0] }}", "value": "{{ item[1][1] }}"}],
                            "url_username": self.gateway.username,
                            "url_password": self.gateway.password,
                            "force_basic_auth": True,
                            "ca_path": self.gateway.ca,
                        },
                        "loop": [[ids[name], pair] for name, pair in pairs],
                    }
                ],
                self.environment,
            )()

        empty = playbook(self.folder, "empty", [], self.environment)
        found = side_by_side(3, task=task, bare=bare, empty=empty)
        found["uri"] = side_by_side(1, uri=uri)["uri"]
        ours = found["task"] - found["empty"]
        self.report.add(
            "(e) %d VMs x %d messages, one task, %d at a time, less an empty playbook, against its bare requests"
            " (%d requests, %d of them sends)" % (VMS, MESSAGES, CONCURRENCY, task.requests, VMS),
            "s",
            found,
            ours / found["bare"],
            3.0,
            at_most=True,
        )
        each = (found["uri"] - found["empty"]) / SAMPLE
        self.report.add(
            "(e) the same a message, against one uri task a message (%d of them)" % SAMPLE,
            "s",
            dict(task=ours / (VMS * MESSAGES), uri=each),
            each / (ours / (VMS * MESSAGES)),
            50,
            at_most=False,
        )
        for guest in guests:
            guest.destroy()

    def f(self):
        """What the gateway collects: how much a second, and how soon it can be seen over REST."""
        with Daemon() as elsewhere:
            ours, theirs = _Burst(self.daemon), _Burst(elsewhere)
            rest = Rest(self.gateway)
            ids = {vm["name"]: vm["id"]["value"] for vm in rest.ask("GET", "/Vm")[1]}

            def received(guest):
                return {each["key"]: each["value"] for each in rest.received(ids[guest.name])}

            def collected(store):
                # Asking over REST all the time would measure the asking.
                mark = ours.send()
                for guest in ours.guests:
                    directory = layout.child(layout.home(guest.domid), layout.FROM_GUEST)
                    while layout.numbers(store.directory(directory)):
                        store.wait(1)
                    if received(guest)[ours.last_key] != mark:
                        raise SystemExit("bench: the gateway has removed what it does not show")

            with XenStore(elsewhere.path) as store, XenStore(self.daemon.path) as here:
                for guest in ours.guests:
                    here.watch(layout.child(layout.home(guest.domid), layout.FROM_GUEST), b"%d" % guest.domid)
                inboxes = [HostEnd(store, guest.domid).inbox for guest in theirs.guests]
                for inbox in inboxes:
                    inbox.watch(b"bench")

                def raw():
                    """Read and removed, and nothing else."""
                    sending = theirs.start()
                    missing = ours.count
                    while missing:
                        store.wait(1, b"bench")
                        missing -= sum(1 for inbox in inboxes for _arrival in inbox.receive())
                    sending()

                found = side_by_side(5, collected=lambda: collected(here), raw=raw)
            self.report.add(
                "(f) messages a second from %d guests until they are stored and readable over REST,"
                " against reading and removing them alone" % len(ours.guests),
                "/s",
                {name: ours.count / seconds for name, seconds in found.items()},
                found["collected"] / found["raw"],
                2.0,
                at_most=True,
            )
            # One message at a time, of a guest without a past: the clock runs from before the guest's write
            # to the answer that has it.
            guest = Guest(self.daemon, 20)
            while guest.name not in ids:
                ids = {vm["name"]: vm["id"]["value"] for vm in rest.ask("GET", "/Vm")[1]}
            delays = []
            with XenStore(guest.path) as store:
                end = GuestEnd(store)
                for n in range(200):
                    start = time.perf_counter()
                    end.send(Message(b"f.delay", b"%d" % n), 30)
                    while received(guest).get("f.delay") != str(n):
                        pass
                    delays.append(time.perf_counter() - start)
            bare = statistics.median(_timed(lambda: received(guest)) for _unused in range(200))
            guest.destroy()
            cuts = statistics.quantiles(delays, n=100)
            self.report.add(
                "(f) delay from a guest's write to the answer over REST that has it: p99 against a bare request",
                "ms",
                dict(p50=1000 * cuts[49], p99=1000 * cuts[98], request=1000 * bare),
                cuts[98] / bare,
                20,
                at_most=True,
            )
            ours.close()
            theirs.close()


class _Burst:
    """Four guests that send many messages at once."""

    size = 200  # below what a stock quota holds
    last_key = "f.%d" % (size - 1)

    def __init__(self, daemon):
        self.guests = [Guest(daemon, domid) for domid in (11, 12, 13, 14)]
        self.stores = [XenStore(guest.path) for guest in self.guests]
        self.ends = [GuestEnd(store) for store in self.stores]
        self.count = self.size * len(self.guests)
        self._pool = concurrent.futures.ThreadPoolExecutor(len(self.guests))
        self._marks = itertools.count()

    def start(self):
        """Begin to send; returns a function that waits for the end."""
        mark = b"%d" % next(self._marks)
        futures = [self._pool.submit(self._send, end, mark) for end in self.ends]
        return lambda: [future.result() for future in futures] and mark.decode()

    def send(self):
        """:returns: the value that all messages have."""
        return self.start()()

    def _send(self, end, mark):
        for n in range(0, self.size, 10):
            end.send_together([Message(b"f.%d" % m, mark) for m in range(n, n + 10)], 30)

    def close(self):
        self._pool.shutdown()
        for store in self.stores:
            store.close()
        for guest in self.guests:
            guest.destroy()


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
