# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a stock script: describing them, and reading what was given."""

import re

from .machine import Failed

#: What every key of the stock scripts starts with.
PREFIX = "com.oracle.linux."


def describe(name, description, **flags):
    """A parameter object, as a script's enumerate function gives it.

    :param str name: its key without PREFIX.
    :param flags: required, hidden, password, choices, depends, requires.
    """
    return dict(flags, key=PREFIX + name, description=description)


def text(parameters, name):
    """A value.

    :param str name: its key without PREFIX.
    :returns: without space around it; None where it is not given, or empty.
    :raises Failed: it has a control character.
    """
    return plain(parameters.get(PREFIX + name, ""), PREFIX + name) or None


def plain(value, key):
    """One line of plain text, without space around it.

    :param str key: what an error names.
    :raises Failed: it has a control character, or what is no text at all.
    """
    value = value.strip()
    # surrogates other than these stand for no byte
    if any(ord(c) < 32 or ord(c) == 127 or "\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in value):
        raise Failed("%s has a control character: give it one line of plain text" % key)
    return value


def boolean(parameters, name):
    """A value that is True or False.

    :returns: None where it is not given.
    :raises Failed: it is neither.
    """
    value = choice(parameters, name, ("True", "False", "yes", "no"))
    return None if value is None else value in ("True", "yes")


def choice(parameters, name, allowed):
    """A value out of several, in any case.

    :returns: as it stands in ``allowed``; None where it is not given.
    :raises Failed: it is none of them.
    """
    value = text(parameters, name)
    if value is None:
        return None
    for one in allowed:
        if value.lower() == one.lower():
            return one
    raise Failed("%s%s has a value that it cannot have: use one of %s" % (PREFIX, name, ", ".join(allowed)))


def words(parameters, name):
    """A value that is a list, separated by commas or space.

    :returns: a list; None where it is not given.
    """
    value = text(parameters, name)
    return None if value is None else value.replace(",", " ").split()


def indexed(parameters, name):
    """Values that are numbered, ``com.oracle.linux.NAME.MEMBER.N``.

    :returns: ``{N: {member: value}}``, ascending; values as they were given.
    """
    pattern = re.compile(re.escape(PREFIX + name) + r"\.([^.]+)\.(0|[1-9][0-9]{0,5})")
    found = {}  # type: dict[int, dict[str, str]]
    for key, value in parameters.items():
        match = pattern.fullmatch(key)
        if match:
            found.setdefault(int(match.group(2)), {})[match.group(1)] = value
    return {number: found[number] for number in sorted(found)}
