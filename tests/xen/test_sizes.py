# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of every size go through a real guest's kernel, byte for byte.

A request goes through a ring of 1024 bytes, so where it wraps around changes with every size. Every other size goes
one way, the rest the other way: all of them both ways take minutes in an emulated computer.
"""

import time

import pytest

LIMIT = 8191
#: Seconds that something may take on a machine under load.
LONG = 1500.0
#: Which sizes go which way.
FROM_GUEST, TO_GUEST = list(range(1, LIMIT + 1, 2)), list(range(0, LIMIT + 1, 2))


def edges():
    """Sizes next to the limits of a ring, a piece, a piece of the vendor's driver, a node, a page and a value."""
    of = {size * times for size in (1024, 1640, 2015, 2048, 4096) for times in range(1, 9)}
    around = {size + beside for size in of for beside in (-17, -16, -1, 0, 1)}
    return sorted({*range(20), *(size for size in around if size <= LIMIT), LIMIT - 1, LIMIT})


@pytest.mark.timeout(2 * LONG)
def test_every_size(xen_host, guests, prepared, agent_of, figure):
    both_ways(xen_host, guests["pv"], prepared, agent_of, "host", FROM_GUEST, TO_GUEST, figure)


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_sizes_at_the_edges_through_the_hosts_end(xen_host, guests, kind, prepared, agent_of):
    both_ways(xen_host, guests[kind], prepared, agent_of, "host_end", edges(), edges())


def both_ways(xen_host, guest, prepared, agent_of, host, outwards, inwards, figure=lambda *_arguments: None):
    """Send values of some sizes from a guest and of some to it, at the same time."""
    domid, start = prepared(guest), time.monotonic()
    came = [
        agent_of(xen_host).begin("sizes.%s_receives" % host, domid=domid, sizes=outwards, timeout=LONG),
        agent_of(guest).begin("sizes.guest_receives", sizes=inwards, timeout=LONG),
    ]
    sent = [
        agent_of(guest).begin("sizes.guest_sends", sizes=outwards),
        agent_of(xen_host).begin("sizes.%s_sends" % host, domid=domid, sizes=inwards),
    ]
    for end in sent:
        end(LONG)
    # None lost, none twice, in order, and as they were sent.
    assert [end(LONG + 10) for end in came] == [[len(outwards), []], [len(inwards), []]]
    kilobytes = (sum(outwards) + sum(inwards)) / 1000
    figure("values of every size, %s guest" % guest.kind.upper(), kilobytes / (time.monotonic() - start), "kB/s")
