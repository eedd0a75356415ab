# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that says whether this is a first boot."""

import errno
import os
import resource
import signal

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import flag
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError

DEFAULT = flag.Settings(False, flag.SOURCES, None, "continue", "retry")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sysconfig" / "initial"


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def test_no_file_says_no(path):
    assert flag.read(str(path)) == DEFAULT
    assert flag.identity(str(path)) == ""


@pytest.mark.parametrize(
    "line, enabled",
    [
        (b"INITIAL_CONFIG=yes", True),
        (b"INITIAL_CONFIG=no", False),
        (b"  INITIAL_CONFIG=YES\r\n", True),
        (b'INITIAL_CONFIG="yes"  # by the template\n', True),
        (b"INITIAL_CONFIG='yes'", True),
        (b"export INITIAL_CONFIG=yes", True),
        (b"# INITIAL_CONFIG=yes", False),
        (b"INITIAL_CONFIG=no\nINITIAL_CONFIG=yes\n", True),
        (b"INITIAL_CONFIG=yes\nINITIAL_CONFIG=no\n", False),
        (b"\xff\xfe\nINITIAL_CONFIGURATION=of somebody else\nNOT_INITIAL_CONFIG=yes\n", False),
        (b"", False),
    ],
)
def test_whether_it_is_a_first_boot(path, line, enabled):
    write(path, line)
    assert flag.read(str(path)).enabled is enabled


def test_all_that_can_be_set(path):
    write(
        path,
        b"""# ours
INITIAL_CONFIG=yes
INITIAL_CONFIG_SOURCES="ovf, messages"
INITIAL_CONFIG_TIMEOUT=90
INITIAL_CONFIG_ON_TIMEOUT=PowerOff
INITIAL_CONFIG_ON_FAILURE=finish
""",
    )
    assert flag.read(str(path)) == flag.Settings(True, ("messages", "ovf"), 90, "poweroff", "finish")
    write(path, b"INITIAL_CONFIG_TIMEOUT=0\n")
    assert flag.read(str(path)).timeout is None


@pytest.mark.parametrize(
    "line, allowed",
    [
        (b"INITIAL_CONFIG=", "yes or no"),
        (b"INITIAL_CONFIG=maybe", "yes or no"),
        (b"INITIAL_CONFIG=$(echo yes)", "yes or no"),
        (b'INITIAL_CONFIG="yes', "yes or no"),
        (b"INITIAL_CONFIG=yes no", "yes or no"),
        (b"INITIAL_CONFIG_SOURCES=", "one or more of messages console ovf"),
        (b"INITIAL_CONFIG_SOURCES=floppy", "one or more of messages console ovf"),
        (b"INITIAL_CONFIG_TIMEOUT=-1", "whole seconds, 0 for no limit"),
        (b"INITIAL_CONFIG_TIMEOUT=9999999999", "whole seconds, 0 for no limit"),
        (b"INITIAL_CONFIG_ON_TIMEOUT=explode", "continue or poweroff or disable"),
        (b"INITIAL_CONFIG_ON_FAILURE=\xff", "retry or finish"),
    ],
)
def test_a_value_that_is_none(path, line, allowed):
    write(path, b"\n" + line + b"\n")
    name = line.partition(b"=")[0].decode()
    with pytest.raises(SourceError) as raised:
        flag.read(str(path))
    assert str(raised.value) == "%s, line 2: %s has a value that it cannot have: use %s" % (path, name, allowed)


def test_what_is_no_such_file(path, tmp_path):
    with pytest.raises(SourceError, match="cannot be read .Is a directory.: see that it is a file"):
        flag.read(str(tmp_path))
    write(path, b"#" * 70000)
    with pytest.raises(SourceError, match="has more than 65536 bytes"):
        flag.read(str(path))


@pytest.mark.parametrize(
    "before, after",
    [
        (b"INITIAL_CONFIG=yes\n", b"INITIAL_CONFIG=no\n"),
        (b"INITIAL_CONFIG=yes", b"INITIAL_CONFIG=no"),
        (b"A=\xff 'x\nexport  INITIAL_CONFIG='yes' # c\r\n\n# end", b"A=\xff 'x\nexport  INITIAL_CONFIG=no\r\n\n# end"),
        (b"INITIAL_CONFIG=yes\nINITIAL_CONFIG=yes\n", b"INITIAL_CONFIG=yes\nINITIAL_CONFIG=no\n"),
        (b"INITIAL_CONFIG=garbage here\n", b"INITIAL_CONFIG=no\n"),
        (b"INITIAL_CONFIG_TIMEOUT=5\n", b"INITIAL_CONFIG_TIMEOUT=5\nINITIAL_CONFIG=no\n"),
        (b"INITIAL_CONFIG_TIMEOUT=5", b"INITIAL_CONFIG_TIMEOUT=5\nINITIAL_CONFIG=no\n"),
    ],
)
def test_all_else_stays_as_it_is(path, before, after):
    write(path, before)
    identity = flag.identity(str(path))
    assert flag.switch(False, str(path)) is True
    assert path.read_bytes() == after and flag.identity(str(path)) != identity
    identity = flag.identity(str(path))
    assert flag.switch(False, str(path)) is False
    assert path.read_bytes() == after and flag.identity(str(path)) == identity
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_was_not_there(path):
    assert flag.switch(True, str(path)) is True
    assert flag.read(str(path)) == DEFAULT._replace(enabled=True)
    assert path.read_bytes().startswith(b"# ") and path.read_bytes().endswith(b"\nINITIAL_CONFIG=yes\n")
    assert path.stat().st_mode & 0o7777 == 0o644


def test_mode_link_and_labels_stay(path, tmp_path, monkeypatch):
    write(path, b"INITIAL_CONFIG=yes\n")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    set_labels = []
    monkeypatch.setattr(os, "listxattr", lambda _path: ["security.selinux"])
    monkeypatch.setattr(os, "getxattr", lambda _path, name: b"label of " + name.encode())
    monkeypatch.setattr(os, "setxattr", lambda _file, *what: set_labels.append(what))
    assert flag.switch(False, str(link))
    assert link.is_symlink() and path.read_bytes() == b"INITIAL_CONFIG=no\n" and path.stat().st_mode & 0o7777 == 0o640
    assert set_labels == [("security.selinux", b"label of security.selinux")]


def test_what_cannot_be_kept_does_not_matter(path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(errno.EPERM, "no")

    write(path, b"INITIAL_CONFIG=yes\n")
    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "listxattr", refuse)
    assert flag.switch(False, str(path)) and not flag.read(str(path)).enabled


def test_a_full_disk_leaves_what_was_there(path):
    write(path, b"#" * 5000 + b"\nINITIAL_CONFIG=yes\n")
    before = path.read_bytes()
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
        with pytest.raises(SourceError) as raised:
            flag.switch(False, str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(raised.value) == (
        "%s cannot be written (File too large): it still says what it said: "
        "see that root may write there and that there is room" % path
    )
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_it_is_on_the_disk_before_it_counts(path, monkeypatch):
    """File, then its new name, then the folder: a power cut finds the old or the new one."""
    order = []
    write(path, b"INITIAL_CONFIG=yes\n")
    rename, fsync = os.rename, os.fsync

    def note_rename(*names):
        order.append("rename")
        rename(*names)

    def note_fsync(file):
        order.append("folder" if os.path.isdir("/proc/self/fd/%d" % file) else "file")
        fsync(file)

    monkeypatch.setattr(os, "rename", note_rename)
    monkeypatch.setattr(os, "fsync", note_fsync)
    flag.switch(False, str(path))
    assert order == ["file", "rename", "folder"]


def test_a_disk_that_may_not_keep_it_is_no_disk_that_refused_it(path, monkeypatch):
    """What was renamed is there: whoever reads that the file is as it was is led astray."""
    fsync = os.fsync

    def fail_for_folders(file):
        if os.path.isdir("/proc/self/fd/%d" % file):
            raise OSError(5, "Input/output error")
        fsync(file)

    write(path, b"INITIAL_CONFIG=yes\n")
    monkeypatch.setattr(os, "fsync", fail_for_folders)
    with pytest.raises(SourceError) as raised:
        flag.switch(False, str(path))
    assert str(raised.value) == (
        "%s says no by now, but may not do so after a power cut (Input/output error): see that its disk is well" % path
    )
    assert path.read_bytes() == b"INITIAL_CONFIG=no\n"
    assert os.listdir(path.parent) == [path.name]
