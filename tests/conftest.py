# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of all tests; the fixtures are the lab's."""

import os
import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[1]
# tests/bootstrap has set the search path. ansible-test sets none, and its loader of collections is for one process.
_FOLDERS = [str(_ROOT / folder) for folder in ("tests", "programs/ovm-template-config/lib", ".")]
if _ROOT.parent.parent.name == "ansible_collections":
    _FOLDERS.append(str(_ROOT.parents[2]))
    sys.path[:0] = _FOLDERS
    os.environ["PYTHONPATH"] = os.pathsep.join([*_FOLDERS, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)

pytest_plugins = ["lab.fixtures"]
