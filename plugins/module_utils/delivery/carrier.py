# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What carries messages to virtual machines and back: the interface.

Two offer it: ``manager.manager.Manager`` (REST, to the vendor's Manager or to ovm-gateway)
and ``host.host.Host`` (on a Xen host itself, over XenStore). All of it is bounded in time,
may be called from several threads, and raises a Problem that says what happened and what
to do. Vm, Record and Event are those of ``vms``.

``name``
    ``rest`` or ``xenstore``.
``connect()``
    Log in, wait until the other side is ready; what every run starts with.
``vms()``
    All virtual machines, a list of Vm; asked for once.
``current(vm)``
    The same Vm as it is now: asked for anew.
``check(messages, log)``
    The messages (pairs of bytes), if this carrier takes them; raises otherwise, before anything is sent.
``send(vm, messages, log)``
    Send to one running VM, in this order, all in one request. ``log``: have the other side
    remember them (see sent).
    Raises OutcomeUnknown (see problem) where nobody can say whether they were sent. Any other
    Problem may have ``sent``, a list of the keys that were sent before it.
``received(vm)``
    What the guest has sent: a list of Record, oldest first. Where the other side keeps no
    history, the newest of each key.
``sent(vm)``
    What was sent to it and remembered: likewise.
``dated(vm, records)``
    The same records, with the times that ``events`` know where the records had none.
``events(vm=None)``
    What has happened, oldest first: a list of Event.
``waiting(vm)``
    How many sent messages the guest has not taken yet, or None where this cannot be seen.
``wait_for_change(timeout)``
    Wait up to so many seconds until something may have changed for a guest. Only carriers
    have it that need not ask again and again.
``now()``
    The other side's clock, in seconds since 1970.
``close()``
    Every carrier is a context manager, too.
"""
