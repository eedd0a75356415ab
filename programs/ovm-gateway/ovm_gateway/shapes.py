# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Manager's objects, as JSON. Pure: from what the host's core knows to dicts."""

import hashlib
import ipaddress
import json

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import INCOMING
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import encode_text, event_description
from ansible_collections.ovm.messaging.plugins.module_utils.secret_names import secret_by_name
from ansible_collections.ovm.messaging.plugins.module_utils.values import MASK
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING

_MODEL = "com.oracle.ovm.mgr.ws.model."
# Interfaces of one guest: no machine has more, and each is an object in the answers about all machines.
_INTERFACES = 256
#: What every object has besides its id and name.
COMMON = {
    "description": None,
    "locked": False,
    "readOnly": False,
    "generation": 1,
    "userData": [],
    "resourceGroupIds": [],
}
#: What a Manager tells of a VM and this one does not know.
# fmt: off
UNKNOWN_OF_VM = (
    "cpuPriority", "memory", "memoryLimit", "hugePagesEnabled", "cpuCount", "cpuCountLimit", "cpuUtilizationCap",
    "highAvailability", "bootOrder", "vmMouseType", "osType", "vmDomainType", "diskLimit", "repositoryId",
    "serverPoolId", "networkInstallPath", "origin", "keymapName", "serverId", "sslVncPort", "sslTtyPort",
    "osVersion", "kernelVersion", "guestDriverVersion", "vmStartPolicy", "currentMemory", "currentCpuCount",
    "architecture", "restartActionOnCrash", "restartActionOnPowerOff", "restartActionOnRestart",
)
# fmt: on


def milliseconds(time):
    """Seconds since 1970 as the Manager writes times."""
    return None if time is None else int(time * 1000)


class Shapes:
    """The objects of one service.

    :param str base: the address that this service takes for its own: starts each ``uri``.
    :param str uuid: its own.
    :param Dialect dialect: what is not certain of the Manager.
    """

    def __init__(self, base, uuid, dialect):
        self._base, self._uuid, self._dialect = base, uuid, dialect

    def simple_id(self, kind, value, name=None):
        """What stands for an object in others."""
        return {"type": _MODEL + kind, "value": value, "uri": "%s/%s/%s" % (self._base, kind, value), "name": name}

    def _object(self, kind, value, name, **members):
        return {"id": self.simple_id(kind, value, name), "name": name, **COMMON, **members}

    def manager(self, state, now):
        return self._object(
            "Manager",
            self._uuid,
            "ovm-gateway",
            managerUuid=self._uuid,
            managerVersion=VERSION,
            managerRunState=state,
            managerTime=milliseconds(now),
        )

    def vm_id(self, vm):
        return self.simple_id("Vm", vm.id, vm.name)

    def vm(self, vm, reports, waiting=None):
        """A VM.

        :param VmNow vm: the VM.
        :param dict reports: the newest received message of each key that is a report.
        :param waiting: how many messages wait for the guest, or None.
        """
        return self._object(
            "Vm",
            vm.id,
            vm.name,
            vmRunState=vm.state,
            currentDomainId=vm.domid,
            # A guest that has reported has somebody who reads messages: what clients take this for.
            vmApiVersion=_version(reports.get(report.GUEST)) if vm.state == RUNNING else None,
            virtualNicIds=[nic["id"] for nic in self.nics(vm, reports)],
            vmDiskMappingIds=[],
            vmCloneDefinitionIds=[],
            affinityGroupIds=[],
            messagesWaiting=waiting,
            **dict.fromkeys(UNKNOWN_OF_VM),
        )

    def nics(self, vm, reports):
        """A VM's network interfaces, as its guest has reported them; addresses only as long as it runs."""
        result = []
        for number, interface in enumerate(report.addresses(reports.get(report.ADDRESSES))[:_INTERFACES]):
            mark = "%s %s %s" % (vm.id, interface["mac"] or number, interface["name"])
            identity = hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            addresses = interface["addresses"] if vm.state == RUNNING else []
            result.append(
                self._object(
                    "VirtualNic",
                    identity,
                    interface["name"],
                    macAddress=interface["mac"] or None,
                    vmId=self.vm_id(vm),
                    networkId=None,
                    ipAddresses=[shape for shape in map(_address, addresses) if shape],
                )
            )
        return result

    def message(self, stored):
        return {"key": encode_text(stored.key), "value": encode_text(stored.value), "time": milliseconds(stored.time)}

    def job(self, job, vm_name=None):
        """A Job.

        :param Job job: as the store has it.
        """
        done = job.end is not None
        failed = bool(job.error or job.error_type)
        return self._object(
            "Job",
            job.id,
            job.description,
            resultId=self.simple_id("Vm", job.vm, vm_name),
            jobRunState=job.state,
            jobSummaryState=job.state,
            done=done,
            summaryDone=done,
            jobGroup=False,
            error={"message": job.error, "type": job.error_type} if failed else None,
            progressMessage=job.error or job.description,
            latestSummaryProgressMessage=job.error or job.description,
            extraInfo=None,
            parentJobId=None,
            childJobIds=[],
            user=job.user,
            abortedByUser=None,
            startTime=milliseconds(job.start),
            endTime=milliseconds(job.end),
        )

    def event(self, event, vm_name):
        """An Event. That of a message tells key, value and time; a value that is a secret by its key stays out."""
        kind, summary, description = event.type, event.summary, event.description
        if event.type == INCOMING:
            kind, summary = self._dialect.incoming_event_type, self._dialect.incoming_event_summary
        if event.message:
            key, value = event.message.key, event.message.value
            if is_secret(event.message):
                value = MASK.encode("ascii")
            description = event_description(vm_name or "", key, value, event.message.time)
        return self._object(
            "Event",
            str(event.id),
            summary,
            acknowledgeable=False,
            acknowledged=False,
            associatedObjectId=self.simple_id("Vm", event.vm, vm_name) if event.vm else None,
            createTime=milliseconds(event.time),
            modifyTime=milliseconds(event.time),
            eventSeverity=event.severity,
            eventType=kind,
            summary=summary,
            description=description,
        )


def is_secret(message):
    """Whether a StoredMessage's value is not for reading by the way."""
    return message.secret or secret_by_name(message.key)


def _version(value):
    """Of the program that reports in a guest; None where there is none. It comes from a guest."""
    try:
        return str(json.loads(value)["version"])
    except (TypeError, ValueError, LookupError, RecursionError):
        return None


def _address(text):
    """``IP/PREFIX`` as the Manager shows it, or None where it is no such thing: it comes from a guest."""
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return None
    return {
        "address": str(found.ip),
        "netmask": str(found.netmask) if found.version == 4 else str(found.network.prefixlen),
        "configType": None,
        "type": "IPV%d" % found.version,
    }
