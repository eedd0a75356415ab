# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Xen host behind the service: one thread collects what guests send, others do what requests ask for."""

import asyncio
import logging
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import LoggedValueTooLong
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore, Retention
from ansible_collections.ovm.messaging.plugins.module_utils.manager.jobs import OUTCOME_UNKNOWN
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown, Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING as VM_RUNNING
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Vm, VmNotFound, VmNotRunning, require_running

from .errors import Refusal, place

#: States of a job.
RUNNING, SUCCESS, FAILURE = "RUNNING", "SUCCESS", "FAILURE"
#: Seconds that one request may take of XenStore's time.
TIMEOUT = 10.0
# Threads for requests. A guest that takes nothing holds up whoever sends to it, but nobody who reads.
_READERS, _SENDERS = 8, 32
# Seconds that the collector waits at once, which is how long it takes to end; and after trouble.
_WAIT, _PAUSE, _LONGEST_PAUSE = 1.0, 0.1, 1.0
_log = logging.getLogger("ovm_gateway")

#: A VM as it is now: as vms.Vm, with the number of its domain, or None.
VmNow = namedtuple("VmNow", ("id", "name", "state", "domid"))


class Backend:
    """All that the service knows of its Xen host.

    :param Settings settings: where XenStore and the state are, and what is kept.
    :ivar MessageStore store: what there is to read; needs no XenStore.
    """

    def __init__(self, settings):
        self._xenstore = settings.xenstore or None
        self._directory = settings.directory
        self._retention = Retention(
            messages=settings.retention_messages,
            events=settings.retention_events,
            age=settings.retention_days * 86400.0,
        )
        self.store = MessageStore(self._directory)
        self._host, self._lock = None, threading.Lock()
        self._trouble = None
        self._ended = {}  # jobs that have ended, but not in the store yet: it did not take that
        self._stopping, self._ready = threading.Event(), threading.Event()
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._senders = ThreadPoolExecutor(_SENDERS, "sender")
        self._collector = threading.Thread(target=self._collect, name="collector", daemon=True)

    def start(self):
        """Begin to collect.

        :raises MessageStoreError: the store cannot be used.
        """
        self.store.finish_open_jobs(
            FAILURE,
            time.time(),
            OUTCOME_UNKNOWN,
            "the gateway ended in the midst of this; whether it took effect is not known",
        )
        self._collector.start()

    def stop(self):
        """End the collector and all connections; the last message is whole in the store, or still in XenStore."""
        self._stopping.set()
        self._readers.shutdown(cancel_futures=True)
        self._senders.shutdown(cancel_futures=True)
        self._collector.join()
        with self._lock:
            if self._host:
                self._host.close()
        try:
            self._store_ends()
        except Problem as problem:
            _log.warning("the end of %d jobs is not stored: %s", len(self._ended), problem)
        self.store.close()

    def ready(self):
        """Whether all domains have been looked at."""
        return self._ready.is_set()

    def alive(self):
        """Whether the collector runs; it ends only with stop(), or by a defect."""
        return self._collector.is_alive()

    async def reading(self, function, *arguments):
        """Have something read that may block, by a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)

    async def sending(self, function, *arguments):
        """The same for what may block for long."""
        return await asyncio.get_running_loop().run_in_executor(self._senders, function, *arguments)

    # What requests ask for; all of it may block, and raises a Problem

    def vms(self):
        """All VMs as they are now: a list of VmNow, ordered by name."""
        domids = {vm.id: vm.domid for vm in self.store.vms()}
        vms = sorted(self._connected().vms(), key=lambda vm: (vm.name, vm.id))
        return [VmNow(*vm, domids.get(vm.id) if vm.state == VM_RUNNING else None) for vm in vms]

    def vm(self, identity):
        """One VM as it is now: a VmNow, or None where there is none."""
        try:
            vm, domid = self._connected().present(Vm(identity, identity, ""))
        except VmNotFound:
            return None
        return VmNow(*vm, domid)

    def current(self, identity):
        """The same without its domain's number: a Vm."""
        vm = self.vm(identity)
        return vm and Vm(*vm[:3])

    def seen(self, identity):
        """One VM as it was seen last: needs XenStore only for those that were not seen yet."""
        return self.store.vm(identity) or self.current(identity)

    def waiting(self, vm):
        """How many messages the guest has not taken yet, or None where it runs no more."""
        return self._connected().waiting(vm)

    def send(self, vm, messages, log, user):
        """Send messages to a VM.

        :param Vm vm: the VM.
        :param messages: list of pairs of bytes.
        :param bool log: whether they are to be remembered.
        :param str user: who wants it.
        :returns: the finished Job, which may have failed.
        :raises Refusal: nothing was sent: a message is too long, or the VM does not run.
        """
        host = self._connected()
        try:
            host.check(messages, log)
            require_running(vm)
        except (InvalidMessage, LoggedValueTooLong) as problem:
            raise Refusal("OUT_OF_RANGE", str(problem)) from None
        except VmNotRunning as problem:
            raise Refusal("INVALID_VALUE", str(problem)) from None
        names = ", ".join("'%s'" % display(key) for key, _value in messages[:5])
        more = len(messages) - 5
        description = "Send %s%s to %s" % (names, " and %d more" % more if more > 0 else "", vm.name)
        job = self.store.add_job(vm.id, description, user, RUNNING, time.time())
        state, kind, text = FAILURE, "INTERNAL", "this is a defect of ovm-gateway; see its log"
        try:
            host.send(vm, messages, log)
            state, kind, text = SUCCESS, "", ""
        except VmNotRunning as problem:  # it ended just now
            kind, text = "ILLEGAL_OPERATION", str(problem)
        except OutcomeUnknown as problem:
            kind, text = OUTCOME_UNKNOWN, str(problem)
        except Problem as problem:
            kind, text = "SERVER", str(problem)
        finally:
            job = job._replace(state=state, end=time.time(), error_type=kind, error=text)
            self._finish(job)
        return job

    def _finish(self, job):
        """Store how a job has ended; later, where that cannot be done now.

        It is no error of the request: what was asked for is done, and an error would have it asked for again.
        """
        try:
            self.store.finish_job(job.id, job.state, job.end, job.error_type, job.error)
        except Problem as problem:
            _log.warning("the end of job %s cannot be stored yet: %s", job.id, problem)
            with self._lock:
                self._ended[job.id] = job

    def _store_ends(self):
        """Store how jobs have ended whose end the store did not take."""
        with self._lock:
            ended = list(self._ended.values())
        for job in ended:
            self.store.finish_job(job.id, job.state, job.end, job.error_type, job.error)
            with self._lock:
                del self._ended[job.id]

    def _connected(self):
        """The requests' own connection; it finds its way back by itself."""
        trouble = self._trouble
        if trouble:
            # At once: each request would wait in vain for XenStore to come back.
            raise Problem(trouble.text, trouble.remedy)
        with self._lock:
            if self._host is None:
                self._host = self._new_host(collect=False, prepare=False)
            return self._host

    def _new_host(self, **how):
        host = Host(self._xenstore, self._directory, timeout=TIMEOUT, retention=self._retention, **how)
        try:
            host.connect()
        except BaseException:
            host.close()
            raise
        return host

    # The collector's thread

    def _collect(self):
        host, pause = None, _PAUSE
        while not self._stopping.is_set():
            try:
                self._store_ends()
                if host is None:
                    host = self._new_host(collect=True, prepare=True)
                host.collect()
                if self._trouble:
                    _log.warning("messages are collected again")
                self._trouble, pause = None, _PAUSE
                self._ready.set()
                host.wait(_WAIT)
            except Problem as problem:
                if str(problem) != str(self._trouble):
                    _log.warning("no messages are collected: %s", problem)
                self._trouble = problem
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception as problem:
                # Not its text, which may quote a value. Ending here would leave a service that seems to work.
                _log.error("this is a defect of ovm-gateway (%s): please report it", place(problem))
                self._stopping.wait(_LONGEST_PAUSE)
        if host:
            host.close()
