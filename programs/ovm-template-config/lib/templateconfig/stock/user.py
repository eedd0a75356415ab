# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local users and groups: adding, changing and deleting.

First all is planned, against what the system has and what earlier steps will have made of it. A plan
that cannot work is refused before anything is changed.
"""

import re
from functools import partial

from . import passwords
from .machine import Failed
from .parameters import PREFIX, describe, indexed, plain

_ADD, _DELETE, _MODIFY = _ACTIONS = ("add", "del", "mod")
# kind -> member -> (description, further flags)
_MEMBERS = {
    "user": {
        "name": ('Name of a user, e.g., "jdoe".', {}),
        "action": ("What to do with the user: add, del or mod.", dict(choices=list(_ACTIONS))),
        "uid": ("The user's number.", {}),
        "group": ("The user's primary group: its name or number.", {}),
        "groups": ("The user's other groups, comma-separated.", {}),
        "password": ("The user's password.", dict(password=True)),
        "new-name": ("New name of the user, for the action mod.", {}),
    },
    "group": {
        "name": ('Name of a group, e.g., "staff".', {}),
        "action": ("What to do with the group: add, del or mod.", dict(choices=list(_ACTIONS))),
        "gid": ("The group's number.", {}),
        "new-name": ("New name of the group, for the action mod.", {}),
    },
}


def _described(kind, member):
    description, flags = _MEMBERS[kind][member]
    if member != "name":
        flags = dict(flags, depends=["%s%s.name.0" % (PREFIX, kind)])
    return describe("%s.%s.0" % (kind, member), description, hidden=True, **flags)


_PARAMETERS = [_described(kind, member) for kind in _MEMBERS for member in _MEMBERS[kind]]
DESCRIBED = {"configure": _PARAMETERS, "reconfigure": _PARAMETERS}

# What useradd takes somewhere; each system's own may be stricter.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}[A-Za-z0-9_.$-]?")
# the last two stand for none at all
_HIGHEST = 2**32 - 3
_NOBODY = (65534, 65535)


def configure(machine, parameters):
    """Do what is asked for: deletions first, so that names and numbers are free; then groups, then users."""
    groups, users = _asked(parameters, "group"), _asked(parameters, "user")
    plan = _Plan(machine)
    for one in users:
        if one.action == _DELETE:
            plan.delete_user(one)
    for one in groups:
        if one.action == _DELETE:
            plan.delete_group(one)
    for one in groups:
        if one.action != _DELETE:
            plan.group(one)
    for one in users:
        if one.action != _DELETE:
            plan.user(one)
    for step in plan.steps:
        step()


reconfigure = configure


class _Asked:
    """What is asked for of one user or group; values are checked, each for itself."""

    def __init__(self, kind, number, values):
        self._prefix, self._number, self._values = PREFIX + kind, number, values
        self.name = self._name("name")
        if self.name is None:
            raise Failed("%s is given without %s: give both" % (self.key(sorted(values)[0]), self.key("name")))
        self.action = (self._plain("action") or _ADD).lower()
        if self.action not in _ACTIONS:
            raise Failed(
                "%s has a value that it cannot have: use one of %s" % (self.key("action"), ", ".join(_ACTIONS))
            )
        self.new_name = self._name("new-name")
        if self.new_name and self.action != _MODIFY:
            raise Failed("%s is given, and %s is not mod" % (self.key("new-name"), self.key("action")))
        self.id = self._id("uid" if kind == "user" else "gid")
        self.group = self._plain("group")
        groups = self._plain("groups")
        self.groups = None if groups is None else sorted(set(groups.replace(",", " ").split()))
        self.password = values.get("password") or None
        if self.password:
            passwords.check(self.password, self.key("password"))

    def key(self, member):
        return "%s.%s.%d" % (self._prefix, member, self._number)

    def _plain(self, member):
        return plain(self._values.get(member, ""), self.key(member)) or None

    def _name(self, member):
        value = self._plain(member)
        if value is not None and not _NAME.fullmatch(value):
            raise Failed("%s is no name: use letters, digits, '_', '-' and '.', at most 32" % self.key(member))
        return value

    def _id(self, member):
        value = self._plain(member)
        if value is None:
            return None
        if not re.fullmatch("[0-9]{1,10}", value) or not 0 < int(value) <= _HIGHEST:
            raise Failed("%s is no number from 1 to %d" % (self.key(member), _HIGHEST))
        return int(value)


def _asked(parameters, kind):
    """All that is asked for of users or groups.

    :rtype: list of _Asked
    """
    result = []
    for number, values in indexed(parameters, kind).items():
        known = {member: value for member, value in values.items() if member in _MEMBERS[kind] and value.strip()}
        if known:
            result.append(_Asked(kind, number, known))
    deleted = {one.name for one in result if one.action == _DELETE}
    for one in result:
        for name in (one.name, one.new_name):
            # The second run would delete what the first one made.
            if one.action != _DELETE and name in deleted:
                raise Failed("the %s '%s' shall be deleted, and be there as well: ask for one of both" % (kind, name))
    return result


class _Known:
    """What will be known of a user or group when the steps so far are done.

    :ivar id: its number; None: the system will choose it.
    :ivar now: its name at present; None: it is not there yet.
    :ivar group: a user's primary group, by name; None: not known.
    :ivar set members: of a group, by name.
    """

    def __init__(self, id=None, now=None, group=None, members=()):
        self.id, self.now, self.group, self.members = id, now, group, set(members)


class _Plan:
    """The steps, and what they will make of the system.

    :ivar list steps: functions without arguments.
    """

    def __init__(self, machine):
        self._machine = machine
        groups = machine.groups()
        names = {group.gid: group.name for group in reversed(list(groups.values()))}
        self._groups = {g.name: _Known(g.gid, g.name, members=g.members) for g in groups.values()}
        self._users = {u.name: _Known(u.uid, u.name, names.get(u.gid)) for u in machine.users().values()}
        self._defaults = dict(re.findall(r"(?m)^\s*(\w+)\s+(\S+)", machine.read("/etc/login.defs") or ""))
        self._own_groups = self._defaults.get("USERGROUPS_ENAB", "yes") == "yes"
        self.steps = []  # type: list

    # --- groups -------------------------------------------------------------------------

    def delete_group(self, one):
        found = self._groups.get(one.name)
        if found is None:
            return
        self._spare_the_system("group", one, found, "GID_MIN")
        for name, user in self._users.items():
            if user.group == one.name:
                raise Failed("the group '%s' is the primary one of the user '%s': delete that first" % (one.name, name))
        del self._groups[one.name]
        self._step("delete the group " + one.name, "groupdel", one.name)

    def group(self, one):
        name = self._renamed("group", self._groups, one)
        found = self._groups.get(name)
        if found is None:
            options = [] if one.id is None else ["--gid", str(self._free(self._groups, one, "gid"))]
            self._groups[name] = _Known(one.id)
            self._step("add the group " + name, "groupadd", *options, name)
        elif one.id not in (None, found.id):
            if found.id == 0:
                raise Failed("%s would give root's group another number: leave it out" % one.key("gid"))
            found.id = self._free(self._groups, one, "gid")
            self._step("change the group %s: gid" % name, "groupmod", "--gid", str(one.id), name)

    # --- users --------------------------------------------------------------------------

    def delete_user(self, one):
        found = self._users.get(one.name)
        if found is None:
            return
        self._spare_the_system("user", one, found, "UID_MIN")
        del self._users[one.name]
        for group in self._groups.values():
            group.members.discard(one.name)
        # userdel deletes the user's own group, too
        needed = any(user.group == one.name for user in self._users.values())
        if self._own_groups and found.group == one.name and not needed and not self._groups[one.name].members:
            del self._groups[one.name]
        self._step("delete the user " + one.name, "userdel", one.name)

    def user(self, one):
        present = self._users.get(one.name)
        if present is not None and present.id == 0:
            raise Failed("%s is a user with root's rights: this script leaves it alone" % one.key("name"))
        name = self._renamed("user", self._users, one)
        found = self._users.get(name)
        group = None if one.group is None else self._group_named(one.group, one.key("group"))
        groups = None if one.groups is None else {self._group_named(g, one.key("groups")) for g in one.groups}
        if found is None:
            found = self._users[name] = self._add_user(name, one, group, groups)
        else:
            self._change_user(name, one, found, group, groups)
        if one.password and (found.now is None or passwords.differs(self._machine, found.now, one.password)):
            self.steps.append(partial(passwords.set_password, self._machine, name, one.password))

    def _add_user(self, name, one, group, groups):
        options = ["--create-home"]
        if one.id is not None:
            options += ["--uid", str(self._free(self._users, one, "uid"))]
        if group is None and name in self._groups:
            group = name  # useradd wants to be told
        if group is not None:
            options += ["--gid", group]
        if groups:
            options += ["--groups", ",".join(sorted(groups))]
        self._step("add the user " + name, "useradd", *options, name)
        if group is None and self._own_groups:
            group = name
            self._groups[name] = _Known()
        for member_of in groups or ():
            self._groups[member_of].members.add(name)
        return _Known(one.id, group=group)

    def _change_user(self, name, one, found, group, groups):
        options, changes = [], []
        if one.id not in (None, found.id):
            found.id = self._free(self._users, one, "uid")
            options += ["--uid", str(one.id)]
            changes.append("uid")
        if group not in (None, found.group):
            found.group = group
            options += ["--gid", group]
            changes.append("group")
        if groups is not None and groups != {g for g, known in self._groups.items() if name in known.members}:
            for group_name, known in self._groups.items():
                known.members.discard(name)
                if group_name in groups:
                    known.members.add(name)
            options += ["--groups", ",".join(sorted(groups))]
            changes.append("groups")
        if options:
            self._step("change the user %s: %s" % (name, ", ".join(changes)), "usermod", *options, name)

    # --- both ---------------------------------------------------------------------------

    def _renamed(self, kind, known, one):
        """The name to go on with, after a change of it where one is asked for and not done yet."""
        if one.action != _MODIFY:
            return one.name
        if one.new_name and one.new_name != one.name:
            if one.name not in known and one.new_name in known:
                return one.new_name
            if one.name in known and one.new_name in known:
                raise Failed("%s is the name of another %s: choose one that is free" % (one.key("new-name"), kind))
        if one.name not in known:
            raise Failed("there is no %s '%s': use the action add" % (kind, one.name))
        if not one.new_name or one.new_name == one.name:
            return one.name
        known[one.new_name] = known.pop(one.name)
        for user in self._users.values():
            if kind == "group" and user.group == one.name:
                user.group = one.new_name
        for group in self._groups.values():
            if kind == "user" and one.name in group.members:
                group.members.remove(one.name)
                group.members.add(one.new_name)
        tool, option = ("usermod", "--login") if kind == "user" else ("groupmod", "--new-name")
        self._step("rename the %s %s to %s" % (kind, one.name, one.new_name), tool, option, one.new_name, one.name)
        return one.new_name

    def _free(self, known, one, member):
        for name, other in known.items():
            if other.id == one.id:
                raise Failed("%s is the number of '%s' already: choose one that is free" % (one.key(member), name))
        return one.id

    def _group_named(self, text, key):
        if text in self._groups:
            return text
        for name, group in self._groups.items():
            if group.id is not None and str(group.id) == text:
                return name
        raise Failed("%s names the group '%s', which there is not: add it, as group.name.0" % (key, text))

    def _spare_the_system(self, kind, one, found, least):
        if found.id < int(self._defaults.get(least, "1000")) or found.id in _NOBODY:
            raise Failed(
                "%s is a %s of the system, by its number: this script leaves it there" % (one.key("name"), kind)
            )

    def _step(self, description, tool, *arguments):
        command = self._machine.rooted(tool) + list(arguments)
        self.steps.append(partial(self._machine.run, description, command))
