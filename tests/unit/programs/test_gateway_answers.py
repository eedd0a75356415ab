# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the gateway's answers get, whatever guests send: clients read no more than they have room for."""

import importlib
import json

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import (
    INCOMING,
    StoredEvent,
    StoredMessage,
)
from ansible_collections.ovm.messaging.plugins.module_utils.manager import session
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect

PACKAGE = "ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway."
backend, rest, shapes = (importlib.import_module(PACKAGE + name) for name in ("backend", "rest", "shapes"))
LIMIT = 32 << 10
SHAPES = shapes.Shapes("https://host.example:7002/ovm/core/wsapi/rest", "0" * 32, Dialect())
#: Keys and values that grow in JSON, each in its own way, and some that do not.
HOSTILE = [
    (b"k", b"\xff" * 8191),
    (b"k", b"\x01" * 8191),
    (b"k", b'"' * 8191),
    (b"k", b"\\" * 8191),
    (b"k", b"\x7f" * 8191),
    (b"k", "\u00fc".encode() * 4095),
    (b"k", "\U0001f600".encode() * 2047),
    (b"\xff" * 255, b""),
    (b"k", b""),
    (b"k", b"v" * 8191),
]


def stored(key, value):
    count = 3 * LIMIT // (len(key) + len(value) + 20) + 10
    return [StoredMessage(number, "0" * 32, "RECEIVED", key, value, 1795408410.842) for number in range(count)]


def pages(rows):
    """What reads a store: 100 rows older than an id."""

    def page(before):
        end = len(rows) if before is None else before
        return rows[max(0, end - 100) : end]

    return page


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_messages_that_grow_in_json_do_not_make_an_answer_longer(monkeypatch, key, value):
    monkeypatch.setattr(rest, "BYTES_LIMIT", LIMIT)
    rows = stored(key, value)
    found = rest._newest(pages(rows), lambda row: row)
    assert found and found == rows[-len(found) :] and len(found) < len(rows)
    assert len(json.dumps([SHAPES.message(row) for row in found], separators=(",", ":"))) <= 3 * LIMIT


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_events_of_them_neither(monkeypatch, key, value):
    monkeypatch.setattr(rest, "BYTES_LIMIT", LIMIT)
    rows = [StoredEvent(m.id, "0" * 32, m.time, "INFORMATIONAL", INCOMING, "", m) for m in stored(key, value)]
    found = rest._newest(pages(rows), lambda row: row.message, rest.LIST_LIMIT)
    about = len(json.dumps([SHAPES.event(event._replace(message=None), "web") for event in found]))
    assert found and len(json.dumps([SHAPES.event(event, "web") for event in found])) - about <= 4 * LIMIT


def test_what_is_plain_counts_as_it_is(monkeypatch):
    monkeypatch.setattr(rest, "BYTES_LIMIT", LIMIT)
    found = rest._newest(pages(stored(b"k", b"v" * 8191)), lambda row: row)
    assert len(found) == LIMIT // (8192 + 21)


def test_clients_read_whatever_the_gateway_answers():
    assert rest.BYTES_LIMIT * 4 <= session._LONGEST


def test_a_guest_with_countless_interfaces_has_some():
    value = json.dumps({"interfaces": [{}] * 2700}, separators=(",", ":")).encode()
    assert len(value) < report.LIMIT
    vm = backend.VmNow("0" * 32, "web", "RUNNING", 5)
    assert len(SHAPES.nics(vm, {report.ADDRESSES: value})) == 256
    assert len(json.dumps(SHAPES.vm(vm, {report.ADDRESSES: value}))) < 100 << 10
