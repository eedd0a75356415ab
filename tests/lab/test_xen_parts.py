# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real Xen lab is made of, and what it says where something cannot be had. Nothing is booted here."""

import io
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time
import types

import pytest

from lab import LabError, apt
from lab.making import made
from lab.xen import __main__ as command_line
from lab.xen import debian, full, machine, packages
from lab.xen.light import Images, Tree
from lab.xen.ssh import Key, Shell


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    path = tmp_path / "cache"
    monkeypatch.setenv("OVM_CACHE", str(path))
    return path


@pytest.fixture
def no_sources(tmp_path, monkeypatch):
    """apt without any mirror."""
    settings = tmp_path / "apt.conf"
    settings.write_text('Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(settings))


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The one folder with programs that there are; empty. A function puts one there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return make


def system(monkeypatch, name, release, *targets):
    """Have this system be another one, whose apt uses certain mirrors."""
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": name, "VERSION_CODENAME": release})
    return {tuple(target.split()) for target in targets}


#: The beginning of a program that could be QEMU.
QEMU = """#!/bin/sh
case $1 in --version) echo "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"; exit ;; esac
"""


# --- packages ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_sources")
def test_no_mirror_of_the_release(monkeypatch):
    system(monkeypatch, "debian", packages.SUITE)
    with pytest.raises(LabError, match=r"^apt offers no package linux-image-amd64 of Debian bookworm.*: have /etc/apt"):
        packages.get()


def test_another_processor(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(LabError, match="^real Xen is tried on x86-64 only, this is aarch64: use such a machine$"):
        packages.get()


def test_no_index_of_python_packages(monkeypatch):
    for name, value in (("PIP_INDEX_URL", "http://127.0.0.1:1/"), ("PIP_NO_INDEX", "1"), ("PIP_RETRIES", "0")):
        monkeypatch.setenv(name, value)
    with pytest.raises(LabError, match=r"^pip gets not what our programs want in dom0 \(ERROR.*\): see pip's settings"):
        packages.wheels()


def test_no_qemu_and_no_apt(programs):
    with pytest.raises(LabError, match="^there is no qemu-system-x86_64 7.2, and it cannot be fetched: there is no "):
        packages.qemu()


@pytest.mark.usefixtures("no_sources")
def test_no_qemu_and_no_mirror(monkeypatch):
    system(monkeypatch, "debian", packages.SUITE)
    monkeypatch.setattr(packages.shutil, "which", lambda name: None if name == packages.QEMU else "/usr/bin/" + name)
    with pytest.raises(LabError, match=r"fetched: apt cannot resolve qemu-system-x86.*install qemu-system-x86\)$"):
        packages.qemu()


def test_another_qemu_is_not_used(programs):
    programs(packages.QEMU, "#!/bin/sh\necho QEMU emulator version 10.7.2\n")
    with pytest.raises(LabError, match="^there is no qemu-system-x86_64 7.2, and"):
        packages.qemu()
    programs(packages.QEMU, QEMU)
    assert packages.qemu().endswith("/programs/qemu-system-x86_64")


# --- mirrors ----------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path, monkeypatch):
    path = tmp_path / "keys.gpg"
    path.touch()
    monkeypatch.setattr(apt, "_KEYS", (str(tmp_path / "other"), str(path)))
    return path


def test_the_release_itself(monkeypatch, keys):
    here = "http://deb/debian trixie main", "http://deb/debian bookworm main", "http://deb/debian bookworm-updates main"
    targets = system(monkeypatch, "debian", "trixie", *here)
    assert apt._mirrors("bookworm", targets) == [
        "deb [signed-by=%s] http://deb/debian bookworm main" % keys,
        "deb [signed-by=%s] http://deb/debian bookworm-updates main" % keys,
    ]


def test_another_debian_uses_its_own_mirror(monkeypatch, keys):
    here = "http://deb/debian trixie main", "http://sec/x trixie-security main", "http://other/y stable main"
    targets = system(monkeypatch, "debian", "trixie", *here)
    assert apt._mirrors("bookworm", targets) == [
        "deb [signed-by=%s] http://deb/debian bookworm main" % keys,
        "deb [signed-by=%s] http://sec/x bookworm-security main" % keys,
    ]


def test_another_system_uses_debians_mirror(monkeypatch, keys):
    targets = system(monkeypatch, "ubuntu", "noble", "http://archive.ubuntu.com/ubuntu noble main")
    assert apt._mirrors("bookworm", targets) == [
        "deb [signed-by=%s] http://deb.debian.org/debian bookworm main" % keys,
        "deb [signed-by=%s] http://deb.debian.org/debian-security bookworm-security main" % keys,
    ]


def test_the_systems_own_release(monkeypatch, keys):
    targets = system(monkeypatch, "debian", "bookworm", "http://deb/debian bookworm main", "http://x/y nodistro main")
    monkeypatch.setattr(apt, "_targets", lambda: targets)
    # With the keys that its settings name.
    assert apt.sources("bookworm") == apt.mirrors("bookworm") == ["deb http://deb/debian bookworm main"]
    assert apt.sources("trixie") == []
    assert apt.mirrors("trixie") == ["deb [signed-by=%s] http://deb/debian trixie main" % keys]


def test_no_keys_of_debian(monkeypatch, keys):
    keys.unlink()
    targets = system(monkeypatch, "ubuntu", "noble")
    with pytest.raises(LabError, match="^this system has not the keys .*: install the package debian-archive-keyr"):
        apt._mirrors("bookworm", targets)


# --- images -----------------------------------------------------------------------------


def entries(archive):
    """What an archive has: path -> mode and content. The form is that of the kernel's early userspace."""
    found = {}
    while archive.startswith(b"070701"):
        fields = [int(archive[start : start + 8], 16) for start in range(6, 110, 8)]
        mode, length, name_length = fields[1], fields[6], fields[11]
        name = archive[110 : 110 + name_length - 1].decode()
        start = (110 + name_length + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert not archive[start:].strip(b"\0")
            return found
        found[name] = oct(mode), archive[start : start + length]
        archive = archive[(start + length + 3) // 4 * 4 :]
    raise AssertionError("no end")


def test_an_archive(tmp_path):
    (tmp_path / "program").write_bytes(b"#!")
    (tmp_path / "program").chmod(0o700)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "odd").write_bytes(b"12345")
    tree = Tree({"etc/given": (b"given", 0o600)})
    tree.copy(str(tmp_path / "program"), "usr/bin/program")
    tree.copy(str(tmp_path / "folder"), "var")
    tree.link("bin", "usr/bin")
    tree.folder("tmp", 0o1777)
    archive = tree.archive()
    assert len(archive) % 4 == 0  # as another one may follow
    assert entries(archive) == {
        "bin": ("0o120777", b"usr/bin"),
        "etc": ("0o40755", b""),
        "etc/given": ("0o100600", b"given"),
        "tmp": ("0o41777", b""),
        "usr": ("0o40755", b""),
        "usr/bin": ("0o40755", b""),
        "usr/bin/program": ("0o100755", b"#!"),
        "var": ("0o40755", b""),
        "var/odd": ("0o100644", b"12345"),
    }


def test_bytecode_goes_without_its_sources(tmp_path):
    for name in ("a.py", "a.pyc", "b.py", "data"):
        (tmp_path / name).touch()
    tree = Tree()
    tree.bytecode(str(tmp_path), "usr/lib/python")
    assert sorted(tree.files) == ["usr/lib/python/" + name for name in ("a.pyc", "b.py", "data")]


def test_modules_come_after_those_that_they_need(tmp_path):
    folder = tmp_path / "lib/modules/6.1/kernel/drivers"
    folder.mkdir(parents=True)
    for name, needs in (("xen-net", b"ring,core"), ("ring", b"core"), ("core", b""), ("other", b"core")):
        (folder / (name + ".ko")).write_bytes(b"\x7fELF\0license=GPL\0depends=" + needs + b"\0name=x\0")
    have = packages.Packages(str(tmp_path))
    names = [os.path.basename(path) for path in have.modules(["xen_net", "other"])]
    assert names == ["core.ko", "ring.ko", "xen-net.ko", "other.ko"]
    with pytest.raises(LabError, match="^Debian's kernel has no module missing: see packages.py"):
        have.modules(["missing"])


def test_libraries_by_the_names_that_programs_use(tmp_path):
    folder = tmp_path / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    for name in ("liba.so.1.2", "libb.so.6"):
        (folder / name).touch()
    (folder / "liba.so.1").symlink_to("liba.so.1.2")
    assert sorted(packages.Packages(str(tmp_path)).libraries()) == ["liba.so.1", "libb.so.6"]


def test_what_fails_in_the_making_leaves_nothing(cache):
    def make(place):
        pathlib.Path(place, "half").touch()
        raise LabError("no more")

    path = cache / "xen" / "thing"
    with pytest.raises(LabError, match="^no more$"):
        made(str(path), "making it", make, "xen")
    assert os.listdir(cache / "xen") == ["lock"]


def test_what_was_made_of_older_sources_goes_when_nobody_uses_it_any_more(cache):
    def make(place):
        path = pathlib.Path(place, "made")
        path.mkdir()
        return str(path)

    old, older, new = (packages.kept("thing", key, "making it", make) for key in ("a", "b", "c"))
    days_ago = time.time() - 2 * 86400
    os.utime(older, (days_ago, days_ago))
    assert packages.kept("thing", "c", "making it", make) == new
    assert [os.path.isdir(path) for path in (old, older, new)] == [True, False, True]


# --- disks ------------------------------------------------------------------------------


@pytest.fixture
def ranges(tmp_path, monkeypatch):
    """The ranges of numbers that users have for others, as a file; whoever runs this is no root, and is called me."""
    path = tmp_path / "subuid"
    path.touch()
    plain = open
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    monkeypatch.setattr(debian.pwd, "getpwuid", lambda number: types.SimpleNamespace(pw_name={1234: "me"}[number]))
    monkeypatch.setattr("builtins.open", lambda name, *a, **k: plain(path if name == "/etc/subuid" else name, *a, **k))
    return path


@pytest.mark.parametrize("line", ["me:100000:65536", "1234:100000:65536"])
def test_a_user_with_a_range_of_numbers_may_make_disks(programs, ranges, line):
    programs("newuidmap", "")
    ranges.write_text("other:1:1\n%s\n" % line)
    assert debian._rights(["/usr/bin/mmdebstrap"]) == ["/usr/bin/mmdebstrap", "--unshare-helper"]


@pytest.mark.parametrize("there, line", [(True, "you:100000:65536"), (False, "me:100000:65536")])
def test_a_user_who_may_not_make_disks(programs, ranges, there, line):
    if there:
        programs("newuidmap", "")
    ranges.write_text(line + "\n")
    with pytest.raises(
        LabError, match=r"^a Debian system is made as root, or by a user with .*: run it as root, or ha"
    ) as no:
        debian._rights([])
    assert "install the package uidmap and give me a range (usermod --add-subuids 200000-265535 " in str(no.value)


def test_a_disk_has_no_devices_of_a_system(tmp_path):
    system = io.BytesIO()
    with tarfile.open(fileobj=system, mode="w") as archive:
        for name, kind in (("./dev", tarfile.DIRTYPE), ("./dev/zero", tarfile.CHRTYPE), ("./file", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(name)
            # Else tar tries to give it to root.
            entry.type, entry.mode, entry.uid, entry.gid = kind, 0o755, os.getuid(), os.getgid()
            archive.addfile(entry)
    command = ["sh", "-euc", debian._IMAGE, "sh", "4M"]
    done = subprocess.run(command, input=system.getvalue(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "disk").write_bytes(done.stdout)

    def names(folder):
        command = ["debugfs", "-R", "ls -p " + folder, str(tmp_path / "disk")]
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        listed = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path))
        return {line.split("/")[5] for line in listed.stdout.splitlines() if line} - {".", "..", "lost+found"}

    assert names("/") == {"dev", "file"} and names("/dev") == set()


def test_commands_for_people_leave_the_disks_of_the_full_system_alone(tmp_path, monkeypatch, programs):
    programs("ssh", "")
    disks, run = tmp_path / "disks", tmp_path / "run"
    for folder in disks, run:
        folder.mkdir()
    for name in "dom0", full.TEMPLATE:
        (disks / name).write_bytes(bytes(65536))
    monkeypatch.setattr(full, "_computer", lambda *_arguments: None)
    full._machine(str(disks), None, str(run))
    layers = {path: path.read_bytes() for path in run.iterdir()}
    assert [content[:4] for content in layers.values()] == [b"QFI\xfb", b"QFI\xfb"]
    for name in "dom0", full.TEMPLATE:
        key = Key.__new__(Key)
        key.path = "/dev/null"
        path = command_line._command(str(run), name, Shell(name, "127.0.0.1", key))
        assert path == str(run / name) and os.access(path, os.X_OK)
    assert {path: path.read_bytes() for path in layers} == layers


# --- the machine ------------------------------------------------------------------------


def test_a_qemu_that_does_not_start(programs, tmp_path):
    programs(packages.QEMU, QEMU + "echo 'qemu: no such processor' >&2\nexit 1\n")
    images = Images("/dev/null", "/dev/null", "/dev/null")
    with machine.Machine(images, None, str(tmp_path)) as qemu:
        with pytest.raises(LabError, match="^QEMU has ended: qemu: no such processor$"):
            qemu.start()
        assert not qemu.alive()


MONITOR = """
import json, sys
print(json.dumps({"QMP": {}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    said = request.get("arguments", {}).get("command-line")
    print(json.dumps({"event": "RESET"}))
    if said == "savevm no":
        print(json.dumps({"error": {"desc": "no disk"}}), flush=True)
        continue
    forwarded = "  TCP[HOST_FORWARD]  12  127.0.0.1 34567  10.0.2.15  22  0  0\\r\\n"
    print(json.dumps({"return": forwarded if said == "info usernet" else ""}), flush=True)
"""


def test_the_monitor(programs, tmp_path):
    (tmp_path / "monitor.py").write_text(MONITOR)
    programs(packages.QEMU, QEMU + "exec %s %s/monitor.py\n" % (sys.executable, tmp_path))
    key = Key.__new__(Key)
    key.path = "/dev/null"
    with machine.Machine(Images("/dev/null", "/dev/null", "/dev/null"), key, str(tmp_path)) as qemu:
        programs("ssh", "")
        qemu.start(timeout=None)
        assert (qemu.port(22), qemu.dom0.port) == (34567, 34567)
        with pytest.raises(LabError, match="^dom0's port 80 is not forwarded"):
            qemu.port(80)
        with pytest.raises(LabError, match="^QEMU refuses human-monitor-command: no disk$"):
            qemu.monitor("savevm no")


def test_folders_of_runs_that_have_ended_are_removed(cache):
    code = "from lab.xen import machine; print(machine.make_folder(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        theirs = other.stdout.readline().decode().strip()
        ours = machine.make_folder()
        assert os.path.isdir(theirs)
        other.send_signal(signal.SIGKILL)
        other.wait()
    with machine.run_folder() as third:
        assert [os.path.isdir(path) for path in (theirs, ours, third)] == [False, True, True]
    assert [os.path.isdir(path) for path in (theirs, ours, third)] == [False, True, False]


def test_a_shell_says_why_it_cannot_connect(tmp_path):
    shell = Shell("dom0", "127.0.0.1", Key(str(tmp_path)), port=1)
    with pytest.raises(LabError, match=r"^dom0 cannot be reached by ssh \(.*refused.*\): see its console's log$"):
        shell.run("true")
    assert not shell.reachable()
    with pytest.raises(LabError, match="^dom0 has ended before it could be reached by ssh: see its console's log$"):
        shell.wait(60, still=lambda: False)
    with pytest.raises(LabError, match="^dom0 cannot be reached by ssh after 0 s: see its console's log$"):
        shell.wait(0)


def test_waiting_in_vain_says_for_what():
    seen = iter(range(9))
    with pytest.raises(LabError, match="^waited 0 s in vain: the fifth; there is 1$"):
        machine.wait_until(lambda: next(seen) == 4, 0, lambda: "the fifth; there is %d" % next(seen))
