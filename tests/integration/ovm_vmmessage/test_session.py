# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage does, against a real gateway over TLS, with a real guest behind it."""

import subprocess
import sys

import pytest
import trustme

from ansible_collections.ovm.messaging.programs import build
from lab.faults import edit, status
from lab.gateway import Gateway

OK = 0
ALL_BYTES = bytes(range(1, 256))

#: The vendor's manual, character for character, with its quote that is never closed.
QUERIED = b"""\
Oracle VM VM Message utility 0.5.2.
Connected.
VM : 'MyVM02' has status : Running.
Querying for key 'key1.
Query successful.
Query for Key : 'key1' returned value 'value1'.
Key set 7 minutes ago.
"""
SENT = b"""\
Oracle VM VM Message utility 0.5.2.
Connected.
VM : 'MyVM02' has status : Running.
Sending message.
Message sent successfully.
"""


@pytest.fixture
def seven_minutes_ago(store):
    """A function that makes all that the gateway has stored seven minutes older."""

    def age():
        assert store("UPDATE message SET time = time - 7 * 60") and store("UPDATE event SET time = time - 7 * 60")

    return age


def test_the_session_of_the_vendors_manual(run, vm, gateway, environment, seven_minutes_ago):
    where = {"OVM_CA_FILE": environment["OVM_CA_FILE"], "OVM_PORT": str(gateway.port)}
    for name in ("OVM_USER", "OVM_PASSWORD", "OVM_HOST"):
        where[name] = ""
    login = ["-u", gateway.username, "-p", gateway.password, "-h", "localhost", "-v", "MyVM02"]
    vm.ovmd("-p", "key1=value1")
    vm.wait_for(b"key1", b"value1")
    seven_minutes_ago()
    assert run(*login, "-q", "key1", environment=where) == (OK, QUERIED, b"")
    assert run(*login, "-k", "key2", "-V", "value2", environment=where) == (OK, SENT, b"")
    assert vm.ovmd("--list") == b'{"key1":"value1"}\n{"key2":"value2"}\n'
    vm.ovmd("-r", "key1")
    assert vm.ovmd("--list") == b'{"key2":"value2"}\n'


def test_a_quiet_run_prints_the_value_only(run, vm):
    vm.sends(b"key1", b"value1")
    assert run("--quiet", "-v", "MyVM02", "-q", "key1") == (OK, b"value1\n", b"")
    assert run("--quiet", "-v", "MyVM02", "-k", "key2", "-V", "value2") == (OK, b"", b"")
    assert vm.ovmd("-g", "key2") == b"value2\n"


def test_by_uuid_and_the_name_is_shown(run, vm):
    vm.sends(b"key1", b"value1")
    for uuid in (vm.guest.uuid, vm.guest.uuid.upper(), vm.id):
        code, out, err = run("-XE", "-U", uuid, "-qkey1")
        assert (code, err) == (OK, b"") and b"VM : 'MyVM02' has status : Running.\n" in out
    assert run("-U", vm.id, "-k", "key2", "-V", "value2") == (OK, SENT, b"")


def test_the_newest_value_counts(run, vm):
    for value in (b"1", b"2", b"1", b"3"):
        vm.sends(b"k", value)
    vm.sends(b"other", b"4")
    assert run("--quiet", "-v", "MyVM02", "-q", "k") == (OK, b"3\n", b"")


def test_any_bytes_both_ways(run, vm):
    key, value = "Schlüssel".encode() + b"\xff", ALL_BYTES * 32
    vm.sends(key, value)
    assert run(b"--quiet", b"-v", b"MyVM02", b"-q", key) == (OK, value + b"\n", b"")
    code, out, err = run(b"-v", b"MyVM02", b"-q", key)
    assert (code, err) == (OK, b"")
    assert b"\nQuerying for key '%s.\n" % key in out
    assert b"\nQuery for Key : '%s' returned value '%s'.\n" % (key, value) in out
    assert run(b"-v", b"MyVM02", b"-k", key, b"-V", ALL_BYTES) == (OK, SENT, b"")
    assert vm.ovmd(b"-g", key) == ALL_BYTES + b"\n"
    assert run("-v", "MyVM02", "-k", "long", "--value-from-stdin", stdin=value[:8191] + b"\n") == (OK, SENT, b"")
    assert vm.ovmd("-g", "long") == value[:8191] + b"\n"
    assert run("-v", "MyVM02", "-k", "empty", "-V", "") == (OK, SENT, b"")
    assert vm.ovmd("-g", "empty") == b"\n"


def test_a_name_that_is_not_ascii(run, make_vm):
    make_vm(6, "Zürich").sends(b"key1", b"value1")
    code, out, err = run("-v", "Zürich", "-q", "key1")
    assert (code, err) == (OK, b"") and out.decode().splitlines()[2] == "VM : 'Zürich' has status : Running."


def test_what_a_stopped_virtual_machine_has_sent_can_be_queried(run, vm):
    vm.sends(b"key1", b"value1")
    vm.guest.destroy()
    vm.wait_until("STOPPED")
    code, out, err = run("-v", "MyVM02", "-q", "key1")
    assert (code, err) == (OK, b"") and b"VM : 'MyVM02' has status : Stopped.\n" in out
    assert b"returned value 'value1'.\n" in out


def test_what_is_sent_is_logged_only_if_asked_for(run, vm, session):
    def logged():
        found = session.get("Vm/%s/messages" % vm.id, messageDirection="SENT")
        return [(message["key"], message["value"]) for message in found]

    assert run("-v", "MyVM02", "-k", "a", "-V", "1") == (OK, SENT, b"")
    assert run("-v", "MyVM02", "-k", "b", "-V", "2", "--log", "--no-log") == (OK, SENT, b"")
    assert logged() == []
    assert run("-v", "MyVM02", "-k", "c", "-V", "3", "--log") == (OK, SENT, b"")
    assert logged() == [("c", "3")]


def test_a_client_certificate_instead_of_a_password(run, vm, xenstored, gateway, told, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    issued = authority.issue_cert("admin", common_name="admin")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    issued.private_key_pem.write_to_path(tmp_path / "client.key")
    gateway.stop()  # one gateway at a time collects what guests send
    with Gateway(xenstored, gateway.directory, {"tls.client_ca": tmp_path / "authority.pem"}) as other:
        files = ["--client-cert=%s" % (tmp_path / "client.pem"), "--client-key=%s" % (tmp_path / "client.key")]
        where = dict(told(other), OVM_PASSWORD="")
        assert run(*files, "-v", "MyVM02", "-k", "a", "-V", "1", environment=where) == (OK, SENT, b"")
        # A user without a password is no reason to be asked for one.
        where["OVM_USER"] = ""
        assert run(*files, "-v", "MyVM02", "-k", "b", "-V", "2", environment=where) == (OK, SENT, b"")


def test_the_built_program_is_one_file(run, vm, environment, tmp_path):
    program, _written = build.build("ovm_vmmessage", tmp_path, compile_with=[sys.executable])
    vm.sends(b"key1", b"value1")
    where = {name: value for name, value in environment.items() if name.startswith("OVM_")}
    command = [sys.executable, "-I", str(program), "--quiet", "-v", "MyVM02", "-q", "key1"]
    done = subprocess.run(command, env=where, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"value1\n", b"")


# The age


def without_time(messages):
    for message in messages:
        del message["time"]


def test_the_age_comes_from_the_event_where_messages_have_no_time(run_by_faults, faults, vm, seven_minutes_ago):
    vm.sends(b"key1", b"value1")
    vm.sends(b"key1", b"value0")
    vm.sends(b"key1", b"value1")
    seven_minutes_ago()
    faults.add(edit(without_time), "GET", "/messages$")
    assert run_by_faults("-v", "MyVM02", "-q", "key1") == (OK, QUERIED, b"")
    assert faults.count("GET", "/Event") == 1


def test_the_age_is_by_the_managers_clock(run_by_faults, faults, vm):
    def later(managers):
        managers[0]["managerTime"] += 7 * 60000

    vm.sends(b"key1", b"value1")
    faults.add(edit(later), "GET", "/Manager$")
    assert run_by_faults("-v", "MyVM02", "-q", "key1") == (OK, QUERIED, b"")


@pytest.mark.parametrize("how", ["no event", "no right to read events"])
def test_without_a_time_there_is_no_age(run_by_faults, faults, vm, store, how):
    vm.sends(b"key1", b"value1")
    faults.add(edit(without_time), "GET", "/messages$")
    if how == "no event":
        assert store("DELETE FROM event")
    else:
        faults.add(status(403, message="AUTH_000006:Not authorized"), "GET", "/Event")
    expected = QUERIED[: QUERIED.index(b"Key set")]
    assert run_by_faults("-v", "MyVM02", "-q", "key1") == (OK, expected, b"")


def test_a_quiet_query_asks_for_no_events(run_by_faults, faults, vm):
    vm.sends(b"key1", b"value1")
    faults.add(edit(without_time), "GET", "/messages$")
    assert run_by_faults("--quiet", "-v", "MyVM02", "-q", "key1") == (OK, b"value1\n", b"")
    assert faults.count("GET", "/Event") == 0
