# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell that a person types at: one process for a whole page, so that what is exported stays."""

import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shlex
import signal
import subprocess
import termios
import time

#: Seconds that a command may take on a machine under load.
PATIENCE = 180


class ShellError(AssertionError):
    """A command hangs, or has ended the shell."""


class Shell:
    """A bash with a terminal of its own. A context manager, which ends it and what it has left in the background.

    :param dict environment: its variables.
    :param folder: where it begins.
    :param pathlib.Path notes: a folder for its own files.
    """

    def __init__(self, environment, folder, notes):
        self._notes, self._count, self._master, self._slave = pathlib.Path(notes), 0, *pty.openpty()
        self._notes.mkdir(parents=True)
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=self._prepare,
        )

    def _prepare(self):
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)  # for programs that ask on /dev/tty
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        os.close(self._master)
        os.close(self._slave)

    def run(self, text, typed=(), strict=False):
        """Run commands.

        :param typed: what a person types: pairs of what is asked for and the answer.
        :param strict: whether the first command that fails ends it.
        :returns: the exit code, and all that was printed.
        """
        self._count += 1
        script, output = self._notes / ("%d.sh" % self._count), self._notes / ("%d.out" % self._count)
        script.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
        terminal = os.ttyname(self._slave)
        streams = "<%s >%s 2>&1" % (terminal, terminal) if typed else "</dev/null >%s 2>&1" % shlex.quote(str(output))
        line = ". %s %s" % (shlex.quote(str(script)), streams)
        if strict:
            line = "set -e; %s; set +e" % line
        self._process.stdin.write((line + "; echo $?\n").encode())
        self._process.stdin.flush()
        code, seen = self._wait(list(typed), text, output)
        if typed:
            return code, seen.replace("\r\n", "\n")
        return code, output.read_text(encoding="utf-8", errors="backslashreplace")

    def _wait(self, typed, text, output):
        """Type what is to be typed, until the shell tells the command's exit code."""
        deadline, seen, asked, told = time.monotonic() + PATIENCE, "", 0, b""
        while not told.endswith(b"\n"):
            left = max(0, deadline - time.monotonic())
            ready = select.select([self._master, self._process.stdout], [], [], left)[0]
            if not ready:
                raise ShellError("hangs: %s\n%s%s" % (text, seen, _content(output)))
            if self._master in ready:
                seen += os.read(self._master, 4096).decode("utf-8", "backslashreplace")
                if typed and typed[0][0] in seen[asked:]:
                    asked = len(seen)
                    os.write(self._master, typed.pop(0)[1].encode() + b"\n")
            if self._process.stdout in ready:
                part = os.read(self._process.stdout.fileno(), 64)
                if not part:
                    raise ShellError("failed: %s\n%s%s" % (text, seen, _content(output)))
                told += part
        while select.select([self._master], [], [], 0)[0]:
            seen += os.read(self._master, 4096).decode("utf-8", "backslashreplace")
        if typed:
            raise ShellError("never asked %r: %s\n%s" % (typed[0][0], text, seen))
        return int(told), seen


def _content(path):
    return path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""
