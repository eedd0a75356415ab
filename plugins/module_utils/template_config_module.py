# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ovm_template_config does. Private to this collection.

Options become a command line and lines of JSON for ovm-template-config, its report becomes the result.
"""

import json
import os

from ansible.module_utils.basic import env_fallback

from . import guest_module, values
from .firstboot.log import PATH
from .firstboot.targets import TARGETS
from .problem import Problem, one_line

PROGRAM = "ovm-template-config"
OPTIONS = dict(
    target=dict(type="str", choices=list(TARGETS), required=True),
    params=dict(type="dict"),
    secret_params=dict(type="dict", no_log=True),
    held=dict(type="bool", default=False),
    script=dict(type="str"),
    script_timeout=dict(type="float", default=300.0),
    lock_timeout=dict(type="float", default=600.0),
    executable=dict(type="path", fallback=(env_fallback, ["OVM_TEMPLATE_CONFIG"])),
    template_dir=dict(type="path", fallback=(env_fallback, ["OVM_TEMPLATE_DIR"])),
)

# Where people put programs that are not from a package.
_MORE_PLACES = ["/usr/local/sbin"]
_SCRIPT_FAILED = 1


class BadOptions(Problem):
    """Options that cannot be followed."""


class ProgramFailed(Problem):
    """The program did not get as far as to run scripts."""


def run(module):
    """Do the module's work and end it: with its result, or with what went wrong."""
    try:
        result = _run(module)
    except Problem as problem:
        module.fail_json(msg=one_line(str(problem)))
    if result["failed_scripts"]:
        module.fail_json(msg=one_line(_complaint(result["scripts"])), **result)
    module.exit_json(**result)


def _run(module):
    options = module.params
    parameters, secret = _parameters(module)
    executable = _executable(module)
    if executable is None:
        return dict(target=options["target"], changed=True, scripts=[], failed_scripts=[])
    command = [executable, "--stdin", "--report", "1"]
    command += ["--timeout", "%g" % options["script_timeout"], "--lock-timeout", "%g" % options["lock_timeout"]]
    if module.check_mode:
        command.append("--check")
    if options["script"] is not None:
        command += ["--script", options["script"]]
    for key in secret:
        command += ["--secret", key]
    lines = "".join(json.dumps({key: value}) + "\n" for key, value in parameters.items())
    code, out, err = module.run_command(
        [*command, "--", options["target"]],
        data=lines.encode("ascii"),
        binary_data=True,
        environ_update={"OVM_TEMPLATE_DIR": options["template_dir"]} if options["template_dir"] else None,
    )
    prefix = PROGRAM + ": "
    said = [line[len(prefix) :] if line.startswith(prefix) else line for line in err.splitlines() if line.strip()]
    try:
        report = json.loads(out)
        result = dict(
            target=report["target"],
            changed=report["changed"],
            scripts=report["scripts"],
            failed_scripts=report["failed"],
        )
    except (ValueError, KeyError, TypeError):
        raise (ProgramFailed(said[-1]) if said else _ended(command[0], code)) from None
    # What it says of scripts that failed is in the report.
    for line in said[: len(said) - len(result["failed_scripts"])]:
        module.warn(one_line(line))
    if code not in (0, _SCRIPT_FAILED):
        raise _ended(command[0], code)
    return result


def _ended(program, code):
    return ProgramFailed("%s ended with exit code %d" % (program, code), "see its log, %s" % PATH)


def _executable(module):
    """The program's path; None where in check mode it is not there yet.

    :raises BadOptions: there is none, and there should be.
    """
    path = module.params["executable"]
    if path:
        found = path if os.path.isfile(path) and os.access(path, os.X_OK) else None
    else:
        found = module.get_bin_path(PROGRAM, opt_dirs=_MORE_PLACES)
    if found is None:
        text = "there is no program %s" % (path or PROGRAM)
        if not module.check_mode:
            raise BadOptions(text, "install it, for example by ovm.messaging.ovm_program, or name it as executable")
        module.warn(text + ", so nobody can tell what scripts would change")
    return found


def _parameters(module):
    """What scripts get.

    :returns: a dict of str to str, and a list of those keys whose values are secrets.
    :raises BadOptions: for a value that is null.
    """
    options = module.params
    for given in (options["params"], options["secret_params"]):
        for name, value in (given or {}).items():
            if value is None:
                raise BadOptions("the value of '%s' is null" % name, "write '' for an empty value, or leave it out")
    parameters, secret = {}, []
    if options["held"]:
        for entry in guest_module.held(module):
            parameters[_text(entry.key)] = _text(entry.value)
            if entry.secret:
                secret.append(_text(entry.key))
    messages = values.messages((options["params"], values.encode), (options["secret_params"], values.encode))
    parameters.update((_text(message.key), _text(message.value)) for message in messages)
    secret += [str(name) for name in options["secret_params"] or ()]
    return parameters, secret


def _text(raw):
    # As ovmd lists it: a byte that is not UTF-8 is a lone surrogate.
    return raw.decode("utf-8", "surrogateescape")


def _complaint(scripts):
    failed = ["%s: %s" % (script["name"], script["message"]) for script in scripts if script["status"] == "failed"]
    what = "a script failed" if len(failed) == 1 else "%d scripts failed" % len(failed)
    return "%s (%s)" % (what, "; ".join(failed))
