# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""How long to wait before looking or trying again."""

import random
from collections.abc import Iterator


def growing(first: float, factor: float, longest: float) -> "Iterator[float]":
    """Seconds, each time more, up to the longest; without end."""
    pause = first
    while True:
        yield pause
        pause = min(pause * factor, longest)


def spread(pause: float) -> float:
    """Between half of a pause and all of it, so that many who were refused at once do not come again at once."""
    return pause * (0.5 + random.random() / 2)  # noqa: S311 - nothing depends on its being guessed
