# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong with the configuration of a guest by scripts, each as a type of its own."""

from ..problem import Problem


class FirstBootError(Problem):
    """Base of every error of this core."""


class UnknownTarget(FirstBootError, ValueError):
    """There is no target of that name."""


class BadScript(FirstBootError):
    """A script is missing, or not as its interface demands."""


class BadParameters(FirstBootError, ValueError):
    """Parameters that cannot be read, or are not what the scripts demand; no script has run."""


class Busy(FirstBootError):
    """Another run is going on, and did not end in time."""


class SourceError(FirstBootError):
    """A source of parameters (a disc, a terminal, a settings file) cannot be read."""


class LayoutError(FirstBootError):
    """The directory of the scripts and links is missing, not as it should be, or cannot be changed."""
