# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what a test elsewhere tells it: calls functions of the programs beside it.

A line of JSON comes in, ``[program, function, arguments by name]``, and one goes out: ``["done", result]``, or
``["failed", traceback]``. One process for many calls, since starting Python takes long in an emulated computer.
"""

import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback


def listen(questions, asked):
    """Take what comes in, and end with whoever asks, whatever is being done, with all processes that it has begun."""
    for line in questions:
        asked.put(line)
    os.killpg(0, signal.SIGKILL)


def main():
    # What is called may print what it likes, and start what it likes.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.setpgid(0, 0)
    asked = queue.Queue()
    threading.Thread(target=listen, args=(questions, asked), daemon=True).start()
    print(json.dumps(["ready", os.getpid()]), file=answers, flush=True)
    while True:
        program, function, arguments = json.loads(asked.get())
        try:
            answer = ["done", getattr(importlib.import_module(program), function)(**arguments)]
        except Exception:
            answer = ["failed", traceback.format_exc()]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
