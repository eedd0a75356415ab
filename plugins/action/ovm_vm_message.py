# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of ovm_vm_message: what must not, or cannot, be done in the module itself.

A module's options are shown with -vvv and logged on its target, all but those that are secret
as a whole. So secrets among the messages are moved there before the module sees them; an entry
with nothing but the key keeps their place. And YAML tells the keys 1 and "1" apart, of which
only one would arrive. With -v, it tells what is waited for.
"""

import json

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_dict
from ansible.plugins.action.normal import ActionModule as NormalAction

from ..module_utils.secret_names import secret_by_name
from ..plugin_utils import progress


class ActionModule(NormalAction):
    """Runs the module as usual, once its messages are sorted."""

    def run(self, tmp=None, task_vars=None):
        arguments = self._task.args = dict(self._task.args)
        secrets = _parsed("secret_messages", arguments.get("secret_messages"))
        if secrets is not None:
            if not isinstance(secrets, dict):
                raise AnsibleActionFail("secret_messages is no dict: give the messages key by key")
            secrets = arguments["secret_messages"] = _named("secret_messages", secrets)
        entries = _entries(_parsed("messages", arguments.get("messages")))
        if entries is not None:
            arguments["messages"], moved = _without_secrets(entries, secrets or {})
            if moved:
                arguments["secret_messages"] = dict(secrets or {}, **moved)
        if isinstance(arguments.get("wait_for"), dict):
            arguments["wait_for"] = [arguments["wait_for"]]
        if not progress.wanted(self):
            return super().run(tmp, task_vars)
        text = _waiting(arguments)
        if text and not self._task.check_mode:
            progress.show(self, task_vars, text)
        try:
            with progress.watching(self, task_vars) as options:
                self._task.args = dict(arguments, **options)
                return super().run(tmp, task_vars)
        finally:
            self._task.args = arguments


def _waiting(arguments):
    """What the module is going to wait for; empty for nothing."""
    answers = arguments.get("wait_for")
    keys = [str(each.get("key")) for each in answers if isinstance(each, dict)] if isinstance(answers, list) else []
    machines = progress.listed(progress.names(arguments.get("vms") or [arguments.get("vm")]))
    parts = []
    if progress.truth(arguments.get("wait")):
        parts.append("until what is sent has arrived in " + machines)
    if keys:
        parts.append("for the answers %s of %s" % (progress.listed(keys), machines))
    timeout = progress.seconds(arguments.get("wait_timeout"), 300.0)
    return "waiting up to %g s %s" % (timeout, ", and ".join(parts)) if parts else ""


def _parsed(option, given):
    """What an option holds, also where it was written as text, as on the command line."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given) if given.lstrip().startswith("[") else check_type_dict(given)
    except (TypeError, ValueError):
        # Without the reason, which may quote a secret.
        raise AnsibleActionFail("%s cannot be read: give a dict, a list, or JSON" % option) from None


def _named(option, given):
    """A dict with its keys as text, as the module would see them."""
    result, kinds = {}, {}
    for key, value in given.items():
        name = _name(key)
        if name in result:
            raise AnsibleActionFail(
                "%s has the key '%s' twice, as %s and as %s: give each message once"
                % (option, name, kinds[name], _kind(key))
            )
        result[name], kinds[name] = value, _kind(key)
    return result


def _entries(given):
    """The messages as a list of dicts; or None where there are none, or what the module will refuse."""
    if isinstance(given, dict):
        return [dict(key=key, value=value) for key, value in _named("messages", given).items()]
    if not isinstance(given, (list, tuple)):
        return None
    return [dict(entry, key=_name(entry["key"])) if _has_key(entry) else entry for entry in given]


def _without_secrets(entries, known):
    """Split the messages.

    :param entries: a list of dicts.
    :param known: the secrets that are given as such.
    :returns: the entries with secrets taken out of them, and these by key.
    """
    kept, moved, seen = [], {}, set()
    for entry in entries:
        if not _has_key(entry) or set(entry) - {"key", "value", "secret"} or len(entry) > 2:
            # Here already: the module would show it.
            raise AnsibleActionFail(
                "message %d is no message: give it a key, and a value or a secret" % (len(kept) + 1)
            )
        if len(entry) == 1:
            kept.append(entry)
            continue
        key = entry["key"]
        if key in seen or key in known:
            raise AnsibleActionFail("the key '%s' is given twice: give each message once" % key)
        seen.add(key)
        if "secret" in entry or secret_by_name(key.encode("utf-8", "replace")):
            moved[key] = entry.get("secret", entry.get("value"))
            entry = dict(key=key)
        kept.append(entry)
    return kept, moved


def _has_key(entry):
    return isinstance(entry, dict) and entry.get("key") is not None


def _name(key):
    """A key as the text that it would be in JSON, which is how a module gets it."""
    return json.dumps(key) if isinstance(key, (int, float)) else str(key)


def _kind(key):
    return "a number" if isinstance(key, (int, float)) else "text"
