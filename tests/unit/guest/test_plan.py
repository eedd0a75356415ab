# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to happen for a list to be as wanted."""

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest import plan
from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry

KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
LISTS = st.lists(
    st.builds(Entry, KEYS, st.sampled_from([b"", b"1", b"2"]), st.booleans()), unique_by=lambda entry: entry.key
)
MESSAGES = st.lists(st.builds(Message, KEYS, st.sampled_from([b"", b"1", b"2"])), unique_by=lambda message: message.key)


@given(LISTS, MESSAGES, st.booleans())
def test_a_second_run_changes_nothing(before, wanted, exclusive):
    first = plan.present(before, wanted, exclusive=exclusive)
    assert not plan.present(first.after, wanted, exclusive=exclusive).changed


@given(LISTS, MESSAGES, st.booleans(), st.booleans())
def test_what_is_wanted_is_there_afterwards_and_the_rest_as_asked(before, wanted, exclusive, resend):
    after = {entry.key: entry.value for entry in plan.present(before, wanted, exclusive=exclusive, resend=resend).after}
    assert {key: after[key] for key, _value in wanted} == dict(wanted)
    others = {entry.key: entry.value for entry in before if entry.key not in dict(wanted)}
    assert {key: value for key, value in after.items() if key not in dict(wanted)} == ({} if exclusive else others)


@given(LISTS, MESSAGES)
def test_only_differences_are_sent_unless_all_is_to_be_sent_again(before, wanted):
    now = {entry.key: entry.value for entry in before}
    assert plan.present(before, wanted).send == [m for m in wanted if now.get(m.key) != m.value]
    assert plan.present(before, wanted, resend=True).send == wanted


@given(LISTS, st.sets(KEYS))
def test_absent_deletes_what_is_there_and_no_more(before, keys):
    found = plan.absent(before, keys)
    assert found.delete == [entry.key for entry in before if entry.key in keys] and not found.send
    assert found.after == [entry for entry in before if entry.key not in keys]
    assert plan.absent(before).after == []


def test_a_key_keeps_its_place_and_new_ones_go_to_the_end():
    before = [Entry(b"a", b"1", False), Entry(b"b", b"1", True), Entry(b"c", b"1", False)]
    found = plan.present(before, [Message(b"d", b"1"), Message(b"b", b"2")], secret={b"c", b"d"})
    assert found.after == [
        Entry(b"a", b"1", False),
        Entry(b"b", b"2", True),
        Entry(b"c", b"1", True),
        Entry(b"d", b"1", True),
    ]
    assert found.conceal == [b"c"] and found.changed


def test_marking_a_secret_alone_is_no_change():
    found = plan.present([Entry(b"a", b"1", False)], [Message(b"a", b"1")], secret={b"a"})
    assert found.conceal == [b"a"] and not found.changed


def test_an_event_is_sent_but_never_in_the_list():
    assert plan.present([], [Message(b"VMAPIEvent", b"x")]).after == []
    assert plan.with_pending([Entry(b"a", b"1", True)], [Message(b"VMAPIEvent", b"x"), Message(b"a", b"2")]) == [
        Entry(b"a", b"2", True)
    ]


def test_an_entry_does_not_show_its_value():
    assert "hunter2" not in repr(Entry(b"password", b"hunter2", True))


class Compared(bytes):
    """A key that counts how often it is compared with another."""

    count = 0
    __hash__ = bytes.__hash__

    def __eq__(self, other):
        type(self).count += 1
        return bytes.__eq__(self, other)


def test_many_parameters_are_deleted_without_comparing_each_with_each():
    size = 1000
    before = [Entry(Compared(b"%d" % n), b"", False) for n in range(size)]
    Compared.count = 0
    assert plan.absent(before).after == []
    assert plan.absent(before, {entry.key for entry in before}).after == []
    found = plan.present(before, [Message(b"new", b"")], secret={b"new"}, exclusive=True)
    assert found.after == [Entry(b"new", b"", True)]
    # Some for each, where the hashes are the same; a list instead of a set means half a million each time.
    assert Compared.count < 20 * size
