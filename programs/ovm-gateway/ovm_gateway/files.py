# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing files so that nobody ever sees half of one."""

import contextlib
import fcntl
import os
import tempfile


def replace(path, content, mode=0o600):
    """Have exactly this in a file, at once, on the disk, with these permissions.

    :param str path: the file; its directory must exist.
    :param bytes content: all of it.
    :raises OSError: it cannot be written; then nothing has changed.
    """
    directory = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=directory)  # 0600 from the start
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
