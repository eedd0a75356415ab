# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything at work for a long time: nothing lost, nothing doubled, and no memory or descriptor that stays behind."""
