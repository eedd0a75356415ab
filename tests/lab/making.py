# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all that is made for the lab has in common: the cache folder, one maker at a time, what it tells."""

import contextlib
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import LabError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def cache(part="lab"):
    """:returns: a part of the cache folder, which is made if need be."""
    path = os.path.join(os.path.abspath(os.environ.get("OVM_CACHE") or os.path.join(ROOT, ".cache")), part)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as problem:
        raise LabError(
            "cannot make the folder %s (%s): set OVM_CACHE to a folder of your own" % (path, problem.strerror)
        ) from problem
    return path


def say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def run(command, cwd=None, **environment):
    """Run a command to its end; standard output and error are kept as text."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def last_error(done):
    """What a command said went wrong, in brackets, for the middle of a sentence; at most one line."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|^E:", line, re.I)]
    return " (%s)" % (errors or lines)[-1] if lines else ""


@contextlib.contextmanager
def lock(what, part="lab"):
    """One process at a time makes what belongs into a part of the cache; the others wait and then find it."""
    with open(os.path.join(cache(part), "lock"), "a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that makes the lab (%s)" % what)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def workplace(part="lab"):
    """A folder in the cache, removed afterwards: what is done moves out of it as a whole."""
    with tempfile.TemporaryDirectory(prefix="making-", dir=cache(part)) as place:
        os.chmod(place, 0o755)  # apt's methods may run as another user
        yield place


def made(path, what, make, part="lab"):
    """Have a file or folder in a part of the cache.

    :param str path: where it is.
    :param str what: what whoever waits for it reads: "fetching QEMU".
    :param make: a function that makes it, given a folder to work in, and returns where it is.
    :returns: the path.
    """
    if not os.path.exists(path):
        with lock(what, part):
            if not os.path.exists(path):
                with workplace(part) as place:
                    os.rename(make(place), path)
    return path


def forget(pattern, used):
    """Remove what was made of older sources, once nobody has used it for a day.

    :param str pattern: what all versions of a thing are called.
    :param str used: the one that is used now.
    """
    os.utime(used)
    for path in glob.glob(pattern):
        with contextlib.suppress(OSError):
            if path != used and time.time() - os.stat(path).st_mtime > 86400:
                shutil.rmtree(path)
