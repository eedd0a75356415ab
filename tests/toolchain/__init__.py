# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the make targets run, each as ``python -m toolchain.NAME``."""

import os
import pathlib

#: The repository.
ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Where tests/bootstrap puts everything that is made.
CACHE = pathlib.Path(os.environ.get("OVM_CACHE") or ROOT / ".cache")
