# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""How a machine of the census becomes a host of an inventory: its variables, and its name. Pure."""

import re
from collections import Counter

from .addresses import usable

# What patterns of hosts, ranges, paths and terminals give a meaning to.
_UNSAFE = re.compile(r"[^\w.@+-]+")
# A first character that looks like an option, a hidden file, or a part of a pattern.
_BAD_START = re.compile(r"\A[^\w]+")
#: Bytes of the longest name; file systems take 255, and an id may have to follow.
LONGEST = 200
# Names that mean this controller, or groups that are always there: plays for these must not reach a guest.
_RESERVED = ("localhost", "127.0.0.1", "all", "ungrouped")
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def good_prefix(prefix: str) -> bool:
    """Whether names of variables can start so."""
    return bool(_PREFIX.match(prefix))


def variables(facts: dict, prefix: str) -> dict:
    """The variables of a host.

    :param dict facts: a machine of the census.
    :param str prefix: starts the names of all.
    """
    result = {name: facts[name] for name in ("id", "name", "state", "interfaces")}
    addresses = dict.fromkeys(str(address) for _name, address in usable(facts["interfaces"]))
    result["addresses"] = list(addresses)
    for direction, times in (("received", "times"), ("sent", "sent_times")):
        if direction in facts:
            told = facts[direction]
            result.update({direction: told["text"], "binary_" + direction: told["binary"], times: told["times"]})
    result.update((name, facts[name]) for name in ("masked", "report") if name in facts)
    return {prefix + name: value for name, value in result.items()}


def safe_name(name: str) -> str:
    """A name as a host's: what Ansible, a shell or a file system gives a meaning to becomes an underscore."""
    name = _UNSAFE.sub("_", _BAD_START.sub("_", name))
    return name.encode("utf-8")[:LONGEST].decode("utf-8", "ignore")


def unique_names(wanted: "list[tuple[str, str]]") -> "tuple[dict[str, str], list[str]]":
    """A name for each machine that no other has.

    :param wanted: pairs of an id and a name.
    :returns: the names by id: where several want the same one, all of them get their id behind it, and so does who
        wants one that has a meaning of its own; and which names these are.
    """
    counts = Counter(name for _id, name in wanted)
    counts.update(_RESERVED)
    counts.update({identity for identity, name in wanted if name != identity})  # nobody is to be called as that one
    names = {identity: name if counts[name] == 1 else "%s_%s" % (name, identity) for identity, name in wanted}
    again = Counter(names.values())
    names = {identity: name if again[name] == 1 else identity for identity, name in names.items()}
    return names, sorted({name for _id, name in wanted if counts[name] > 1})
