# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The release all parts belong to; galaxy.yml says the same, and a test sees to it."""

VERSION = "1.0.0"
