# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of every size go through a real guest's kernel, byte for byte.

A request goes through a ring of 1024 bytes, so where it wraps around changes with every size. Each size goes one way:
both ways take twice as long in an emulated computer. Those next to a limit of anything go both ways.
"""

import time

import pytest

LIMIT = 8191
#: Seconds that a test may take on a machine under load.
LONG = 550.0


def edges():
    """Sizes next to the limits of a ring, a piece, a piece of the vendor's driver, a node, a page and a value."""
    of = {size * times for size in (1024, 1640, 2015, 2048, 4096) for times in range(1, 9)}
    around = {size + beside for size in of for beside in (-17, -16, -1, 0, 1)}
    return sorted({*range(20), *(size for size in around if size <= LIMIT), LIMIT - 1, LIMIT})


#: Which sizes go which way: from the guest, to the guest.
EDGES = edges()
PLANS = {
    "pv": (
        sorted({*range(0, LIMIT + 1, 2), *EDGES}),
        sorted({*range(1, LIMIT + 1, 2), *EDGES}),
    ),
    "pvh": (EDGES, EDGES),
}


def test_the_plan_has_every_size():
    assert set(PLANS["pv"][0]) | set(PLANS["pv"][1]) == set(range(LIMIT + 1))


@pytest.mark.parametrize("kind", PLANS)
def test_every_size(xen_host, guests, kind, prepared, agent_of, figure):
    guest, (outwards, inwards) = guests[kind], PLANS[kind]
    domid = prepared(guest)
    sending, receiving, dom0_sending, dom0_receiving = map(agent_of, (guest, guest, xen_host, xen_host))
    start = time.monotonic()
    came = [
        dom0_receiving.begin("receiving.sizes_at_host", domid=domid, count=len(outwards), timeout=LONG),
        receiving.begin("receiving.sizes_at_guest", count=len(inwards), timeout=LONG),
    ]
    sent = [
        sending.begin("sending.sizes_from_guest", sizes=outwards),
        dom0_sending.begin("sending.sizes_from_host", domid=domid, sizes=inwards),
    ]
    for end in sent:
        end(LONG)
    for end, sizes in zip(came, (outwards, inwards)):
        found, wrong = end(LONG + 10)
        assert wrong == []
        # none lost, none twice, in order
        assert found == sizes
    size = (sum(outwards) + sum(inwards)) / 1000
    figure("%s guest, values of all sizes" % kind.upper(), size / (time.monotonic() - start), "kB/s")
