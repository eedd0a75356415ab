# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of all tests; the fixtures are the lab's."""

pytest_plugins = ["lab.fixtures"]
