# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of the oracle-vmapi tree: paths, limits, numbers and pieces. Pure functions.

Source of the facts: the guest kernel driver ``ovmapi`` and the vendor's manual, and,
where it says "observed", that driver on Xen 4.17 with the C xenstored. docs/explanation/protocol.md
tells the whole story.
"""

#: Where the channel lives below a domain's home ``/local/domain/<domid>``.
ROOT = b"control/oracle-vmapi"
#: Messages from the host to the guest; the guest watches its ``last-write``.
TO_GUEST = ROOT + b"/to-guest"
#: Messages from the guest to the host; the host watches its ``last-write``.
FROM_GUEST = ROOT + b"/from-guest"
#: The counter's name in either direction: the number of the newest whole message.
LAST_WRITE = b"last-write"

#: A message with exactly this key is an event for the processes of the guest, and is never
#: stored there (confirmed in the driver).
EVENT_KEY = b"VMAPIEvent"

#: Longest key, in bytes, that arrives whole: the driver's buffers are 256 bytes with
#: a NUL going out and 255 with a NUL coming in. Longer keys would be cut silently.
KEY_LIMIT_FROM_GUEST = 255
KEY_LIMIT_TO_GUEST = 254
#: Longest value, in bytes, that arrives: 8192 with the driver's terminating NUL.
VALUE_LIMIT = 8191

#: Piece size, in bytes, of the vendor's driver.
DRIVER_PIECE = 2048
#: Piece size, in bytes, that we write. A stock xenstored lets a guest store at most
#: 2015 bytes in a node, 8 fewer for each permission entry after the first (observed).
#: 1640 is the smallest size that still carries VALUE_LIMIT in five pieces, which is
#: the fewest possible: it leaves room for 46 further entries and costs nothing.
PIECE = 1640


def home(domid: int) -> bytes:
    """The home of a domain.

    :param int domid: the domain's number.
    :rtype: bytes
    """
    return b"/local/domain/%d" % domid


def child(parent: bytes, name: "bytes | int") -> bytes:
    """The path of a child.

    :param bytes parent: path of the parent.
    :param name: the child's name as bytes, or a message or piece number as int.
    :rtype: bytes
    """
    return parent + b"/" + (b"%d" % name if isinstance(name, int) else name)


def split(value: bytes, size: int = PIECE) -> "list[bytes]":
    """Cut a value into the pieces that are stored as children 0, 1, 2...

    An empty value is one empty piece: a message without child 0 counts as lost.

    :param bytes value: the whole value.
    :param int size: bytes a piece.
    :rtype: list of bytes
    """
    return [value[at : at + size] for at in range(0, len(value), size)] or [b""]


def join(pieces: "list[bytes]", overwritten: bool = False) -> bytes:
    """Put a value together again that a host wrote, in pieces of any size.

    :param pieces: the children 0, 1, 2... in order, as bytes.
    :param bool overwritten: of no matter here, see join_from_guest.
    :rtype: bytes
    """
    return b"".join(pieces)


def join_from_guest(pieces: "list[bytes]", overwritten: bool = False) -> bytes:
    """Put a value together again that the vendor's driver may have written.

    :param pieces: the children 0, 1, 2... in order, as bytes.
    :param bool overwritten: the message lies over an older one of the same number, whose
        pieces may follow: the driver counts from 1 again after a checkpoint, over
        whatever nobody had collected.
    :rtype: bytes
    """
    pieces = list(pieces)
    if overwritten and _cut_by_us(pieces):
        return b"".join(pieces)
    last = 0  # all of the driver's pieces but the last are full
    while last < len(pieces) and len(pieces[last]) == DRIVER_PIECE:
        last += 1
    # The driver's defect: where the value's length plus one is a multiple of 2048, it
    # writes one stray piece of undefined content behind the last one, of 2047 bytes.
    stray = last + 2 == len(pieces) and len(pieces[last]) == DRIVER_PIECE - 1
    if stray or overwritten:
        del pieces[last + 1 :]
    return b"".join(pieces)


def _cut_by_us(pieces):
    """Whether this is how split() cuts, and so all of it is one value: we write over nothing."""
    full = all(len(piece) == PIECE for piece in pieces[:-1])
    # The driver's values end with a NUL.
    return len(pieces) > 1 and full and 0 < len(pieces[-1]) <= PIECE and not pieces[0].endswith(b"\0")


def counter(text: "bytes | None") -> "int | None":
    """The number in a ``last-write`` node, or None where there is none in it.

    Leading blanks and zeros and trailing text are passed over, as the driver does
    (observed: ``58\\n`` and ``  060 xyz`` count; ``abc``, ``-1`` and nothing do not).

    :param text: what the node holds, or None where it does not exist.
    :rtype: int or None
    """
    text = (text or b"").lstrip()
    digits = text[: len(text) - len(text.lstrip(b"0123456789"))]
    counted = digits.lstrip(b"0")
    # More digits than a 32-bit counter has are no counter, whoever wrote them.
    return int(counted or b"0") if digits and len(counted) <= 10 else None


def number(name: bytes) -> "int | None":
    """The number that a node's name is, or None: canonical decimal, at most 32 bits.

    :param bytes name: the name of a message or piece node.
    :rtype: int or None
    """
    if not name.isdigit() or len(name) > 10 or (name[:1] == b"0" and name != b"0"):
        return None
    return int(name)


def numbers(names: "list[bytes]") -> "list[int]":
    """The message numbers among the names in a directory, ascending.

    Messages count from 1; everything else (``last-write``, ``0``, ``01``, ``x``) is
    no message.

    :param names: iterable of bytes.
    :rtype: list of int
    """
    return sorted(n for n in map(number, names) if n)


def whole(names: "list[bytes]") -> bool:
    """Whether the names of a message's children are exactly 0, 1, 2... without a gap.

    :param names: iterable of bytes.
    :rtype: bool
    """
    names = list(names)
    return set(map(number, names)) == set(range(len(names)))
