# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing files so that nobody ever sees half of one."""

import contextlib
import fcntl
import os


def replace(path, content, mode=0o600):
    """Have exactly this in a file, at once, on the disk, with these permissions. One at a time: see locked().

    :param str path: the file; its directory must exist.
    :param bytes content: all of it.
    :raises OSError: it cannot be written; then nothing has changed.
    """
    directory = os.path.dirname(path)
    # Always the same name: what somebody who died has left is gone with the next one, and is no litter for ever.
    temporary = path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)


@contextlib.contextmanager
def locked(directory):
    """Keep all others out who change files of a directory in this way.

    :raises OSError: there is no such directory, or it may not be read.
    """
    folder = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
