# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An event source for ansible-rulebook: what the guests of virtual machines say."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import pathlib
import queue as queues
import sys
import threading
from typing import Any

DOCUMENTATION = r"""
---
short_description: Receive the messages of virtual machines' guests
version_added: 1.0.0
author:
  - The ovm.messaging authors (@ovm-messaging)
description:
  - Every message that a guest sends becomes an event, and so does the progress of a guest's first-boot configuration.
  - Reads from an Oracle VM Manager or from C(ovm-gateway), or with O(transport=xenstore) from XenStore, on the Xen
    host itself.
  - Each message is passed on at least once, and after a restart too with O(checkpoint). Twice happens where the
    process dies between passing on and noting.
options:
  vms:
    description:
      - Only these virtual machines, each by its name, id or UUID. Names may be shell patterns, such as V(web*).
      - By default all. Those that are made later count as well.
    type: list
    elements: str
    default: []
  keys:
    description:
      - Only messages of these keys, which may be shell patterns, such as V(app.*). By default of all.
    type: list
    elements: str
    default: []
  kinds:
    description:
      - Of what to make events.
      - V(message) is what guests send, but for their reports. V(configuration) is how the configuration at a first
        boot stands. V(addresses) is what network addresses a guest has, and V(guest) that its C(ovmd) has started.
    type: list
    elements: str
    choices: [message, configuration, addresses, guest]
    default: [message, configuration]
  since:
    description:
      - Where to begin, if there is no O(checkpoint) from an earlier run.
      - V(now) leaves out what was sent before. V(beginning) starts with all that the manager remembers.
      - What is known of a message without a time, as the vendor's manager may have them, counts as sent before
        where it is there when V(now) begins.
    type: str
    choices: [now, beginning]
    default: now
  checkpoint:
    description:
      - File on the controller in which to note what was passed on, so that the next run goes on from there.
      - It holds neither keys nor values. One rulebook uses it at a time.
      - Without it, each run begins as O(since) says, and what guests send between two runs is missed with V(now).
    type: path
  interval:
    description:
      - How many seconds to wait between two looks.
    type: float
    default: 2.0
  longest_pause:
    description:
      - The longest time between two tries to reach a manager that is gone, in seconds. The first ones follow each
        other faster.
    type: float
    default: 60.0
  concurrency:
    description:
      - Of how many virtual machines to read the messages at the same time.
    type: int
    default: 4
  transport:
    description:
      - Where to read.
      - V(rest) is the REST interface of an Oracle VM Manager or of C(ovm-gateway).
      - V(xenstore) is XenStore itself. The rulebook runs on the Xen host then, as root, and needs no manager.
      - The environment variable E(OVM_TRANSPORT) is the fallback.
    type: str
    choices: [rest, xenstore]
    default: rest
  host:
    description:
      - The manager's name or address. Needed with O(transport=rest).
      - The environment variable E(OVM_HOST) is the fallback.
    type: str
  port:
    description:
      - The manager's port.
      - The environment variable E(OVM_PORT) is the fallback.
    type: int
    default: 7002
  username:
    description:
      - The manager's user to log in as. Not needed with O(client_cert).
      - The environment variable E(OVM_USER) is the fallback.
    type: str
  password:
    description:
      - The password of O(username).
      - The environment variable E(OVM_PASSWORD) is the fallback, and the better place for it.
    type: str
  client_cert:
    description:
      - File with a client's certificate in PEM form, to log in with. It may hold the key as well.
      - The environment variable E(OVM_CLIENT_CERT) is the fallback.
    type: path
  client_key:
    description:
      - File with the key of O(client_cert) in PEM form, without a passphrase.
      - The environment variable E(OVM_CLIENT_KEY) is the fallback.
    type: path
  ca_path:
    description:
      - File with the certificates in PEM form to trust, instead of the system's.
      - The environment variable E(OVM_CA_FILE) is the fallback.
    type: path
  validate_certs:
    description:
      - Whether to verify the manager's certificate. Without, anybody on the way can read passwords and messages.
      - The environment variable E(OVM_VALIDATE_CERTS) is the fallback.
    type: bool
    default: true
  connect_timeout:
    description:
      - How many seconds a connection to the manager may take.
    type: float
    default: 10.0
  timeout:
    description:
      - How many seconds the manager, or with O(transport=xenstore) XenStore, may take for any answer.
    type: float
    default: 60.0
  retries:
    description:
      - How often to repeat a request that failed on the way before it counts as failed.
    type: int
    default: 4
  ready_timeout:
    description:
      - How many seconds a manager that starts may take until it runs.
    type: float
    default: 300.0
  dialect:
    description:
      - What could not be confirmed about the vendor's manager, should yours differ, as for the modules.
    type: dict
  xenstore_path:
    description:
      - With O(transport=xenstore), the device or unix socket to reach XenStore through.
      - The environment variable E(XENSTORED_PATH) is the fallback, then the usual places are tried.
    type: path
  state_dir:
    description:
      - With O(transport=xenstore), the directory where received messages are kept. C(ovm-gateway) on the same host
        has to use the same one.
      - The environment variable E(OVM_GATEWAY_DIR) is the fallback.
    type: path
    default: /var/lib/ovm-gateway
  feedback:
    description:
      - Have C(ansible-rulebook), started with C(--persistence-id), say of each event that it has stored it. Only
        then is the event noted as passed on.
    type: bool
    default: false
requirements:
  - ansible-rulebook 1.0 or later, on Python 3.9 or later.
  - With O(transport=rest), the Python library requests.
notes:
  - An event counts as passed on when C(ansible-rulebook) has taken it. What its rules then do is not waited for.
  - The value of a secret is V(********) in an event. The playbook that is run can read it with
    M(ovm.messaging.ovm_vm_message_info).
  - Guests are not trusted. Ansible takes texts in events for templates where playbooks use them, so a value that
    looks like one comes in base64, as C(binary_value), and in other texts C({) appears as C(\x7b) where it would
    start one.
  - The vendor's manager keeps no more than the newest message of each key. What is replaced between two looks is
    missed.
"""

EXAMPLES = r"""
# OVM_HOST, OVM_USER, OVM_PASSWORD and OVM_CA_FILE in the environment say where the manager is and who logs in.
- ovm.messaging.vm_message:

# Only what some guests say of their application; nothing is lost over a restart
- ovm.messaging.vm_message:
    host: manager.example.com
    username: admin
    password: "{{ manager_password }}"
    ca_path: /etc/ssl/manager.pem
    vms: [web*]
    keys: [app.*]
    kinds: [message]
    checkpoint: /var/lib/eda/web.db
"""

RETURN = r"""
kind:
  description: What the event is, see O(kinds).
  type: str
  sample: message
vm:
  description: Whose guest has said it, by C(id) and C(name).
  type: dict
  sample: {id: 0004fb00000600006f8e65a5d245ea0c, name: web1}
time:
  description: When it was received, in UTC by the manager's clock. Null where the manager does not tell.
  type: str
  sample: "2026-01-31T12:30:00.000Z"
key:
  description: The message's key.
  returned: where RV(kind=message)
  type: str
  sample: app.state
value:
  description: Its value.
  returned: where RV(kind=message), and the value is text that nobody takes for a template
  type: str
  sample: ready
binary_value:
  description: Its value in base64.
  returned: where there is no RV(value)
  type: str
  sample: /wD+
secret:
  description: Whether its value is a secret, and so not shown.
  returned: where RV(kind=message)
  type: bool
  sample: false
configuration:
  description:
    - How the configuration at the first boot stands. C(state) is V(waiting), V(running), V(done) or V(failed).
    - C(target) is what is done, C(failed) the names of scripts that have failed, and C(scripts) how each went.
  returned: where RV(kind=configuration)
  type: dict
  sample: {state: done, target: configure, failed: [], scripts: []}
interfaces:
  description: The guest's network interfaces, each with C(name), C(mac) and C(addresses).
  returned: where RV(kind=addresses)
  type: list
  elements: dict
  sample: [{name: eth0, mac: "00:21:f6:00:00:01", addresses: [192.0.2.7/24]}]
guest:
  description: What tells this boot of the guest from others as C(boot), and the C(version) of its ovmd.
  returned: where RV(kind=guest)
  type: dict
  sample: {boot: 6f1c0b1e, version: 1.0.0}
"""

_LOG = logging.getLogger("ovm.messaging.vm_message")
# Seconds that closing connections may take at the end.
_CLOSING = 2.0
# Seconds that the thread may be deaf for.
_LONGEST_WAIT = 2.0


async def main(queue: asyncio.Queue, args: dict[str, Any]) -> None:
    """Pass on what guests say, for ever.

    :param queue: where events go.
    :param args: the source's arguments in the rulebook.
    :raises Problem: an argument makes no sense, or the manager refuses whoever logs in; says what to do.
    """
    source, one_line = _module("event_source"), _module("problem").one_line
    options = source.parse(args, os.environ)
    feedback = args.get("eda_feedback_queue")
    worker = _Worker()
    try:
        watch = await worker.do(_opened, worker, source, options)
        pauses, troubles = None, {}
        while True:
            try:
                news = await worker.do(watch.look)
            except source.LASTING:
                raise
            except source.Problem as problem:
                pauses = pauses or _growing(options)
                pause = next(pauses)
                _LOG.warning("%s; the next try comes in %.1f seconds", one_line(str(problem)), pause)
                await asyncio.sleep(pause)
                continue
            if pauses:
                _LOG.warning("the manager can be asked again")
                pauses = None
            troubles, before = {name: str(problem) for name, problem in watch.troubles.items()}, troubles
            for name, problem in troubles.items():
                if problem != before.get(name):
                    _LOG.warning("the messages of '%s' cannot be read: %s", one_line(name), one_line(problem))
            for one in news:
                event = source.event(one)
                await queue.put(event)
                if feedback is not None:
                    await _stored(feedback, event)
                await worker.do(watch.done, one)
            if watch.waits:
                await worker.do(_wait, watch, min(options["interval"], _LONGEST_WAIT), source.Problem)
            else:
                await asyncio.sleep(options["interval"])
    finally:
        await worker.end()


def _module(name):
    """A module of the collection's own.

    ansible-rulebook runs this file alone, so nothing is found by its full name: it goes by this file's place.
    """
    package = "ovm_messaging_module_utils"
    if package not in sys.modules:
        folder = pathlib.Path(__file__).resolve().parents[4] / "plugins" / "module_utils"
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None or not folder.is_dir():
            raise ImportError("the collection ovm.messaging is not around %s: install all of it" % __file__)
        sys.modules[package] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return importlib.import_module("%s.%s" % (package, name))


def _opened(worker, source, options):
    watch = source.watch(options)
    worker.at_end = watch.close
    return watch


def _growing(options):
    pauses = _module("manager.pauses")
    for pause in pauses.growing(options["interval"], 2.0, max(options["interval"], options["longest_pause"])):
        yield pauses.spread(pause)


def _wait(watch, seconds, problems):
    try:
        watch.wait(seconds)
    except problems:
        pass  # the next look has it, too


async def _stored(feedback, event):
    """Wait until the rulebook says that it has stored an event."""
    while True:
        known = await feedback.get()
        if known.get("meta", {}).get("uuid") == event["meta"]["uuid"]:
            return


class _Worker:
    """A thread that does what takes time, one thing after the other. The process never waits for it to end.

    :ivar at_end: what it does last.
    """

    def __init__(self):
        self.at_end = None
        self._tasks = queues.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        threading.Thread(target=self._run, name="ovm.messaging.vm_message", daemon=True).start()

    async def do(self, work, *arguments):
        """What some work returns, or raises."""
        future = self._loop.create_future()
        self._tasks.put((future, work, arguments))
        return await future

    async def end(self):
        """Have it end, when it has done what it is at; not waited for for long."""
        self._tasks.put(None)
        try:
            await asyncio.wait_for(self._done.wait(), _CLOSING)
        except asyncio.TimeoutError:
            _LOG.warning("the manager did not answer in time, the connection is left to itself")

    def _run(self):
        while True:
            task = self._tasks.get()
            if task is None:
                break
            future, work, arguments = task
            try:
                outcome = future.set_result, work(*arguments)
            except BaseException as problem:
                outcome = future.set_exception, problem
            self._tell(_settle, future, *outcome)
        try:
            if self.at_end:
                self.at_end()
        finally:
            self._tell(self._done.set)

    def _tell(self, call, *arguments):
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # the loop has ended, and nobody waits


def _settle(future, how, what):
    if not future.done():
        how(what)


if __name__ == "__main__":

    class _Printer:
        """Stands in for a rulebook: python vm_message.py prints events, as the environment says where from."""

        async def put(self, event):
            print(event)

    try:
        asyncio.run(main(_Printer(), {"since": "beginning"}))
    except KeyboardInterrupt:
        pass
