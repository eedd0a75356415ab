# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the modules of the guest's side share. Private to this collection.

Options in, results out, errors to fail_json; what happens in between is the guest core's.
"""

import re
import time

from ansible.module_utils.basic import env_fallback

from . import values
from .channel.errors import ChannelError
from .channel.layout import KEY_LIMIT_FROM_GUEST
from .channel.message import display
from .guest import events
from .guest import plan as planning
from .guest.backend import AUTO, BACKENDS, DEVICE, open_backend
from .guest.errors import SendFailed
from .guest.parameter_list import DIRECTORY
from .guest.waiting import wait_for
from .guest.wake import knock
from .problem import one_line
from .secret_names import secret_by_name

#: The options of doc_fragments/guest.py.
GUEST_OPTIONS = dict(
    backend=dict(type="str", choices=list(BACKENDS), default=AUTO, fallback=(env_fallback, ["OVM_BACKEND"])),
    xenstore_path=dict(type="path", fallback=(env_fallback, ["XENSTORED_PATH"])),
    ovmapi_path=dict(type="path", default=DEVICE, fallback=(env_fallback, ["OVM_DEVICE"])),
    state_dir=dict(type="path", default=DIRECTORY, fallback=(env_fallback, ["OVM_STATE_DIR"])),
    timeout=dict(type="float", default=10.0),
)

#: The options of modules/ovm_guest_param.py itself.
PARAM_OPTIONS = dict(
    params=dict(type="dict"),
    key=dict(type="str", no_log=False),
    value=dict(type="raw"),
    keys=dict(type="list", elements="str", no_log=False),
    secret_params=dict(type="dict", no_log=True),
    binary_params=dict(type="dict"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    exclusive=dict(type="bool"),
    all=dict(type="bool"),
    resend=dict(type="bool"),
)
#: What of it goes together. Without defaults above, an option left out is told from one that says no.
PARAM_RULES = dict(
    mutually_exclusive=[
        ("key", other) for other in ("params", "keys", "secret_params", "binary_params", "exclusive", "all")
    ],
    required_by=dict(value="key"),
    required_if=[
        ("state", "present", ("params", "key", "secret_params", "binary_params"), True),
        ("state", "absent", ("params", "key", "keys", "secret_params", "binary_params", "all"), True),
    ],
)
# Seconds: ten days, which is for ever; it keeps infinity and nonsense (NaN) out.
_LONGEST = 864000
# Options that mean something in one state only.
_ONLY = dict(present=("value", "exclusive", "resend"), absent=("keys", "all"))

#: The options of modules/ovm_guest_param_info.py itself.
INFO_OPTIONS = dict(
    keys=dict(type="list", elements="str", no_log=False),
    patterns=dict(type="dict"),
    wait=dict(type="bool", default=False),
    wait_timeout=dict(type="float", default=300.0),
    show_secrets=dict(type="bool", default=False),
    _part=dict(type="float"),
    _waited=dict(type="float", default=0.0),
)
INFO_RULES = dict(required_if=[("wait", True, ("keys", "patterns"), True)])

#: The options of modules/ovm_guest_event.py itself.
EVENT_OPTIONS = dict(event=dict(type="str", required=True))


class BadOptions(ChannelError):
    """Options that do not go together, or out of range."""


def run(module, work):
    """Do a module's work and end it: with its result, or with what went wrong.

    :param work: set_or_delete, read or post_event.
    """
    try:
        result = work(module)
    except ChannelError as problem:
        details = {}
        if isinstance(problem, SendFailed):
            details = dict(changed=bool(problem.sent), transmitted=[values.key_text(key) for key in problem.sent])
        module.fail_json(msg=one_line(str(problem)), **details)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def set_or_delete(module):
    """What ovm_guest_param does; in check mode, what it would do.

    :returns: the module's result.
    """
    plan_for, secret = _intention(module.params)
    with _backend(module.params) as backend:
        plan = plan_for(_look(module, backend))
        for message in plan.send:
            backend.check(message)  # a backend may take less than the channel does, in check mode too
        entries = plan.after if module.check_mode else planning.carry_out(plan, backend, secret)
        _warn(module, backend)
    return _outcome(plan, entries, secret)


def read(module):
    """What ovm_guest_param_info does.

    :returns: the module's result; with a ``msg`` where the task has failed.
    """
    options = module.params
    if not 0 <= options["wait_timeout"] <= _LONGEST:
        raise BadOptions("wait_timeout is %g" % options["wait_timeout"], "give 0 to %d seconds" % _LONGEST)
    waiting = options["wait"] or bool(options["patterns"])
    asked = _conditions(options["keys"], options["patterns"])
    before, started = options["_waited"], time.monotonic()
    left = max(options["wait_timeout"] - before, 0.0) if waiting else 0.0
    part = left if options["_part"] is None else min(options["_part"], left)
    with _backend(options) as backend:
        entries, missing = wait_for(backend, lambda: _look(module, backend), asked, part)
        if waiting and missing and part < left:
            # The action plugin has more time for this, and wants to know how it stands.
            return dict(changed=False, _missing=_reasons(missing, entries))
        _warn(module, backend)
        last = _last(backend, len(entries), options["state_dir"]) if waiting and missing else None
    if options["keys"] is not None or options["patterns"]:
        entries = [entry for entry in entries if entry.key in asked]
    result = _shown(entries, show_secrets=options["show_secrets"])
    result.update(
        changed=False,
        missing=[values.key_text(key) for key in missing],
        waited=round(before + time.monotonic() - started, 3) if waiting else 0.0,
    )
    if last:
        result["last"] = last
        result["msg"] = "after %s this guest still lacks %s; it holds %s%s: %s" % (
            _count(options["wait_timeout"], "second"),
            ", ".join(_reasons(missing, entries)),
            _count(last["parameters"], "parameter") + " in all",
            "; %s to the host wait to be collected" % _count(last["uncollected"], "message")
            if last["uncollected"]
            else "",
            "see that a manager or ovm-gateway serves the host, and that it sends these, or wait longer"
            if last["uncollected"]
            else "see that the host sends these, or wait longer",
        )
    return result


def _reasons(missing, entries):
    """The keys that are missing, in words."""
    there = {entry.key for entry in entries}
    return ["%s (%s)" % (display(key), "does not match" if key in there else "not set") for key in missing]


def _last(backend, parameters, directory):
    """How things stood in the guest when time was up."""
    try:
        uncollected = backend.uncollected()
    except ChannelError:
        uncollected = None  # the error is about something else
    return dict(backend=backend.name, parameters=parameters, uncollected=uncollected, daemon=knock(directory))


def _count(number, what):
    return "%g %s%s" % (number, what, "" if number == 1 else "s")


def post_event(module):
    """What ovm_guest_event does.

    :returns: the module's result.
    """
    event = events.parse(module.params["event"])
    if not module.check_mode:
        with _backend(module.params) as backend:
            backend.post(event)
    return dict(changed=True, type=event.type, severity=event.severity, phase=event.phase, target=events.target(event))


def held(module):
    """What the guest holds, with all that the host has sent.

    :returns: list of Entry.
    :raises ChannelError: it cannot be had.
    """
    with _backend(module.params) as backend:
        entries = _look(module, backend)
        _warn(module, backend)
    return entries


def _backend(options):
    if not 0 < options["timeout"] <= _LONGEST:
        raise BadOptions("timeout is %g" % options["timeout"], "give more than 0 and up to %d seconds" % _LONGEST)
    return open_backend(
        options["backend"], options["xenstore_path"], options["ovmapi_path"], options["state_dir"], options["timeout"]
    )


def _look(module, backend):
    """The list with all that the host has sent: taken into it, or in check mode only looked at."""
    if module.check_mode:
        return planning.with_pending(backend.entries(), backend.pending())
    backend.receive()
    return backend.entries()


def _warn(module, backend):
    for number, fault in backend.faults:
        module.warn("message %d from the host cannot be read and was passed over: %s" % (number, one_line(str(fault))))


def _intention(options):
    """What a task's options ask for, before anything is looked at.

    :returns: a function from the list as it is to a Plan, and the set of keys that are the task's secrets.
    :raises BadOptions: for options that do not go together.
    :raises InvalidMessage: for what cannot be sent.
    """
    state = options["state"]
    for other in set(_ONLY) - {state}:
        for name in _ONLY[other]:
            if options[name] is not None:
                raise BadOptions(
                    "%s has no meaning with state=%s" % (name, state), "leave it out, or use state=" + other
                )
    messages = _messages(options, keys_only=state == "absent")
    secret = {values.encode_key(name) for name in options["secret_params"] or {}}
    if state == "absent":
        keys = None if options["all"] else {message.key for message in messages}
        return (lambda entries: planning.absent(entries, keys)), secret
    for message in messages:
        message.check(KEY_LIMIT_FROM_GUEST)
    return (
        lambda entries: planning.present(entries, messages, secret, options["exclusive"], options["resend"])
    ), secret


def _messages(options, keys_only):
    """The messages that a task's options name; for those to delete the values do not count."""

    def encoder(encode):
        return (lambda name, value: b"") if keys_only else encode

    return values.messages(
        (options["params"], encoder(values.encode)),
        ({} if options["key"] is None else {options["key"]: options["value"]}, encoder(values.encode)),
        (dict.fromkeys(options["keys"] or ()), encoder(values.encode)),
        (options["binary_params"], encoder(values.decode_base64)),
        (options["secret_params"], encoder(values.encode)),
    )


def _shown(entries, secret=(), show_secrets=False):
    """A list as a module returns it.

    :param entries: of Entry.
    :param secret: keys to mask besides those that are marked, or secrets by name.
    :param bool show_secrets: mask none.
    :rtype: dict
    """
    params, binary, masked = {}, {}, []
    for key, value, marked in entries:
        name = values.key_text(key)
        if not show_secrets and (marked or key in secret or secret_by_name(key)):
            params[name] = values.MASK
            masked.append(name)
        elif values.text(value) is None:
            binary[name] = values.base64_text(value)
        else:
            params[name] = values.text(value)
    return dict(params=params, binary_params=binary, names=[values.key_text(e.key) for e in entries], masked=masked)


def _outcome(plan, entries, secret):
    """What a module that carried out a plan, or would have, returns."""
    result = _shown(entries, secret)
    result.update(
        changed=plan.changed,
        transmitted=[values.key_text(message.key) for message in plan.send],
        deleted=[values.key_text(key) for key in plan.delete],
        diff=_diff(plan, secret),
    )
    return result


def _diff(plan, secret):
    touched = {message.key for message in plan.send} | set(plan.delete)
    sides = []
    for entries in (plan.before, plan.after):
        side = _shown([entry for entry in entries if entry.key in touched], secret)
        binary = {name: "base64:" + value for name, value in side["binary_params"].items()}
        sides.append(dict(side["params"], **binary))
    before, after = sides
    was = {entry.key: entry.value for entry in plan.before}
    for entry in plan.after:
        name = values.key_text(entry.key)
        if after.get(name) == before.get(name) == values.MASK and was[entry.key] != entry.value:
            after[name] += " (changed)"  # else the change of a secret would not show at all
    return dict(before=before, after=after)


def _conditions(names, patterns):
    """What to wait for, as guest.waiting wants it.

    :param names: keys that have to be there.
    :param dict patterns: key -> regular expression that its value has to match somewhere.
    :raises BadOptions: for what is no regular expression.
    """
    result = {values.encode_key(name): None for name in names or ()}
    for name, pattern in (patterns or {}).items():
        try:
            found = re.compile(str(pattern)).search
        except re.error as problem:
            raise BadOptions(
                "the pattern for '%s' is no regular expression: %s" % (name, problem),
                "write it as Python's module re wants it",
            ) from None
        result[values.encode_key(name)] = lambda value, found=found: found(value.decode("utf-8", "surrogateescape"))
    return result
