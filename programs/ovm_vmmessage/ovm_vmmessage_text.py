# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage says: the vendor's words, character for character. Pure."""

from ansible_collections.ovm.messaging.plugins.module_utils.problem import one_line

#: The vendor's last release of the utility, which scripts may look for.
BANNER = b"Oracle VM VM Message utility 0.5.2."
CONNECTED = b"Connected."
SENDING = b"Sending message."
SENT = b"Message sent successfully."
FOUND = b"Query successful."

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def status(name, state):
    """:param bytes name: of the virtual machine; ``state`` is its vmRunState, as the manager writes it."""
    return b"VM : '%s' has status : %s." % (name, visible(state.capitalize().encode("utf-8", "surrogateescape")))


def querying(key):
    # The quote is never closed: so says the vendor's.
    return b"Querying for key '%s." % key


def returned(key, value):
    return b"Query for Key : '%s' returned value '%s'." % (key, value)


def key_set(seconds):
    return b"Key set %s ago." % age(seconds).encode("ascii")


def age(seconds):
    """A time as people say it, in the biggest unit of which there is at least one.

    :param float seconds: below 0, as of clocks that differ, counts as 0.
    :rtype: str
    """
    seconds = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    count = seconds // size
    return "%d %s%s" % (count, unit, "" if count == 1 else "s")


def visible(raw):
    """Bytes as a terminal may have them: what would steer it, break the line or be no text is escaped.

    :rtype: bytes
    """
    return one_line(raw.decode("utf-8", "backslashreplace")).encode("utf-8")
