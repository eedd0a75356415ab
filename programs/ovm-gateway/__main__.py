# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
import sys

from ovm_gateway.cli import main

sys.exit(main())
