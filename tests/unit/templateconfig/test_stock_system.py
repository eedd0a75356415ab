# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script system."""

import os
import re
import socket

import pytest

from templateconfig.stock import machine
from templateconfig.stock import system as script

ID = "0123456789abcdef0123456789abcdef\n"


# --- configure --------------------------------------------------------------------------


@pytest.mark.parametrize("files", [{}, {"etc/machine-id": ""}, {"etc/machine-id": "uninitialized\n"}])
def test_a_system_gets_an_id(system, files):
    system.write(files)
    system.tools("systemd-machine-id-setup")
    assert system.run(script.configure) == ["make a machine-id"]
    assert system.read("etc/machine-id") == ID


def test_an_id_without_systemd_s_tool(system):
    assert system.run(script.configure) == ["write /etc/machine-id"]
    assert re.fullmatch("[0-9a-f]{12}4[0-9a-f]{19}\n", system.read("etc/machine-id"))
    assert (system.root / "etc/machine-id").stat().st_mode & 0o777 == 0o444


def test_what_is_there_stays(system):
    system.write({"etc/machine-id": ID, "var/lib/systemd/random-seed": "x", "var/lib/dbus/machine-id": ID})
    assert system.run(script.configure) == []


def test_a_seed_and_the_bus_s_id(system):
    system.write({"etc/machine-id": ID, "var/lib/systemd/x": "", "var/lib/dbus/x": ""})
    assert system.run(script.configure) == [
        "link /var/lib/dbus/machine-id to /etc/machine-id",
        "write /var/lib/systemd/random-seed",
    ]
    seed = system.root / "var/lib/systemd/random-seed"
    assert (seed.stat().st_size, seed.stat().st_mode & 0o777) == (512, 0o600)


# --- cleanup ----------------------------------------------------------------------------

TRACES = [
    "boot/efi/loader/random-seed",
    "home/oracle/.bash_history",
    "home/oracle/.python_history",
    "home/oracle/.viminfo",
    "root/.bash_history",
    "root/.lesshst",
    "root/anaconda-ks.cfg",
    "root/original-ks.cfg",
    "tmp/.hidden",
    "tmp/file",
    "tmp/folder/deep/file",
    "var/cache/apt/archives/bash_5.deb",
    "var/cache/apt/archives/partial/dash_5.deb",
    "var/cache/dnf/ol9/packages/bash.rpm",
    "var/cache/yum/x86_64/7/x",
    "var/crash/vmcore",
    "var/lib/cloud/instances/i-1/user-data.txt",
    "var/lib/cloud/sem/config_x",
    "var/lib/dbus/machine-id",
    "var/lib/lastlog/lastlog2.db",
    "var/lib/systemd/coredump/core.x.zst",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
    "var/lib/wtmpdb/wtmp.db",
    "var/log/anaconda/x.log.xz",
    "var/log/journal/0123/system.journal",
    "var/log/messages-20260101",
    "var/log/ovm-template-config.log.1",
    "var/log/syslog.1",
    "var/log/syslog.2.gz",
    "var/spool/abrt/ccpp-1/x",
    "var/tmp/file",
]
EMPTIED = [
    "etc/machine-id",
    "var/log/anaconda/anaconda.log",
    "var/log/audit/audit.log",
    "var/log/messages",
    "var/log/Xorg.0.log",
    "var/log/wtmp",
    "var/spool/mail/oracle",
]
KEPT = [
    "home/oracle/.bashrc",
    "home/oracle/history",
    "var/cache/apt/pkgcache.bin",
    "var/lib/apt/lists/deb.example.com_Packages",
    "var/lib/cloud/scripts/per-boot/mine",
    "var/spool/cron/oracle",
]


def test_all_traces_are_gone(system):
    system.write(dict.fromkeys(TRACES + EMPTIED + KEPT, "x"))
    system.write({"var/log/empty": ""})
    (system.root / "var/mail").symlink_to("spool/mail")
    (system.root / "home/oracle/.sh_history").mkdir()
    (system.root / "var/lib/cloud/instance").symlink_to("/var/lib/cloud/instances/i-1")
    (system.root / "var/log/messages").chmod(0o640)
    changes = system.run(script.cleanup)
    assert [path for path in TRACES if (system.root / path).exists()] == []
    assert [path for path in EMPTIED if system.read(path)] == []
    assert [path for path in KEPT if not system.read(path)] == []
    assert changes[-1] == "empty /etc/machine-id"
    assert "empty /var/log/empty" not in changes
    assert (system.root / "var/log/messages").stat().st_mode & 0o777 == 0o640
    assert (system.root / "var/log/journal").is_dir()
    assert not (system.root / "var/lib/cloud/instance").is_symlink()
    assert (system.root / "home/oracle/.sh_history").is_dir()


def test_our_own_log_is_emptied_but_that_is_no_change(system):
    system.write({"var/log/ovm-template-config.log": "x", "etc/machine-id": ""})
    here = system.machine(check=True)
    script.cleanup(here, {})
    assert (here.changes, system.read("var/log/ovm-template-config.log")) == ([], "x")
    here = system.machine()
    script.cleanup(here, {})
    assert (here.changes, system.read("var/log/ovm-template-config.log")) == ([], "")


def test_the_key_of_credentials_stays_with_them(system):
    system.write({"var/lib/systemd/credential.secret": "x", "etc/credstore.encrypted/database": "y"})
    assert system.run(script.cleanup) == []


def test_the_bus_s_id_may_be_a_link(system):
    system.write({"var/lib/dbus/x": ""})
    (system.root / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    assert system.run(script.cleanup) == []


def test_a_link_does_not_lead_out_of_the_system(system, tmp_path):
    (tmp_path / "outside").write_text("precious")
    system.write({"home/x": ""})
    (system.root / "root").symlink_to(tmp_path)
    (tmp_path / ".bash_history").write_text("precious")
    (system.root / "var/log").mkdir(parents=True)
    (system.root / "var/log/messages").symlink_to(tmp_path / "outside")
    assert system.run(script.cleanup) == []
    assert (tmp_path / "outside").read_text() == "precious"
    assert (tmp_path / ".bash_history").read_text() == "precious"


# --- cleanup of the running system ------------------------------------------------------


def test_what_is_in_use_stays(system):
    names = [
        "ansible_payload",
        "systemd-private-0-x.service-y",
        ".X11-unix",
        "tmux-0",
        "used",
        "used-below",
        "unused",
        "cwd",
    ]
    system.write({f"tmp/{name}/a/file": "x" for name in names})
    used = open(system.root / "tmp/used-below/a/file")  # noqa: SIM115 - is in use until the end
    folder = os.open(system.root / "tmp/used", os.O_RDONLY)
    before = os.getcwd()
    os.chdir(system.root / "tmp/cwd/a")
    # the path of a socket may have 107 bytes
    listener = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(system.root / "tmp")
        listener.bind("socket")
        os.chdir(system.root / "tmp/cwd/a")
        assert system.run(script.cleanup, live=True) == ["remove /tmp/unused"]
    finally:
        os.chdir(before)
        listener.close()
        os.close(folder)
        used.close()


def test_a_mount_stays(system, monkeypatch):
    system.write({"tmp/a b/mounted/file": "x", "tmp/c": "x"})
    mounts = system.root / "mounts"
    mounts.write_text(f"/dev/sdb1 {system.root}/tmp/a\\040b/mounted ext4 rw 0 0\n")
    monkeypatch.setattr(script, "_MOUNTS", str(mounts))
    assert system.run(script.cleanup, live=True) == ["remove /tmp/c"]


def test_the_journal_leaves_the_disk_first(system):
    system.boot()
    system.tools("journalctl")
    system.write({"var/log/journal/0123/system.journal": "x"})
    assert system.run(script.cleanup, live=True) == [
        "let the journal leave the disk",
        "remove /var/log/journal/0123",
    ]


def test_a_journal_that_cannot_leave(system):
    system.boot()
    system.tools("journalctl")
    system.fail("journalctl", "unrecognized option '--relinquish-var'")
    system.write({"var/log/journal/0123/system.journal": "x"})
    here = system.machine(live=True)
    script.cleanup(here, {})
    assert here.changes == ["remove /var/log/journal/0123"]


def test_no_new_seed_is_saved_at_shutdown(system):
    system.boot()
    system.service("systemd-random-seed", active=True)
    system.write({"var/lib/systemd/random-seed": "x"})
    assert system.run(script.cleanup, live=True) == [
        "stop systemd-random-seed",
        "remove /var/lib/systemd/random-seed",
    ]


def test_the_disk_cannot_be_written(system, monkeypatch):
    system.write({"etc/machine-id": ID})

    def truncate(path, size):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "truncate", truncate)
    with pytest.raises(machine.Failed, match="cannot empty /etc/machine-id: Read-only file system"):
        script.cleanup(system.machine(), {})
