# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes at once, each with connections and descriptors of its own."""

import os
import sys
import traceback


class Child:
    """A function in a process of its own.

    :param work: the function, without arguments; gives text, or None.
    """

    def __init__(self, work):
        reading, writing = os.pipe()
        self._parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            os.close(reading)
            code = 1
            try:
                with os.fdopen(writing, "w", encoding="utf-8") as out:
                    try:
                        out.write(work() or "")
                        code = 0
                    except BaseException:
                        out.write(traceback.format_exc())
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(writing)
        self._reading = reading

    def join(self):
        """Wait for its end.

        :returns: its text.
        :raises RuntimeError: it failed; with the traceback.
        """
        with os.fdopen(self._reading, encoding="utf-8") as came:
            text = came.read()
        _pid, status = os.waitpid(self.pid, 0)
        if status:
            raise RuntimeError("a process of %d ended with status %d: %s" % (self._parent, status, text))
        return text


def together(works):
    """Do several things at the same time, each in a process.

    :param works: functions without arguments, which give text, or None.
    :returns: their texts.
    """
    children = [Child(work) for work in works]
    failures, texts = [], []
    for child in children:
        try:
            texts.append(child.join())
        except RuntimeError as problem:
            failures.append(str(problem))
    if failures:
        raise RuntimeError("\n".join(failures))
    return texts
