# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours with what nobody would write in them: found by fuzzing."""

import os
import sqlite3

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.checkpoint import Checkpoint
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import BadCheckpoint
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import ParameterListError
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import FILE, ParameterList
from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import MessageStoreError
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import FILE as MESSAGES
from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import MessageStore


# 2**60 bytes would be made of the number, were it taken for bytes.
@pytest.mark.parametrize("odd", [-1, 2**60, "text", 1.5])
@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE parameter SET value = ?", lambda found: found.entries()),
        ("UPDATE parameter SET value = ?", lambda found: found.get(b"key")),
        ("UPDATE taken SET key = ?", lambda found: found.taken()),
        ("UPDATE reported SET value = ?", lambda found: found.reported()),
        ("INSERT INTO event VALUES (1, 'user', 'info', 'pre', ?, 0)", lambda found: found.next_event()),
    ],
)
def test_a_parameter_list_with_other_things_than_bytes_is_damaged(tmp_path, odd, statement, read):
    directory = str(tmp_path / "state")
    with ParameterList(directory) as found:
        with found.writing():
            found.put(Message(b"key", b"value"))
            found.take(1, Message(b"key", b"value"))
            found.note_reported(b"held.key", b"x")
        base = sqlite3.connect(os.path.join(directory, FILE))
        base.execute(statement, (odd,))
        base.commit()
        base.close()
        with pytest.raises(ParameterListError, match="if the file is damaged, remove it"):
            read(found)


def test_a_message_store_with_notes_of_other_kinds(tmp_path):
    with MessageStore(str(tmp_path / "state")) as store:
        base = sqlite3.connect(store.path)
        base.executemany("INSERT INTO taken VALUES (?, ?, 1, x'', x'')", [("a", "text"), ("a", 1), ("a", b"x")])
        base.commit()
        base.close()
        store.forget_notes([("a", 1)])
        assert store._rows("SELECT domid FROM taken") == [(1,)]


@pytest.mark.parametrize("kind", ["parameter list", "message store", "checkpoint"])
def test_a_file_whose_tables_have_names_that_are_no_text_is_damaged(tmp_path, kind):
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    path = directory / {"parameter list": FILE, "message store": MESSAGES, "checkpoint": "checkpoint"}[kind]
    open_it = {
        "parameter list": lambda: ParameterList(str(directory)),
        "message store": lambda: MessageStore(str(directory)),
        "checkpoint": lambda: Checkpoint(str(path)),
    }[kind]
    open_it().close()
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = DELETE")
    base.close()
    table = b"passed" if kind == "checkpoint" else b"taken"
    content = path.read_bytes()
    damaged = content.replace(b"CREATE TABLE " + table, b"CREATE TABXE " + table)
    damaged = damaged.replace(table * 2, (b"\xdd" + table[1:]) * 2)
    assert damaged != content and b"\xdd" in damaged
    path.write_bytes(damaged)
    with pytest.raises((ParameterListError, MessageStoreError, BadCheckpoint), match=kind + " .*: it is damaged: "):
        open_it()
