# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""No image of this process's memory on a disk, whatever ends it: there are secrets in it."""

import resource


def forbid() -> None:
    """Have the kernel, and those that it hands core dumps to, keep none of this process and of what it starts.

    What it starts may allow them again for itself: the hard limit stays.
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
