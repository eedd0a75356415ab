# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stock scripts do. Python 3.6 or later, the standard library, and the tools that the guest has."""
