# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pid file, with real processes."""

import fcntl
import os
import shutil
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest.pid_file import AlreadyRunning, PidFile, PidFileError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ovmd.pid"


@pytest.fixture
def other(tmp_path):
    """Starts a living process under some name: its number."""
    started = []

    def start(name):
        # An interpreter runs the program, as with ours.
        (tmp_path / name).write_text("import sys; print('here', flush=True); sys.stdin.read()")
        command = [sys.executable, "-I", str(tmp_path / name)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"here\n"
        return started[-1].pid

    yield start
    for process in started:
        process.communicate()


def taken(path, name="ovmd"):
    file = PidFile(str(path), name)
    file.acquire()
    return file


def test_it_has_the_number_of_this_process_and_goes_with_it(path):
    before = os.umask(0o077)
    try:
        file = taken(path)
    finally:
        os.umask(before)
    assert path.read_text() == "%d\n" % os.getpid() and path.stat().st_mode & 0o777 == 0o644
    file.release()
    assert not path.exists()
    file.release()


def test_it_is_locked(path):
    file = taken(path)
    with pytest.raises(AlreadyRunning, match="ovmd is running already as process %d, says " % os.getpid()):
        taken(path)
    file.release()
    taken(path).release()


def test_a_lock_without_a_number(path):
    with open(path, "w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning, match="ovmd is running already, says "):
            taken(path)


@pytest.mark.parametrize("content", ["", "\n", "999999999\n", "OWN\n", "  1  "])
def test_what_a_dead_process_left_is_taken_over(path, content):
    path.write_text(content.replace("OWN", str(os.getpid())))
    file = taken(path)
    assert path.read_text() == "%d\n" % os.getpid()
    file.release()


def test_the_number_now_is_another_programs(path, other):
    path.write_text("%d\n" % other("editor"))
    taken(path).release()


def test_a_daemon_that_locks_nothing(path, other):
    """As the vendor's."""
    pid = other("ovmd")
    path.write_text("%d\n" % pid)
    with pytest.raises(AlreadyRunning, match="as process %d" % pid):
        taken(path)
    assert path.read_text() == "%d\n" % pid
    taken(path, "another").release()


@pytest.mark.parametrize("content", ["root:x:0:0\n", "-5\n", "12 34\n", "\0"])
def test_a_file_with_something_else_is_left_alone(path, content):
    path.write_text(content)
    with pytest.raises(PidFileError, match="is not a pid file: there is something else in it: name another one"):
        taken(path)
    assert path.read_text() == content


def test_a_link_is_not_followed(path, tmp_path):
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(PidFileError, match="remove it: it is not a plain file"):
        taken(path)
    assert not (tmp_path / "precious").exists()


def test_places_where_there_can_be_none(path):
    path.mkdir()
    with pytest.raises(PidFileError, match="remove it: it is not a plain file"):
        taken(path)
    with pytest.raises(PidFileError, match="cannot be written .No such file or directory.: see that its directory"):
        taken(path / "missing" / "ovmd.pid")
    shutil.rmtree(path)
    os.mkfifo(path)
    with pytest.raises(PidFileError, match="is not a pid file"):
        taken(path)


def test_a_place_that_one_may_not_write_to(path, monkeypatch):
    def denied(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(PidFileError, match="Permission denied.: run this as root, or name another one by --pid-file"):
        taken(path)


def test_a_file_that_was_replaced_is_left_alone(path):
    file = taken(path)
    path.unlink()
    path.write_text("of somebody else")
    file.release()
    assert path.read_text() == "of somebody else"
    file = taken(path.with_name("other"))
    path.with_name("other").unlink()
    file.release()


def test_a_file_that_is_removed_while_it_is_being_taken(path, monkeypatch):
    """The daemon before is just ending: the file that was opened is gone before it is locked."""
    path.write_text("")
    lock, removed = fcntl.flock, []

    def slow(fd, operation):
        if not removed:
            removed.append(os.unlink(path))
        lock(fd, operation)

    monkeypatch.setitem(PidFile._open.__globals__, "flock", slow)
    file = taken(path)
    assert removed and path.read_text() == "%d\n" % os.getpid()
    file.release()


def test_no_room_to_write_the_number(path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(PidFileError, match="No space left on device.: see that its directory exists and has room"):
        taken(path)
    monkeypatch.undo()
    taken(path).release()  # and the lock is gone


def test_a_file_that_cannot_be_removed_stays(path, monkeypatch):
    file = taken(path)

    def refused(*_arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refused)
    file.release()
    monkeypatch.undo()
    assert path.exists()
    taken(path).release()
