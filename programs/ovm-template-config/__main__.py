# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Compiled at every start, so it only calls.

import os

from ovm_template_config import main

# All is written and closed by now. Taking the interpreter apart would cost a tenth of the run.
os._exit(main())
