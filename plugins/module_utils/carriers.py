# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""From options, as doc_fragments/manager.py has them, to what carries messages. Private to this collection."""

#: The values of the option ``transport``.
REST, XENSTORE = "rest", "xenstore"


def make(options, collect=True):
    """The carrier that options name; not connected yet.

    Each is loaded only where it is used: they need different libraries, and requests takes a while.

    :param dict options: all of them, of the types that they are documented with.
    :param bool collect: on a Xen host, whether messages of guests may be moved into the store.
    :returns: see delivery.carrier.
    :raises Problem: they make no sense.
    """
    if options["transport"] == XENSTORE:
        from .host.host import Host

        return Host(options["xenstore_path"], options["state_dir"], options["timeout"], collect=collect)
    from .manager.connection import Connection
    from .manager.dialect import Dialect
    from .manager.manager import Manager

    connection = Connection(
        options["host"],
        options["port"],
        options["username"],
        options["password"],
        options["client_cert"],
        options["client_key"],
        options["ca_path"],
        options["validate_certs"],
        options["connect_timeout"],
        options["timeout"],
        options["retries"],
        pool=options["concurrency"],
    )
    return Manager(
        connection, Dialect.from_options(options["dialect"]), options["ready_timeout"], options["job_timeout"]
    )
