# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules say of themselves. Private to this collection."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run makes no change.
  platform:
    description: Target system families that can be operated against.
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Reads only. In check mode, what the host has sent stays in XenStore too; the result is the same.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    ACTIONGROUP_GUEST = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/ovm.messaging.guest) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - ovm.messaging.guest
"""

    ACTIONGROUP_MANAGER = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/ovm.messaging.manager) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - ovm.messaging.manager
"""
