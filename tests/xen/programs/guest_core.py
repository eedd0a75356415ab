# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's core, as its programs and modules open it."""

import os

from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import DIRECTORY
from ansible_collections.ovm.messaging.plugins.module_utils.guest.xenstore_backend import XenStoreBackend

#: Seconds that anything may take in an emulated computer under load.
LONG = 60.0
#: Where the parameter list is.
STATE = os.environ.get("OVM_STATE_DIR") or DIRECTORY


def open_backend(timeout=LONG):
    """This guest's parameters.

    :param float timeout: seconds that transmitting one, or receiving, may take.
    """
    return XenStoreBackend(state_directory=STATE, timeout=timeout)
