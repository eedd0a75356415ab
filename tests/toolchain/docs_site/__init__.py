# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site with the documentation, and the man pages: what `make docs` builds and checks."""
