# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what a test elsewhere tells it: calls functions of the programs beside it.

A line of JSON comes in, ``[program, function, arguments by name]``, and one goes out: ``["done", result]``, or
``["failed", traceback]``. One process for many calls, since starting Python takes long in an emulated computer.
"""

import importlib
import json
import os
import sys
import traceback


def main():
    # What is called may print what it likes, and start what it likes.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    print(json.dumps(["ready", os.getpid()]), file=answers, flush=True)
    for line in questions:
        program, function, arguments = json.loads(line)
        try:
            answer = ["done", getattr(importlib.import_module(program), function)(**arguments)]
        except Exception:
            answer = ["failed", traceback.format_exc()]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
