# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""How a run of scripts went. Pure."""

from collections import namedtuple

#: How a script ended. ``skipped``: it was not asked, as in check mode it cannot say what it would do.
OK, FAILED, SKIPPED = "ok", "failed", "skipped"


class ScriptResult(namedtuple("ScriptResult", ("name", "priority", "status", "changed", "seconds", "message"))):
    """How one script went.

    :ivar str name: the script.
    :ivar int priority: its place in the chain.
    :ivar str status: OK, FAILED or SKIPPED.
    :ivar changed: whether it changed anything, as it says itself; None where it does not say.
    :ivar float seconds: how long it ran.
    :ivar str message: why it failed, in one line, without any secret; else an empty string.
    """

    __slots__ = ()

    def as_dict(self) -> dict:
        """For JSON."""
        return dict(self._asdict())


class Result(namedtuple("Result", ("target", "scripts", "parameters"))):
    """How a run went.

    :ivar str target: the target.
    :ivar list scripts: of ScriptResult, in the order in which they ran.
    :ivar dict parameters: what the last script has passed on: str to str. May hold secrets.
    """

    __slots__ = ()

    @property
    def failed(self) -> "list[ScriptResult]":
        """:returns: the scripts that failed."""
        return [script for script in self.scripts if script.status == FAILED]

    @property
    def changed(self) -> bool:
        """:returns: whether anything was, or may have been, changed: a script that does not say counts as a change."""
        return any(script.changed is not False for script in self.scripts)

    def as_dict(self) -> dict:
        """For JSON; without the parameters, which may be secrets."""
        return dict(
            target=self.target,
            failed=[script.name for script in self.failed],
            changed=self.changed,
            scripts=[script.as_dict() for script in self.scripts],
        )

    def __repr__(self):
        # Parameters may be secrets, and a repr ends up in tracebacks and logs.
        return "Result(target=%r, scripts=%r, parameters=<%d>)" % (self.target, self.scripts, len(self.parameters))
