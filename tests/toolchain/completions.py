# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what completes the programs' command lines in bash, fish and zsh: programs/NAME/completions.

usage: tests/bootstrap python -m toolchain.completions

Options, and what they say of themselves, come from the programs' own parsers; a test says so where the
files are not what comes out here. All that is known here alone is what their arguments may be.
"""

import argparse
import dataclasses
import importlib
import re
import sys
from unittest import mock

from toolchain import ROOT

SHELLS = ("bash", "fish", "zsh")
HEADER = """\
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes {0} in {1}
"""


class Values:
    """What the argument of an option, or an operand, may be: a line of code for each shell.

    :ivar str bash: a command that fills COMPREPLY, with ``$cur`` as what is there.
    :ivar str fish: arguments of ``complete``.
    :ivar str zsh: an action of ``_arguments``.
    :ivar str operand: a command that does the same in zsh where it is no option's.
    :ivar str function: of zsh, which has to be there for these.
    """

    def __init__(self, bash, fish, zsh, operand="", function=""):
        self.bash, self.fish, self.zsh, self.operand, self.function = bash, fish, zsh, operand, function


def words(*choices):
    """One of these words."""
    plain = " ".join(choices)
    return Values(_proposed("-W '%s'" % plain), "-x -a '%s'" % plain, "(%s)" % plain, "compadd -- " + plain)


def lines(name, command):
    """One of the lines that a command prints; where it fails, there are none, and nobody hears of it."""
    function = "__ovm_messaging_" + name
    quoted = command.replace("\\", "\\\\").replace("'", "\\'")
    return Values(
        'while IFS= read -r word; do\n            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")\n        done < <(%s)'
        % command,
        "-x -a '(%s)'" % quoted,
        function,
        function,
        '%s() {\n  local -a found\n  found=(${(f)"$(%s)"})\n  compadd -a found\n}' % (function, command),
    )


def _proposed(what):
    return 'mapfile -t COMPREPLY < <(compgen %s -- "$cur")' % what


NOTHING = Values(":", "-x", " ")
FILE = Values("compopt -o filenames 2>/dev/null\n        " + _proposed("-f"), "-r -F", "_files")
FOLDER = Values(
    "compopt -o filenames 2>/dev/null\n        " + _proposed("-d"), "-x -a '(__fish_complete_directories)'", "_files -/"
)
HOST = Values(_proposed("-A hostname"), "-x -a '(__fish_print_hostnames)'", "_hosts")
# None of these asks for anything, waits for long, or shows more than names.
KEY = lines("keys", r"""timeout 2 ovmd -l 2>/dev/null | sed -n 's/^{"\([A-Za-z0-9._-]*\)":.*/\1/p'""")
SCRIPT = lines("scripts", r"""ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null""")
# fish has no such way to write a default.
SCRIPT.fish = (
    "-x -a '(set -q OVM_TEMPLATE_DIR; or set -l OVM_TEMPLATE_DIR /etc/template.d; "
    "ls -- $OVM_TEMPLATE_DIR/scripts 2>/dev/null)'"
)
USER = lines("users", "timeout 2 ovm-gateway user list 2>/dev/null")


@dataclasses.dataclass
class Option:
    """An option: ``letter`` or ``name`` may be empty, ``takes`` is empty where it has no argument."""

    letter: str
    name: str
    takes: str
    help: str
    values: Values = NOTHING

    def spellings(self):
        return ["-" + self.letter] * bool(self.letter) + ["--" + self.name] * bool(self.name)


@dataclasses.dataclass
class Program:
    """A command line.

    :ivar operands: after which operands (a pattern, all in one word) which operand may come.
    """

    name: str
    options: list
    operands: list = dataclasses.field(default_factory=list)


def _module(path):
    return importlib.import_module("ansible_collections.ovm.messaging.programs." + path)


def _from_usage(text, values, known):
    """Options out of a help text, held against what the program's parser knows.

    :param values: what their arguments may be, by letter or name.
    :param known: the names of all options.
    """
    form = r"^ +(?:-(\w)(?:, +)?)?(?:--([\w-]+)(?:[ =]\[?([A-Z][^\s]*?)\]?)?)?(?: {2,}(\S.*)|\n +(\S.*))$"
    found = [
        Option(letter, name, takes.rstrip(".,"), first or second)
        for letter, name, takes, first, second in re.findall(form, text, re.M)
        if name
    ]
    if {option.name for option in found} != set(known):
        raise SystemExit("the help text does not have the options that there are: %s" % sorted(known))
    for option in found:
        option.values = values.get(option.name, NOTHING)
    return found


def ovmd():
    module = _module("ovmd.ovmd_options")
    targets = _targets()
    values = {
        "get-param": KEY,
        "delete-param": KEY,
        "set-secret": KEY,
        "script": words(*targets),
        "debug": words("0", "1", "2"),
        "pid-file": FILE,
        "reports": words("guest", "held", "configuration", "addresses", "none"),
    }
    options = [
        Option(o.letter, o.name, o.takes, o.help.replace("\n", " "), values.get(o.name, NOTHING))
        for o in module.VENDOR + module.OWN
    ]
    return Program("ovmd", options)


def ovm_vmmessage():
    module = _module("ovm_vmmessage.ovm_vmmessage_options")
    values = {"h": HOST, "ca-file": FILE, "client-cert": FILE, "client-key": FILE}
    options = [
        Option(o.letter, o.name, o.takes, o.help, values.get(o.letter or o.name, NOTHING))
        for o in module.VENDOR + module.OWN
    ]
    return Program("ovm_vmmessage", options)


def ovm_template_config():
    module = _module("ovm-template-config.ovm_template_config_options")
    logs = importlib.import_module("ansible_collections.ovm.messaging.plugins.module_utils.firstboot.log")
    values = {"script": SCRIPT, "logfile": FILE, "loglevel": words(*logs.LEVELS)}
    options = _from_usage(module.USAGE, values, module._PLAIN + module._VALUED)
    return Program("ovm-template-config", options, [("", words(*_targets()))])


def ovm_chkconfig():
    module = _module("ovm-chkconfig.ovm_chkconfig")
    values = {"list": SCRIPT, "add": SCRIPT, "del": SCRIPT, "target": words(*_targets()), "root": FOLDER}
    options = _from_usage(module._USAGE, values, [name.rstrip("=") for name in module._LONG])
    for option in options:
        if option.name == "list":
            option.takes = ""  # the script's name is an operand
    return Program("ovm-chkconfig", options, [("", SCRIPT), ("* *", NOTHING), ("*", words("on", "off"))])


def ovm_gateway():
    # What is wanted is the parser, not what it makes of a command line.
    with mock.patch.object(argparse.ArgumentParser, "parse_args", lambda parser, _words: parser):
        parser = _module("ovm-gateway.ovm_gateway.cli")._parse([])
    options, operands = {}, []
    _walk(parser, "", options, operands)
    return Program("ovm-gateway", list(options.values()), [*operands, ("*", NOTHING)])


def _walk(parser, path, options, operands):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            operands.append((path, words(*action.choices)))
            for name, within in action.choices.items():
                _walk(within, (path + " " + name).strip(), options, operands)
        elif action.option_strings:
            letter = next((o[1:] for o in action.option_strings if not o.startswith("--")), "")
            name = next((o[2:] for o in action.option_strings if o.startswith("--")), "")
            text = re.sub(r" \(.*\)$", "", action.help or "")
            takes = action.metavar or "" if action.nargs != 0 else ""
            options.setdefault(name, Option(letter, name, takes, text, FILE if name == "config" else NOTHING))
        else:
            operands.append((path, NOTHING if path == "user add" else USER))


def _targets():
    return importlib.import_module("ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets").TARGETS


PROGRAMS = (ovm_chkconfig, ovm_gateway, ovm_template_config, ovm_vmmessage, ovmd)


# --- bash -------------------------------------------------------------------------------


def bash(program):
    function = "_" + re.sub(r"\W", "_", program.name)
    taking = [option for option in program.options if option.takes]
    arms = {}
    for option in taking:
        arms.setdefault(option.values.bash, []).extend(option.spellings())
    reads = bool(program.operands) or any("read" in code for code in arms)
    out = [HEADER.format(program.name, "bash") + "# shellcheck shell=bash", "", function + "() {"]
    out += [
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}" + " word" * reads,
        "    COMPREPLY=()",
        "    # Where = parts words, it is one of its own.",
        "    if [[ $cur == '=' ]]; then",
        "        cur=",
        "    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then",
        "        prev=${COMP_WORDS[COMP_CWORD - 2]}",
        "    fi",
        "    case $prev in",
    ]
    for code, spellings in arms.items():
        out += ["    %s)" % " | ".join(spellings), "        " + code, "        return", "        ;;"]
    out += ["    esac"]
    every = " ".join(spelling for option in program.options for spelling in option.spellings())
    proposed = "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")" % every
    if not program.operands:
        return "\n".join([*out, "    " + proposed, "}", "complete -F %s %s" % (function, program.name), ""])
    out += [
        "    if [[ $cur == -* ]]; then",
        "        " + proposed,
        "        return",
        "    fi",
        "    local operands='' skip=",
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        "        case $skip$word in",
        "        =) skip= ;;",
        "        skip=) skip=skip ;;",
        "        skip*) skip= ;;",
    ]
    if taking:
        out += ["        %s) skip=skip ;;" % " | ".join(s for option in taking for s in option.spellings())]
    out += [
        "        -*) ;;",
        "        *) operands=${operands:+$operands }$word ;;",
        "        esac",
        "    done",
        "    case $operands in",
    ]
    for pattern, values in program.operands:
        out += ["    %s)" % _pattern(pattern), "        " + values.bash, "        ;;"]
    return "\n".join([*out, "    esac", "}", "complete -F %s %s" % (function, program.name), ""])


def _pattern(pattern):
    """A pattern for case, in which nothing but ``*`` means more than itself."""
    return "".join(part if part == "*" else "'%s'" % part for part in re.findall(r"\*|[^*]+", pattern)) or "''"


# --- fish -------------------------------------------------------------------------------


def fish(program):
    out = [HEADER.format(program.name, "fish")]
    function = "__%s_operands" % re.sub(r"\W", "_", program.name)
    if program.operands:
        taking = [s for option in program.options if option.takes for s in option.spellings()]
        out += [
            "function %s" % function,
            "    set -l words (commandline -opc)",
            "    set -e words[1]",
            "    set -l found",
            "    set -l skip",
            "    for word in $words",
            "        if set -q skip[1]",
            "            set -e skip[1]",
            "            continue",
            "        end",
            "        switch $word",
        ]
        if taking:
            out += ["            case %s" % " ".join(taking), "                set skip 1"]
        out += [
            "            case '-*'",
            "            case '*'",
            "                set -a found $word",
            "        end",
            "    end",
            "    string join ' ' -- $found",
            "end",
            "",
        ]
    start = "complete -c " + program.name
    out.append(start + " -f")
    for option in program.options:
        line = start + (" -s " + option.letter if option.letter else "") + (" -l " + option.name if option.name else "")
        if option.takes:
            line += " " + option.values.fish
        out.append(line + " -d " + _quoted(option.help))
    earlier = []
    for pattern, values in program.operands:
        condition = "; or ".join('string match -q -- %s "$found"' % _quoted(p) for p in earlier if _covers(pattern, p))
        condition = 'set -l found (%s); string match -q -- %s "$found"' % (function, _quoted(pattern)) + (
            "; and not begin; %s; end" % condition if condition else ""
        )
        if values is not NOTHING:
            out.append("%s -n %s %s" % (start, _quoted(condition), values.fish))
        earlier.append(pattern)
    return "\n".join(out) + "\n"


def _covers(pattern, other):
    """Whether a pattern also fits what an earlier one is for."""
    return "*" in pattern and pattern != other


def _quoted(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "\\'")


# --- zsh --------------------------------------------------------------------------------


def zsh(program):
    every = [option.values for option in program.options] + [values for _pattern, values in program.operands]
    functions = sorted({values.function for values in every if values.function})
    out = ["#compdef " + program.name, HEADER.format(program.name, "zsh"), *functions]
    if program.operands:
        out += ["local context state line ret=1", "typeset -A opt_args"]
    out.append("_arguments -s -S%s \\" % (" -C" if program.operands else ""))
    for option in program.options:
        spellings = [
            *(["-%s%s" % (option.letter, "+" if option.takes else "")] if option.letter else []),
            *(["--%s%s" % (option.name, "=" if option.takes else "")] if option.name else []),
        ]
        text = re.sub(r"([\[\]:\\])", r"\\\1", option.help)
        tail = "[%s]" % text + (
            ":%s:%s" % (option.takes.replace(":", "\\:"), option.values.zsh) if option.takes else ""
        )
        # Some may be given again: they do no harm.
        out.append("  " + " ".join("'*%s%s'" % (s, tail.replace("'", "'\\''")) for s in spellings) + " \\")
    if not program.operands:
        return "\n".join(out)[:-2] + "\n"
    out += [
        "  '*:: :->operand' && ret=0",
        "if [[ $state == operand ]]; then",
        '  case "${(j: :)words[1,CURRENT-1]}" in',
    ]
    for pattern, values in program.operands:
        out.append("    %s)" % ("('')" if not pattern else "(%s)" % _pattern(pattern)))
        out.append("      %s ;;" % (values.operand + " && ret=0" if values.operand else "_message 'nothing more'"))
    return "\n".join([*out, "  esac", "fi", "return ret", ""])


def files():
    """All that is to be there.

    :returns: path -> content.
    """
    makers = {"bash": bash, "fish": fish, "zsh": zsh}
    return {
        ROOT / "programs" / program.name / "completions" / ("%s.%s" % (program.name, shell)): makers[shell](program)
        for program in (describe() for describe in PROGRAMS)
        for shell in SHELLS
    }


def main():
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
