# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python process in dom0 or in a guest that does one thing after the other for a test.

Starting Python takes a second in an emulated computer. So this one stays, and calls functions of
tests/xen/programs; its own program there is agent.py.
"""

import contextlib
import json
import queue
import threading
import time

from .. import LabError

#: Seconds that a call may take when nothing else is said.
PATIENCE = 120.0
_ENDED = object()
# Seconds for what was said to come to its end.
_LAST_WORDS = 5.0


class Agent:
    """That process. A context manager; it ends with it.

    :param str name: what to call it in errors.
    :param subprocess.Popen process: runs agent.py; its standard streams are pipes for text.
    """

    def __init__(self, name, process):
        self.name, self._process = name, process
        self._lines, self._said = queue.Queue(), []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._hear)]
        for thread in self._threads:
            thread.start()
        try:
            self.pid = self._answer("its start", PATIENCE)
        except BaseException:
            self.close()
            raise

    @classmethod
    def on(cls, name, shell):
        """Start one on a machine.

        :param Shell shell: commands on that machine.
        """
        return cls(name, shell.start(*shell.python_command("agent")))

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def _listen(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(_ENDED)

    def _hear(self):
        for line in self._process.stderr:
            self._said.append(line)
            del self._said[:-50]

    def begin(self, what, /, **arguments):
        """Have it begin something; it does nothing else until the end.

        :param str what: ``"program.function"``.
        :param arguments: the function's, of what JSON carries.
        :returns: a function that waits for the end and gives the result: ``end(timeout=PATIENCE)``. It raises
            LabError where the function has failed, with its traceback, or took too long.
        """
        program, _dot, function = what.partition(".")
        try:
            self._process.stdin.write(json.dumps([program, function, arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # what became of it is told by the missing answer
        return lambda timeout=PATIENCE: self._answer(what, timeout)

    def __call__(self, what, patience=PATIENCE, /, **arguments):
        """Have it do something and wait for the result, so many seconds; see begin()."""
        return self.begin(what, **arguments)(patience)

    def _answer(self, what, timeout):
        deadline = time.monotonic() + timeout
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            self._process.kill()  # or its answer would be taken for that of the next question
            raise LabError(
                "%s: %s is not done after %.0f s; it has said: %s" % (self.name, what, timeout, "".join(self._said))
            ) from None
        if line is _ENDED:
            self._lines.put(_ENDED)
            self._process.wait()
            self._threads[1].join(1.0)
            raise LabError(
                "%s: it has ended with code %s at %s; it has said: %s"
                % (self.name, self._process.returncode, what, "".join(self._said))
            )
        state, result = json.loads(line)
        if state == "failed":
            raise LabError("%s: %s failed: %s" % (self.name, what, result))
        return result

    def close(self):
        """End it, whatever it is doing."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        for thread, stream in zip(self._threads, (self._process.stdout, self._process.stderr)):
            thread.join(_LAST_WORDS)
            # Somebody else may hold the other end. While it is read, closing it would wait for that, too.
            if not thread.is_alive():
                stream.close()
