# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain's part of XenStore looks like when libxl has made it: nodes and permissions.

Left out are devices and consoles, which nobody here talks to.
"""

from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import home

#: Kilobytes of memory that a domain is said to have.
_MEMORY = 524288


def build(host, domid, name, uuid):
    """Make a domain's nodes, as libxl__domain_make and libxl__build_post do.

    :param XenStore host: a connection of dom0.
    :param int domid: the domain, which must exist.
    :param str name: its name.
    :param str uuid: its UUID.
    """
    mine, vm, libxl = home(domid), b"/vm/" + uuid.encode(), b"/libxl/%d" % domid
    read_only = [b"n0", b"r%d" % domid]
    writable = [b"n%d" % domid]
    hidden = [b"n0"]
    nodes = [
        (mine, b"", read_only),
        (vm, b"", read_only),
        (libxl, b"", hidden),
        (mine + b"/vm", vm, read_only),
        (mine + b"/name", name.encode(), read_only),
        (mine + b"/domid", b"%d" % domid, read_only),
        (mine + b"/cpu", b"", read_only),
        (mine + b"/cpu/0", b"", read_only),
        (mine + b"/cpu/0/availability", b"online", read_only),
        (mine + b"/memory", b"", read_only),
        (mine + b"/memory/static-max", b"%d" % _MEMORY, read_only),
        (mine + b"/memory/target", b"%d" % _MEMORY, read_only),
        (mine + b"/device", b"", read_only),
        (mine + b"/control", b"", read_only),
        (mine + b"/control/platform-feature-multiprocessor-suspend", b"1", read_only),
        (mine + b"/control/platform-feature-xs_reset_watches", b"1", read_only),
        (mine + b"/control/shutdown", b"", writable),
        (mine + b"/control/feature-poweroff", b"", writable),
        (mine + b"/control/feature-reboot", b"", writable),
        (mine + b"/control/feature-suspend", b"", writable),
        (mine + b"/control/sysrq", b"", writable),
        (mine + b"/data", b"", writable),
        (mine + b"/drivers", b"", writable),
        (mine + b"/feature", b"", writable),
        (mine + b"/attr", b"", writable),
        (mine + b"/error", b"", writable),
        (mine + b"/store", b"", read_only),
        (mine + b"/store/port", b"1", read_only),
        (mine + b"/store/ring-ref", b"1", read_only),
        (vm + b"/uuid", uuid.encode(), read_only),
        (vm + b"/name", name.encode(), read_only),
        (libxl + b"/type", b"pvh", hidden),
    ]

    def make(transaction):
        for path in (mine, vm, libxl):  # what an earlier domain of that number may have left
            transaction.remove(path)
        for path, value, permissions in nodes:
            transaction.write(path, value)
            transaction.set_permissions(path, permissions)

    host.transact(make)


def demolish(host, domid, uuid):
    """Remove a domain's nodes, as libxl does once the domain is destroyed."""
    for path in (home(domid), b"/vm/" + uuid.encode(), b"/libxl/%d" % domid):
        host.remove(path)
