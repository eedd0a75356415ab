# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In dom0: what the host's core does, one step a run.

usage: host.py prepare DOMID | send VM KEY VALUE | received VM
"""

import json
import sys

from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host


def find(host, name):
    [vm] = [vm for vm in host.vms() if vm.name == name]
    return vm


def main(action, *arguments):
    if action == "prepare":
        with XenStore(role="host") as store:
            print(json.dumps(HostEnd(store, int(arguments[0])).prepare()))
        return
    with Host(prepare=True) as host:
        vm = find(host, arguments[0])
        if action == "send":
            host.send(vm, [(argument.encode() for argument in arguments[1:])], log=False)
        else:
            while host.collect():
                pass
            records = host.received(vm)
            print(json.dumps([[record.key.decode(), record.value.decode()] for record in records]))


main(*sys.argv[1:])
