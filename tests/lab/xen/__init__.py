# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Xen host in QEMU: the hypervisor, a Linux dom0 with Xen's own tools, and real guests.

QEMU computes every instruction, so this needs neither root nor hardware support, and is some
ten to thirty times slower than a real machine.
"""
