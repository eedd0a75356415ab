# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Events, as the vendor's kernel driver knows them."""

#: A message with exactly this key is an event for the processes of the guest, and is
#: never stored (confirmed in the driver).
EVENT_KEY = b"VMAPIEvent"
