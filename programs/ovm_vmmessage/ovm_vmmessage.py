# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ovm_vmmessage: options into calls of the manager core, errors into exit codes.

docs/reference/ovm_vmmessage.md is its manual.
"""

import os
import sys

import ovm_vmmessage_text as text
from ovm_vmmessage_options import HELP, VERSION, BadUsage, parse, usage

from ansible_collections.ovm.messaging.plugins.module_utils import core_dumps, vms
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import KEY_LIMIT_TO_GUEST
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem, one_line

#: Exit codes; documented, so they never change their meaning.
DONE, NO_SUCH_KEY, BAD_INPUT, NO_SUCH_VM, AMBIGUOUS_VM, VM_NOT_RUNNING, LOGIN_REFUSED = range(7)
NO_MANAGER, NOT_TRUSTED, NOT_SENT, OUTCOME_UNKNOWN, NO_OUTPUT, DEFECT = 7, 8, 9, 10, 11, 70


class NoSuchKey(Problem):
    """The virtual machine has sent no message with this key."""


class OutputFailed(Problem):
    """Standard output does not take what was asked for."""


class ReaderGone(Exception):
    """Whoever read standard output has ended, as ``head`` does. Nothing to complain of."""


def main():
    """Run the command line of this process.

    :returns: the exit code.
    """
    core_dumps.forbid()
    _open_standard_descriptors()
    try:
        _run(sys.argv[1:], os.environ)
        return DONE
    except Problem as problem:
        _complain(str(problem))
        return _code(problem)
    except ReaderGone:
        return _die("SIGPIPE")
    except KeyboardInterrupt:
        return _die("SIGINT")
    except Exception as problem:
        # Python's own exit code would read as "no such key". Not its text: it may quote a value.
        where = problem.__traceback__
        while where.tb_next:
            where = where.tb_next
        place = "%s, line %d" % (where.tb_frame.f_code.co_filename, where.tb_lineno)
        _complain("this is a defect of ovm_vmmessage (%s in %s): please report it" % (type(problem).__name__, place))
        return DEFECT


def _code(problem):
    """The exit code for what went wrong."""
    from ansible_collections.ovm.messaging.plugins.module_utils.manager import errors

    kinds = (
        (NoSuchKey, NO_SUCH_KEY),
        ((BadUsage, InvalidMessage, errors.BadConnection, errors.InvalidMessage), BAD_INPUT),
        (vms.VmNotFound, NO_SUCH_VM),
        (vms.VmAmbiguous, AMBIGUOUS_VM),
        (vms.VmNotRunning, VM_NOT_RUNNING),
        ((errors.LoginFailed, errors.Forbidden), LOGIN_REFUSED),
        (errors.UntrustedCertificate, NOT_TRUSTED),
        ((errors.OutcomeUnknown, errors.JobTimeout), OUTCOME_UNKNOWN),
        ((errors.Refused, errors.JobFailed), NOT_SENT),
        (OutputFailed, NO_OUTPUT),
    )
    return next((code for kind, code in kinds if isinstance(problem, kind)), NO_MANAGER)


def _run(words, environ):
    """Do what a command line asks for.

    :raises Problem: for everything that can go wrong.
    """
    request = parse(words, environ)
    if request is HELP:
        _write(usage().encode("ascii"))
    elif request is VERSION:
        from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION as number

        _write(b"ovm_vmmessage %s\n" % number.encode("ascii"))
    else:
        _exchange(_complete(request))


def _complete(request):
    """The request with what is read or asked for instead of being given."""
    if request.key is not None and request.value is None:
        from ovm_vmmessage_secret import read_value

        request = request._replace(value=read_value(request.key))
    if request.password is None and not request.client_cert:
        from ovm_vmmessage_secret import read_password

        request = request._replace(password=read_password(request.user, request.host))
    return request


def _exchange(request):
    """Send or query."""
    from ovm_vmmessage_patience import Patience

    from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
    from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager

    patience = Patience(_complain, request.verbose or (os.isatty(2) and not request.quiet))

    def say(line):
        if not request.quiet:
            _write(line + b"\n")

    # With a certificate alone, a user without a password would be a login that cannot succeed.
    connection = Connection(
        request.host,
        request.port,
        username=request.user if request.password is not None else None,
        password=request.password,
        client_cert=request.client_cert,
        client_key=request.client_key,
        ca_path=request.ca_file,
        validate_certs=request.verify,
        connect_timeout=min(10.0, request.timeout),
        timeout=min(60.0, request.timeout),
    )
    with Manager(connection, ready_timeout=request.timeout, job_timeout=request.timeout) as manager:
        if request.key is not None:
            # A manager takes a little more than the channel to the guest, where the rest would be cut off.
            message = Message(request.key, request.value).check(KEY_LIMIT_TO_GUEST)
            manager.check([message], request.log)
        if not request.verify:
            _complain(
                "the manager's certificate is not verified, so anyone could answer in its place: better use --ca-file"
            )
        say(text.BANNER)
        with patience.waiting("the manager at %s to answer and to run" % connection.address):
            manager.connect()
        say(text.CONNECTED)
        with patience.waiting("the manager's list of virtual machines"):
            known = manager.vms()
        vm = _find(known, request)
        say(text.status(_name(vm), vm.state))
        if request.key is None:
            _query(manager, vm, request, say, patience)
        else:
            vms.require_running(vm)
            say(text.SENDING)
            with patience.waiting("the manager's job of sending to '%s'" % vm.name):
                manager.send(vm, [(request.key, request.value)], request.log)
            say(text.SENT)


def _find(known, request):
    """The virtual machine that is meant. A name that looks like another's UUID is a name all the same."""
    if request.vm_uuid is not None:
        known = [vm for vm in known if vm.id == vms.canonical_id(request.vm_uuid)]
        return vms.find(known, request.vm_uuid)
    return vms.find([vm for vm in known if vm.name == request.vm_name], request.vm_name)


def _query(manager, vm, request, say, patience):
    say(text.querying(_shown(request.query)))
    with patience.waiting("what '%s' has sent" % vm.name):
        found = [record for record in manager.received(vm) if record.key == request.query]
    if not found:
        raise NoSuchKey(
            "the virtual machine '%s' has sent nothing with the key '%s'" % (vm.name, os.fsdecode(request.query)),
            "see whether it has run 'ovmd -p KEY=VALUE'",
        )
    newest = found[-1]
    say(text.FOUND)
    if request.quiet:
        _write(_shown(newest.value) + b"\n")
        return
    say(text.returned(_shown(request.query), _shown(newest.value)))
    age = _age(manager, vm, newest)
    if age is not None:
        say(text.key_set(age))


def _age(manager, vm, record):
    """Seconds since a record's time, by the manager's clock; None where that cannot be known."""
    try:
        record = manager.dated(vm, [record])[0]
        return None if record.time is None else manager.now() - record.time
    except Problem:
        # The answer has been given; that it cannot be dated, as without a right to read events, is no failure.
        return None


def _name(vm):
    # Never raw: whoever may name virtual machines must not be able to forge lines.
    return text.visible(vm.name.encode("utf-8", "surrogateescape"))


def _shown(raw):
    """Bytes as they are for a program, and so that they do no harm for a person's terminal."""
    return text.visible(raw) if os.isatty(1) else raw


def _write(data):
    """Write to standard output, all of it, before the next thing is done.

    :raises ReaderGone: there is nobody left who reads.
    :raises OutputFailed: for any other reason.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        raise ReaderGone() from None
    except OSError as problem:
        raise OutputFailed(
            "standard output cannot be written (%s)" % problem.strerror, "see where it leads"
        ) from problem


def _complain(line):
    """One line to standard error, in one piece; where that fails there is nobody left to tell."""
    try:
        os.write(2, ("ovm_vmmessage: %s\n" % one_line(line)).encode("utf-8"))
    except OSError:
        pass


def _open_standard_descriptors():
    """Occupy descriptors 0 to 2 where a caller closed them.

    Else the connection would get one of these numbers, and what is written to "standard
    output" would end up at the manager.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. What cannot be written to stays an error.
            os.open(os.devnull, os.O_WRONLY if descriptor == 0 else os.O_RDONLY)


def _die(name):
    """End by a signal, as a program that knows nothing of it would: callers then see why."""
    import signal

    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # where the signal is blocked
