# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the event source vm_message is made of, but for asyncio. Private to this collection.

Arguments of a rulebook in, events for its rules out; what happens in between is the delivery core's.

Rulebooks hand events on to playbooks, where Ansible takes texts for templates. Guests are not
trusted, so no text in an event can be taken for one.
"""

import json
import math
import os
import re

from . import carriers, report, values
from .delivery.checkpoint import Checkpoint
from .delivery.watching import ADDRESSES, BEGINNING, CONFIGURATION, KINDS, MESSAGE, NOW, Wanted, Watch
from .manager.errors import BadConnection, BadDialect, Forbidden, LoginFailed, MissingLibrary, UntrustedCertificate
from .problem import Problem

_YES, _NO = ("1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")
# Seconds: ten days, which is for ever.
_LONGEST = 864000
# What starts a template, or sets how one starts.
_TEMPLATE = re.compile(r"\{(?=[{%#])|#(?=jinja2:)")


class BadArgument(Problem):
    """An argument of the source that it does not have, or with a value that it cannot have."""


#: Problems that stay until somebody does something about them.
LASTING = (BadArgument, BadConnection, BadDialect, Forbidden, LoginFailed, MissingLibrary, UntrustedCertificate)


def _text(value):
    if isinstance(value, (dict, list)):
        raise ValueError("text")
    return str(value)


def _path(value):
    return os.path.expanduser(os.path.expandvars(_text(value)))


def _number(value):
    if isinstance(value, bool):
        raise ValueError("a number")
    try:
        return int(value)
    except (OverflowError, TypeError, ValueError):
        raise ValueError("a number") from None


def _seconds(value):
    try:
        seconds = float(value)
    except (OverflowError, TypeError, ValueError):
        seconds = math.nan
    if isinstance(value, bool) or not 0 <= seconds <= _LONGEST:
        raise ValueError("seconds, up to %d" % _LONGEST)
    return seconds


def _positive(value):
    seconds = _seconds(value)
    if seconds < 0.001:
        raise ValueError("seconds, above 0")
    return seconds


def _boolean(value):
    text = str(value).lower()
    if text not in _YES + _NO:
        raise ValueError("yes or no")
    return text in _YES


def _dict(value):
    if not isinstance(value, dict):
        raise ValueError("a dict")
    return value


def _list(value):
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list):
        raise ValueError("a list")
    return [_text(item).strip() for item in found]


def _choice(*choices):
    def check(value):
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return value

    return check


def _kinds(value):
    return [_choice(*KINDS)(kind) for kind in _list(value)]


#: Name -> type, default, variable of the environment that counts where it is not given.
OPTIONS = {
    "vms": (_list, [], None),
    "keys": (_list, [], None),
    "kinds": (_kinds, [MESSAGE, CONFIGURATION], None),
    "since": (_choice(NOW, BEGINNING), NOW, None),
    "checkpoint": (_path, None, None),
    "interval": (_positive, 2.0, None),
    "longest_pause": (_positive, 60.0, None),
    "concurrency": (_number, 4, None),
    "transport": (_choice(carriers.REST, carriers.XENSTORE), carriers.REST, "OVM_TRANSPORT"),
    "host": (_text, None, "OVM_HOST"),
    "port": (_number, 7002, "OVM_PORT"),
    "username": (_text, None, "OVM_USER"),
    "password": (_text, None, "OVM_PASSWORD"),
    "client_cert": (_path, None, "OVM_CLIENT_CERT"),
    "client_key": (_path, None, "OVM_CLIENT_KEY"),
    "ca_path": (_path, None, "OVM_CA_FILE"),
    "validate_certs": (_boolean, True, "OVM_VALIDATE_CERTS"),
    "connect_timeout": (_positive, 10.0, None),
    "timeout": (_positive, 60.0, None),
    "retries": (_number, 4, None),
    "ready_timeout": (_seconds, 300.0, None),
    "dialect": (_dict, None, None),
    "xenstore_path": (_path, None, "XENSTORED_PATH"),
    "state_dir": (_path, "/var/lib/ovm-gateway", "OVM_GATEWAY_DIR"),
}
#: What ansible-rulebook itself reads of, or puts into, a source's arguments.
OTHERS = ("feedback", "eda_feedback_queue")


def parse(arguments, environ):
    """The options of a source, all of them.

    :param dict arguments: as the rulebook has them.
    :param environ: the environment's variables.
    :rtype: dict
    :raises BadArgument: saying which, and never quoting it: it may be a password.
    """
    for name in arguments:
        if name not in OPTIONS and name not in OTHERS:
            raise BadArgument(
                "the source has no argument '%s'" % values.key_text(str(name).encode("utf-8", "replace")),
                "use " + ", ".join(OPTIONS),
            )
    result = {}
    for name, (kind, default, variable) in OPTIONS.items():
        value = arguments.get(name)
        if value is None and variable:
            value = environ.get(variable) or None
        try:
            result[name] = default if value is None else kind(value)
        except ValueError as problem:
            raise BadArgument("the source's argument '%s' cannot be used" % name, "give %s" % problem) from None
    if result["transport"] == carriers.REST and not result["host"]:
        raise BadArgument("the source has no argument 'host'", "name the manager, or set OVM_HOST")
    if not 1 <= result["concurrency"] <= 100:
        raise BadArgument("the source's argument 'concurrency' cannot be used", "give 1 to 100")
    return result


def watch(options):
    """What looks for news, by the options of a source.

    :raises Problem: they make no sense.
    """
    # Not used for anything that has a job: the source only reads.
    options = dict(options, job_timeout=1.0)
    carriers.make(options).close()  # so that what makes no sense is known now
    wanted = Wanted(options["vms"], options["keys"], options["kinds"])
    checkpoint = Checkpoint(options["checkpoint"])
    return Watch(lambda: carriers.make(options), checkpoint, wanted, options["since"], options["concurrency"])


def event(news):
    """What a rulebook gets of some news: a dict for JSON. Secrets are not in it."""
    vm, record = news.vm, news.record
    result = {
        "kind": news.kind,
        "vm": {"id": safe(vm.id), "name": safe(vm.name)},
        "time": values.iso(record.time),
        # So that rule engines that remember events know one that comes twice.
        "meta": {"uuid": news.mark.hex()},
    }
    if news.kind == MESSAGE:
        result.update(key=safe(values.key_text(record.key)), secret=news.secret)
        text = values.MASK if news.secret else values.text(record.value)
        if text is None or _TEMPLATE.search(text):
            result["binary_value"] = values.base64_text(record.value)
        else:
            result["value"] = text
    elif news.kind == ADDRESSES:
        result["interfaces"] = _tree(report.addresses(record.value))
    else:
        found = _object(record.value)
        result[news.kind] = _configuration(found) if news.kind == CONFIGURATION else _about(found)
    return result


def safe(text):
    """Text that is valid Unicode and that nobody takes for a template: what is odd appears as ``\\xNN``."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _TEMPLATE.sub(lambda found: "\\x%02x" % ord(found.group()), text)


def _configuration(found):
    """A guest's report on its configuration; only what is known, and of the types that it should have."""
    scripts = found.get("scripts")
    names = found.get("failed")
    return {
        "state": _string(found.get("state")),
        "target": _string(found.get("target")),
        "failed": [safe(name) for name in names if isinstance(name, str)] if isinstance(names, list) else [],
        "scripts": [
            {
                "name": _string(script.get("name")),
                "status": _string(script.get("status")),
                "changed": script.get("changed") is True,
                "seconds": _figure(script.get("seconds")),
                "message": _string(script.get("message")),
            }
            for script in (scripts if isinstance(scripts, list) else [])
            if isinstance(script, dict)
        ],
    }


def _about(found):
    return {"boot": _string(found.get("boot")), "version": _string(found.get("version"))}


def _object(value):
    """A JSON object that a guest has sent, or an empty one."""
    try:
        found = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _string(value):
    return safe(value) if isinstance(value, str) else ""


def _figure(value):
    """A number that every JSON can hold."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LONGEST
    return float(value) if known else 0.0


def _tree(found):
    """Lists and dicts of ours with all texts in them made safe."""
    if isinstance(found, dict):
        return {key: _tree(value) for key, value in found.items()}
    return [_tree(value) for value in found] if isinstance(found, list) else safe(found)
