# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is shown with -v while a module waits. Private to this collection; for action plugins.

A module cannot say anything before its end. So what it is going to wait for is said before it runs. One that runs
on the controller then writes how things stand to a file of ours, which is read meanwhile.
"""

import contextlib
import json
import os
import tempfile
import threading
import time

from ansible import constants
from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_list
from ansible.utils.display import Display

from ..module_utils.delivery.many import some
from ..module_utils.problem import one_line

#: Seconds before the first word about how things stand, and between two where nothing has changed.
FIRST, AGAIN = 5.0, 30.0
# Seconds between two looks at what the module has written.
_LOOK = 0.2
_display = Display()


def wanted(action) -> bool:
    """Whether anybody is to be told what an action plugin's task waits for."""
    task = action._task
    return _display.verbosity > 0 and not task.no_log and not task.async_val


def show(action, task_vars, text):
    """Show a line, as all lines of -v look."""
    # Names come from elsewhere.
    _display.v("%s: %s" % (action._task.action, one_line(text)), host=(task_vars or {}).get("inventory_hostname"))


def truth(given, default=False) -> bool:
    """An option as a boolean; one that is none is the module's to refuse."""
    try:
        return default if given is None else check_type_bool(given)
    except TypeError:
        return default


def seconds(given, default) -> float:
    """An option as a number, likewise."""
    try:
        return default if given is None else check_type_float(given)
    except (TypeError, ValueError):
        return default


def names(given) -> "list[str]":
    """An option's list of names, or the keys of a dict, likewise."""
    try:
        return [str(name) for name in (given if isinstance(given, dict) else check_type_list(given or []))]
    except TypeError:
        return []


def listed(found) -> str:
    """Names in a line: the first few, and how many more there are."""
    return some(list(dict.fromkeys(found)))


@contextlib.contextmanager
def watching(action, task_vars):
    """Show what a module writes about how things stand, for as long as the context lasts.

    :returns: the options that have the module write it; none where it runs on another machine.
    """
    if action._connection.transport != "local":
        yield {}
        return
    handle, path = tempfile.mkstemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP)
    end = threading.Event()
    with os.fdopen(handle, encoding="ascii") as file:
        watcher = threading.Thread(
            target=_watch, args=(file, end, lambda text: show(action, task_vars, text)), daemon=True
        )
        watcher.start()
        try:
            yield {"_progress": path}
        finally:
            end.set()
            watcher.join()
            os.unlink(path)


def _watch(file, end, tell):
    started = told_at = time.monotonic()
    text = told = ""
    while not end.wait(_LOOK):
        for line in file:
            text = json.loads(line)
        now = time.monotonic()
        if text and now - told_at >= (FIRST if text != told else AGAIN):
            tell("after %d s: %s" % (now - started, text))
            told, told_at = text, now
