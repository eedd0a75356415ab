# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script user. The tools are stand-ins that work on real account files, and refuse what the real ones do."""

import pytest

from templateconfig.stock import passwords, user

TOOLS = ("useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "chpasswd")


@pytest.fixture(autouse=True)
def tools(system):
    system.tools(*TOOLS)


def run(system, **parameters):
    """Parameters as user_name_0="..."."""
    return system.run(user.configure, named(parameters))


def refused(system, **parameters):
    return system.refused(user.configure, named(parameters))


def named(parameters):
    return {key.replace("_", ".").replace("new.name", "new-name"): value for key, value in parameters.items()}


def test_nothing_is_asked_for(system):
    assert run(system) == []
    assert run(system, user_name_0="", user_shoesize_0="44", user_name_x="a", user_name_01="a") == []


def test_a_user_is_added(system):
    assert run(system, user_name_0="alice") == ["add the user alice"]
    alice = system.machine().users()["alice"]
    assert (alice.uid, alice.home) == (1001, "/home/alice")
    assert system.machine().groups()["alice"].gid == 1001
    assert (system.root / "home/alice").is_dir()


def test_a_user_is_added_with_all_that_there_is(system):
    changes = run(
        system,
        user_name_0="alice",
        user_action_0="ADD",
        user_uid_0="2001",
        user_group_0="users",
        user_groups_0="wheel, staff",
        user_password_0="geh:eim",
        group_name_0="staff",
        group_gid_0="3000",
    )
    assert changes == ["add the group staff", "add the user alice", "set the password of alice"]
    groups = system.machine().groups()
    assert (system.machine().users()["alice"].uid, system.machine().users()["alice"].gid) == (2001, 100)
    assert groups["staff"] == ("staff", 3000, ["alice"])
    assert groups["wheel"].members == ["oracle", "alice"]
    assert not passwords.differs(system.machine(), "alice", "geh:eim")


def test_no_secret_is_in_a_command_line(system):
    run(system, user_name_0="alice", user_password_0="geheim")
    assert "geheim" not in str(system.calls)


def test_an_existing_user_is_brought_into_shape(system):
    changes = run(
        system,
        user_name_0="oracle",
        user_uid_0="1500",
        user_group_0="1001",
        user_groups_0="users",
        user_password_0="geheim",
    )
    assert changes == ["change the user oracle: uid, group, groups", "set the password of oracle"]
    oracle, groups = system.machine().users()["oracle"], system.machine().groups()
    assert (oracle.uid, oracle.gid) == (1500, 1001)
    assert [name for name, group in groups.items() if "oracle" in group.members] == ["users"]


def test_a_user_gets_the_group_of_its_name_that_there_is(system):
    assert run(system, group_name_0="alice", group_gid_0="4000", user_name_0="alice") == [
        "add the group alice",
        "add the user alice",
    ]
    assert system.machine().users()["alice"].gid == 4000


def test_systems_that_make_no_group_for_each_user(system):
    system.write({"etc/login.defs": "USERGROUPS_ENAB no\n"})
    said = refused(system, user_name_0="alice", user_name_1="bob", user_groups_1="alice")
    assert "names the group 'alice', which there is not" in said


def test_numbers_in_order_and_a_new_user_s_group_for_the_next_one(system):
    changes = run(system, user_name_1="bob", user_groups_1="alice", user_name_0="alice", user_name_10="carol")
    assert changes == ["add the user alice", "add the user bob", "add the user carol"]


def test_renaming(system):
    changes = run(
        system,
        user_name_0="oracle",
        user_action_0="mod",
        user_new_name_0="grid",
        user_password_0="geheim",
        user_groups_0="asm,wheel",
        group_name_0="dba",
        group_action_0="mod",
        group_new_name_0="asm",
        group_name_1="oracle",
        group_action_1="mod",
        group_new_name_1="oinstall",
        group_gid_1="54321",
    )
    assert changes == [
        "rename the group dba to asm",
        "rename the group oracle to oinstall",
        "change the group oinstall: gid",
        "rename the user oracle to grid",
        "set the password of grid",
    ]
    grid = system.machine().users()["grid"]
    assert (grid.uid, grid.gid) == (1000, 54321)
    assert system.machine().groups()["asm"].members == ["grid"]


def test_a_rename_keeps_a_password_that_is_right_already(system):
    run(system, user_name_0="oracle", user_password_0="geheim")
    changes = run(system, user_name_0="oracle", user_action_0="mod", user_new_name_0="grid", user_password_0="geheim")
    assert changes == ["rename the user oracle to grid"]


def test_a_name_that_is_the_old_one_is_no_new_one(system):
    assert run(system, user_name_0="oracle", user_action_0="mod", user_new_name_0="oracle") == []


def test_deleting(system):
    assert run(system, user_name_0="oracle", user_action_0="del", group_name_0="dba", group_action_0="del") == [
        "delete the user oracle",
        "delete the group dba",
    ]
    assert "oracle" not in system.read("etc/passwd") + system.read("etc/group") + system.read("etc/shadow")
    assert (system.root / "etc/group").read_text().count("dba") == 0


def test_what_is_deleted_first_leaves_its_number_and_name(system):
    changes = run(
        system,
        user_name_0="alice",
        user_uid_0="1000",
        user_name_1="oracle",
        user_action_1="del",
        group_name_0="oracle",
        group_name_5="nosuch",
        group_action_5="del",
    )
    assert changes == ["delete the user oracle", "add the group oracle", "add the user alice"]
    assert system.machine().users()["alice"].uid == 1000


def test_a_deleted_user_s_group_stays_where_somebody_needs_it(system):
    run(system, user_name_0="alice", user_group_0="oracle", user_name_1="bob", user_groups_1="dba")
    assert run(system, user_name_0="oracle", user_action_0="del", user_name_1="carol", user_group_1="oracle") == [
        "delete the user oracle",
        "add the user carol",
    ]


@pytest.mark.parametrize(
    "parameters, complaint",
    [
        (dict(user_uid_3="5"), "com.oracle.linux.user.uid.3 is given without com.oracle.linux.user.name.3"),
        (dict(user_name_0="a b"), "user.name.0 is no name"),
        (dict(user_name_0="-rf"), "user.name.0 is no name"),
        (dict(user_name_0="x" * 33), "user.name.0 is no name"),
        (dict(group_name_0="a:b"), "group.name.0 is no name"),
        (dict(user_name_0="a\nb"), "user.name.0 has a control character"),
        (dict(user_name_0="a", user_action_0="drop"), "user.action.0 has a value that it cannot have: use one of add"),
        (dict(user_name_0="a", user_new_name_0="b"), "user.new-name.0 is given, and com.oracle.linux.user.action.0"),
        (dict(user_name_0="a", user_uid_0="0"), "user.uid.0 is no number from 1 to 4294967293"),
        (dict(user_name_0="a", user_uid_0="-1"), "user.uid.0 is no number"),
        (dict(user_name_0="a", user_uid_0="4294967294"), "user.uid.0 is no number"),
        (dict(user_name_0="a", user_uid_0="1000"), "user.uid.0 is the number of 'oracle' already"),
        (dict(user_name_0="a", user_uid_0="5", user_name_1="b", user_uid_1="5"), "user.uid.1 is the number of 'a'"),
        (dict(group_name_0="a", group_gid_0="1001"), "group.gid.0 is the number of 'dba' already"),
        (dict(user_name_0="a", user_group_0="nosuch"), "user.group.0 names the group 'nosuch'"),
        (dict(user_name_0="a", user_groups_0="wheel,77"), "user.groups.0 names the group '77'"),
        (dict(user_name_0="a", user_password_0="a\nb"), "user.password.0 has more than one line"),
        (dict(user_name_0="a", user_action_0="mod"), "there is no user 'a'"),
        (dict(group_name_0="a", group_action_0="mod", group_gid_0="7"), "there is no group 'a'"),
        (dict(user_name_0="root", user_password_0="x"), "user with root's rights"),
        (dict(user_name_0="root", user_action_0="del"), "user of the system"),
        (dict(user_name_0="daemon", user_action_0="del"), "user of the system"),
        (dict(user_name_0="nobody", user_action_0="del"), "user of the system"),
        (dict(group_name_0="root", group_gid_0="7"), "root's group another number"),
        (dict(group_name_0="wheel", group_action_0="del"), "group of the system"),
        (dict(group_name_0="oracle", group_action_0="del"), "primary one of the user 'oracle'"),
        (
            dict(user_name_0="oracle", user_action_0="mod", user_new_name_0="daemon"),
            "user.new-name.0 is the name of another user",
        ),
        (
            dict(user_name_0="oracle", user_action_0="del", user_name_1="oracle"),
            "the user 'oracle' shall be deleted, and be there as well",
        ),
        (
            dict(group_name_0="a", group_action_0="del", group_name_1="b", group_action_1="mod", group_new_name_1="a"),
            "the group 'a' shall be deleted",
        ),
    ],
)
def test_refused_before_anything_is_changed(system, parameters, complaint):
    with open(system.root / "etc/passwd", "a") as file:
        file.write("nobody:x:65534:65534::/:/sbin/nologin\n")
    # what could be done is not done, either
    said = refused(system, user_name_99="zoe", group_name_99="zoos", **parameters)
    assert complaint in said


def test_a_tool_fails(system):
    system.fail("useradd", "cannot lock /etc/passwd; try again later.", 1)
    machine = system.machine()
    with pytest.raises(passwords.Failed) as failed:
        user.configure(machine, {"com.oracle.linux.group.name.0": "a", "com.oracle.linux.user.name.0": "b"})
    assert str(failed.value) == ("useradd failed with exit code 1: useradd: cannot lock /etc/passwd; try again later.")
    assert machine.changes == ["add the group a"]


def test_what_is_described():
    described = {one["key"][len("com.oracle.linux.") :]: one for one in user.DESCRIBED["configure"]}
    assert len(described) == 11
    assert described["user.password.0"]["password"] is True
    assert described["user.uid.0"]["depends"] == ["com.oracle.linux.user.name.0"]
    assert described["group.action.0"]["choices"] == ["add", "del", "mod"]
    assert "depends" not in described["user.name.0"]
    assert all(one["hidden"] for one in described.values())
