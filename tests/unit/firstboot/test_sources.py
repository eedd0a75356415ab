# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console and the disc as sources: processes that tell, that are given up, and that are killed."""

import os
import pty
import select
import signal
import termios
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import ovf, sources
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import Parameter

PATIENCE = 30
DOCUMENT = '<Environment><PropertySection><Property key="a" value="%s"/></PropertySection></Environment>'


def looked(source, wanted=1):
    """What a source gives, once it gives something; None when it has ended."""
    while source.fileno() >= 0:
        assert select.select([source], [], [], PATIENCE)[0]
        found = source.look()
        if found is not None:
            return found
    return None


@pytest.fixture
def folder(tmp_path):
    """A mounted disc."""
    (tmp_path / "disc").mkdir()
    return tmp_path / "disc"


def put(folder, text):
    new = folder.parent / "new"
    new.write_text(text, encoding="utf-8")
    os.rename(new, folder / ovf.DOCUMENT)


def test_a_disc_that_changes(folder):
    said = []
    disc = sources.Disc([str(folder)], said.append, 0.01)
    assert disc.fileno() == -1 and disc.look() is None
    put(folder, DOCUMENT % 1)
    disc.start([])
    try:
        assert looked(disc) == {"a": "1"} and disc.look() is None
        put(folder, DOCUMENT % 2)
        assert looked(disc) == {"a": "2"} and said == []
        put(folder, "nonsense")
        while not said:
            assert select.select([disc], [], [], PATIENCE)[0] and disc.look() is None
        assert said == ["ovf-env.xml in %s is no XML (line 1: syntax error): see what made this disc" % folder]
        put(folder, DOCUMENT % 3)
        assert looked(disc) == {"a": "3"}
    finally:
        disc.give_up("for a reason")
        disc.close()
    assert disc.fileno() == -1 and disc.look() is None
    disc.give_up("again")
    disc.close()


def test_the_process_that_looks_is_killed(folder):
    disc = sources.Disc([str(folder)])
    disc.start([])
    os.kill(disc._process._pid, signal.SIGKILL)
    assert looked(disc) is None and disc.fileno() == -1
    disc.close()


def test_one_that_does_not_end(monkeypatch):
    """A drive may keep a process in the kernel."""
    monkeypatch.setattr(sources, "_PATIENCE", 0.1)

    def hang(*_arguments):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        while True:
            signal.pause()

    process = sources._Process(hang)
    assert os.WTERMSIG(process.close()) == signal.SIGKILL


class Ended(BaseException):
    pass


#: What happens just before a fork, as Python cannot forget functions that it calls then.
BEFORE_FORK = []
os.register_at_fork(before=lambda: [function() for function in BEFORE_FORK])


def test_a_signal_amid_the_fork_is_not_lost():
    def end(_number, _frame):
        raise Ended()

    before = signal.signal(signal.SIGTERM, end)
    # To this thread: others, as of a test runner, have nothing blocked.
    BEFORE_FORK.append(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
    try:
        with pytest.raises(Ended):
            sources._Process(lambda _tell, control: select.select([control], [], []))
    finally:
        BEFORE_FORK.clear()
        signal.signal(signal.SIGTERM, before)


def test_there_is_no_console(tmp_path):
    said = []
    console = sources.Console(str(tmp_path / "none"), said.append)
    console.start([])
    assert said == ["nobody can be asked: %s is no terminal (No such file or directory)" % (tmp_path / "none")]
    assert console.fileno() == -1 and console.look() is None
    console.give_up("x")
    console.close()
    said.clear()
    console = sources.Console(os.devnull, said.append)
    console.start([])
    assert said[0].startswith("nobody can be asked: /dev/null is no terminal (Inappropriate ioctl")


@pytest.fixture
def terminal():
    """Both ends of one."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def seen(master, text):
    found = b""
    while text not in found:
        assert select.select([master], [], [], PATIENCE)[0], found
        found += os.read(master, 4096)


def test_a_person_answers(terminal):
    master, slave = terminal
    before = termios.tcgetattr(slave)
    console = sources.Console(os.ttyname(slave))
    console.start([Parameter("name", "Name")])
    seen(master, b"instead: ")
    os.write(master, b"\nx\n")
    assert looked(console) == {"name": "x"}
    console.give_up("too late")
    console.close()
    assert termios.tcgetattr(slave) == before


def test_it_is_given_up(terminal):
    master, slave = terminal
    before = termios.tcgetattr(slave)
    console = sources.Console(os.ttyname(slave))
    console.start([Parameter("pin", "PIN", password=True)])
    seen(master, b"instead: ")
    os.write(master, b"\n")
    seen(master, b"(pin): ")
    assert not termios.tcgetattr(slave)[3] & termios.ECHO
    console.give_up("That is enough.")
    seen(master, b"\r\nThat is enough.\r\n")
    console.close()
    assert termios.tcgetattr(slave) == before


def test_the_one_who_asks_is_killed(terminal):
    master, slave = terminal
    before = termios.tcgetattr(slave)
    console = sources.Console(os.ttyname(slave))
    console.start([Parameter("pin", "PIN", password=True)])
    seen(master, b"instead: ")
    os.write(master, b"\n")
    seen(master, b"(pin): ")
    os.kill(console._process._pid, signal.SIGKILL)
    assert looked(console) is None
    assert termios.tcgetattr(slave) == before


def test_the_terminal_is_gone_meanwhile(terminal):
    master, slave = terminal
    said = []
    console = sources.Console(os.ttyname(slave), said.append)
    console.start([])
    seen(master, b"instead: ")
    os.close(master)
    assert looked(console) is None and said == ["the console gives no parameters: it was hung up"]
