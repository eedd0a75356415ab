# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which virtual machine a person means."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.vms import (
    Record,
    Vm,
    VmAmbiguous,
    VmNotFound,
    VmNotRunning,
    canonical_id,
    find,
    require_running,
)

WEB = Vm("0004fb00000600006f8e65a5d245ea0c", "web", "RUNNING")
DB = Vm("0004fb0000060000aaaa65a5d245ea0c", "db", "STOPPED")
OTHER_WEB = Vm("0004fb000006000011111111d245ea0c", "web", "RUNNING")
#: called like another one's id
IMPOSTOR = Vm("0004fb000006000022222222d245ea0c", DB.id, "RUNNING")


@pytest.mark.parametrize(
    "wanted",
    ["db", DB.id, DB.id.upper(), "0004fb00-0006-0000-aaaa-65a5d245ea0c", "0004FB00-0006-0000-AAAA-65A5D245EA0C"],
)
def test_by_name_by_id_and_by_uuid(wanted):
    assert find([WEB, DB, IMPOSTOR], wanted) == DB


@pytest.mark.parametrize("wanted", ["d", "dbx", "DB", "", "0004fb00"])
def test_names_are_whole_names(wanted):
    with pytest.raises(VmNotFound, match="no virtual machine '%s': give its exact name" % wanted):
        find([WEB, DB], wanted)


def test_several_of_one_name_are_told_apart_by_their_ids():
    with pytest.raises(VmAmbiguous) as caught:
        find([WEB, DB, OTHER_WEB], "web")
    assert caught.value.ids == sorted([WEB.id, OTHER_WEB.id])
    assert str(caught.value) == "2 virtual machines are called 'web': give an id: %s, %s" % tuple(caught.value.ids)
    assert find([WEB, DB, OTHER_WEB], OTHER_WEB.id) == OTHER_WEB


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("TEMPLATE", "'x' is a template: send to a virtual machine made from it"),
        ("STOPPED", "the virtual machine 'x' is not running (STOPPED): start it first"),
        ("SUSPENDED", "the virtual machine 'x' is not running (SUSPENDED): start it first"),
    ],
)
def test_only_a_running_one_can_be_sent_to(state, text):
    with pytest.raises(VmNotRunning) as caught:
        require_running(Vm("1", "x", state))
    assert str(caught.value) == text
    assert caught.value.state == state


def test_a_running_one_is_given_back():
    assert require_running(WEB) is WEB


def test_an_id_is_written_as_the_manager_does():
    assert canonical_id("0004FB00-0006-0000-6F8E-65A5D245EA0C") == WEB.id


def test_the_repr_of_a_record_hides_its_value():
    assert "s3cret" not in repr(Record(b"key", b"s3cret", 1.0))
    assert "s3cret" not in "%s" % (Record(b"key", b"s3cret", None),)
