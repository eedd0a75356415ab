# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The addresses of this guest's network interfaces, and news of them, straight from the kernel.

Over rtnetlink: no program is started, and a change is heard of at once. The formats and
numbers are those of the kernel's headers ``linux/netlink.h``, ``rtnetlink.h``,
``if_link.h`` and ``if_addr.h``; see also rtnetlink(7).
"""

import errno
import os
import struct
from _socket import (  # the socket module would cost the daemon half a megabyte
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_UNSPEC,
    NETLINK_ROUTE,
    SOCK_CLOEXEC,
    SOCK_RAW,
    inet_ntop,
    socket,
)

from .errors import AddressesUnavailable

_MESSAGE = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_LINK = struct.Struct("=BxHiII")  # family, hardware, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix, flags, scope, index

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 18, 20, 22
_NLM_F_REQUEST, _NLM_F_DUMP_INTR, _NLM_F_DUMP = 0x1, 0x10, 0x300
_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
_NLA_TYPE = 0x3FFF

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO = 1, 3, 18
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_ARPHRD_ETHER, _ARPHRD_INFINIBAND = 1, 32

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_TEMPORARY, _IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE = 0x01, 0x08, 0x20, 0x40
_RT_SCOPE_LINK = 253

# Seconds; the kernel answers at once.
_PATIENCE = 5.0
# How often to ask again when something changed in the middle of the answer.
_ATTEMPTS = 10
_BUFFER = 1 << 16


class Interrupted(Exception):
    """Something changed while the kernel answered: the answer may be neither the old nor the new state."""


class Addresses:
    """Tells this guest's addresses, and that they have changed.

    :raises AddressesUnavailable: there is no netlink for this process.
    """

    def __init__(self):
        self._news = _socket(_RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR)
        self._news.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self._news.close()

    def fileno(self) -> int:
        """:returns: a descriptor that is readable when interfaces or addresses have changed."""
        return self._news.fileno()

    def drain(self) -> bool:
        """Take all news.

        :returns: whether there were any.
        """
        changed = False
        while True:
            try:
                self._news.recv(_BUFFER)
            except BlockingIOError:
                return changed
            except OSError as problem:
                if problem.errno != errno.ENOBUFS:  # more news than there was room for: all the more
                    raise _unavailable(problem) from problem
            changed = True

    def interfaces(self) -> "list[dict]":
        """The interfaces: dicts of ``name``, ``mac`` and ``addresses``, in the kernel's order.

        Without the loopback interface; those that were made by software, such as bridges, only
        where they have addresses. Addresses are those at which others may reach the guest now, as
        ``IP/PREFIX``: none that is link-local, temporary (both IPv6), deprecated, not yet known
        to be the only one of its kind, or of an interface that is down.

        :raises AddressesUnavailable: the kernel does not tell.
        """
        for _attempt in range(_ATTEMPTS):
            try:
                return parse(_dump(_RTM_GETLINK), _dump(_RTM_GETADDR))
            except Interrupted:
                continue
            except OSError as problem:
                if problem.errno != errno.ENOBUFS:
                    raise _unavailable(problem) from problem
            except (struct.error, OverflowError, ValueError) as problem:
                raise AddressesUnavailable(
                    "the kernel's answer about this guest's addresses makes no sense",
                    "see the kernel's log; ovmd goes on trying",
                ) from problem
        raise AddressesUnavailable(
            "this guest's addresses change too fast to be read", "see what changes them; ovmd goes on trying"
        )


def parse(links: bytes, addresses: bytes) -> "list[dict]":
    """What two dumps say.

    :param bytes links: the kernel's messages RTM_NEWLINK, one after the other.
    :param bytes addresses: likewise RTM_NEWADDR.
    :returns: see Addresses.interfaces.
    :raises Interrupted: one of them is marked so.
    """
    found = {}
    for body in _bodies(links, _RTM_NEWLINK):
        _family, hardware, index, flags, _change = _LINK.unpack_from(body)
        if flags & _IFF_LOOPBACK:
            continue
        attributes = _attributes(body, _LINK.size)
        found[index] = {
            "name": attributes.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "backslashreplace"),
            "mac": _mac(attributes.get(_IFLA_ADDRESS, b"")) if hardware in (_ARPHRD_ETHER, _ARPHRD_INFINIBAND) else "",
            "addresses": [],
            "up": bool(flags & _IFF_UP),
            "real": hardware == _ARPHRD_ETHER and _IFLA_LINKINFO not in attributes,
        }
    for body in _bodies(addresses, _RTM_NEWADDR):
        family, prefix, flags, scope, index = _ADDRESS.unpack_from(body)
        attributes = _attributes(body, _ADDRESS.size)
        if _IFA_FLAGS in attributes:
            flags = struct.unpack("=I", attributes[_IFA_FLAGS])[0]  # the header's 8 bits do not hold all of them
        # Of a point-to-point interface IFA_ADDRESS is the other end.
        raw = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
        if index in found and found[index]["up"] and _reachable(family, flags, scope):
            found[index]["addresses"].append("%s/%d" % (inet_ntop(family, raw), prefix))
    return [
        {name: interface[name] for name in ("name", "mac", "addresses")}
        for interface in found.values()
        if interface["addresses"] or interface["real"]
    ]


def _reachable(family, flags, scope):
    if family not in (AF_INET, AF_INET6):
        return False
    if flags & (_IFA_F_DADFAILED | _IFA_F_DEPRECATED | _IFA_F_TENTATIVE):
        return False
    # The bit of temporary addresses means secondary ones in IPv4.
    return family == AF_INET or not (scope == _RT_SCOPE_LINK or flags & _IFA_F_TEMPORARY)


def _mac(raw):
    return ":".join("%02x" % byte for byte in raw)


def _bodies(data, kind):
    """What is behind the headers of the messages of a kind."""
    at = 0
    while at < len(data):
        length, found, flags, _sequence, _port = _MESSAGE.unpack_from(data, at)
        if length < _MESSAGE.size or at + length > len(data):
            raise ValueError("a message of %d bytes" % length)
        if flags & _NLM_F_DUMP_INTR:
            raise Interrupted
        if found == kind:
            yield data[at + _MESSAGE.size : at + length]
        at += _aligned(length)


def _attributes(body, at):
    """The attributes from a place on: dict of type to bytes."""
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size or at + length > len(body):
            raise ValueError("an attribute of %d bytes" % length)
        found[kind & _NLA_TYPE] = body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _aligned(length):
    return (length + 3) & ~3


def _dump(request):
    """All the kernel answers to one request, up to its end."""
    # A socket of its own: no news come in between.
    asking = _socket(0)
    try:
        asking.settimeout(_PATIENCE)
        body = _LINK.pack(AF_UNSPEC, 0, 0, 0, 0)
        header = _MESSAGE.pack(_MESSAGE.size + len(body), request, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0)
        asking.send(header + body)
        answer = b""
        while True:
            part = asking.recv(_BUFFER)
            answer += part
            if _ended(part):
                return answer
    finally:
        asking.close()


def _ended(part):
    """Whether a dump ends with this part.

    :raises OSError: the kernel refuses.
    """
    at = 0
    while at < len(part):
        length, kind, _flags, _sequence, _port = _MESSAGE.unpack_from(part, at)
        if kind == _NLMSG_ERROR:
            code = -struct.unpack_from("=i", part, at + _MESSAGE.size)[0]
            raise OSError(code, os.strerror(code))
        if kind == _NLMSG_DONE:
            return True
        at += max(_aligned(length), _MESSAGE.size)
    return not part


def _socket(groups):
    made = None
    try:
        made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
        made.bind((0, groups))
        return made
    except OSError as problem:
        if made is not None:
            made.close()
        raise _unavailable(problem) from problem


def _unavailable(problem):
    return AddressesUnavailable(
        "this guest's addresses cannot be read (%s)" % (problem.strerror or "no answer"),
        "see that this process may use netlink sockets",
    )
