# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: writers and a daemon that outlive who has started them, and what became of them."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from guest_core import LONG, STATE, open_backend
from lives_values import number_of, value_of
from processes import Child

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError, QuotaExceeded
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import ParameterList

_FOLDER = pathlib.Path("/tmp/lives")
_STOP, _STOP_TAKING = _FOLDER / "stop", _FOLDER / "stop-taking"
_LOG = _FOLDER / "ovmd.log"
_SIZES = 0, 10, 300, 2500
# A domain takes with it what the host has not collected.
_WAITING = 10
_TAKEN, _FIRST = _FOLDER / "taken", _FOLDER / "first-taken"
_children, _takers = [], []


# Writers


def start_writers(count, life, waiting=_WAITING):
    """Start so many writers, each a process. They send until stop_writers(), one message after the other.

    Their messages have the keys ``LIFE.WRITER``; for the values see lives_values.

    :param str life: tells one life of this guest from another.
    :param int waiting: messages that may wait for the host.
    """
    _FOLDER.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        _STOP.unlink()
    for writer in range(count):
        key = ("%s.%d" % (life, writer)).encode()
        _children.append(Child(functools.partial(_write, writer, key, waiting)))


def _write(writer, key, waiting):
    sent, problems = 0, []
    with open_backend() as backend:
        while not _STOP.exists():
            if backend.uncollected() > waiting:
                time.sleep(0.02)
                continue
            try:
                backend.set([Message(key, value_of(sent, _SIZES[(sent + writer) % len(_SIZES)]))])
                sent += 1
            except ChannelError as problem:
                problems.append(str(problem))
                time.sleep(0.1)
    return json.dumps({"sent": sent, "problems": problems})


def stop_writers():
    """End the writers.

    :returns: for each, how many messages it has sent, and its problems.
    """
    _STOP.touch()
    results = [json.loads(child.join()) for child in _children]
    _children.clear()
    return results


# The daemon, and who uses up what it receives


def start_daemon(options):
    """Start ovmd; it works when this returns.

    :returns: its process's number.
    """
    _FOLDER.mkdir(exist_ok=True)
    place = _LOG.stat().st_size if _LOG.exists() else 0
    with open(_LOG, "ab") as log:
        ovmd = subprocess.Popen(
            ["ovmd", "-d1", "--foreground", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + LONG
    while b"started" not in _LOG.read_bytes()[place:]:
        if ovmd.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("ovmd does not start: %r" % _LOG.read_bytes()[place:])
        time.sleep(0.02)
    return ovmd.pid


def end_daemon(pid, number):
    """End ovmd by a signal.

    :returns: its exit code, or the negative number of the signal.
    """
    os.kill(pid, number)
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def daemon_log():
    """What ovmd has said, in all of its lives."""
    return _LOG.read_text(errors="backslashreplace") if _LOG.exists() else ""


def told():
    """The numbers of the host's messages, in the order in which ovmd has told of them."""
    return [int(number) for number in re.findall(r"received 'host\.(\d+)'", daemon_log())]


def start_taking():
    """Use up what comes from the host: note each parameter ``host.NUMBER`` and delete it, until stop_taking()."""
    _FOLDER.mkdir(exist_ok=True)
    for path in (_STOP_TAKING, _TAKEN):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    _takers.append(Child(_take))


def _take():
    taken, wrong = [], []
    with open_backend() as backend:
        last = False
        while True:
            found = [entry for entry in backend.entries() if entry.key.startswith(b"host.")]
            for entry in found:
                number = int(entry.key[5:])
                taken.append(number)
                if number_of(entry.value) != number:
                    wrong.append("%d: %d bytes" % (number, len(entry.value)))
            backend.delete([entry.key for entry in found])
            if found:
                if not _TAKEN.exists():
                    _FIRST.write_text("%d" % taken[0])
                _TAKEN.with_suffix(".new").write_text("%d" % taken[-1])
                _TAKEN.with_suffix(".new").rename(_TAKEN)
            if last:
                return json.dumps([taken, wrong])
            # What comes before the end is asked for is taken.
            last = _STOP_TAKING.exists()
            time.sleep(0.1)


def taken():
    """The number of the message that was taken last; -1 before the first."""
    return int(_TAKEN.read_text()) if _TAKEN.exists() else -1


def first_taken():
    """The number of the message that was taken first."""
    wait_until_taken(0, LONG)
    return int(_FIRST.read_text())


def wait_until_taken(number, timeout):
    """Wait until a message was taken, or one after it; whether that came."""
    deadline = time.monotonic() + timeout
    while taken() < number:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def stop_taking():
    """End that.

    :returns: the numbers in the order of the list, as often as each came; and what is wrong with their values.
    """
    _STOP_TAKING.touch()
    return json.loads(_takers.pop().join())


def have_all_told():
    """Have the next daemon tell the host all, whatever others have told the host of an earlier test."""
    with ParameterList(STATE) as parameters, parameters.writing():
        parameters.forget_reported(but=b"")


def clean_up():
    """Leave nothing for whoever comes next."""
    with open_backend() as backend:
        backend.delete_all()
    shutil.rmtree(_FOLDER)


# Signals at any moment


def end_senders(times, number):
    """Start a sender and end it by a signal somewhere in the midst of its work, so many times.

    :returns: how each has ended: the negative number of a signal, or an exit code.
    """
    ended = []
    for turn in range(times):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.close(reading)
                signal.signal(number, signal.SIG_DFL)
                with XenStore(timeout=LONG) as store:
                    end = GuestEnd(store)
                    with contextlib.suppress(QuotaExceeded):
                        end.send(Message(b"signal", b"begin"), LONG)
                    os.write(writing, b"+")
                    while True:
                        # Back to back: nearly all of the time is spent in a transaction.
                        store.transact(lambda transaction: transaction.write(b"data/signal", b"x" * 500))
            finally:
                os._exit(0)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        time.sleep(0.005 * turn)
        os.kill(pid, number)
        status = os.waitpid(pid, 0)[1]
        ended.append(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    return ended


def life():
    """What tells this guest's parameter list from those before it: ``boot`` in its reports."""
    with open_backend() as backend:
        return backend.state.life
