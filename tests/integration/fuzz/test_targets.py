# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of ``make fuzz``, without atheris: nothing is wrong with their seeds, nor with inputs made of these."""

import random
import time

import pytest

import fuzz
from fuzz.draw import Draw

#: Inputs made of the seeds of a target, and seconds after which it is enough.
INPUTS, ENOUGH = 60, 0.4


def spoilt(data, chance):
    """The data with a few bytes changed, added or gone."""
    result = bytearray(data)
    for _number in range(chance.randint(1, 6)):
        at = chance.randint(0, len(result))
        kind = chance.randint(0, 2)
        if kind == 0:
            result[at:at] = chance.randbytes(chance.randint(1, 30))
        elif kind == 1:
            del result[at : at + chance.randint(1, 4)]
        else:
            result[at : at + 1] = chance.randbytes(1)
    return bytes(result)


@pytest.mark.parametrize("name", fuzz.names())
def test_a_target_holds(name):
    target, chance, began = fuzz.load(name), random.Random(name), time.monotonic()
    for seed in target.SEEDS:
        target.run(seed)
    for _number in range(INPUTS):
        if time.monotonic() - began > ENOUGH:
            break
        data = spoilt(chance.choice(target.SEEDS), chance)[: getattr(target, "LONGEST", 4096)]
        try:
            target.run(data)
        except BaseException:
            print("%s: %r" % (name, data))
            raise


def test_the_same_bytes_are_the_same_input():
    data = bytes(range(256)) * 3
    one, other = Draw(data), Draw(data)
    for _number in range(20):
        assert repr(one.tree()) == repr(other.tree()) and one.text() == other.text() and bool(one) == bool(other)
    assert (
        one.rest() == other.rest() and not one and one.byte() == 0 and one.bytes(9) == b"" and list(one.some(3)) == []
    )


def test_a_target_notices_a_fault(monkeypatch):
    target = fuzz.load("script_headers")
    monkeypatch.setattr(target, "is_name", lambda name: False)
    with pytest.raises(AssertionError, match="a script is called"):
        target.run(target.SEEDS[0])
