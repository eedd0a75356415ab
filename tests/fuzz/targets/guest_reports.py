# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests report, and everything that is made of it: evidence, hosts of an inventory, events of a rulebook."""

import json

from ansible_collections.ovm.messaging.plugins.module_utils import event_source, report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import answers, plan
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.last import LastKnown
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.watching import News
from ansible_collections.ovm.messaging.plugins.module_utils.inventory import census, hosts
from ansible_collections.ovm.messaging.plugins.module_utils.inventory.addresses import Choice
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.vms import RUNNING, Record, Vm
from fuzz.checks import only, visible, writable
from fuzz.draw import Draw

NAMES = (
    "boot", "version", "digest", "secret", "gone", "state", "target", "failed", "scripts", "name", "status", "changed",
    "seconds", "message", "interfaces", "mac", "addresses", "left_out",
)  # fmt: skip
WORDS = (
    "b1",
    "waiting",
    "running",
    "done",
    "failed",
    "ok",
    "configure",
    "eth0",
    "192.0.2.1/24",
    "2001:db8::1/64",
    "::",
)
WORDS += ("127.0.0.1", "fe80::1%eth0", "0.0.0.0/0", "::ffff:192.0.2.1", "52:54:00:aa:bb:cc", "192.0.2.1/999")
KEY = b"app.port"
TOKENS = [json.dumps(name).encode() + b":" for name in NAMES] + [word.encode() for word in WORDS]
SEEDS = [
    b"",
    b"\x05" * 80,
    bytes(range(250)),
    b"\x00" + json.dumps({"boot": "b1", "version": "1"}).encode(),
    b"\x01\x03\x00\x02" * 50,
    bytes([96, 3, 4, 5, 6, 7, 200]) * 30,
]
_VM = Vm("0004fb00000600006f8e65a5d245ea0c", "web1", RUNNING)


class _Carrier:
    """What was received, and nothing else; see delivery.carrier."""

    def __init__(self, vm, records):
        self._vm, self._records = vm, records

    def connect(self):
        pass

    def vms(self):
        return [self._vm]

    def current(self, vm):
        return vm

    def received(self, vm):
        return list(self._records)

    def sent(self, vm):
        return []

    def dated(self, vm, records):
        return records

    def waiting(self, vm):
        return None

    def now(self):
        return 1000.0


def run(data):
    draw = Draw(data)
    keys = (report.GUEST, report.CONFIGURATION, report.ADDRESSES, report.held_key(KEY), KEY, b"secret.token", b"")
    records = [Record(report.GUEST, json.dumps({"boot": "b1"}).encode(), 1.0)] if draw.flag() else []
    for number in draw.some(8):
        key = draw.one_of(keys) if draw.flag() else draw.raw(40)
        records.append(Record(key, draw.json(NAMES, WORDS), draw.one_of((None, 2.0 + number, 1e18))))
    wanted = plan.Wanted(KEY, b"8080", False)
    evidence = plan.Evidence(records, lambda: list(records))
    told = evidence.report
    plan.decide(wanted, evidence)
    plan.before(wanted, evidence)
    since = answers.Since(records[:2], 1.5, 1.0)
    for arrived in (answers.arrived(wanted, evidence, None), answers.arrived(wanted, evidence, since)):
        if arrived not in (True, False, None):
            raise AssertionError("it has arrived, or not, or nobody knows")
    if told.holds(KEY, b"8080") and not told.present:
        raise AssertionError("a guest that reports nothing holds something")
    with only(answers.BadPattern):
        answers.answer(records, answers.Condition(KEY, "80"), since)
    last = LastKnown(_Carrier(_VM, records), _VM, records, [KEY])
    visible(last.text())
    [visible(name) for name in last.failed]
    for record in records:
        for kind in ("message", "configuration", "addresses", "guest"):
            event = event_source.event(News(_VM, kind, record, False, b"mark"))
            writable(event)
            if any(text in json.dumps(event, ensure_ascii=False) for text in ("{{", "{%", "{#", "#jinja2:")):
                raise AssertionError("an event has a template in it")
    _inventory(records)
    _round_trip(draw)


def _inventory(records):
    (facts,) = census.take(_Carrier(_VM, records), census.Query())
    writable(facts)
    made = hosts.variables(facts, "ovm_")
    writable(made)
    if any("token" in key for key in made["ovm_received"]):
        raise AssertionError("a secret is among the messages")
    with only(Problem):
        best = Choice().best(facts["interfaces"])
        if best is not None and best.startswith(("127.", "::1", "fe80")):
            raise AssertionError("this very machine as a guest's address")


def _round_trip(draw):
    """What our guests report comes out as it went in."""
    boot, key, value = draw.text(20) or "b", draw.raw(300).replace(b"\0", b"")[:254] or b"k", draw.raw(100)
    try:
        boot.encode("utf-8")
    except UnicodeEncodeError:
        boot = "b"
    messages = dict([report.guest(boot, "1"), report.held(boot, key, value)])
    told = report.Report(messages)
    if any(len(name) > 255 or len(said) > report.LIMIT for name, said in messages.items()):
        raise AssertionError("a report that cannot be sent")
    if not told.present or not (told.holds_secret(key) or told.holds(key, value) is True):
        raise AssertionError("a guest is not believed what it holds")
    scripts = [
        dict(name=draw.text(30), status=draw.one_of(("ok", "failed")), message=draw.text(600), changed=None)
        for _number in draw.some(12)
    ] * draw.one_of((1, 4))
    name, said = report.configuration(
        boot, report.DONE, target="configure", failed=["x"] * draw.below(2000), scripts=scripts
    )
    if len(said) > report.LIMIT or report.Report(dict([report.guest(boot, "1"), (name, said)])).configuration() == {}:
        raise AssertionError("a report of a configuration that nobody can read")
    found = [
        dict(name=draw.text(10), mac="", addresses=[draw.text(40) for _each in draw.some(12)] * 20)
        for _each in draw.some(8)
    ]
    if len(report.interfaces(found)[1]) > report.LIMIT:
        raise AssertionError("a report of addresses that cannot be sent")
