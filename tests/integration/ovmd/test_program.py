# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that ovmd is: by every Python, with its bytecode and without."""

import os
import signal
import subprocess
import sys

import pytest
from ansible_collections.ovm.messaging.programs import build

#: What a program imports, each with where it came from, before it does anything.
TRACE = "import sys; sys.argv = ['ovmd', '-v']; sys.path.insert(0, {!r})\n" "import os; os._exit = lambda code: None\n" "import _start\n" "print(sys.modules['ovmd'].__file__); print(','.join(sorted(sys.modules)))"


def test_bytecode_is_used_by_the_python_it_is_for_and_by_no_other(programs, python):
    for other in [python]:
        pass
