# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The message: a key and a value, both bytes, and what makes one fit to be sent."""

from collections import namedtuple

from . import layout
from .errors import InvalidMessage


class Message(namedtuple("Message", ("key", "value"))):
    """One message.

    :ivar bytes key: any bytes but NUL.
    :ivar bytes value: any bytes but NUL, possibly none.
    """

    __slots__ = ()

    def __repr__(self):
        # A value may be a secret, and a repr ends up in tracebacks and logs.
        return "Message(key=%r, value=<%d bytes>)" % (self.key, len(self.value))

    def check(self, key_limit: int) -> "Message":
        """Refuse what the channel would cut, drop or garble.

        :param int key_limit: bytes; ``layout.KEY_LIMIT_FROM_GUEST`` or
            ``layout.KEY_LIMIT_TO_GUEST``, whichever way the message is to go.
        :returns: the message itself.
        :raises InvalidMessage: saying which limit, and by how much.
        """
        name = display(self.key)
        if not self.key:
            raise InvalidMessage("the key is empty", "give every parameter a name")
        if b"\0" in self.key:
            raise InvalidMessage("the key '%s' has a NUL byte" % name, "the channel carries every byte but NUL")
        if len(self.key) > key_limit:
            raise InvalidMessage(
                "the key '%s' has %d bytes, the limit is %d" % (name, len(self.key), key_limit), "use a shorter key"
            )
        if b"\0" in self.value:
            raise InvalidMessage(
                "the value of '%s' has a NUL byte" % name, "the channel carries every byte but NUL; encode the value"
            )
        if len(self.value) > layout.VALUE_LIMIT:
            raise InvalidMessage(
                "the value of '%s' has %d bytes, the limit is %d" % (name, len(self.value), layout.VALUE_LIMIT),
                "split the value over several keys",
            )
        return self


def display(raw: bytes, longest: int = 64) -> str:
    """Bytes as text for an error or log line: one line, no control characters, not endless.

    :param bytes raw: a key, never a value.
    :param int longest: characters shown.
    :rtype: str
    """
    text = raw.decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= longest else text[:longest] + "..."
