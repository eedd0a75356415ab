# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Becoming a daemon the classic way. Who started it waits until it works, and hears why where it does not."""

import os

# What the daemon says when it works. Anything else is an exit code and a text.
_READY = b"ready"


class Background:
    """A daemon process, detached from terminal, session and descriptors.

    :ivar bool here: whether this is that process; else it is the one that was started.
    """

    def __init__(self):
        reading, writing = os.pipe()
        first = os.fork()
        self.here = first == 0
        if not self.here:
            os.close(writing)
            self._pipe = reading
            try:
                os.waitpid(first, 0)
            except ChildProcessError:
                pass  # the caller had SIGCHLD ignored
            return
        os.setsid()
        if os.fork():  # a process that leads no session never gets a terminal
            os._exit(0)
        os.umask(0o077)
        os.chdir("/")
        self._pipe = writing
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != writing:
                try:
                    os.close(int(name))
                except OSError:
                    pass  # that of the listing

    def ready(self):
        """In the daemon: it works. From now on nothing of it can be seen."""
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        os.close(null)
        self._say(_READY)

    def failed(self, code: int, text: str):
        """In the daemon: it does not work."""
        self._say(b"%d %s" % (code, text.encode("utf-8", "backslashreplace")))

    def outcome(self) -> "tuple[int, str]":
        """In the process that was started: wait until the daemon works or has failed.

        :returns: an exit code, and why; an empty text where it works.
        """
        said = b""
        while True:
            piece = os.read(self._pipe, 65536)
            if not piece:
                break
            said += piece
        if said == _READY:
            return 0, ""
        code, _blank, text = said.partition(b" ")
        if not code.isdigit():
            return 70, "the daemon died before it worked: see the system's log"
        return int(code), text.decode("utf-8")

    def _say(self, what):
        try:
            os.write(self._pipe, what)
        except OSError:
            pass  # nobody waits
        os.close(self._pipe)
