# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts return and describe, and the parameters that they get: JSON from elsewhere."""

import json

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadParameters, BadScript
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.initial import Secrets, lacking_in
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import (
    dump_lines,
    missing,
    parse_enumeration,
    parse_lines,
    parse_object,
)
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.redaction import MASK, Redactor
from fuzz.checks import only
from fuzz.draw import Draw

NAMES = ("key", "description", "required", "hidden", "password", "choices", "depends", "requires")
WORDS = (
    "com.oracle.linux.root-password",
    "com.oracle.linux.user.name.0",
    "a.N",
    "a.0=b",
    "True",
    "yes",
    "no",
    "a",
    "b",
)
TOKENS = [json.dumps(name).encode() + b":" for name in NAMES] + [word.encode() for word in WORDS] + [b'{"a":"b"}\n']
SEEDS = [
    b"",
    b"\x00" + json.dumps([{"key": "a.N", "required": True, "depends": ["b=c"]}]).encode(),
    b"\x00" + b'{"a": "b"}\n{"c": "\\udc80"}\n',
    bytes(range(256)),
    bytes([5, 3, 1, 100, 0]) * 40,
]


def run(data):
    with only(BadParameters):
        parse_lines(data)
    draw = Draw(data)
    answer = draw.json(NAMES, WORDS).decode("utf-8", "surrogateescape")
    described = []
    with only(BadScript):
        described = parse_enumeration(answer, "script")
        json.dumps([parameter.as_dict() for parameter in described]).encode("ascii")
    with only(BadParameters):
        _given(draw, described, parse_object(draw.json(WORDS, WORDS).decode("utf-8", "surrogateescape"), "it"))
    with only(BadParameters):
        given, repeated = parse_lines(b"\n".join(draw.json(WORDS, WORDS) for _number in draw.some(4)))
        if not set(repeated) <= set(given):
            raise AssertionError("given twice, but not there")
        _given(draw, described, given)


def _given(draw, described, given):
    """What is done with parameters that were understood."""
    if not all(isinstance(part, str) for pair in given.items() for part in pair):
        raise AssertionError("a parameter that is no text")
    if given and parse_lines(dump_lines(given)) != (given, []):
        raise AssertionError("parameters that do not come back")
    lacks = missing(described, given)
    if any(given.get(key) for key in lacks) or len(set(lacks)) != len(lacks):
        raise AssertionError("what is there is missing")
    lacking_in(described, "messages", given)
    secrets = Secrets([parameter.key for parameter in described if parameter.secret])
    redactor = Redactor()
    redactor.add_all(given, [parameter.key for parameter in described if parameter.secret])
    for key, value in given.items():
        if not secrets.has(key) or value not in (value.strip(), value) or not value.strip():
            continue
        for said in (
            value,
            json.dumps(value),
            repr(value),
            "x%sy" % value,
            json.dumps({key: [value]}, ensure_ascii=False),
        ):
            shown = redactor.text("before %s after" % said).replace(MASK, "")
            if len(value) > 6 and value in shown:
                raise AssertionError("a secret is to be seen")
    redactor.cut(draw.text(100))
