# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is passed on of a guest's report about its configuration: what looks as it should, and nothing else. Pure.

A guest may write anything into it: types that no reader expects, depths that none can follow, names that mean
something to Ansible.
"""

from . import report, values

# Seconds that a script may claim to have taken; there are numbers that no calculation takes.
_LONGEST = 1e9
_STATES = (report.WAITING, report.RUNNING, report.DONE, report.FAILED)


def passed_on(told: dict) -> dict:
    """How the configuration at first boot stands.

    :param dict told: what ``Report.configuration`` gives.
    :returns: ``state``, ``target`` and ``message``, as far as they are there; ``failed`` and ``scripts``. Empty where
        there is no state.
    """
    if told.get("state") not in _STATES:
        return {}
    result = _checked(told, ("state", "target", "message"))
    result["failed"] = [values.clean(name) for name in _list(told.get("failed")) if isinstance(name, str)]
    result["scripts"] = [_script(script) for script in _list(told.get("scripts")) if isinstance(script, dict)]
    return result


def with_boot(told: dict) -> dict:
    """The same with ``boot`` and, where scripts were left out, ``left_out``: how many."""
    result = dict(_checked(told, ("boot",)), **passed_on(told))
    left_out = told.get("left_out")
    if isinstance(left_out, int) and not isinstance(left_out, bool) and 0 < left_out <= _LONGEST:
        result["left_out"] = left_out
    return result


def _script(told):
    """What is told of one script."""
    result = _checked(told, ("name", "status", "message"))
    if isinstance(told.get("changed"), bool):
        result["changed"] = told["changed"]
    seconds = told.get("seconds")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds <= _LONGEST:
        result["seconds"] = seconds
    return result


def _checked(told, names):
    """Those of the members that are text."""
    return {name: values.clean(told[name]) for name in names if isinstance(told.get(name), str)}


def _list(given):
    return given if isinstance(given, list) else []
