# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of every script of ovm-template-config. For Python 2.6, 2.7, and 3.6 and later.

How ovm-template-config runs a script; both ends are ours, scripts see neither:

    SCRIPT --enumerate --output FD TARGET
    SCRIPT --input FD --output FD [--check] TARGET

Parameters travel as JSON through pipes of their own, so that nothing a script prints gets
among them. TEMPLATECONFIG_RESULT_FD is one more pipe; at the end, one JSON object goes there:

    {"changed": true, false or null, "message": text, "password_keys": [keys], "check": bool}
"""

import fcntl
import json
import os
import sys
import traceback

from templateconfig import common

_RESULT = "TEMPLATECONFIG_RESULT_FD"
_TEXT = type("".encode("ascii").decode("ascii"))  # unicode on Python 2
_USAGE = """\
usage: %(name)s [options] TARGET
Runs this script alone: parameters come as a JSON object from standard input and go to standard output.
  -e, --enumerate    print the parameters of TARGET that this script knows
  -i, --input=FD     read the parameters from this descriptor
  -o, --output=FD    write them to this descriptor
      --check        change nothing, only find out what would be changed
  -h, --help         show this help
Targets: %(targets)s
"""


class _BadUsage(Exception):
    """A command line that cannot be followed."""


class _Unfit(Exception):
    """What a script's function has returned is not what its interface demands."""


def main(enumerate_function, targets, check=False):
    """Do what this process was started for. Every script ends in a call of this.

    :param enumerate_function: takes a target's name; returns a JSON array of parameter objects, as text.
    :param dict targets: target's name -> function; each takes a JSON object of all parameters as text, and
        returns such a text for the next script, or None: the parameters are as they were.
    :param bool check: in check mode the functions change nothing, see common.checking(). Else they
        are not called then.
    """
    result = os.environ.pop(_RESULT, None)
    try:
        options = _parse(sys.argv[1:])
        if "help" not in options:
            channels = _Channels(options, None if result is None else int(result))
    except (_BadUsage, ValueError, OSError, IOError) as problem:
        common.say("%s: %s\n" % (_name(), problem))
        sys.exit(2)
    if "help" in options:
        sys.stdout.write(_USAGE % dict(name=_name(), targets=", ".join(sorted(targets))))
        return
    code = _perform(options, channels, enumerate_function, targets, check)
    if code:
        sys.exit(code)


def _perform(options, channels, enumerate_function, targets, check):
    """Call a script's function, whatever it does.

    :returns: the exit code.
    """
    target, message, answer = options["target"], "", None
    common._State.checking, common._State.changed = "check" in options, None
    told = dict(changed=None, message="", password_keys=[], check=check)
    try:
        if "enumerate" in options:
            answer = _json(enumerate_function(target), list, "its enumerate function")
        else:
            given = channels.read()
            told["password_keys"] = _password_keys(enumerate_function, target, given)
            if target not in targets:
                raise common.Failed("it knows no target '%s': see what its header enables it for" % target)
            if check or "check" not in options:
                answer = targets[target](given)
            answer = _json(given if answer is None else answer, dict, "its function for " + target)
    except (common.Failed, _Unfit) as problem:
        message = str(problem) or "it does not say why it failed"
    except SystemExit as problem:
        if problem.code is None or problem.code == 0:
            # It says that all is well. So be it, and the parameters are as they were.
            try:
                answer = "[]" if "enumerate" in options else _json(given, dict, "standard input")
            except _Unfit as unfit:
                message = str(unfit)
        else:
            message = "it called exit(%s)" % (problem.code,)
    except Exception:
        kind, problem = sys.exc_info()[:2]
        message = "".join(traceback.format_exception_only(kind, problem)).strip()
        common.say(traceback.format_exc())
    if message and not channels.heard:
        common.say("%s: %s\n" % (_name(), message))
    told["changed"] = common._State.changed
    told["message"] = " ".join(common._native(common.redacted(message)).split())
    _flush()
    if not message:
        channels.answer(answer)
    channels.tell(told)
    return 1 if message else 0


class _Channels(object):
    """The ways in and out of this process.

    None of them is inherited by a command: a service that a script starts would hold it open.
    Without a way out for the answer, it is standard output; what a function prints then goes to
    standard error.

    :ivar bool heard: there is somebody to tell how it went, other than by standard error.
    """

    def __init__(self, options, result):
        self.heard = result is not None
        self._input = options.get("input", 0)
        self._output, self._result = options.get("output"), result
        if self._output is None:
            self._output = os.dup(1)
            os.dup2(2, 1)
        for descriptor in (self._input, self._output, self._result):
            if descriptor is not None and descriptor > 2:
                flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
                fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)

    def read(self):
        """The parameters: as this Python's str, which on Python 2 is bytes in UTF-8."""
        pieces = []
        while True:
            piece = os.read(self._input, 65536)
            if not piece:
                break
            pieces.append(piece)
        return common._native(b"".join(pieces)) if str is not bytes else b"".join(pieces)

    def answer(self, text):
        self._write(self._output, text)

    def tell(self, told):
        if self._result is not None:
            self._write(self._result, json.dumps(told))

    def _write(self, descriptor, text):
        data = (text + "\n").encode("ascii")
        while data:
            data = data[os.write(descriptor, data) :]
        os.close(descriptor)


def _parse(arguments):
    options, rest = {}, list(arguments)
    while rest:
        argument = rest.pop(0)
        name, given, value = argument.partition("=")
        if name in ("-i", "--input", "-o", "--output"):
            if not given:
                if not rest:
                    raise _BadUsage("the option %s needs a descriptor" % name)
                value = rest.pop(0)
            options["input" if name in ("-i", "--input") else "output"] = int(value)
        elif argument in ("-e", "--enumerate"):
            options["enumerate"] = True
        elif argument == "--check":
            options["check"] = True
        elif argument in ("-h", "--help"):
            return dict(help=True)
        elif argument.startswith("-") or "target" in options:
            raise _BadUsage("unexpected argument '%s', try --help" % argument)
        else:
            options["target"] = argument
    if "target" not in options:
        raise _BadUsage("no target is given, try --help")
    return options


def _password_keys(enumerate_function, target, given):
    """The keys that this script calls passwords; their values are kept out of what is logged from now on."""
    try:
        described = json.loads(enumerate_function(target))
        keys = [one["key"] for one in described if str(one.get("password")).lower() in ("true", "yes", "1")]
        stems = [_stem(key) for key in keys]
        for key, value in json.loads(given).items():
            if _stem(key) in stems and isinstance(value, _TEXT):
                common.keep_secret([value])
        return keys
    except (Exception, SystemExit):  # it was asked before, and was heard then
        return []


def _stem(key):
    """What all keys that differ only in the number at their end have in common."""
    beginning, _dot, end = key.rpartition(".")
    return beginning if end.isdigit() or end == "N" else key


def _json(text, kind, who):
    """What a function has returned, as JSON in ASCII.

    :raises _Unfit: it is not of the kind that it has to be.
    """
    wanted = "an array" if kind is list else "an object"
    if not isinstance(text, (_TEXT, bytes)):
        raise _Unfit("%s returned %s instead of JSON text: return json.dumps(...)" % (who, type(text).__name__))
    try:
        found = json.loads(common._native(text))
    except (ValueError, RuntimeError):  # the latter: too deep
        raise _Unfit("%s returned what is no JSON: return json.dumps(...)" % who)
    if not isinstance(found, kind):
        raise _Unfit("%s returned JSON that is not %s" % (who, wanted))
    return json.dumps(found)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, IOError, ValueError):
            pass


def _name():
    return os.path.basename(sys.argv[0])
