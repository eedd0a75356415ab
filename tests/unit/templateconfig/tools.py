# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for a system's tools, copied to files of their names: they work on the files of the test's system.

They take no more options than the scripts use, and those as strictly as the real ones.
"""

import getopt
import json
import os
import sys

FOLDER = os.environ["FAKE"]
ROOT = os.path.join(FOLDER, "root")
NAME = os.path.basename(sys.argv[0])
READING = ("is-enabled", "is-active", "is-system-running", "show")


def fail(code, complaint):
    sys.stderr.write("%s: %s\n" % (NAME, complaint))
    sys.exit(code)


def at(name):
    return os.path.join(ROOT, name.lstrip("/"))


def table(name):
    with open(at(name)) as file:
        return [line.rstrip("\n").split(":") for line in file if line.strip()]


def save(name, rows):
    with open(at(name), "w") as file:
        file.write("".join(":".join(row) + "\n" for row in rows))


def row(rows, name, code=6):
    for one in rows:
        if one[0] == name:
            return one
    return fail(code, "'%s' does not exist" % name)


def options(long):
    found, rest = getopt.gnu_getopt(sys.argv[1:], "", long + ["root="])
    found = {name[2:]: value for name, value in found}
    if found.pop("root", None) != ROOT:
        fail(2, "not told the root")
    return found, rest


def useradd():
    found, (name,) = options(["create-home", "uid=", "gid=", "groups="])
    users, groups, shadow = table("etc/passwd"), table("etc/group"), table("etc/shadow")
    if any(user[0] == name for user in users):
        fail(9, "user '%s' already exists" % name)
    uid = found.get("uid") or str(max(999, *(int(user[2]) for user in users if int(user[2]) < 60000)) + 1)
    if any(user[2] == uid for user in users):
        fail(4, "UID %s is not unique" % uid)
    if "gid" in found:
        gid = row(groups, found["gid"])[2]
    else:
        if any(group[0] == name for group in groups):
            fail(9, "group %s exists - if you want to add this user to that group, use -g." % name)
        gid = uid
        groups.append([name, "x", gid, ""])
    home = "/home/" + name
    if "create-home" in found:
        os.makedirs(at(home), exist_ok=True)
    members(groups, name, found.get("groups"))
    save("etc/passwd", users + [[name, "x", uid, gid, "", home, "/bin/bash"]])
    save("etc/shadow", shadow + [[name, "!", "19000", "0", "99999", "7", "", "", ""]])
    save("etc/group", groups)


def members(groups, name, wanted):
    if wanted is None:
        return
    wanted = [one for one in wanted.split(",") if one]
    for one in wanted:
        row(groups, one)
    for group in groups:
        listed = [one for one in group[3].split(",") if one and one != name]
        group[3] = ",".join(listed + [name] * (group[0] in wanted))


def usermod():
    found, (name,) = options(["uid=", "gid=", "groups=", "login=", "password="])
    users, groups, shadow = table("etc/passwd"), table("etc/group"), table("etc/shadow")
    user = row(users, name)
    if "uid" in found:
        if any(one[2] == found["uid"] for one in users):
            fail(4, "UID is not unique")
        user[2] = found["uid"]
    if "gid" in found:
        user[3] = row(groups, found["gid"])[2]
    members(groups, name, found.get("groups"))
    if "password" in found:
        row(shadow, name)[1] = found["password"]
    if "login" in found:
        user[0] = row(shadow, name)[0] = found["login"]
        for group in groups:
            group[3] = ",".join(found["login"] if one == name else one for one in group[3].split(","))
    save("etc/passwd", users)
    save("etc/group", groups)
    save("etc/shadow", shadow)


def userdel():
    _found, (name,) = options([])
    users, groups = table("etc/passwd"), table("etc/group")
    gone = row(users, name)
    users.remove(gone)
    members(groups, name, "")
    needed = any(user[3] == gone[3] for user in users)
    save("etc/group", [one for one in groups if needed or one[0] != name or one[2] != gone[3] or one[3]])
    save("etc/passwd", users)
    save("etc/shadow", [one for one in table("etc/shadow") if one[0] != name])


def groupadd():
    found, (name,) = options(["gid="])
    groups = table("etc/group")
    if any(group[0] == name or group[2] == found.get("gid") for group in groups):
        fail(9, "group exists")
    gid = found.get("gid") or str(max(999, *(int(group[2]) for group in groups if int(group[2]) < 60000)) + 1)
    save("etc/group", groups + [[name, "x", gid, ""]])


def groupmod():
    found, (name,) = options(["gid=", "new-name="])
    groups, users = table("etc/group"), table("etc/passwd")
    group = row(groups, name)
    if "gid" in found:
        for user in users:
            if user[3] == group[2]:
                user[3] = found["gid"]
        group[2] = found["gid"]
    group[0] = found.get("new-name", name)
    save("etc/group", groups)
    save("etc/passwd", users)


def groupdel():
    _found, (name,) = options([])
    groups = table("etc/group")
    gone = row(groups, name)
    if any(user[3] == gone[2] for user in table("etc/passwd")):
        fail(8, "cannot remove the primary group of user")
    groups.remove(gone)
    save("etc/group", groups)


def chpasswd():
    found, _rest = options(["encrypted"])
    shadow = table("etc/shadow")
    for line in sys.stdin.read().splitlines():
        name, password = line.split(":", 1)
        row(shadow, name, 1)[1] = password if "encrypted" in found else "$6$" + password[::-1]
    save("etc/shadow", shadow)


def systemctl():
    words = [word for word in sys.argv[1:] if word not in ("--no-block", "--root", ROOT)]
    verb, names = words[0], words[1:]

    def state(folder):
        return at("run/fake/%s/%s" % (folder, names[-1]))

    if verb == "is-system-running":
        print("starting" if os.path.exists(at("run/fake/starting")) else "running")
    elif verb in ("is-enabled", "is-active"):
        known = os.path.exists(state({"is-enabled": "enabled", "is-active": "active"}[verb]))
        print({"is-enabled": ("disabled", "enabled"), "is-active": ("inactive", "active")}[verb][known])
        sys.exit(0 if known else 3)
    elif verb == "show":
        unfit = os.path.exists(state("unfit"))
        print("ConditionResult=%s\nConditionTimestamp=%s" % (("no", "Mon") if unfit else ("yes", "")))
    elif verb != "daemon-reload":
        folder = "enabled" if verb in ("enable", "disable") else "active"
        os.makedirs(os.path.dirname(state(folder)), exist_ok=True)
        if verb in ("disable", "stop"):
            os.unlink(state(folder))
        elif verb != "start" or not os.path.exists(state("unfit")):
            open(state(folder), "w").close()


def timedatectl():
    verb, value = sys.argv[1:]
    if verb == "set-timezone":
        if os.path.lexists(at("etc/localtime")):
            os.unlink(at("etc/localtime"))
        os.symlink("../usr/share/zoneinfo/" + value, at("etc/localtime"))
    elif verb == "set-local-rtc":
        with open(at("etc/adjtime"), "w") as file:
            file.write("0.0 0 0\n0\n%s\n" % ("UTC", "LOCAL")[int(value)])
    else:
        fail(1, "unknown verb")


def date():
    os.makedirs(at("run"), exist_ok=True)
    assert sys.argv[1] == "--set", sys.argv
    with open(at("run/clock"), "w") as file:
        file.write(sys.argv[2])


def hwclock():
    assert sys.argv[1:] == ["--systohc"], sys.argv


def setenforce():
    with open(at("sys/fs/selinux/enforce"), "w") as file:
        file.write(sys.argv[1])


def journalctl():
    assert sys.argv[1:] == ["--relinquish-var"], sys.argv


def restorecon():
    pass


def main():
    words = sys.argv[1:]
    if not any(word in READING for word in words):
        with open(os.path.join(FOLDER, "calls"), "a") as calls:
            calls.write(json.dumps([NAME] + words) + "\n")
    failure = os.path.join(FOLDER, NAME + ".fail")
    if os.path.exists(failure) and not any(word in READING for word in words):
        with open(failure) as file:
            fail(*json.load(file))
    globals()[NAME.replace("-", "_")]()


def systemd_machine_id_setup():
    assert sys.argv[1:] == ["--root=" + ROOT], sys.argv
    with open(at("etc/machine-id"), "w") as file:
        file.write("0123456789abcdef0123456789abcdef\n")


main()
