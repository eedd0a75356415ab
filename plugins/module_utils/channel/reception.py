# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Moving messages out of XenStore into a store of one's own, each exactly once.

Whoever dies in between, at any moment, leaves a note of what is kept already but perhaps
still in XenStore; the next one goes on there. The guest's parameter list and the host's
message store both work this way.
"""


def receive(look, discard, ledger, keep, discard_all=None):
    """Keep what has arrived, then remove it from XenStore.

    :param look: gives what there is: a list of Arrival, see Inbox.pending.
    :param discard: removes an Arrival from XenStore.
    :param ledger: where notes are kept, beside the messages: ``writing()`` is a context
        manager that commits, and keeps others out; ``taken()`` gives the notes as
        ``{number: Message}``; ``take(number, message)`` and ``untake(number)`` make and
        remove one.
    :param discard_all: likewise for a list of them, where that is quicker.
    :param keep: stores an Arrival; called within the same ``writing()`` as its ``take``.
    :returns: the arrivals that were new, in order.
    :rtype: list of Arrival
    """
    if not look() and not ledger.taken():
        return []  # the usual case takes no lock
    with ledger.writing():
        # Again, now that nobody else can be taking them.
        arrivals, taken = look(), ledger.taken()
        new = [a for a in arrivals if taken.get(a.number) != a.message]
        for arrival in new:
            keep(arrival)
        for number in set(taken) - {a.number for a in arrivals}:
            ledger.untake(number)  # removed, just before somebody died
        for arrival in arrivals:
            ledger.take(arrival.number, arrival.message)
    # Only what is safely kept leaves XenStore.
    with ledger.writing():
        taken = ledger.taken()
        kept = [arrival for arrival in arrivals if taken.get(arrival.number) == arrival.message]
        if discard_all:
            discard_all(kept)
        for arrival in kept:
            if not discard_all:
                discard(arrival)
            ledger.untake(arrival.number)
    return new
