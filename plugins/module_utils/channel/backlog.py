# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What waits for a guest, weighed: the host must not send more than the guest's XenStore bears.

xenstored 4.17 does not listen any more to a guest that owns over 2.5 MiB, and what the host
sends is the guest's (observed; its default "memory" quota, of XSA-326). So the guest could not
even remove what waits. The host's own writes are never refused: it has to stop by itself.
"""

from . import layout
from .errors import QuotaExceeded
from .message import Message

#: Bytes that may wait for a guest. With what a guest can have sent at most meanwhile, 1.7 MB, it stays below the quota.
LIMIT = 800000
#: Bytes that the names of all messages may have, each with a NUL: who cannot list a directory in parts, as oxenstored
#: and the vendor's driver, gets 4096 bytes of names or none at all. Other names there are few.
NAMES = 4096 - 96
#: Bytes that a node takes besides what is in it, generously: its path, header and permissions.
NODE = 120
#: Bytes that a message takes at most.
HEAVIEST = layout.KEY_LIMIT_TO_GUEST + layout.VALUE_LIMIT + NODE * (1 + len(layout.split(b"x" * layout.VALUE_LIMIT)))


def weight(key: bytes, pieces: "list[bytes]") -> int:
    """:returns: the bytes that a message takes in XenStore."""
    return len(key) + sum(map(len, pieces)) + NODE * (1 + len(pieces))


class Unweighed(Exception):
    """Whether there is room cannot be told before these messages are weighed.

    :ivar list numbers: theirs.
    """

    def __init__(self, numbers: "list[int]") -> None:
        super().__init__(numbers)
        self.numbers = numbers


class Backlog:
    """Knows the weights of the messages that wait for one guest. It asks for none while they are few."""

    def __init__(self) -> None:
        self._weights = {}  # type: dict[int, int]

    def admit(self, numbers: "list[int]", messages: "list[Message]") -> None:
        """Check that there is room for more.

        :param numbers: of the messages that wait.
        :param messages: those to be sent.
        :raises QuotaExceeded: there is not.
        :raises Unweighed: find out the weights of these first, and learn them.
        """
        known = self._weights = {number: self._weights[number] for number in numbers if number in self._weights}
        new = sum(weight(message.key, layout.split(message.value)) for message in messages)
        names = sum(len(b"%d\0" % number) for number in numbers)
        if names + len(messages) * len(b"%d\0" % (max(numbers or [0]) + len(messages))) <= NAMES:
            if sum(known.get(number, HEAVIEST) for number in numbers) + new <= LIMIT:
                return
            unknown = [number for number in numbers if number not in known]
            if unknown:
                raise Unweighed(unknown)
        raise QuotaExceeded(
            "no room in XenStore: %d messages wait for the guest already" % len(numbers),
            "see that it runs and reads, then send again",
        )

    def learn(self, weights: "dict[int, int]") -> None:
        """Learn the weights of some messages, by their numbers."""
        self._weights.update(weights)
