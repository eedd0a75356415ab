# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile input for everything that parses: what ``make fuzz`` runs.

``targets`` has one file for each parser. Each takes bytes, makes input of them, and says what has to hold of
whatever comes out. ``engine`` has them tried under atheris, which looks for bytes that lead to new code.
"""

import importlib
import pathlib

_TARGETS = pathlib.Path(__file__).parent / "targets"


def names():
    """The names of all targets."""
    return sorted(path.stem for path in _TARGETS.glob("[a-z]*.py"))


def load(name):
    """A target: a module with

    ``run(data)``
        Try some bytes; raises whatever is wrong.
    ``SEEDS``
        A list of bytes to start from.
    ``TOKENS`` (need not be there)
        A list of bytes that are worth trying as parts of an input.
    ``LONGEST`` (need not be there)
        How many bytes an input has at most.
    """
    return importlib.import_module("fuzz.targets." + name)
