# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waking the daemon: real sockets."""

import os
import select
import signal
import stat
import subprocess
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import AlreadyListening, ParameterListError
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener, knock
from lab.programs import PYTHONS


@pytest.fixture(params=["short", "long" * 40])
def directory(request, tmp_path):
    """A path that fits into a socket's address, and one that does not."""
    path = tmp_path / request.param
    path.mkdir()
    return str(path)


@pytest.fixture
def listener(directory):
    with_it = Listener(directory)
    yield with_it
    with_it.close()


def readable(listener, timeout=0):
    return bool(select.select([listener], [], [], timeout)[0])


def test_a_knock_is_heard_once_however_many_there_were(directory, listener):
    assert not readable(listener) and listener.drain() is False
    assert knock(directory) and knock(directory) and readable(listener)
    assert listener.drain() is True and not readable(listener) and listener.drain() is False
    assert knock(directory) and readable(listener)


def test_nobody_listens(directory, tmp_path):
    assert knock(directory) is False and knock(str(tmp_path / "none")) is False and os.listdir(directory) == []


def test_after_the_end_nobody_listens(directory):
    listener = Listener(directory)
    listener.close()
    listener.close()
    assert knock(directory) is False and os.listdir(directory) == []
    with_it = Listener(directory)
    assert knock(directory) is True
    with_it.close()


def test_an_error_counts_as_heard(listener, monkeypatch):
    class Failing:
        def recv(self, _size):
            raise ConnectionResetError()

    real = listener._socket
    monkeypatch.setattr(listener, "_socket", Failing())
    assert listener.drain() is True
    monkeypatch.setattr(listener, "_socket", real)


def test_a_full_socket_does_not_block_and_counts_as_heard(directory, listener):
    assert all(knock(directory) for _unused in range(3000)) and listener.drain()


def test_only_its_owner_may_knock_whatever_the_umask(directory):
    before = os.umask(0)
    try:
        listener = Listener(directory)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(listener.path).st_mode) == 0o600
    listener.close()


LISTEN = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener
listener = Listener(sys.argv[1])
print("listening", flush=True)
sys.stdin.read()
"""


KNOCK = """
import sys
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener, knock
print(knock(sys.argv[1]))
listener = Listener(sys.argv[2])
print(knock(sys.argv[2]), listener.drain(), listener.drain())
listener.close()
"""


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_every_python_knocks_and_listens(python, directory, listener, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    assert subprocess.check_output([python, "-c", KNOCK, directory, str(own)], text=True) == "True\nTrue True False\n"
    assert listener.drain()


def test_a_daemon_that_was_killed_is_no_daemon_and_another_takes_its_place(directory):
    first = subprocess.Popen(
        [sys.executable, "-c", LISTEN, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "listening\n" and knock(directory) is True
    with pytest.raises(AlreadyListening, match="another ovmd runs already on the parameter list in .*: stop it first"):
        Listener(directory)
    assert knock(directory) is True  # the refused one has not disturbed the first
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdin.close()
    first.stdout.close()
    assert os.listdir(directory) == ["wake"] and knock(directory) is False
    second = Listener(directory)
    assert knock(directory) is True and second.drain()
    second.close()


def test_a_place_where_nobody_can_listen(directory, tmp_path):
    with pytest.raises(ParameterListError, match="cannot listen on .* .No such file or directory.: see that root may"):
        Listener(str(tmp_path / "none"))
    os.mkdir(os.path.join(directory, "wake"))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ParameterListError, match="cannot listen on "):
        Listener(directory)
    assert len(os.listdir("/proc/self/fd")) == before and knock(directory) is False


def test_its_directory_may_vanish(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    listener = Listener(str(folder))
    os.unlink(listener.path)
    folder.rmdir()
    listener.close()
