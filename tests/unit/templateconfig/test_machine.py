# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stock scripts touch a system by."""

import errno
import os
import pwd
import socket
import threading

import pytest

from templateconfig.stock import machine as subject
from templateconfig.stock import parameters as reading
from templateconfig.stock.machine import Failed, Machine
from templateconfig.stock.parameters import PREFIX


@pytest.fixture(params=[True, False], ids=["check", "really"])
def here(request, system):
    """A Machine in check mode, and one that is not: what it tells and reads is the same."""
    return system.machine(check=request.param)


def mode(system, name):
    return (system.root / name).stat().st_mode & 0o7777


# --- paths ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, path",
    [
        ("/etc/hosts", "etc/hosts"),
        ("//etc/./hosts/", "etc/hosts"),
        ("/../../etc/hosts", "etc/hosts"),
        ("/absolute/hosts", "etc/hosts"),
        ("/up/hosts", "hosts"),
        ("/run/file", "etc/file"),
        ("/absolute", "absolute"),
        ("/", ""),
    ],
)
def test_links_do_not_lead_out_of_the_root(system, name, path):
    (system.root / "absolute").symlink_to("/etc")
    (system.root / "up").symlink_to("../../../../../..")
    (system.root / "run").symlink_to("var/../absolute")
    assert system.machine().path(name).rstrip("/") == f"{system.root}/{path}".rstrip("/")


def test_the_last_link_is_followed_when_asked(system):
    (system.root / "absolute").symlink_to("/etc")
    assert system.machine().path("/absolute", follow=True) == f"{system.root}/etc"


def test_links_in_a_circle(system):
    (system.root / "a").symlink_to("b")
    (system.root / "b").symlink_to("a")
    with pytest.raises(Failed, match="too many symbolic links at /a/c"):
        system.machine().path("/a/c")


def test_the_running_system():
    here = Machine()
    assert (here.path("/"), here.path("/etc/passwd")) == ("/", "/etc/passwd")
    assert here.live
    assert here.rooted("useradd") == ["useradd"]
    assert here.user("root").uid == 0
    assert here.exists("/proc/self")


# --- reading ----------------------------------------------------------------------------


def test_what_is_not_there(system):
    here = system.machine()
    assert here.read("/nosuch") is None
    assert here.read("/etc/passwd/nosuch") is None
    assert here.size("/nosuch") is None
    assert here.linked("/nosuch") is None
    assert not here.exists("/nosuch")
    assert not here.is_directory("/nosuch")
    assert here.glob("/nosuch/*") == []


def test_bytes_that_are_not_utf_8_come_back(system):
    system.write({"etc/motd": b"gr\xfcn\n"})
    here = system.machine()
    assert here.read("/etc/motd") == "gr\udcfcn\n"
    assert not here.write("/etc/motd", "gr\udcfcn\n")


def test_a_directory_cannot_be_read(system, here):
    here.directory("/etc/new")
    with pytest.raises(Failed, match="cannot read /etc: Is a directory"):
        here.read("/etc")
    with pytest.raises(Failed, match="cannot read /etc/new: Is a directory"):
        here.read("/etc/new")


def test_a_file_that_cannot_be_looked_at(system, monkeypatch):
    def lstat(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "lstat", lstat)
    with pytest.raises(Failed, match="cannot look at /etc/x: Permission denied"):
        system.machine().write("/etc/x", "")


# --- writing ----------------------------------------------------------------------------


def test_writing_is_known_and_read_again(here):
    assert here.write("/etc/new/file", "a\n")
    assert not here.write("/etc/new/file", "a\n")
    assert here.read("/etc/new/file") == "a\n"
    assert here.exists("/etc/new/file")
    assert here.glob("/etc/new/*") == ["/etc/new/file"]
    assert here.write("/etc/new/file", b"b\n")
    assert here.changes == ["write /etc/new/file", "write /etc/new/file"]


def test_check_mode_leaves_no_trace(system):
    before = system.snapshot()
    here = system.machine(check=True)
    here.write("/etc/new/file", "a")
    here.write("/etc/passwd", "")
    here.directory("/etc/folder")
    here.link("/etc/link", "passwd")
    here.remove("/etc/shadow")
    here.truncate("/etc/group")
    here.run("do something", ["nosuchtool"])
    assert system.snapshot() == before
    assert len(here.changes) == 7


@pytest.mark.parametrize("options, expected", [({}, 0o644), ({"secret": True}, 0o600), ({"mode": 0o755}, 0o755)])
def test_the_mode_of_a_new_file(system, options, expected):
    system.machine().write("/etc/new", "x", **options)
    assert mode(system, "etc/new") == expected


def test_mode_and_owner_of_an_existing_file_are_kept(system):
    (system.root / "etc/passwd").chmod(0o640)
    system.machine().write("/etc/passwd", "x", secret=True)
    assert mode(system, "etc/passwd") == 0o640


def test_a_mode_may_be_all_that_differs(system, here):
    (system.root / "etc/passwd").chmod(0o640)
    content = here.read("/etc/passwd")
    assert here.write("/etc/passwd", content, mode=0o600)
    assert here.changes == ["set owner and mode of /etc/passwd"]
    assert mode(system, "etc/passwd") == (0o640 if here.check else 0o600)


def test_an_owner(system, monkeypatch):
    owners = []
    monkeypatch.setattr(os, "fchown", lambda descriptor, uid, gid: owners.append((uid, gid)))
    system.machine().write("/etc/passwd", "x", owner=(1234, 1235))
    assert owners == [(1234, 1235)]
    system.machine().write("/etc/passwd", "y", owner=(os.geteuid(), os.getegid()))
    assert owners == [(1234, 1235)]


def test_a_link_is_followed(system, here):
    (system.root / "etc/link").symlink_to("/etc/passwd")
    assert here.write("/etc/link", "x")
    assert here.read("/etc/passwd") == "x"
    assert here.linked("/etc/link") == "/etc/passwd"


def test_somebody_s_own_link_is_replaced(system, here):
    (system.root / "home").mkdir()
    (system.root / "home/link").symlink_to("/etc/passwd")
    before = system.read("etc/passwd")
    me = (os.geteuid(), os.getegid())
    assert here.write("/home/link", before, owner=me)
    assert here.linked("/home/link") is None
    assert system.read("etc/passwd") == before
    if not here.check:
        assert mode(system, "home/link") == 0o644
        assert not here.write("/home/link", before, owner=me)


def test_what_a_power_cut_left_is_used_again(system):
    system.write({"etc/.hosts.ovm-new": "half"})
    system.machine().write("/etc/hosts", "whole")
    assert system.read("etc/hosts") == "whole"
    assert not (system.root / "etc/.hosts.ovm-new").exists()


def test_a_file_that_is_a_mount_is_written_in_place(system, monkeypatch):
    def rename(old, new):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "rename", rename)
    system.write({"etc/hosts": "old and longer"})
    inode = (system.root / "etc/hosts").stat().st_ino
    assert system.machine().write("/etc/hosts", "new")
    assert system.read("etc/hosts") == "new"
    assert (system.root / "etc/hosts").stat().st_ino == inode
    assert not (system.root / "etc/.hosts.ovm-new").exists()


def test_a_full_disk_leaves_what_was_there(system, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    before = system.read("etc/passwd")
    here = system.machine()
    with pytest.raises(Failed, match="cannot write /etc/passwd: No space left on device"):
        here.write("/etc/passwd", "x")
    assert system.read("etc/passwd") == before
    assert not (system.root / "etc/.passwd.ovm-new").exists()
    assert here.changes == []


def test_a_directory_is_no_file_and_a_file_no_directory(system, here):
    with pytest.raises(Failed, match="/etc is no plain file"):
        here.write("/etc", "x")
    with pytest.raises(Failed, match="/etc/passwd is no directory"):
        here.directory("/etc/passwd")
    here.write("/etc/new", "x")
    with pytest.raises(Failed, match="/etc/new is no directory"):
        here.directory("/etc/new")


def test_attributes_are_kept_where_there_are_any(system, monkeypatch):
    kept = {}
    monkeypatch.setattr(os, "listxattr", lambda path: ["security.selinux"])
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"etc_t")
    monkeypatch.setattr(os, "setxattr", lambda descriptor, name, value: kept.update({name: value}))
    system.machine().write("/etc/passwd", "x")
    assert kept == {"security.selinux": b"etc_t"}

    def listxattr(path):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", listxattr)
    assert system.machine().write("/etc/passwd", "y")


def test_new_files_get_a_label_where_selinux_is_on(system):
    system.tools("restorecon")
    system.write({"sys/fs/selinux/enforce": "1"})
    here = system.machine(live=True)
    here.write("/etc/new", "x")
    here.directory("/etc/folder")
    here.link("/etc/link", "new")
    here.write("/etc/new", "y")  # has one
    assert [call[1] for call in system.calls] == [f"{system.root}/etc/{name}" for name in ("new", "folder", "link")]


# --- directories, links, removal --------------------------------------------------------


def test_directories(system, here):
    assert here.directory("/srv/a/b", mode=0o700)
    assert here.is_directory("/srv/a/b")
    assert not here.directory("/srv/a/b", mode=0o700)
    assert not here.directory("/srv/a")
    assert here.directory("/srv/a/c")
    assert here.directory("/srv/a/c", mode=0o755) is False
    assert here.directory("/srv/a/b", mode=0o750)
    assert here.changes == ["make /srv/a/b", "make /srv/a/c", "set owner and mode of /srv/a/b"]
    if not here.check:
        assert (mode(system, "srv/a"), mode(system, "srv/a/b"), mode(system, "srv/a/c")) == (0o755, 0o750, 0o755)


def test_a_directory_s_mode_and_owner(system, here):
    me = (os.geteuid(), os.getegid())
    (system.root / "etc").chmod(0o700)
    assert not here.directory("/etc")
    assert not here.directory("/etc", mode=0o700, owner=me)
    assert here.directory("/etc", mode=0o755)
    assert here.changes == ["set owner and mode of /etc"]


def test_a_directory_that_cannot_be_made(system, monkeypatch):
    def mkdir(path, mode):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(Failed, match="cannot make /etc/a: Read-only file system"):
        system.machine().directory("/etc/a")


def test_an_owner_of_a_directory(system, monkeypatch):
    owners = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: owners.append((path, uid, gid)))
    system.machine().directory("/home/alice", owner=(5, 6))
    assert owners == [(f"{system.root}/home/alice", 5, 6)]


def test_links(here):
    assert here.link("/etc/new/link", "../passwd")
    assert not here.link("/etc/new/link", "../passwd")
    assert here.linked("/etc/new/link") == "../passwd"
    assert here.read("/etc/new/link") == here.read("/etc/passwd")
    assert here.link("/etc/passwd", "shadow")  # in place of a file
    assert here.linked("/etc/passwd") == "shadow"


def test_a_link_that_cannot_be_made(system, monkeypatch):
    def symlink(target, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "symlink", symlink)
    with pytest.raises(Failed, match="cannot link /etc/a: No space left on device"):
        system.machine().link("/etc/a", "b")


def test_removing(system, here):
    system.write({"etc/folder/a/b": "x"})
    (system.root / "etc/link").symlink_to("folder")
    assert here.remove("/etc/link")
    assert here.exists("/etc/folder/a/b")
    assert here.remove("/etc/folder")
    assert not here.exists("/etc/folder/a/b")
    assert not here.is_directory("/etc/folder/a")
    assert here.read("/etc/folder/a/b") is None
    assert here.glob("/etc/folder/*") == []
    assert not here.remove("/etc/folder")
    assert here.write("/etc/folder/a/b", "y")
    assert here.read("/etc/folder/a/b") == "y"
    assert here.remove("/etc/folder/a")
    assert here.changes == ["remove /etc/link", "remove /etc/folder", "write /etc/folder/a/b", "remove /etc/folder/a"]


def test_what_was_removed_with_its_folder_stays_removed(system, here):
    system.write({"etc/folder/a": "x", "etc/folder/b": "x"})
    here.remove("/etc/folder")
    here.write("/etc/folder/a", "y")
    assert here.glob("/etc/folder/*") == ["/etc/folder/a"]
    assert not here.exists("/etc/folder/b")
    assert here.is_directory("/etc/folder")


def test_what_is_gone_meanwhile_is_gone(system, monkeypatch):
    def unlink(path):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "unlink", unlink)
    assert system.machine().remove("/etc/passwd")


def test_what_cannot_be_removed(system, monkeypatch):
    def unlink(path):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(Failed, match="cannot remove /etc/passwd: Operation not permitted"):
        system.machine().remove("/etc/passwd")


def test_emptying(system, here):
    assert here.truncate("/etc/passwd")
    assert not here.truncate("/etc/passwd")
    assert here.read("/etc/passwd") == ""
    assert not here.truncate("/nosuch")


# --- tools ------------------------------------------------------------------------------


def test_a_command_and_what_it_prints(system):
    script = system.bin / "tool"
    script.write_text('#!/bin/sh\nread word\necho "got $word $1 $LC_ALL"\nexit ${2:-0}\n')
    script.chmod(0o755)
    here = system.machine()
    assert here.has("tool")
    assert not here.has("nosuchtool")
    assert here.output(["tool", "b"], input="a\n") == "got a b C\n"
    assert here.changes == []
    assert here.run("do it", ["tool", "b", "3"], ok=(0, 3)) == "got  b C\n"
    assert here.changes == ["do it"]
    with pytest.raises(Failed) as failed:
        here.run("do it", ["tool", "b", "4"])
    assert str(failed.value) == "tool failed with exit code 4"
    assert here.changes == ["do it"]


def test_what_a_command_leaves_running_is_not_waited_for(system):
    script = system.bin / "tool"
    script.write_text('#!/bin/sh\nwhile read line; do :; done <"$1" &\necho started\n')
    script.chmod(0o755)
    pipe = system.root / "pipe"
    os.mkfifo(pipe)
    assert system.machine().output(["tool", str(pipe)]) == "started\n"
    os.close(os.open(pipe, os.O_WRONLY))  # lets it end


@pytest.mark.parametrize("number, name", [("9", "SIGKILL"), ("63", "signal 63")])
def test_a_command_is_killed(system, number, name):
    script = system.bin / "tool"
    script.write_text(f"#!/bin/sh\nkill -{number} $$\n")
    script.chmod(0o755)
    with pytest.raises(Failed, match=f"tool was killed by {name}$"):
        system.machine().output(["tool"])


def test_a_command_hangs(system, monkeypatch):
    monkeypatch.setattr(subject, "_PATIENCE", 0.2)
    script = system.bin / "tool"
    script.write_text('#!/bin/sh\nread line <"$1"\n')
    script.chmod(0o755)
    pipe = system.root / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Failed, match="tool did not end within 0 seconds"):
        system.machine().output(["tool", str(pipe)])


def test_a_command_that_is_not_there(system):
    with pytest.raises(Failed, match="cannot run nosuchtool: No such file or directory"):
        system.machine().run("do it", ["nosuchtool"])


# --- what kind of system ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text, family",
    [
        ('ID="ol"\n', "redhat"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'\n", "redhat"),
        ("ID=debian\n", "debian"),
        ("ID=linuxmint\nID_LIKE=ubuntu\n", "debian"),
        ("ID=arch\nNAME=debian\n", "other"),
        ("", "other"),
    ],
)
def test_families(system, text, family):
    (system.root / "etc/os-release").unlink()
    system.write({"usr/lib/os-release": text})
    assert system.machine().family == family


def test_an_image_does_not_run(system):
    system.boot()
    system.write({"sys/fs/selinux/enforce": "1"})
    here = system.machine()
    assert not (here.live or here.booted or here.selinux_on or here.dbus_works or here.service_active("x"))
    assert system.machine(live=True).booted


@pytest.mark.parametrize("answer, works", [(b"OK 1234\r\n", True), (b"REJECTED\r\n", False), (b"", False)])
def test_a_message_bus_answers(system, monkeypatch, tmp_path_factory, answer, works):
    system.boot()
    (system.root / "run/dbus").mkdir()
    # the path of a socket may have 107 bytes
    monkeypatch.chdir(system.root / "run/dbus")
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind("system_bus_socket")
        bus.listen()

        def serve():
            connection, _address = bus.accept()
            with connection:
                assert connection.recv(100).startswith(b"\0AUTH EXTERNAL ")
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        here = system.machine(live=True)
        monkeypatch.setattr(here, "path", lambda name, follow=False: os.path.basename(name) if follow else "/")
        monkeypatch.setattr(Machine, "booted", True)
        assert here.dbus_works is works
        server.join()
        assert here.dbus_works is works  # is not asked again


def test_there_is_no_message_bus(system):
    system.boot()
    assert not system.machine(live=True).dbus_works


# --- services ---------------------------------------------------------------------------


def test_services(system):
    system.boot()
    system.service("sshd", enabled=True, active=True)
    here = system.machine(live=True)
    assert here.service_installed("sshd")
    assert here.service_installed("sshd.service")
    assert not here.service_installed("sshd.socket")
    assert not here.service_installed("nosuch")
    assert here.restart("sshd", "reload")
    assert here.stop("sshd")
    assert not here.stop("sshd")
    assert not here.restart("sshd")
    assert here.disable("sshd")
    assert not here.disable("sshd")
    assert here.enable("sshd")
    assert not here.enable("sshd")
    assert here.changes == ["reload sshd", "stop sshd", "disable sshd", "enable sshd", "start sshd"]


# --- accounts ---------------------------------------------------------------------------


def test_accounts(system):
    with open(system.root / "etc/passwd", "a") as file:
        file.write("+\nbad:x:y:z:::\n\n")
    with open(system.root / "etc/group", "a") as file:
        file.write("+\nbad:x:y:\n")
    here = system.machine()
    assert sorted(here.users()) == ["daemon", "oracle", "root"]
    assert here.users()["oracle"] == ("oracle", 1000, 1000, "", "/home/oracle", "/bin/bash")
    assert here.groups()["wheel"] == ("wheel", 10, ["oracle"])
    assert "bad" not in here.groups()
    assert here.user("oracle").home == "/home/oracle"
    assert here.user("nosuch") is None


def test_accounts_of_a_directory_service(monkeypatch):
    here = Machine()
    monkeypatch.setattr(Machine, "read", lambda self, name: "")
    me = pwd.getpwuid(os.geteuid())
    assert here.user(me.pw_name).home == me.pw_dir
    assert here.user("no such user") is None


# --- parameters -------------------------------------------------------------------------


def given(**values):
    return {PREFIX + key: value for key, value in values.items()}


def test_text():
    assert reading.text(given(a=" b c "), "a") == "b c"
    assert reading.text(given(a=" "), "a") is None
    assert reading.text({}, "a") is None
    assert reading.text(given(a="\udcfc"), "a") == "\udcfc"


@pytest.mark.parametrize("value", ["a\nb", "\0", "a\x7fb", "\ud800", "\udfff"])
def test_what_is_no_text(value):
    with pytest.raises(Failed) as failed:
        reading.text(given(a="x" + value + "x"), "a")
    assert str(failed.value) == "com.oracle.linux.a has a control character: give it one line of plain text"


@pytest.mark.parametrize("value, found", [("True", True), ("FALSE", False), ("yes", True), ("No", False), ("", None)])
def test_booleans(value, found):
    assert reading.boolean(given(a=value), "a") is found


def test_choices_and_words():
    assert reading.choice(given(a="DHCP"), "a", ("dhcp", "static")) == "dhcp"
    with pytest.raises(Failed) as failed:
        reading.choice(given(a="secret"), "a", ("dhcp", "static"))
    assert str(failed.value) == "com.oracle.linux.a has a value that it cannot have: use one of dhcp, static"
    assert reading.words(given(a="b, c,d  e"), "a") == ["b", "c", "d", "e"]
    assert reading.words({}, "a") is None


def test_numbered():
    values = {
        PREFIX + "network.device.10": "eth10",
        PREFIX + "network.device.0": "eth0",
        PREFIX + "network.mtu.0": "9000",
        PREFIX + "network.hostname": "h",
        PREFIX + "network.device.01": "x",
        PREFIX + "network.device.x": "x",
        PREFIX + "networks.device.0": "x",
        "network.device.0": "x",
    }
    found = reading.indexed(values, "network")
    assert list(found.items()) == [(0, {"device": "eth0", "mtu": "9000"}), (10, {"device": "eth10"})]


@pytest.mark.parametrize(
    "content, value, expected",
    [
        (None, "b", "A=b\n"),
        ("", None, ""),
        ("X=1", "b", "X=1\nA=b\n"),
        ("#A=0\nA=1\nAA=2\n A = 3\nX=1\n", "b", "#A=0\nA=b\nAA=2\nX=1\n"),
        ("A=1\nX=1\n", None, "X=1\n"),
        ("X=1", None, "X=1"),
    ],
)
def test_settings(content, value, expected):
    assert subject.with_setting(content, "A", value) == expected


def test_settings_with_space_between():
    assert subject.with_setting("Port 22\nPorts 5\n", "Port", "23", " ") == "Port 23\nPorts 5\n"
