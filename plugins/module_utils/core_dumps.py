# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""No image of this process's memory on a disk, whatever ends it: there are secrets in it."""

import resource

# Bytes. With none at all Linux still hands the image to a program, where core_pattern names one; with one it hands
# it to nobody (do_coredump), and no file is as small.
_NONE = 1


def forbid() -> None:
    """Have the kernel make none of this process and of what it starts.

    What it starts may allow them again for itself: the hard limit stays.
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else _NONE, hard))
