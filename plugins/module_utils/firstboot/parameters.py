# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Parameters as scripts describe and get them: text in JSON. Pure.

A byte that is not UTF-8 is a lone surrogate here, as in what ``ovmd -l`` prints, and as
Python's ``surrogateescape`` has it.
"""

import json

from ..secret_names import secret_by_name
from .errors import BadParameters, BadScript

# Members of a parameter object; the last three are recalled from the vendor's manual.
_FLAGS = ("required", "hidden", "password")
_LISTS = ("choices", "depends", "requires")
_OBJECT = 'write it as an object, as in {"key": "value"}'


class Parameter:
    """One parameter, as a script describes it.

    :ivar str key: its full key.
    :ivar str description: for people; also what the console asks.
    :ivar bool required: without it the script cannot do its part.
    :ivar bool hidden: not asked for on the console.
    :ivar bool password: not shown, nor echoed.
    :ivar list choices: the values that it may have; empty where any will do.
    :ivar list depends: only asked for where these hold: keys, or ``key=value``.
    :ivar list requires: keys that must be given where this one is.
    """

    def __init__(
        self, key, description="", required=False, hidden=False, password=False, choices=(), depends=(), requires=()
    ) -> None:
        self.key, self.description = key, description
        self.required, self.hidden, self.password = required, hidden, password
        self.choices, self.depends, self.requires = list(choices), list(depends), list(requires)

    @property
    def secret(self) -> bool:
        """:returns: whether its value must never be shown."""
        return bool(self.password) or secret_by_name(self.key.encode("utf-8", "surrogateescape"))

    def wanted(self, given: "dict[str, str]") -> bool:
        """:returns: whether all that it depends on holds. Of several values for one key one is enough."""
        conditions = {}  # type: dict[str, list[str]]
        for condition in self.depends:
            key, equals, value = condition.partition("=")
            conditions.setdefault(_first(key), []).extend([value] if equals else [])
        return all(given.get(key) and (not values or given[key] in values) for key, values in conditions.items())

    @classmethod
    def parse(cls, described, script: str) -> "Parameter":
        """A parameter out of a script's JSON.

        :param described: one member of the array.
        :param str script: the script's name, for errors.
        :raises BadScript: saying what is wrong with it.
        """
        if not isinstance(described, dict) or not isinstance(described.get("key"), str) or not described["key"]:
            raise BadScript(
                "the script '%s' describes a parameter without a key" % script, "give each an object with a 'key'"
            )
        found = {name: _flag(described.get(name)) for name in _FLAGS}
        for name in _LISTS:
            value = described.get(name)
            found[name] = [str(v) for v in value] if isinstance(value, list) else [str(value)] if value else []
        parameter = cls(described["key"], str(described.get("description") or ""), **found)
        try:
            for text in [parameter.key, parameter.description] + sum((found[name] for name in _LISTS), []):
                _checked(text, "the script '%s'" % script)
        except BadParameters as problem:
            raise BadScript(problem.text, problem.remedy) from None
        return parameter

    def as_dict(self) -> dict:
        """What ``--enumerate`` prints of it."""
        result = dict(key=self.key, description=self.description)
        result.update((name, getattr(self, name)) for name in _FLAGS)
        result.update((name, getattr(self, name)) for name in _LISTS if getattr(self, name))
        return result


def parse_enumeration(text: str, script: str) -> "list[Parameter]":
    """What a script's enumerate function returned.

    :raises BadScript: it is not a JSON array of parameter objects.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadScript(
            "the script '%s' describes its parameters in what is no JSON" % script,
            "let its enumerate function return json.dumps of a list",
        ) from None
    if not isinstance(found, list):
        raise BadScript(
            "the script '%s' describes its parameters in what is no JSON array" % script,
            "let its enumerate function return json.dumps of a list",
        )
    return [Parameter.parse(described, script) for described in found]


def parse_object(text: str, what: str) -> "dict[str, str]":
    """A JSON object of keys and values.

    :param str what: what an error calls it.
    :raises BadParameters: it is none; or a value is neither text, number nor boolean.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParameters("%s is no JSON" % what, _OBJECT) from None
    if not isinstance(found, dict):
        raise BadParameters("%s is no JSON object" % what, _OBJECT)
    return {_checked(key, what): _checked(_value(key, value, what), what) for key, value in found.items()}


def parse_lines(data: bytes) -> "tuple[dict[str, str], list[str]]":
    """Parameters as ``ovmd -l`` prints them: one JSON object a line. An object over several lines will do, too.

    :returns: the parameters in order, and the keys that were given more than once: the last value holds.
    :raises BadParameters: naming the line.
    """
    found = {}  # type: dict[str, str]
    repeated = []  # type: list[str]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise BadParameters(
            "line %d of the parameters is not UTF-8" % (data.count(b"\n", 0, problem.start) + 1),
            "write such bytes as JSON escapes, as 'ovmd -l' does",
        ) from None
    stripped = text.strip()
    if stripped.startswith("{") and "\n" in stripped:
        try:
            return parse_object(stripped, "the parameters"), []
        except BadParameters:
            pass  # several objects, most likely
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        for key, value in parse_object(line, "line %d of the parameters" % number).items():
            if key in found:
                repeated.append(key)
            found[key] = value
    return found, repeated


def dump_lines(parameters: "dict[str, str]") -> bytes:
    """The same the other way round."""
    return "".join(json.dumps({key: value}) + "\n" for key, value in parameters.items()).encode("ascii")


def missing(described: "list[Parameter]", given: "dict[str, str]") -> "list[str]":
    """The required keys that were not given, in order.

    One that depends on others is required only where these hold. Of many, ``KEY.N``, the first is: ``KEY.0``.
    """
    result = []  # type: list[str]
    for parameter in described:
        key = _first(parameter.key)
        if parameter.required and parameter.wanted(given) and not given.get(key) and key not in result:
            result.append(key)
    return result


def _first(key):
    return key[:-1] + "0" if key.endswith(".N") else key


def _flag(value):
    return value.lower() in ("true", "yes", "1") if isinstance(value, str) else bool(value)


def _checked(text, what):
    """The text itself, where bytes can be made of it.

    :raises BadParameters: it has half a character, as JSON can spell it.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadParameters("%s has text that is not valid Unicode" % what, "give it in UTF-8") from None
    return text


def _value(key, value, what):
    if isinstance(value, bool):
        return str(value)  # booleans are the words True and False
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return value
    raise BadParameters("%s has a value of '%s' that is no text" % (what, key), "give values as JSON strings")
