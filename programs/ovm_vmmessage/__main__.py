# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Compiled at every start, so it only calls.

import os

from ovm_vmmessage import main

# All is written and closed by now; the rest of what Python does at its end is only time.
os._exit(main())
