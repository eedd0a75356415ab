# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""One parameter of the guest's list."""

from collections import namedtuple


class Entry(namedtuple("Entry", ("key", "value", "secret"))):
    """One parameter.

    :ivar bytes key: its name.
    :ivar bytes value: its value.
    :ivar bool secret: set as a secret, so never to be shown unasked.
    """

    __slots__ = ()

    def __repr__(self):
        # A value may be a secret, and a repr ends up in tracebacks and logs.
        return "Entry(key=%r, value=<%d bytes>, secret=%r)" % (self.key, len(self.value), self.secret)
