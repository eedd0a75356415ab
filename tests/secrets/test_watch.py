# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that is planted in a place is found there, in each kind of place: without this nothing else proves much."""

import sys

import pytest

from tests.secrets import places
from tests.secrets.watch import Watch

#: Programs that leak what is on their standard input; where it is found then.
LEAKS = {
    places.OUTPUT: "import sys; print(sys.stdin.read())",
    places.COMMAND_LINE: "import subprocess, sys; subprocess.run(['true', sys.stdin.read()])",
    places.ENVIRONMENT: "import subprocess, sys; subprocess.run(['true'], env={'LC_X': sys.stdin.read()})",
    places.FILE: "import os, sys; open('x', 'w').write(sys.stdin.read()); os.unlink('x')",
    places.LEFT: "import sys; open('x', 'w').write(sys.stdin.read()[::-1])",
    places.NETWORK: (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "c = socket.create_connection(s.getsockname()); c.sendall(sys.stdin.read().encode())"
    ),
    places.SYSLOG: "import sys, syslog; syslog.syslog('it is ' + sys.stdin.read())",
    places.PROCESSES: (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(2)', sys.stdin.read()])"
    ),
    "file that others can read": (
        "import os, sqlite3, sys; c = sqlite3.connect('parameters.db'); c.execute('create table a (b)'); "
        "c.execute('insert into a values (?)', [sys.stdin.read()]); c.commit()"
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_is_found(kind, tmp_path):
    place = tmp_path / "seen"
    place.mkdir()
    with Watch(place) as watch:
        value = watch.secret("planted")
        watch.run("planted", [sys.executable, "-c", LEAKS[kind]], watch.environment(), given=value.encode())
        with pytest.raises(AssertionError, match="planted"):
            watch.finish()
        assert kind in {leak.kind for leak in watch.leaks}, watch.leaks
        assert value not in repr(watch.leaks)


def test_what_is_allowed_is_counted_and_what_does_no_harm_is_none(tmp_path):
    """A file in a folder of mode 700, one that was always private, and a pipe; SQLite's free pages are looked at."""
    place = tmp_path / "seen"
    place.mkdir()
    program = (
        "import os, sys, subprocess; text = sys.stdin.read(); os.umask(0o77); os.mkdir('guest'); "
        "open('guest/parameters.db', 'w').write(text); subprocess.run(['cat'], input=text.encode(), "
        "stdout=subprocess.DEVNULL)"
    )
    with Watch(place) as watch:
        value = watch.secret("planted")
        watch.run("planted", [sys.executable, "-c", program], watch.environment(), given=value.encode())
        watch.finish()
        assert watch.allowed["the guest's parameter list"] == 2 and watch.allowed["pipes"] >= 1
        assert not watch.leaks


@pytest.mark.parametrize("secure", [False, True])
def test_what_is_deleted_from_sqlite_is_still_found_unless_it_is_overwritten(secure, tmp_path):
    place = tmp_path / "seen"
    place.mkdir()
    program = (
        "import os, sqlite3, sys; os.umask(0o77); c = sqlite3.connect('data.sqlite'); "
        "c.execute('pragma secure_delete=%s'); "
        "c.execute('create table a (b)'); c.execute('insert into a values (?)', [sys.stdin.read() * 200]); c.commit(); "
        "c.execute('delete from a'); c.commit()" % ("on" if secure else "off")
    )
    with Watch(place) as watch:
        value = watch.secret("planted")
        watch.run("planted", [sys.executable, "-c", program], watch.environment(), given=value.encode())
        with pytest.raises(AssertionError):  # it was written there at any rate
            watch.finish()
        assert (places.LEFT in {leak.kind for leak in watch.leaks}) is not secure
