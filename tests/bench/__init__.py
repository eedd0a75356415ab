# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: ours beside a peer, in one run. Only ratios mean something on a shared machine."""
