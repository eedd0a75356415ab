# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of ovm_vmmessage, and the environment that stands in for parts of it. Pure."""

import getopt
import math
import os
from collections import namedtuple

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem


class BadUsage(Problem):
    """A command line that cannot be followed; nothing was done."""


class Option(namedtuple("Option", ("letter", "name", "takes", "variable", "help"))):
    """An option: ``letter`` or ``name`` may be empty.

    :ivar str takes: what the help calls the argument, empty where there is none.
    :ivar str variable: of the environment, which counts where the option is not given.
    """

    __slots__ = ()

    def __str__(self):
        return "-" + self.letter if self.letter else "--" + self.name


USER = Option("u", "", "USER", "OVM_USER", "User of the manager.")
PASSWORD = Option(
    "p", "", "PASSWORD", "OVM_PASSWORD", "The user's password. Others can see it: better -E, or be asked."
)
HOST = Option("h", "", "HOST[:PORT]", "OVM_HOST", "The manager's host. Default: localhost.")
VM_NAME = Option("v", "", "NAME", "", "Name of the virtual machine.")
VM_UUID = Option("U", "", "UUID", "", "UUID of the virtual machine, instead of its name.")
KEY = Option("k", "", "KEY", "", "Send a message with this key,")
VALUE = Option("V", "", "VALUE", "", "and this value.")
QUERY = Option("q", "", "KEY", "", "Query the value that the virtual machine has sent with this key.")
TLS = Option("X", "", "", "", "No effect: the connection always uses TLS.")
FROM_ENVIRONMENT = Option("E", "", "", "", "The password is in the environment variable OVM_PASSWORD.")
VENDOR = (USER, PASSWORD, HOST, VM_NAME, VM_UUID, KEY, VALUE, QUERY, TLS, FROM_ENVIRONMENT)

FROM_STDIN = Option("", "value-from-stdin", "", "", "Read the value to be sent from standard input, instead of -V.")
QUIET = Option("", "quiet", "", "", "Print the queried value only.")
VERBOSE = Option("", "verbose", "", "", "Tell on standard error what is waited for, as on a terminal.")
LOG = Option("", "log", "", "", "Have the manager remember what is sent.")
NO_LOG = Option("", "no-log", "", "", "Have it not remembered (the default).")
PORT = Option("", "port", "PORT", "OVM_PORT", "The manager's port. Default: 7002.")
CA_FILE = Option("", "ca-file", "FILE", "OVM_CA_FILE", "Certificates to trust, PEM. Default: the system's.")
CLIENT_CERT = Option("", "client-cert", "FILE", "OVM_CLIENT_CERT", "Certificate to log in with, PEM.")
CLIENT_KEY = Option("", "client-key", "FILE", "OVM_CLIENT_KEY", "Its key, unless the certificate's file has it.")
INSECURE = Option("", "insecure", "", "OVM_VALIDATE_CERTS", "Do not verify the manager's certificate.")
TIMEOUT = Option("", "timeout", "SECONDS", "", "Longest wait for the manager, and for its job. Default: 300.")
VERSION = Option("", "version", "", "", "Show version number and exit.")
HELP = Option("", "help", "", "", "Show this help information and exit.")
OWN = (
    FROM_STDIN, QUIET, VERBOSE, LOG, NO_LOG, PORT, CA_FILE, CLIENT_CERT, CLIENT_KEY, INSECURE, TIMEOUT, VERSION, HELP
)  # fmt: skip

# What is to be done is said once. Where and as whom may be said by an alias, and then again.
_ONCE = (VM_NAME, VM_UUID, KEY, VALUE, QUERY)
_YES, _NO = ("1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")
_ADVICE = "try 'ovm_vmmessage --help'"
_COLUMN = 28


class Request(
    namedtuple(
        "Request",
        "host port user password client_cert client_key ca_file verify timeout"
        " vm_name vm_uuid key value query log quiet verbose",
    )
):
    """What a command line asks for. What was not said is None, but for what has a default.

    :ivar str password: None: to be asked for, unless there is a client certificate.
    :ivar float timeout: seconds.
    :ivar bytes key: to be sent; None: ``query`` is to be queried.
    :ivar bytes value: None: to be read from standard input.
    """

    __slots__ = ()

    def __repr__(self):
        return "Request(<%s>)" % ("query" if self.key is None else "send")


def parse(words, environ):
    """Read a command line.

    :param words: its words as text, without the program's name, as sys.argv has them.
    :param environ: the environment's variables.
    :returns: HELP, VERSION or a Request.
    :raises BadUsage: saying what is wrong with it, and never quoting what may be a value.
    """
    given = _read(words)
    for option in (HELP, VERSION):
        if option in given:
            return option

    def one(option, default=None):
        # A variable that is empty is one that is not set.
        return given[option][-1] if option in given else environ.get(option.variable) or default

    for option in _ONCE:
        if len(given.get(option, ())) > 1:
            raise BadUsage(
                str(option) + " was given more than once", "one run is about one virtual machine and one key"
            )
    if VM_NAME in given and VM_UUID in given:
        raise BadUsage("both -v and -U were given", "name the virtual machine in one way")
    if VM_NAME not in given and VM_UUID not in given:
        raise BadUsage("no virtual machine was named", "give its name with -v or its UUID with -U")
    _require_one_action(given)
    host, port = _address(one(HOST, "localhost"), given.get(PORT, [None])[-1], environ.get(PORT.variable))
    user, password, certificate = one(USER), one(PASSWORD), one(CLIENT_CERT)
    if FROM_ENVIRONMENT in given:
        if PASSWORD in given:
            raise BadUsage("both -p and -E were given", "leave out -p, which shows the password to others")
        if not password:
            raise BadUsage("-E was given, but OVM_PASSWORD is not set", "set it to the password")
    if not user and not certificate:
        raise BadUsage("nobody was named to log in as", "give -u USER, or --client-cert FILE")
    if one(CLIENT_KEY) and not certificate:
        raise BadUsage("there is a client key without its certificate", "give --client-cert, too")
    return Request(
        host=host,
        port=port,
        user=utf8("user", _bytes(user)),
        password=utf8("password", _bytes(password)),
        client_cert=certificate,
        client_key=one(CLIENT_KEY),
        ca_file=one(CA_FILE),
        verify=INSECURE not in given and _boolean(INSECURE.variable, environ.get(INSECURE.variable) or "yes"),
        timeout=_seconds(one(TIMEOUT, "300")),
        vm_name=_name(one(VM_NAME)),
        vm_uuid=one(VM_UUID),
        key=_bytes(one(KEY)),
        value=_bytes(one(VALUE)),
        query=_bytes(one(QUERY)),
        log=given.get(LOG, [False])[-1],
        quiet=QUIET in given,
        verbose=VERBOSE in given,
    )


def usage():
    """The help text.

    :rtype: str
    """
    lines = [
        "usage: ovm_vmmessage -u USER -h HOST -v NAME -k KEY -V VALUE",
        "       ovm_vmmessage -u USER -h HOST -v NAME -q KEY",
        "options:",
    ]
    lines += [_line(option) for option in VENDOR]
    lines += ["", "options of this ovm_vmmessage only:"]
    lines += [_line(option) for option in OWN]
    lines += ["", "Environment variables that count where an option is not given:"]
    lines += [
        "  " + option.variable.ljust(_COLUMN - 2) + (str(option) if option is not INSECURE else "'no': --insecure")
        for option in VENDOR + OWN
        if option.variable
    ]
    return "\n".join(lines) + "\n"


def _read(words):
    """The options that were given: ``{Option: [argument or True, ...]}``."""
    letters = "".join(option.letter + (":" if option.takes else "") for option in VENDOR)
    names = [option.name + ("=" if option.takes else "") for option in OWN]
    try:
        found, rest = getopt.gnu_getopt(words, letters, names)
    except getopt.GetoptError as problem:
        # It names the option, never its argument.
        raise BadUsage(problem.msg, _ADVICE) from None
    if rest:
        # Not shown: such a word mostly is a piece of a value that was not quoted.
        raise BadUsage("there are words that belong to no option", "quote a value that has blanks in it; " + _ADVICE)
    known = {"-" + option.letter: option for option in VENDOR}
    known.update(("--" + option.name, option) for option in OWN)
    given = {}
    for name, argument in found:
        option = known[name]
        if option is NO_LOG:
            given.setdefault(LOG, []).append(False)
        else:
            given.setdefault(option, []).append(argument if option.takes else True)
    return given


def _require_one_action(given):
    if QUERY in given:
        if KEY in given or VALUE in given or FROM_STDIN in given:
            raise BadUsage("there is something to send and something to query", "do one after the other")
        return
    if KEY not in given:
        if VALUE in given or FROM_STDIN in given:
            raise BadUsage("there is a value without a key", "give -k KEY, too")
        raise BadUsage("there is nothing to do", "send with -k KEY -V VALUE, or query with -q KEY")
    if VALUE not in given and FROM_STDIN not in given:
        raise BadUsage("there is a key to send but no value", "give -V VALUE or --value-from-stdin; -q queries")
    if VALUE in given and FROM_STDIN in given:
        raise BadUsage("both -V and --value-from-stdin were given", "give the value in one way")


def _address(text, port, fallback):
    """Host and port of ``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare ``v6``.

    :param port: of its own option, or None; ``fallback``: what counts if there is no port anywhere.
    """
    wrong = BadUsage("'%s' is no host" % text, "give a name or an address, or HOST:PORT, or [IPV6]:PORT")
    inside = None
    if text.startswith("["):
        host, closed, inside = text[1:].partition("]")
        if not closed or (inside and not inside.startswith(":")):
            raise wrong
        inside = inside[1:] if inside else None
    elif text.count(":") == 1:
        host, _unused, inside = text.partition(":")
    else:
        host = text
    if not host or not host.isprintable() or set(host) & set(" /@?#[]%\\"):
        raise wrong
    if port is not None and inside is not None and port != inside:
        raise BadUsage("there are two ports, %s and %s" % (inside, port), "give one, with -h or with --port")
    chosen = next(text for text in (port, inside, fallback or "7002") if text is not None)
    if not _digits(chosen) or not 0 < int(chosen) < 65536:
        raise BadUsage("'%s' is no port" % chosen, "give a number from 1 to 65535")
    return host, int(chosen)


def _digits(text):
    return 0 < len(text) <= 5 and set(text) <= set("0123456789")


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise BadUsage("'%s' is no time" % text, "give the seconds, more than 0")
    return seconds


def _boolean(name, text):
    if text.lower() in _YES + _NO:
        return text.lower() in _YES
    raise BadUsage("%s is '%s', which is neither yes nor no" % (name, text), "set it to one of them, or unset it")


def _bytes(text):
    return None if text is None else os.fsencode(text)


def _name(text):
    """A virtual machine's name as managers have it, whatever the locale has made of its bytes."""
    return None if text is None else _bytes(text).decode("utf-8", "surrogateescape")


def utf8(what, raw):
    """User or password as text: what HTTP takes, whatever the locale would make of these bytes.

    :raises BadUsage: it is none.
    """
    try:
        return None if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadUsage("the %s is not UTF-8" % what, "have it written in UTF-8") from None


def _line(option):
    left = "  -%s" % option.letter if option.letter else "  --" + option.name
    if option.takes:
        left += (" " if option.letter else "=") + option.takes
    return left.ljust(_COLUMN) + option.help
