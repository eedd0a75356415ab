# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to happen for a parameter list to be as wanted. Pure: looks and changes nothing."""

from ..channel.layout import EVENT_KEY
from .entry import Entry


class Plan:
    """The way from one list to another.

    :ivar list before: the list as it is, of Entry.
    :ivar list send: the messages to transmit and store, in order.
    :ivar list delete: the keys to delete.
    :ivar list conceal: the keys to mark as secret, which changes nothing that can be seen.
    :ivar list after: the list as it will be, of Entry.
    """

    def __init__(self, before, send=(), delete=(), secret=()):
        self.before, self.send, self.delete = list(before), list(send), list(delete)
        gone = set(self.delete)
        self.conceal = [e.key for e in before if e.key in secret and not e.secret and e.key not in gone]
        after = {entry.key: entry for entry in before if entry.key not in gone}
        for key, value in self.send:
            if key != EVENT_KEY:
                after[key] = Entry(key, value, False)
        was_secret = {entry.key for entry in before if entry.secret}
        self.after = [e._replace(secret=e.key in secret or e.key in was_secret) for e in after.values()]

    @property
    def changed(self):
        """Whether a run of it transmits or deletes anything."""
        return bool(self.send or self.delete)


def with_pending(entries, messages):
    """The list as it will be once pending messages are received.

    :param entries: the list, of Entry.
    :param messages: of Message.
    :rtype: list of Entry
    """
    return Plan(entries, send=messages).after


def present(entries, messages, secret=(), exclusive=False, resend=False):
    """Parameters that are to be there with these values.

    :param entries: the list as it is, of Entry.
    :param messages: what is wanted, in order, each key once, of Message.
    :param secret: the keys whose values are secrets.
    :param bool exclusive: delete every other parameter.
    :param bool resend: transmit also what is there already with that value.
    :rtype: Plan
    """
    now = {entry.key: entry.value for entry in entries}
    wanted = {message.key for message in messages}
    return Plan(
        entries,
        send=[message for message in messages if resend or now.get(message.key) != message.value],
        delete=[entry.key for entry in entries if exclusive and entry.key not in wanted],
        secret=secret,
    )


def absent(entries, keys=None):
    """Parameters that are not to be there.

    :param entries: the list as it is, of Entry.
    :param keys: which, or None for all of them.
    :rtype: Plan
    """
    return Plan(entries, delete=[entry.key for entry in entries if keys is None or entry.key in keys])


def carry_out(plan, backend, secret=()):
    """Make it so.

    :param Plan plan: what has to happen.
    :param backend: see guest.backend.
    :param secret: the keys whose values are secrets.
    :returns: the list afterwards, of Entry.
    :raises SendFailed: a parameter could not be transmitted; nothing was deleted then.
    """
    if plan.send:
        backend.set(plan.send, secret)
    if plan.conceal:
        backend.conceal(plan.conceal)
    if plan.delete:
        backend.delete(plan.delete)
    return backend.entries()
