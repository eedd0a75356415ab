# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's answers about interfaces and addresses, in rtnetlink's format."""

import ipaddress
import struct

from ansible_collections.ovm.messaging.plugins.module_utils.guest import addresses
from fuzz.checks import writable
from fuzz.draw import Draw

_LINK, _ADDRESS, _DONE, _ERROR = 16, 20, 3, 2


def _attribute(kind, body):
    return struct.pack("=HH", len(body) + 4, kind) + body + bytes(-len(body) % 4)


def _message(kind, body, flags=0):
    return struct.pack("=IHHII", len(body) + 16, kind, flags, 1, 0) + body + bytes(-len(body) % 4)


_ETH0 = _message(
    _LINK, struct.pack("=BxHiII", 0, 1, 2, 1, 0) + _attribute(1, b"\x52\x54\0\1\2\3") + _attribute(3, b"eth0\0")
)
_HOME = _message(_ADDRESS, struct.pack("=BBBBI", 2, 24, 0, 0, 2) + _attribute(2, b"\xc0\0\2\1"))
TOKENS = [struct.pack("=H", number) for number in (_LINK, _ADDRESS, _DONE, _ERROR)] + [b"eth0\0", b"\xff\xff\xff\xff"]
SEEDS = [
    _ETH0 + _HOME,
    _ETH0,
    _HOME,
    _message(_DONE, b"\0\0\0\0"),
    _message(_ERROR, b"\xf3\xff\xff\xff"),
    b"",
    b"\0" * 40,
]


def run(data):
    _parsed(data, data)
    at = data.find(_HOME[4:8]) - 4
    if at > 0:
        _parsed(data[:at], data[at:])
    draw = Draw(data)
    _parsed(draw.bytes(200), draw.rest())
    try:
        addresses._ended(data)
    except (OSError, OverflowError, struct.error):
        pass  # see Addresses.interfaces


def _parsed(links, found):
    try:
        interfaces = addresses.parse(links, found)
    except (addresses.Interrupted, struct.error, ValueError):
        return  # see Addresses.interfaces
    writable(interfaces)
    for interface in interfaces:
        if set(interface) != {"name", "mac", "addresses"}:
            raise AssertionError("an interface with other members: %r" % interface)
        for text in interface["addresses"]:
            address, _slash, _prefix = text.partition("/")
            ipaddress.ip_address(address)
