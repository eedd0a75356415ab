# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that all modules of the guest's side share. Private to this collection."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backend:
    description:
      - Where the parameters are kept.
      - V(ovmapi) is the device of the vendor's kernel driver, in Oracle's UEK kernels.
      - V(xenstore) is any other kernel. The list is then kept by this collection, in O(state_dir).
      - V(auto) takes the device where it exists, and XenStore otherwise. Naming O(xenstore_path) means XenStore.
      - The environment variable E(OVM_BACKEND) of the target is the fallback.
    type: str
    choices: [auto, ovmapi, xenstore]
    default: auto
  xenstore_path:
    description:
      - The device or unix socket to reach XenStore through.
      - By default the devices C(/dev/xen/xenbus) and C(/proc/xen/xenbus) are tried,
        then the sockets C(/run/xenstored/socket) and C(/var/run/xenstored/socket).
      - The environment variable E(XENSTORED_PATH) of the target is the fallback.
    type: path
  ovmapi_path:
    description:
      - The device of the vendor's kernel driver.
      - The environment variable E(OVM_DEVICE) of the target is the fallback.
    type: path
    default: /dev/ovmapi
  state_dir:
    description:
      - The directory of the parameter list. It should be on a tmpfs.
      - The list is empty after a reboot, wherever it is.
      - Everything that works on one guest's parameters has to use the same directory.
      - The environment variable E(OVM_STATE_DIR) of the target is the fallback.
    type: path
    default: /run/ovmd
  timeout:
    description:
      - How many seconds one operation may take, such as transmitting one parameter.
      - When the host has not collected earlier messages and XenStore is full, a parameter waits that long for room.
    type: float
    default: 10.0
requirements:
  - Python 3.6 or later on the target, nothing else. The XenStore client comes with the collection.
  - root on the target, for the device of XenStore and the parameter list.
"""
