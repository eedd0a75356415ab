# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the modules of the manager's side share. Private to this collection.

Options in, results out, Problems to fail_json; what happens in between is the delivery core's.
"""

import json
import os
import re
import traceback

from ansible.module_utils.basic import env_fallback, missing_required_lib

from . import carriers, values
from .configuration_report import with_boot
from .delivery import plan, reading
from .delivery.answers import Condition
from .delivery.delivery import Request, deliver
from .manager.errors import MissingLibrary
from .problem import Problem, one_line
from .secret_names import secret_by_name


def _from_environment(name):
    return (env_fallback, [name])


#: The options of doc_fragments/manager.py.
MANAGER_OPTIONS = dict(
    vm=dict(type="str"),
    vms=dict(type="list", elements="str"),
    concurrency=dict(type="int", default=4),
    transport=dict(
        type="str",
        choices=[carriers.REST, carriers.XENSTORE],
        default=carriers.REST,
        fallback=_from_environment("OVM_TRANSPORT"),
    ),
    host=dict(type="str", fallback=_from_environment("OVM_HOST")),
    port=dict(type="int", default=7002, fallback=_from_environment("OVM_PORT")),
    username=dict(type="str", fallback=_from_environment("OVM_USER")),
    password=dict(type="str", no_log=True, fallback=_from_environment("OVM_PASSWORD")),
    client_cert=dict(type="path", fallback=_from_environment("OVM_CLIENT_CERT")),
    client_key=dict(type="path", no_log=False, fallback=_from_environment("OVM_CLIENT_KEY")),
    ca_path=dict(type="path", fallback=_from_environment("OVM_CA_FILE")),
    validate_certs=dict(type="bool", default=True, fallback=_from_environment("OVM_VALIDATE_CERTS")),
    connect_timeout=dict(type="float", default=10.0),
    timeout=dict(type="float", default=60.0),
    retries=dict(type="int", default=4),
    ready_timeout=dict(type="float", default=300.0),
    job_timeout=dict(type="float", default=300.0),
    dialect=dict(type="dict"),
    xenstore_path=dict(type="path", fallback=_from_environment("XENSTORED_PATH")),
    state_dir=dict(type="path", default="/var/lib/ovm-gateway", fallback=_from_environment("OVM_GATEWAY_DIR")),
)
_WHICH = ("vm", "vms")
_NEEDS_HOST = ("transport", carriers.REST, ("host",))

#: The options of modules/ovm_vm_message.py itself.
MESSAGE_OPTIONS = dict(
    messages=dict(type="raw"),
    secret_messages=dict(type="dict", no_log=True),
    log=dict(type="bool"),
    force=dict(type="bool", default=False),
    unless_received=dict(
        type="dict", options=dict(key=dict(type="str", required=True, no_log=False), value=dict(type="raw"))
    ),
    update_secret=dict(type="str", choices=[plan.ALWAYS, plan.ON_CREATE], default=plan.ALWAYS, no_log=False),
    wait=dict(type="bool", default=False),
    wait_for=dict(
        type="list",
        elements="dict",
        options=dict(key=dict(type="str", required=True, no_log=False), pattern=dict(type="str")),
    ),
    wait_timeout=dict(type="float", default=300.0),
    wait_interval=dict(type="float", default=2.0),
    _progress=dict(type="path"),
)
MESSAGE_RULES = dict(
    mutually_exclusive=[_WHICH],
    required_one_of=[_WHICH, ("messages", "secret_messages")],
    required_if=[_NEEDS_HOST],
)

#: The options of modules/ovm_vm_message_info.py itself.
INFO_OPTIONS = dict(
    keys=dict(type="list", elements="str", no_log=False),
    direction=dict(type="str", choices=[reading.RECEIVED, reading.SENT, reading.BOTH], default=reading.BOTH),
    history=dict(type="bool", default=False),
    events=dict(type="bool", default=False),
    reports=dict(type="bool", default=False),
    patterns=dict(type="dict"),
    wait=dict(type="bool", default=False),
    wait_timeout=dict(type="float", default=300.0),
    wait_interval=dict(type="float", default=2.0),
    show_secrets=dict(type="bool", default=False),
    _progress=dict(type="path"),
)
INFO_RULES = dict(
    mutually_exclusive=[_WHICH],
    required_one_of=[_WHICH],
    required_if=[_NEEDS_HOST, ("wait", True, ("keys", "patterns"), True)],
)

# Seconds: ten days, which is for ever; it keeps infinity and nonsense (NaN) out.
_LONGEST = 864000
_LIMITS = ("connect_timeout", "timeout", "ready_timeout", "job_timeout", "wait_timeout", "wait_interval")
_MAY_BE_NONE = ("wait_timeout", "ready_timeout")
_UNKNOWN, _CHANGED = "(unknown)", " (changed)"
# Between the words of an event's description.
_NO_WORD = re.compile(r"[\s'\",:;={}()\[\]]+")


class BadOptions(Problem):
    """Options that do not go together, or out of range."""


class Progress:
    """Tells the action plugin what is going on, where it runs on the same machine: see plugin_utils/progress.

    What cannot be told is not: that must not stop anything.

    :param path: a file of the plugin's, or None.
    """

    def __init__(self, path):
        self._said, self._file = "", -1
        if path:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                pass  # another user's, as after become

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self._file >= 0:
            os.close(self._file)

    def __call__(self, text):
        """Have this told: names, keys and states, never a value."""
        if self._file >= 0 and text != self._said:
            self._said = text
            try:
                os.write(self._file, (json.dumps(text) + "\n").encode("ascii"))
            except OSError:
                pass


def run(module, work):
    """Do a module's work and end it: with its result, or with what went wrong.

    :param work: send or read.
    """
    try:
        _check_numbers(module.params)
        result = work(module)
    except MissingLibrary:
        why = None
        try:
            import requests  # noqa: F401
        except ImportError:
            why = traceback.format_exc()
        module.fail_json(msg=missing_required_lib("requests"), exception=why)
    except Problem as problem:
        module.fail_json(msg=one_line(str(problem)))
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def send(module):
    """What ovm_vm_message does; in check mode, what it would do.

    :returns: the module's result; with a ``msg`` where the task has failed.
    """
    options = module.params
    request = Request(
        _wanted(options["messages"], options["secret_messages"]),
        log=options["log"],
        force=options["force"],
        unless_received=_report(options["unless_received"]),
        update_secret=options["update_secret"],
        wait=options["wait"],
        answers=[Condition(values.encode_key(each["key"]), each["pattern"]) for each in options["wait_for"] or ()],
        timeout=options["wait_timeout"],
        interval=options["wait_interval"],
        concurrency=options["concurrency"],
        dry=module.check_mode,
        before=module._diff,
    )
    _warn_of_names(module, request)
    with carriers.make(options, collect=not module.check_mode) as carrier, Progress(options["_progress"]) as progress:
        deliveries = deliver(carrier, _names(options), request, progress)
    unseen = {}  # type: dict
    for delivery in deliveries:
        if delivery.unseen:
            unseen.setdefault(delivery.unseen, []).append(one_line(delivery.vm.name))
    for why, names in unseen.items():
        module.warn("it cannot be seen whether what was sent to %s has arrived: %s" % (", ".join(names), why))
    if module.check_mode and (request.wait or request.answers):
        module.warn("in check mode nothing is sent and nothing is waited for")
    result = _outcome(deliveries, [_delivered(delivery) for delivery in deliveries])
    if module._diff:
        secret = {message.key for message in request.messages if message.secret}
        after = {message.key: message.value for message in request.messages}
        result["diff"] = [_diff(delivery, secret, after) for delivery in deliveries if delivery.sent]
    return result


def read(module):
    """What ovm_vm_message_info does.

    :returns: the module's result; with a ``msg`` where the task has failed.
    """
    options = module.params
    keys, patterns = options["keys"], options["patterns"] or {}
    waits = options["wait"] or bool(patterns)
    if waits and options["direction"] == reading.SENT:
        raise BadOptions("only what guests send can be waited for", "use direction=received or both")
    wanted = dict.fromkeys(map(values.encode_key, (keys or ()) if options["wait"] else ()))  # type: dict
    wanted.update((values.encode_key(name), str(pattern)) for name, pattern in patterns.items())
    query = reading.Query(
        None if keys is None and not patterns else set(map(values.encode_key, keys or ())) | set(wanted),
        direction=options["direction"],
        reports=options["reports"],
        events=options["events"],
        conditions=[Condition(key, pattern) for key, pattern in wanted.items()],
        timeout=options["wait_timeout"] if waits else 0.0,
        interval=options["wait_interval"],
        concurrency=options["concurrency"],
    )
    with carriers.make(options, collect=not module.check_mode) as carrier, Progress(options["_progress"]) as progress:
        readings = reading.read(carrier, _names(options), query, progress)
    return _outcome(readings, [_read(one, options, waits) for one in readings])


def _check_numbers(options):
    for name in _LIMITS:
        least = 0 if name in _MAY_BE_NONE else 0.001
        if not least <= options[name] <= _LONGEST:
            raise BadOptions("%s is %g" % (name, options[name]), "give %g to %d seconds" % (least, _LONGEST))
    if not 1 <= options["concurrency"] <= 100:
        raise BadOptions("concurrency is %d" % options["concurrency"], "give 1 to 100")


def _names(options):
    return options["vms"] if options["vm"] is None else [options["vm"]]


def _report(option):
    """What unless_received names: a key, and a value or None."""
    if option is None:
        return None
    key, value = option["key"], option["value"]
    return values.encode_key(key), None if value is None else values.encode(key, value)


def _wanted(entries, secrets):
    """The messages that a task's options name, in order.

    :param entries: a dict, or a list of dicts with ``key`` and ``value`` or ``secret``; with
        neither, the entry is the place of one of the secrets.
    :param secrets: a dict of the messages that are secrets.
    :rtype: list of Wanted
    :raises BadOptions: for what is neither.
    :raises InvalidMessage: for what cannot be sent.
    """
    if isinstance(entries, dict):
        entries = [dict(key=key, value=value) for key, value in entries.items()]
    if not isinstance(entries or [], list):
        raise BadOptions("messages is neither a dict nor a list", "give a dict, or a list of dicts with key and value")
    secrets = dict(secrets or {})
    result = []
    for number, entry in enumerate(entries or (), 1):
        if not isinstance(entry, dict) or entry.get("key") is None or set(entry) - {"key", "value", "secret"}:
            raise BadOptions("message %d is no message" % number, "give it a key, and a value or a secret")
        key = entry["key"]
        place = not {"value", "secret"} & set(entry)
        if len(entry) > 2 or (place and str(key) not in secrets):
            raise BadOptions(
                "the message '%s' has %s" % (key, "neither value nor secret" if place else "both value and secret"),
                "give it one of them",
            )
        value = secrets.pop(str(key)) if place else entry.get("value", entry.get("secret"))
        result.append(plan.Wanted(values.encode_key(key), values.encode(key, value), "value" not in entry))
    result += [plan.Wanted(values.encode_key(key), values.encode(key, value), True) for key, value in secrets.items()]
    return result


def _warn_of_names(module, request):
    """A message carries no mark that it is a secret, only its key can tell."""
    unnamed = [values.key_text(m.key) for m in request.messages if m.secret and not secret_by_name(m.key)]
    if unnamed:
        module.warn(
            "guests cannot tell that %s is secret: its key does not say so. A guest that reports what it holds will "
            "report a salted digest of the value, which a guess can be checked against. Put 'secret' or 'password' "
            "into the key" % ", ".join(unnamed)
        )


def _outcome(machines, told):
    """The result about all machines; where only one was asked for, that one's also at the top.

    :param machines: of many.Machine.
    :param told: for each, what is returned about it.
    """
    result = dict(changed=any(one["changed"] for one in told), vms=told)
    if len(told) == 1:
        result = dict(told[0], **result)
    failed = [one for one in machines if one.problem is not None]
    if failed and len(machines) > 1:
        result["msg"] = "%d of %d virtual machines failed. %s" % (
            len(failed),
            len(machines),
            ". ".join("%s: %s" % (one.asked, one_line(str(one.problem))) for one in failed),
        )
    return result


def _about(machine, changed=False, skipped=False):
    """What is returned about any machine."""
    result = dict(
        vm=machine.asked,
        id=machine.vm and values.clean(machine.vm.id),
        name=machine.vm and values.clean(machine.vm.name),
        state=machine.vm and values.clean(machine.vm.state),
        status="failed" if machine.problem else "skipped" if skipped else "ok",
        changed=changed,
    )
    if machine.problem:
        result["msg"] = one_line(str(machine.problem))
    return result


def _last(machine, show_secrets=False):
    """What was last known of a machine for which time was up."""
    last = machine.last
    said = {
        values.key_text(key): _shown(record.value)
        if show_secrets or not (secret_by_name(key) or last.secret(record))
        else values.MASK
        for key, record in last.said.items()
    }
    return dict(
        heard=values.iso(last.heard and last.heard.time),
        heard_key=last.heard and values.key_text(last.heard.key),
        age=None if last.age is None else round(last.age, 3),
        said=said,
        waiting=last.waiting,
        reports=last.report.present,
        configuration=last.configuration,
        failed_scripts=last.failed,
    )


def _delivered(delivery):
    answers = _Texts(delivery.answers.items(), secret_by_name)
    result = dict(
        _about(delivery, delivery.changed, delivery.skipped),
        sent=[values.key_text(key) for key in delivery.sent],
        unchanged=[values.key_text(key) for key in delivery.unchanged],
        evidence={values.key_text(key): kind for key, kind in delivery.evidence.items()},
        delivered=delivery.delivered,
        undelivered=[values.key_text(key) for key in delivery.undelivered],
        answers=answers.text,
        binary_answers=answers.binary,
        missing=[values.key_text(key) for key in delivery.missing],
        waited=round(delivery.waited, 3),
    )
    if delivery.last:
        result["last"] = _last(delivery)
    return result


def _diff(delivery, secret, after):
    """What a machine is told to hold before and after, of the messages that were sent."""
    sides = dict(
        before={}, after={}, before_header=values.clean(delivery.vm.name), after_header=values.clean(delivery.vm.name)
    )
    for key in delivery.sent:
        name, before = values.key_text(key), delivery.before[key]
        sides["after"][name] = values.MASK if key in secret else _shown(after[key])
        if before == plan.UNKNOWN:
            sides["before"][name] = _UNKNOWN
        elif before == plan.CONCEALED:
            sides["before"][name] = values.MASK
            sides["after"][name] += _CHANGED  # else the change of a secret would not show at all
        elif before != plan.ABSENT:
            sides["before"][name] = _shown(before)
    return sides


def _shown(value):
    text = values.text(value)
    return "base64:" + values.base64_text(value) if text is None else text


def _read(one, options, waits):
    """What is returned about a machine that was read."""

    def secret(record):
        return not options["show_secrets"] and (secret_by_name(record.key) or one.secret(record))

    concealed = {record.key for record in one.received + one.sent if secret(record)}
    result = _about(one)
    for name, prefix, records in (("received", "", one.received), ("sent", "sent_", one.sent)):
        latest = plan.newest(records)
        shown = _Texts([(key, record.value) for key, record in latest.items()], concealed.__contains__)
        timed = {values.key_text(key): record.time for key, record in latest.items() if values.iso(record.time)}
        result[name] = shown.text
        result["binary_" + name] = shown.binary
        result[prefix + "times"] = {key: values.iso(time) for key, time in timed.items()}
        result[prefix + "ages"] = {key: round(max(one.now - time, 0.0), 3) for key, time in timed.items()}
    if options["history"]:
        result["history"] = [
            _entry(direction, record, record.key in concealed)
            for direction, records in (("received", one.received), ("sent", one.sent))
            for record in records
        ]
    if options["events"]:
        result["events"] = [_event(event, one.hidden, options["show_secrets"]) for event in one.events]
    result.update(
        report=dict(
            present=one.report.present, boot=one.report.boot, configuration=with_boot(one.report.configuration())
        ),
        masked=sorted(map(values.key_text, concealed)),
        missing=[values.key_text(key) for key in one.missing],
        waiting=one.waiting,
        waited=round(one.waited, 3) if waits else 0.0,
    )
    if one.last:
        result["last"] = _last(one, options["show_secrets"])
    return result


class _Texts:
    """Values as results hold them.

    :param pairs: of key and value, both bytes.
    :param concealed: a function that tells whether the value under a key is to be masked.
    :ivar dict text: key to value, both text.
    :ivar dict binary: key to base64, of the values that are no text.
    """

    def __init__(self, pairs, concealed):
        self.text, self.binary = {}, {}
        for key, value in pairs:
            name, text = values.key_text(key), values.text(value)
            if concealed(key):
                self.text[name] = values.MASK
            elif text is None:
                self.binary[name] = values.base64_text(value)
            else:
                self.text[name] = text


def _entry(direction, record, concealed):
    """One message of the history."""
    result = dict(direction=direction, key=values.key_text(record.key), time=values.iso(record.time))
    text = values.MASK if concealed else values.text(record.value)
    if text is None:
        result["binary_value"] = values.base64_text(record.value)
    else:
        result["value"] = text
    return result


def _event(event, hidden, show_secrets):
    """An event; one that may tell a secret has no description left."""
    described = event.description
    secret = (
        any(secret_by_name(word.encode("utf-8", "surrogatepass")) for word in _NO_WORD.split(described))
        or any(re.search(r"(?<!\w)%s(?!\w)" % re.escape(form), described) for r in hidden for form in _forms(r.key))
        or any(form and form in described for r in hidden for form in _forms(r.value))
    )
    if secret and not show_secrets:
        described = values.MASK
    return dict(
        time=values.iso(event.time),
        severity=values.clean(event.severity),
        type=values.clean(event.type),
        summary=values.clean(event.summary),
        description=values.clean(described),
    )


def _forms(raw):
    """How a key or value may be written within a description."""
    text = raw.decode("utf-8", "surrogateescape")
    return {text, values.key_text(raw), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
