# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one client may ask for, and how long a login lasts. All of it in memory, all of it bounded."""

import hashlib
import ipaddress
import math
import secrets
import time
from collections import OrderedDict

#: Clients that are remembered; the ones not seen for longest are forgotten first.
_CLIENTS = 10000


def client_key(address):
    """What counts as one client: an IPv4 address, or the 64 bits of an IPv6 network that one owner has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 6 and found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


class Buckets:
    """A token bucket for each client.

    :param float rate: tokens a second that one gains.
    :param float burst: tokens that one has at most, and at first.
    """

    def __init__(self, rate, burst, clock=time.monotonic):
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets = OrderedDict()

    def take(self, client):
        """Take a token.

        :returns: 0 where there was one, else the seconds until there will be.
        """
        now = self._clock()
        tokens, then = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        wait = 0 if tokens >= 1 else math.ceil((1 - tokens) / self._rate)
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return wait

    def give_back(self, client):
        """Return a token that turned out not to be due."""
        tokens, then = self._buckets.get(client, (self._burst, self._clock()))
        self._buckets[client] = (min(self._burst, tokens + 1), then)


class Sessions:
    """Logins that last: a cookie's random text stands for a user.

    :param float idle: seconds without a request after which one ends.
    :param int per_user: how many a user has at most; the one not used for longest ends first.
    """

    def __init__(self, idle, per_user, clock=time.monotonic):
        self._idle, self._per_user, self._clock = idle, per_user, clock
        self._users = {}

    def open(self, user, stored):
        """A new session.

        :param str stored: what is stored for the user: another password ends the session.
        :returns: the cookie's text.
        """
        self._forget()
        token = secrets.token_urlsafe(32)
        sessions = self._users.setdefault(user, OrderedDict())
        sessions[_digest(token)] = (stored, self._clock())
        while len(sessions) > self._per_user:
            sessions.popitem(last=False)
        return user + ":" + token

    def user(self, cookie, stored):
        """Whose session it is, if it is one; that it is used now keeps it alive.

        :param str cookie: its text.
        :param stored: a function from a user's name to what is stored for that user now.
        :returns: the name, or None.
        """
        user, _colon, token = cookie.partition(":")
        sessions, digest = self._users.get(user, {}), _digest(token)
        session = sessions.pop(digest, None)
        if session is None or self._clock() - session[1] > self._idle or session[0] != stored(user):
            return None
        sessions[digest] = (session[0], self._clock())
        return user

    def _forget(self):
        """Those that are over."""
        limit = self._clock() - self._idle
        for user, sessions in list(self._users.items()):
            while sessions and next(iter(sessions.values()))[1] < limit:
                sessions.popitem(last=False)
            if not sessions:
                del self._users[user]


def _digest(token):
    # Neither does a look-up by digest tell by its time how much of a guess was right.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
