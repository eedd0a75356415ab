# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of ovm-gateway. docs/reference/ovm-gateway.md is its manual."""

import argparse
import getpass
import logging
import os
import sys

from ansible_collections.ovm.messaging.plugins.module_utils import core_dumps
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

from .errors import place
from .settings import PATH, Settings

#: Exit codes; documented, so they never change their meaning. 2 is argparse's, and some problems have their own.
DONE, FAILED, MISSING_LIBRARY, DEFECT = 0, 1, 5, 70


def main(argv=None):
    """Run one command.

    :param argv: its arguments; those of this process if None.
    :returns: the exit code.
    """
    core_dumps.forbid()
    arguments = _parse(argv)
    try:
        return arguments.run(arguments) or DONE
    except Problem as problem:
        return _say(str(problem), getattr(problem, "exit_code", FAILED))
    except ImportError as problem:  # the commands import what they need: --help works without any library
        return _say(
            "there is no Python library %s: install those that its requirements.txt names" % problem.name,
            MISSING_LIBRARY,
        )
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        # Not its text: it may quote what nobody else is to see.
        return _say("this is a defect of ovm-gateway (%s): please report it" % place(problem), DEFECT)


def _parse(argv):
    parser = argparse.ArgumentParser(
        prog="ovm-gateway", description="Serve a Manager's REST interface for the messages of this Xen host's guests."
    )
    parser.add_argument("--version", action="version", version="ovm-gateway " + VERSION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", default=PATH, help="the configuration (default: %(default)s)")

    def command(within, name, run, text):
        added = within.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=run)
        return added

    command(commands, "serve", _serve, "run the service, until SIGTERM")
    command(commands, "check", _check, "say whether the configuration can be used")
    command(commands, "certificate", _certificate, "print the path and the SHA-256 fingerprint of the certificate")
    user = commands.add_parser("user", help="see and change who may log in")
    users = user.add_subparsers(metavar="COMMAND", required=True)
    command(users, "list", _list_users, "print the users' names")
    added = command(users, "add", _add_user, "add a user or change a password, which is read from standard input")
    added.add_argument("name", metavar="NAME")
    added = command(users, "check", _check_user, "say by the exit code whether standard input has a user's password")
    added.add_argument("name", metavar="NAME")
    added = command(users, "remove", _remove_user, "remove a user; sessions of that user end at once")
    added.add_argument("name", metavar="NAME")
    return parser.parse_args(argv)


def _serve(arguments):
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Of a line that cannot be written there would be a traceback instead, with all that was in it.
    logging.raiseExceptions = False
    from .server import serve

    serve(Settings.read(arguments.config))


def _check(arguments):
    from .certificate import Certificate
    from .users import UsersFile

    settings = Settings.read(arguments.config)
    users = UsersFile(settings.users).read()
    certificate = Certificate(settings)
    if settings.certificate or os.path.exists(certificate.path):
        certificate.context()
    print("%s can be used; users: %d" % (arguments.config, len(users)))


def _certificate(arguments):
    from .certificate import Certificate
    from .server import make_directory

    settings = Settings.read(arguments.config)
    make_directory(settings.directory)
    certificate = Certificate(settings)
    certificate.ensure()
    print("%s\nSHA-256 %s" % (certificate.path, certificate.fingerprint()))


def _list_users(arguments):
    from .users import UsersFile

    for name in sorted(UsersFile(Settings.read(arguments.config).users).read()):
        print(name)


def _add_user(arguments):
    from .users import UsersFile

    users = UsersFile(Settings.read(arguments.config).users)
    new = users.add(arguments.name, _password(arguments.name))
    print("%s %s" % ("added" if new else "changed", arguments.name))


def _check_user(arguments):
    from .users import UsersFile, fits

    stored = UsersFile(Settings.read(arguments.config).users).read().get(arguments.name)
    if stored and fits(_password(arguments.name, twice=False), stored):
        return DONE
    return _say("%s cannot log in with this password: set another by 'ovm-gateway user add'" % arguments.name, FAILED)


def _remove_user(arguments):
    from .users import UsersFile

    UsersFile(Settings.read(arguments.config).users).remove(arguments.name)
    print("removed %s" % arguments.name)


def _password(name, twice=True):
    """A password from standard input, less one newline; a person types it unseen, a new one twice."""
    from .users import PASSWORD_LIMIT, BadUsers

    if not sys.stdin.isatty():
        password = sys.stdin.buffer.read(PASSWORD_LIMIT + 3)
        return password[:-1] if password.endswith(b"\n") else password
    password = getpass.getpass("Password of %s: " % name)
    if twice and getpass.getpass("Again: ") != password:
        raise BadUsers("these were two different passwords", "try again")
    return password.encode("utf-8", "surrogateescape")


def _say(text, code):
    print("ovm-gateway: " + text, file=sys.stderr)
    return code
