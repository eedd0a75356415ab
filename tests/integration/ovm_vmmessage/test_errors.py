# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage refuses and what fails it: one line, a documented exit code, and no half work."""

import os
import signal
import socket
import subprocess

import pytest

from lab.faults import Faults, Held, cut_after, cut_before, html

OK, NO_SUCH_KEY, BAD_INPUT, NO_SUCH_VM, AMBIGUOUS_VM, VM_NOT_RUNNING, LOGIN_REFUSED = range(7)
NO_MANAGER, NOT_TRUSTED, NOT_SENT, OUTCOME_UNKNOWN, NO_OUTPUT = range(7, 12)

PATIENCE = 60
BANNER = b"Oracle VM VM Message utility 0.5.2.\n"
CONNECTED = BANNER + b"Connected.\n"
RUNNING = CONNECTED + b"VM : 'MyVM02' has status : Running.\n"
SENDING = RUNNING + b"Sending message.\n"
SENT = SENDING + b"Message sent successfully.\n"
QUERY = ["-v", "MyVM02", "-q", "key1"]
SEND = ["-v", "MyVM02", "-k", "key2", "-V", "SECRET"]


LONG = "k" * 64


def line(text):
    return ("ovm_vmmessage: %s\n" % text).encode()


def test_no_such_key(run, vm):
    vm.sends(b"key", b"value")
    text = (
        "the virtual machine 'MyVM02' has sent nothing with the key 'key1': see whether it has run 'ovmd -p KEY=VALUE'"
    )
    assert run(*QUERY) == (NO_SUCH_KEY, RUNNING + b"Querying for key 'key1.\n", line(text))
    assert run("--quiet", *QUERY) == (NO_SUCH_KEY, b"", line(text))


def test_what_cannot_be_sent_is_refused_before_anything_is_done(run_by_faults, faults):
    for arguments, text in [
        (["-k", "", "-V", "v"], "the key is empty: give every parameter a name"),
        (["-k", "k" * 255, "-V", "v"], "the key '%s...' has 255 bytes, the limit is 254: use a shorter key" % LONG),
        (
            ["-k", "k", "-V", "v" * 8192],
            "the value of 'k' has 8192 bytes, the limit is 8191: split the value over several keys",
        ),
        (
            ["-k", "k", "-V", "v" * 1025, "--log"],
            "the value of 'k' has 1025 bytes, the limit is 1024: send it without having it logged",
        ),
        (
            ["-k", "user.password", "-V", "v", "--log"],
            "'user.password' is a secret, and would be logged: send it without having it logged",
        ),
        (["-k", "k"], "there is a key to send but no value: give -V VALUE or --value-from-stdin; -q queries"),
        (["-k", "k", "-V", "v", "-z"], "option -z not recognized: try 'ovm_vmmessage --help'"),
    ]:  # fmt: skip
        assert run_by_faults("-v", "MyVM02", *arguments) == (BAD_INPUT, b"", line(text))
    code, out, err = run_by_faults("-v", "MyVM02", "-k", "k", "--value-from-stdin", stdin=b"a\0b")
    assert (code, out) == (BAD_INPUT, b"") and err == line(
        "the value of 'k' has a NUL byte: the channel carries every byte but NUL; encode the value"
    )
    assert faults.connections == 0


def test_files_that_are_none(run, tmp_path):
    missing = str(tmp_path / "missing.pem")
    text = "the CA file %s does not exist: give a file that this user may read" % missing
    assert run("--ca-file", missing, *QUERY) == (BAD_INPUT, b"", line(text))


def test_no_such_virtual_machine(run, vm):
    text = "there is no virtual machine '%s': give its exact name, its id or its UUID"
    for option, name in [
        ("-v", "myvm02"),
        ("-v", "MyVM"),
        ("-v", ""),
        ("-v", vm.id),
        ("-U", "MyVM02"),
        ("-U", "0004fb"),
    ]:
        for action in (["-q", "key1"], ["-k", "key2", "-V", "SECRET"]):
            assert run(option, name, *action) == (NO_SUCH_VM, CONNECTED, line(text % name))


def test_several_virtual_machines_of_one_name(run, vm, make_vm):
    twin = make_vm(6, "MyVM02")
    vm.sends(b"key1", b"value1")
    ids = ", ".join(sorted([vm.id, twin.id]))
    text = "2 virtual machines are called 'MyVM02': give an id: " + ids
    assert run(*QUERY) == (AMBIGUOUS_VM, CONNECTED, line(text))
    assert run(*SEND) == (AMBIGUOUS_VM, CONNECTED, line(text))
    assert run("--quiet", "-U", vm.id, "-q", "key1") == (OK, b"value1\n", b"")


def test_a_virtual_machine_that_does_not_run(run, vm):
    vm.guest.destroy()
    vm.wait_until("STOPPED")
    out = CONNECTED + b"VM : 'MyVM02' has status : Stopped.\n"
    text = "the virtual machine 'MyVM02' is not running (STOPPED): start it first"
    assert run(*SEND) == (VM_NOT_RUNNING, out, line(text))


def test_a_template(run_by_faults, faults, vm):
    faults.template()
    out = CONNECTED + b"VM : 'MyVM02' has status : Template.\n"
    text = "'MyVM02' is a template: send to a virtual machine made from it"
    assert run_by_faults(*SEND) == (VM_NOT_RUNNING, out, line(text))
    assert faults.sends() == 0


@pytest.mark.parametrize("arguments", [QUERY, SEND])
def test_a_wrong_password_or_user(run, arguments):
    for login, user in [(["-p", "WRONG"], "admin"), (["-u", "nobody"], "nobody")]:
        code, out, err = run(*login, *arguments)
        assert (code, out) == (LOGIN_REFUSED, BANNER) and err.count(b"\n") == 1
        assert b" does not let the user '%s' in" % user.encode() in err and err.endswith(b": check user and password\n")
        assert b"WRONG" not in err


def test_nobody_listens_there(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        text = "the manager at localhost:%d cannot be reached (Connection refused): %s"
        remedy = "check host and port, and that the manager runs"
        assert run("-h", "localhost:%d" % port, "--timeout=0.2", *QUERY, environment={"OVM_PORT": ""}) == (
            NO_MANAGER, BANNER, line(text % (port, remedy))
        )  # fmt: skip


def test_nobody_answers_there(run):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        code, out, err = run("--port=%d" % port, "--timeout=0.2", *SEND)
        assert (code, out) == (NO_MANAGER, BANNER)
        assert err == line(
            "the manager at 127.0.0.1:%d did not answer in time: check host and port, or allow more time" % port
        )


def test_a_manager_that_takes_too_long_to_answer(run_by_faults, faults):
    faults.add(Held())
    text = "the manager at 127.0.0.1:%d did not answer in time: check host and port, or allow more time" % faults.port
    assert run_by_faults("--timeout=0.2", *QUERY) == (NO_MANAGER, BANNER, line(text))


def test_what_answers_is_no_manager(run_by_faults, faults):
    faults.add(html(200))
    code, out, err = run_by_faults("--timeout=2", *QUERY)
    assert (code, out) == (NO_MANAGER, BANNER) and err.count(b"\n") == 1 and b"makes no sense" in err


def test_a_manager_that_does_not_get_ready(run_by_faults, faults):
    faults.starting()
    code, out, err = run_by_faults("--timeout=2", *QUERY)
    assert (code, out) == (NO_MANAGER, BANNER) and err.count(b"\n") == 1
    assert b"does not run, its state was STARTING: " in err


def test_a_manager_that_gets_ready(run_by_faults, faults, vm):
    faults.starting(times=1)
    assert run_by_faults(*SEND) == (OK, SENT, b"")


@pytest.mark.parametrize("certificate", ["untrusted", "expired", "wrong-name"])
def test_a_certificate_that_cannot_be_trusted(gateway, run_by, certificate):
    with Faults(gateway, certificate) as faults:
        code, out, err = run_by(faults)(*SEND)
        assert (code, out) == (NOT_TRUSTED, BANNER) and err.count(b"\n") == 1
        assert err.startswith(
            line("the certificate of the manager at 127.0.0.1:%d cannot be trusted: " % faults.port)[:-1]
        )
        assert faults.requests == []  # so the password was not sent, either


def test_a_certificate_that_nobody_was_told_to_trust(run, vm):
    code, out, err = run(*SEND, environment={"OVM_CA_FILE": ""})
    assert (code, out) == (NOT_TRUSTED, BANNER) and err.count(b"\n") == 1
    warning = line(
        "the manager's certificate is not verified, so anyone could answer in its place: better use --ca-file"
    )
    for how in ({"OVM_CA_FILE": "", "OVM_VALIDATE_CERTS": "no"}, {"OVM_CA_FILE": ""}):
        arguments = [] if "OVM_VALIDATE_CERTS" in how else ["--insecure"]
        assert run(*arguments, *SEND, environment=how) == (OK, SENT, warning)
        assert run("--quiet", *arguments, *SEND, environment=how) == (OK, b"", warning)


def test_a_job_that_fails(run_by_faults, faults, vm):
    faults.failing_jobs(kind="SERVER", message="The agent said no to SECRET")
    code, out, err = run_by_faults(*SEND)
    assert (code, out) == (NOT_SENT, SENDING) and err.count(b"\n") == 1
    assert b"The agent said no to ****" in err and b"SECRET" not in err


def test_a_job_that_does_not_end(run_by_faults, faults, vm):
    faults.unfinished_jobs()
    code, out, err = run_by_faults("--timeout=2", *SEND)
    assert (code, out) == (OUTCOME_UNKNOWN, SENDING) and err.count(b"\n") == 1
    assert err.startswith(b"ovm_vmmessage: it is not known whether this was sent: ") and b"SECRET" not in err


def test_a_connection_that_is_cut_after_sending(run_by_faults, faults, vm):
    faults.add(cut_after(), "PUT", "/sendMessage$")
    code, out, err = run_by_faults(*SEND)
    assert (code, out) == (OUTCOME_UNKNOWN, SENDING) and err.count(b"\n") == 1
    assert err.startswith(b"ovm_vmmessage: it is not known whether this was sent: ") and b"SECRET" not in err
    assert faults.sends() == 1 and vm.ovmd("-g", "key2") == b"SECRET\n"


def test_a_connection_that_is_cut_again_and_again(run_by_faults, faults, vm):
    faults.add(cut_before(), "GET", "/Vm$")
    code, out, err = run_by_faults("--timeout=2", *QUERY)
    assert (code, out) == (NO_MANAGER, CONNECTED) and err.count(b"\n") == 1


# Standard output, and signals


def test_a_reader_that_goes_away_ends_it_quietly(run, vm):
    reader, writer = os.pipe()
    os.close(reader)
    process = run.start(*SEND, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate(timeout=PATIENCE)[1] == b"" and process.returncode == -signal.SIGPIPE
    assert vm.ovmd("-l") == b""


@pytest.mark.parametrize("to, reason", [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_output_that_cannot_be_written_is_an_error(run, vm, to, reason):
    vm.sends(b"key1", b"value1")
    text = "standard output cannot be written (%s): see where it leads" % reason
    for arguments in (SEND, QUERY, ["--quiet", *QUERY], ["--help"]):
        assert run(*arguments, shell=to) == (NO_OUTPUT, b"", line(text))
    assert vm.ovmd("-l") == b""  # nothing was sent


def test_it_runs_with_all_descriptors_closed(run, vm):
    assert run("--quiet", *SEND, shell="<&- >&- 2>&-") == (OK, b"", b"")
    assert vm.ovmd("-g", "key2") == b"SECRET\n"


def test_an_interrupt_ends_it_as_a_signal_does(run_by_faults, faults, vm):
    held = Held()
    faults.add(held, "PUT", "/sendMessage$")
    process = run_by_faults.start(*SEND, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    held.wait()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    # What was done so far was said at once, not at the end.
    assert (process.returncode, out, err) == (-signal.SIGINT, SENDING, b"")
    assert vm.ovmd("-l") == b""
