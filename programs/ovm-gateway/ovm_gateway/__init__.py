# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Manager's REST interface, as far as messages need it, over a Xen host's XenStore.

docs/reference/ovm-gateway.md is its manual.
"""
