# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ovm-chkconfig: which scripts run for which target. docs/reference/ovm-chkconfig.md is its manual."""

import os

from ansible_collections.ovm.messaging.plugins.module_utils import command_line
from ansible_collections.ovm.messaging.plugins.module_utils.command_line import BAD_USAGE, BadUsage
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadScript, UnknownTarget
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import DIRECTORY, Scripts
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS, check_target

PROGRAM = "ovm-chkconfig"
#: A script is missing, or no good. The other exit codes are those of all programs.
BAD_SCRIPT = 1

_USAGE = """\
usage: ovm-chkconfig --list [NAME]
       ovm-chkconfig --add NAME
       ovm-chkconfig --del NAME
       ovm-chkconfig [--target=TARGET,...] NAME on|off
options:
  --list [NAME]        show for which targets the scripts, or one of them, are on, with the priority
  --add NAME           turn a script on for the targets that its header has, and off for the others
  --del NAME           turn a script off for every target
  --target=TARGET,...  the targets to turn on or off; all that the script's header has if left out
  --version            show the version and exit
  -h, --help           show this help and exit
option of this ovm-chkconfig only:
  --root=DIR           work on the system that is mounted at DIR
targets:
  %s
""" % ", ".join(TARGETS)
_LONG = ["list", "add=", "del=", "target=", "root=", "version", "help"]
# As wide as the vendor's column of names.
_NAMES = 16


def main():
    """Run the command line of this process.

    :returns: the exit code.
    """
    return command_line.run(PROGRAM, _work, ((BadScript, BAD_SCRIPT), (UnknownTarget, BAD_USAGE)))


def _work(arguments):
    options, operands = command_line.parse(PROGRAM, arguments, "h", _LONG)
    given = dict(options)
    if "-h" in given or "--help" in given:
        command_line.write(_USAGE.encode("ascii"))
        return
    if "--version" in given:
        from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

        command_line.write(("%s %s\n" % (PROGRAM, VERSION)).encode("ascii"))
        return
    action, subject = _action(options, operands)
    root = given.get("--root", "/")
    if not root:
        raise BadUsage("--root names no directory", "give the one that the system is mounted at")
    action(Scripts(root, os.environ.get("OVM_TEMPLATE_DIR") or DIRECTORY), *subject)


def _action(options, operands):
    """What to do, all of it checked.

    :returns: a function, and what it wants after the Scripts.
    """
    actions = [(name, argument) for name, argument in options if name in ("--list", "--add", "--del")]
    targets = _targets([argument for name, argument in options if name == "--target"])
    if len(actions) + (targets is not None) > 1:
        raise BadUsage("only one of --list, --add, --del and --target can be done at a time", _advice())
    if not actions:
        if len(operands) != 2 or operands[1] not in ("on", "off"):
            raise BadUsage("say what to do: a script's name and then 'on' or 'off', or another option", _advice())
        return _set, (operands[0], targets, operands[1] == "on")
    name, argument = actions[0]
    if len(operands) > (name == "--list"):
        raise BadUsage("unexpected argument '%s'" % operands[-1], _advice())
    if name == "--list":
        return _list, operands
    return _add if name == "--add" else _delete, [argument]


def _advice():
    return "try '%s --help'" % PROGRAM


def _targets(given):
    """The targets of all options --target; None where there is none."""
    if not given:
        return None
    targets = [target.strip() for text in given for target in text.split(",") if target.strip()]
    if not targets:
        raise BadUsage("--target names no target", "use some of " + ", ".join(TARGETS))
    return [check_target(target) for target in targets]


def _list(scripts, only=None):
    names, links = scripts.names(), scripts.links()
    if only is not None:
        if only not in names and only not in links:
            scripts.header(only)  # says that there is none
        names, links = [only] if only in names else [], {only: links.get(only, {})}
    shown = sorted(set(names) | set(links))
    width = max([_NAMES] + [len(name) + 2 for name in shown])
    lines = [_line(width, "name", TARGETS)]
    for name in shown:
        states = ["on:%02d" % links[name][target] if target in links.get(name, {}) else "off" for target in TARGETS]
        lines.append(_line(width, name, states))
    command_line.write("".join(lines).encode("ascii"))
    for name in shown:
        _tell(scripts, name, name in names)


def _line(width, name, cells):
    cells = [cell.ljust(len(target) + 2) for target, cell in zip(TARGETS, cells)]
    return (name.ljust(width) + "".join(cells)).rstrip() + "\n"


def _tell(scripts, name, is_there):
    """What is wrong with a script that was listed."""
    if not is_there:
        command_line.say(
            PROGRAM,
            "the script '%s' is missing, but turned on: put it to %s, or run '%s --del %s'"
            % (name, scripts.path(name), PROGRAM, name),
        )
        return
    try:
        scripts.header(name)
    except BadScript as problem:
        command_line.say(PROGRAM, str(problem))


def _add(scripts, name):
    scripts.add(name)


def _delete(scripts, name):
    if not scripts.delete(name) and name not in scripts.names():
        scripts.header(name)  # says that there is none


def _set(scripts, name, targets, on):
    scripts.set(name, targets, on)
