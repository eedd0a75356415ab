# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite files of ours with anything in them: damaged, of another version, of somebody else."""

import os
import pathlib
import shutil
import sqlite3
import tempfile

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.checkpoint import Checkpoint
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import BadCheckpoint
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import ParameterListError
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import FILE, ParameterList
from ansible_collections.ovm.messaging.plugins.module_utils.host import message_store
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import MessageStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore, Retention
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Record
from fuzz.checks import only
from fuzz.draw import Draw

_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_VM = "0004fb00000600006f8e65a5d245ea0c"
TOKENS = [
    b"SQLite format 3\0",
    b"CREATE TABLE parameter",
    b"life",
    b"taken",
    b"passed",
    b"vm",
    b"\xff\xff",
    b"\0\0\0\0",
]
SEEDS = [
    bytes([kind]) + more for kind in range(3) for more in (b"", b"\x01\x00\x18\x02ab", bytes(range(99)), b"\x05" * 60)
]
LONGEST = 1024
#: Seconds to wait for somebody who writes; nobody does.
_PATIENCE = 0.2


def _made():
    """A good file of each kind, as bytes."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY) as folder:
        os.chmod(folder, 0o700)
        with ParameterList(folder) as found:
            with found.writing():
                found.put(Message(b"key", b"value"))
                found.take(1, Message(b"key", b"value"))
                found.note_reported(b"held.key", b"x")
        with MessageStore(folder) as store:
            store.see({_VM: ("web1", 5)}, 1.0)
            with store.ledger(_VM, 5) as ledger:
                ledger.take(3, Message(b"a", b"b"))
            store.add_event(_VM, message_store.WARNING, message_store.TROUBLE, "text", 1.0)
        checkpoint = Checkpoint(os.path.join(folder, "checkpoint"))
        checkpoint.begin(1.0, [_VM])
        checkpoint.note("other", [b"mark"])
        checkpoint.close()
        names = (FILE, message_store.FILE, "checkpoint")
        for name in names:
            base = sqlite3.connect(os.path.join(folder, name))
            base.execute("PRAGMA journal_mode = DELETE")
            base.close()
        return [pathlib.Path(folder, name).read_bytes() for name in names]


_FILES = _made()
# Values of other kinds than a column should have.
_ODD = (None, 0, -1, 2**63 - 1, 1.5, "text", b"bytes", "\ufffd", "", b"", 1e308)


def run(data):
    draw = Draw(data)
    kind = draw.below(3)
    folder = tempfile.mkdtemp(prefix="fuzz-", dir=_MEMORY)
    try:
        path = pathlib.Path(folder, (FILE, message_store.FILE, "checkpoint")[kind])
        path.write_bytes(_FILES[kind])
        path.chmod(0o600)
        if draw.flag():
            _fill(draw, path)
        content = bytearray(path.read_bytes())
        for _number in draw.some(12):
            at = draw.one_of((draw.below(128), draw.below(len(content))))
            change = draw.bytes(16)
            content[at : at + len(change)] = change
        if draw.below(16) == 1:
            del content[draw.below(len(content)) :]
        path.write_bytes(content)
        (_parameters, _messages, _checkpoint)[kind](folder, str(path))
    finally:
        shutil.rmtree(folder)


def _fill(draw, path):
    """Rows that we would not write: whatever the tables take."""
    base = sqlite3.connect(path)
    try:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for _number in draw.some(6):
            table = draw.one_of(tables)
            columns = len(base.execute("PRAGMA table_info(%s)" % table).fetchall())
            try:
                row = [draw.one_of(_ODD) for _column in range(columns)]
                base.execute("INSERT OR REPLACE INTO %s VALUES (%s)" % (table, ",".join("?" * columns)), row)
            except sqlite3.Error:
                pass
        if draw.below(8) == 1:
            base.execute("PRAGMA user_version = %d" % draw.below(1 << 31))
        base.commit()
    finally:
        base.close()


def _parameters(folder, _path):
    with only(ParameterListError), ParameterList(folder, _PATIENCE) as found:
        entries = found.entries()
        if not all(isinstance(entry.key, bytes) and isinstance(entry.value, bytes) for entry in entries):
            raise AssertionError("a parameter that is not of bytes")
        found.get(b"key")
        found.taken()
        found.reported()
        found.next_event()
        with found.writing():
            found.put(Message(b"new", b"value"))
            found.delete(b"key")
        if found.get(b"new") != b"value":
            raise AssertionError("what was put is not there")


def _messages(folder, _path):
    with only(MessageStoreError), MessageStore(folder, _PATIENCE) as store:
        store.vms()
        store.jobs()
        store.snapshot(_VM)
        store.events()
        ledger = store.ledger(_VM, 5)
        ledger.taken()
        store.see({_VM: ("web1", 5)}, 2.0)
        with ledger:
            ledger.take(4, Message(b"c", b"d"))
        store.forget_notes([(_VM, 5)])
        store.retain(_VM, Retention(), 3.0)


def _checkpoint(_folder, path):
    with only(BadCheckpoint):
        checkpoint = Checkpoint(path)
        try:
            if not checkpoint.started:
                checkpoint.begin(1.0, [_VM])
            since = checkpoint.since
            if since is not None and not since >= 0 and not since < 0:
                raise AssertionError("a time that is none")
            checkpoint.unread(_VM)
            marks = checkpoint.marks(_VM, [Record(b"a", b"b", 1.0)])
            passed = checkpoint.passed(_VM)
            if not all(isinstance(mark, bytes) for mark in [*marks, *passed]):
                raise AssertionError("a mark that is not of bytes")
            checkpoint.note(_VM, marks, list(passed)[:1])
        finally:
            checkpoint.close()
