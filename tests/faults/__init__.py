# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults, injected one after the other wherever they can happen: what ``make faults`` runs."""
