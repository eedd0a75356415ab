# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of all programs, and the environment and texts that stand in for parts of them."""

import contextlib
import getopt
import importlib
import io
import os
import sys

from ansible_collections.ovm.messaging.plugins.module_utils import event_source
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from fuzz.checks import only
from fuzz.draw import Draw

_PROGRAMS = "ansible_collections.ovm.messaging.programs."
for _folder in ("ovmd", "ovm-template-config"):
    _path = importlib.import_module(_PROGRAMS + _folder).__path__[0]
    if _path not in sys.path:
        sys.path.append(_path)  # they import each other by their bare names

ovmd = importlib.import_module("ovmd")
ovmd_daemon = importlib.import_module("ovmd_daemon")
ovmd_options = importlib.import_module("ovmd_options")
chkconfig = importlib.import_module(_PROGRAMS + "ovm-chkconfig.ovm_chkconfig")
gateway = importlib.import_module(_PROGRAMS + "ovm-gateway.ovm_gateway.cli")
template_config = importlib.import_module("ovm_template_config_options")
vmmessage = importlib.import_module(_PROGRAMS + "ovm_vmmessage.ovm_vmmessage_options")
command_line = importlib.import_module("ansible_collections.ovm.messaging.plugins.module_utils.command_line")
templateconfig = importlib.import_module("templateconfig.cli")

SECRET = "hunter2-is-the-password"
WORDS = (
    "-p", "--set-param=a=b", "a=b", "-g", "-x", "-l", "-e", "user:pre:x", "-s", "configure", "-d", "2", "-t", "10",
    "-f", "--set", "--set-secret", "--reports", "guest,held", "none", "--foreground", "--units", "--", "-", "-u", "-h",
    "host:7002", "[::1]:7002", "::1", "-v", "web1", "-U", "-k", "-V", SECRET, "-q", "-E", "-X", "--timeout", "300",
    "--value-from-stdin", "--port=1", "--insecure", "--log", "--no-log", "-c", "-i", "0", "--output", "1", "--loglevel",
    "DEBUG", "--logformat", "%(message)s", "--initial-config", "--enumerate", "--human-readable", "--check", "--report",
    "--secret", "--lock-timeout", "--list", "--add", "--del", "--target=configure,cleanup", "--root=/mnt", "network",
    "on", "off", "serve", "check", "user", "add", "list", "--config", "--help", "--version", "--inp=3", "--ovf",
)  # fmt: skip
TOKENS = [word.encode() + b"\0" for word in WORDS]
SEEDS = [
    b"",
    *(bytes([program, 90, word, 90, word + 1, 90, word + 2]) for program in range(9) for word in range(0, 70, 5)),
]
_SHORT = "".join(option.letter + (":" if option.takes else "") for option in ovmd_options.VENDOR)
_LONG = [option.name + ("=" if option.takes else "") for option in ovmd_options.VENDOR + ovmd_options.OWN]


def run(data):
    draw = Draw(data)
    program = draw.below(9)
    words = [word.replace("\0", "") for word in (draw.text(30, WORDS) for _number in draw.some(10))]
    # As the interpreter has them: any bytes but NUL.
    words = [os.fsdecode(word.encode("utf-8", "surrogatepass")) for word in words]
    (_ovmd, _ovmd_daemon, _vmmessage, _template_config, _chkconfig, _gateway, _script, _eda, _one_line)[program](
        draw, words
    )


def _ovmd(_draw, words):
    arguments = [os.fsencode(word) for word in words]
    with only(ovmd_options.BadUsage):
        found = ovmd_options.parse(arguments)
        try:
            known, rest = getopt.gnu_getopt(words, _SHORT, _LONG)
        except getopt.GetoptError as problem:
            # What is ours does not make the vendor's abbreviations ambiguous.
            if "not a unique prefix" not in problem.msg:
                raise AssertionError("getopt refuses this: %s" % problem.msg) from None
            return
        letters = {"-" + option.letter: option.name for option in ovmd_options.VENDOR}
        model = [(letters.get(name, name[2:]), os.fsencode(value)) for name, value in known]
        if rest or [(name, value or b"") for name, value in found] != model:
            raise AssertionError("%r instead of %r" % (found, model))
        if not any(name in ("help", "version", "set-secret") for name, _value in found):
            level = ovmd._level(found)
            given = [pair for pair in found if pair[0] != "debug"]
            with only(Problem):
                if all(name in ovmd.DAEMON for name, _value in given):
                    ovmd_daemon.settings(given, {}, level)
                else:
                    ovmd._actions(given)


def _ovmd_daemon(draw, words):
    options = [(name, os.fsencode(word)) for name, word in zip(("time-period", "pid-file", "reports"), words)]
    environ = {"OVM_REPORTS": draw.one_of(words)} if words and draw.flag() else {}
    with only(Problem):
        found = ovmd_daemon.settings(options, environ, b"2")
        if not 1 <= found.period <= 86400:
            raise AssertionError("a period of %r" % found.period)


def _vmmessage(draw, words):
    names = ("OVM_USER", "OVM_PASSWORD", "OVM_HOST", "OVM_PORT", "OVM_VALIDATE_CERTS", "OVM_CLIENT_CERT")
    environ = {draw.one_of(names): draw.one_of(words) for _number in draw.some(4)} if words else {}
    try:
        found = vmmessage.parse(words, environ)
    except vmmessage.BadUsage as problem:
        for place, word in enumerate(words):
            if place and words[place - 1] in ("-V", "-p") and SECRET in word and SECRET in str(problem):
                raise AssertionError("an error tells a value") from problem
        return
    if found in (vmmessage.HELP, vmmessage.VERSION):
        return
    if not 0 < found.port < 65536 or not found.timeout > 0 or (found.key is None) == (found.query is None):
        raise AssertionError("a request that cannot be followed")


def _template_config(_draw, words):
    with only(Problem):
        found = template_config.parse(words)
        if not found.help and not found.version and not 0 < found.timeout <= 864000:
            raise AssertionError("scripts may take %r seconds" % found.timeout)


def _chkconfig(_draw, words):
    with only(Problem):
        options, operands = command_line.parse(chkconfig.PROGRAM, words, "h", chkconfig._LONG)
        chkconfig._action(options, operands)


def _gateway(_draw, words):
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            found = gateway._parse(words)
        except SystemExit as ended:
            if ended.code not in (0, 2):
                raise AssertionError("exit code %r" % ended.code) from ended
            return
    if not callable(found.run):
        raise AssertionError("there is nothing to do")


def _script(_draw, words):
    try:
        found = templateconfig._parse(words)
    except (templateconfig._BadUsage, ValueError):
        return
    if not found.get("help") and not isinstance(found["target"], str):
        raise AssertionError("no target")


def _eda(draw, words):
    names = [*event_source.OPTIONS, *event_source.OTHERS, "unheard-of"]
    given = {draw.one_of(names): draw.tree((), words or WORDS, 2) for _number in draw.some(5)}
    with only(Problem):
        found = event_source.parse(dict({"host": "manager"}, **given), {})
        if set(found) != set(event_source.OPTIONS) or not 0 < found["interval"] <= 864000:
            raise AssertionError("options that nobody can follow")


def _one_line(_draw, words):
    for word in words:
        if not command_line.one_line(word).isprintable():
            raise AssertionError("a line that steers a terminal")
