# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The virtual machines of a manager and what is known of each: data that can be kept, without any secret."""

from collections import Counter
from fnmatch import fnmatchcase

from .. import report, values
from ..configuration_report import passed_on
from ..delivery import many
from ..delivery.plan import newest
from ..secret_names import secret_by_name
from ..vms import RUNNING, VmNotFound, canonical_id
from .addresses import merged, usable

#: Which messages to read.
NONE, RECEIVED, BOTH = "none", "received", "both"
#: Stands for every state.
ALL = "all"


class Query:
    """Which machines are to be looked at, and how closely.

    :param states: states that count; ALL among them: any.
    :param include: shell patterns of names, or ids; empty: all.
    :param exclude: likewise: those that do not count.
    :param str messages: NONE, RECEIVED or BOTH.
    :param int concurrency: how many machines at a time.
    """

    def __init__(self, states=(RUNNING,), include=(), exclude=(), messages: str = RECEIVED, concurrency: int = 4):
        self.states, self.include, self.exclude = [state.upper() for state in states], list(include), list(exclude)
        self.messages, self.concurrency = messages, concurrency

    def wants(self, vm) -> bool:
        """Whether a Vm was asked for."""
        if vm.state.upper() not in self.states and ALL.upper() not in self.states:
            return False
        return (not self.include or _called(vm, self.include)) and not _called(vm, self.exclude)


class _Machine:
    """A machine that is being read."""

    def __init__(self, vm):
        self.vm, self.problem = vm, None
        self.received, self.sent = [], []


def take(carrier, query: Query) -> "list[dict]":
    """Look at all machines that are asked for.

    Of each there are ``id``, ``name`` and ``state``; ``interfaces``, of ``name``, ``mac`` and ``addresses``; and
    ``shared``, those of the addresses that another machine claims as well. Where messages were read, there are
    ``received``, and ``sent`` where these were read, too: dicts of ``text``, ``binary`` (base64) and ``times``, each
    by key; ``masked``: the keys of secrets, whose values are nowhere; and ``report``: ``present``, ``boot`` and
    ``configuration``.

    :param carrier: see delivery.carrier.
    :returns: one dict for each, in the order of names and ids.
    :raises Problem: the other side cannot be reached, or what is known of a machine cannot be read.
    """
    carrier.connect()
    vms = carrier.vms()
    known = carrier.interfaces() if hasattr(carrier, "interfaces") else {}
    machines = [_Machine(vm) for vm in sorted(vms, key=lambda vm: (vm.name, vm.id)) if query.wants(vm)]
    if query.messages != NONE:

        def read(machine):
            machine.received = carrier.received(machine.vm)
            if query.messages == BOTH:
                machine.sent = carrier.sent(machine.vm)

        many.each(read, machines, query.concurrency)
    machines = [machine for machine in machines if not isinstance(machine.problem, VmNotFound)]  # deleted meanwhile
    for machine in machines:
        if machine.problem is not None:
            raise machine.problem
    found = [_facts(machine, known.get(machine.vm.id, []), query) for machine in machines]
    claims = _claims(found, known, {vm.id for vm in vms if vm.state == RUNNING})
    for facts in found:
        facts["shared"] = sorted({str(a) for _name, a in usable(facts["interfaces"]) if claims[str(a)] > 1})
    return found


def _called(vm, patterns):
    return any(fnmatchcase(vm.name, pattern) or canonical_id(pattern) == vm.id for pattern in patterns)


def _claims(found, known, running):
    """How many running machines claim each address."""
    interfaces = {vm: known[vm] for vm in running & set(known)}
    interfaces.update((facts["id"], facts["interfaces"]) for facts in found)
    return Counter(address for each in interfaces.values() for address in {str(a) for _name, a in usable(each)})


def _facts(machine, known, query):
    vm = machine.vm
    messages = {key: record.value for key, record in newest(machine.received).items()}
    told = report.Report(messages)
    interfaces = merged(known, report.addresses(messages.get(report.ADDRESSES))) if vm.state == RUNNING else []
    facts = {"id": values.clean(vm.id), "name": values.clean(vm.name), "state": values.clean(vm.state)}
    facts["interfaces"] = [_cleaned(interface) for interface in interfaces]
    if query.messages == NONE:
        return facts
    secrets = {r.key for r in machine.received + machine.sent if secret_by_name(r.key) or told.holds_secret(r.key)}
    facts["received"] = _told(machine.received, secrets)
    if query.messages == BOTH:
        facts["sent"] = _told(machine.sent, secrets)
    facts["masked"] = sorted(map(values.key_text, secrets))
    facts["report"] = {
        "present": told.present,
        "boot": values.clean(told.boot),
        "configuration": passed_on(told.configuration()),
    }
    return facts


def _cleaned(interface):
    """An interface of which all is text that can be written."""
    addresses = [values.clean(address) for address in interface["addresses"]]
    return {"name": values.clean(interface["name"]), "mac": values.clean(interface["mac"]), "addresses": addresses}


def _told(records, secrets):
    """The last message of each key, but for secrets and guests' reports."""
    result = {"text": {}, "binary": {}, "times": {}}  # type: dict[str, dict]
    for key, record in newest(records).items():
        if key in secrets or key.startswith(report.PREFIX):
            continue
        name, text, time = values.key_text(key), values.text(record.value), values.iso(record.time)
        if text is None:
            result["binary"][name] = values.base64_text(record.value)
        else:
            result["text"][name] = text
        if time:
            result["times"][name] = time
    return result
