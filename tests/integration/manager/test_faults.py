# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Manager does when things go wrong between it and the messages.

The gateway is real, and so are TLS, the guest and its XenStore; a proxy has the faults
happen. The promises:

* A send whose outcome is unknown is never repeated: no guest gets a message twice.
* What had no effect, and what only reads, is repeated, but not for ever.
* Every error names its cause, and no error shows a value.
"""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
    BadAnswer,
    Forbidden,
    JobFailed,
    JobTimeout,
    LoginFailed,
    NotReady,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.vms import VmAmbiguous, VmNotFound, VmNotRunning, find
from lab.faults import LOCKED, Held, cut_after, cut_before, garbled, html, status, trickle

ONE = [(b"greeting", b"a value that nobody should see")]
VALUE = ONE[0][1].decode()

# The ways in which a send gets lost: a fault, and how often the gateway has it sent.
LOST = {
    "cut before it was passed on": (cut_before(), 0),
    "cut without an answer": (cut_after(), 1),
    "cut in mid-answer": (cut_after(0.5), 1),
    "a page instead of the answer": (garbled(b"<html>Oops</html>"), 1),
    "half of the answer": (garbled(b'{"id": {"type"'), 1),
    "an answer that is no job": (garbled(b"[]"), 1),
    "an empty answer": (garbled(b""), 1),
    "an error page": (html(500), 0),
    "a gateway's error page": (html(502), 0),
}

#: What may happen to a request that only reads.
PASSING = {
    "cut before it was passed on": cut_before(),
    "cut without an answer": cut_after(),
    "cut in mid-answer": cut_after(0.5),
    "half of the answer": garbled(b"[{"),
    "a page": html(),
    "an error page": html(502),
    "busy": status(503),
}
# What may happen to it for ever: what that is, and what the error then says.
LASTING = {
    "cut before it was passed on": (cut_before(), Unreachable, "cannot be reached"),
    "cut in mid-answer": (cut_after(0.5), Unreachable, "cannot be reached"),
    "a page": (html(), BadAnswer, "makes no sense (HTTP status 200: Error Oops weblogic)"),
    "a page that is not there": (html(404), BadAnswer, "HTTP status 404"),
    "an error page": (html(500), BadAnswer, "HTTP status 500"),
    "no text": (garbled(b"\xff\xfe"), BadAnswer, "makes no sense"),
    "too deep": (garbled(b"[" * 100000), BadAnswer, "makes no sense"),
    "no list": (garbled(b'{"id": 1}'), BadAnswer, "is no list"),
    "an error": (status(500, message="GEN_000000:Unknown exception"), Refused, "GEN_000000:Unknown exception"),
    "not allowed": (status(403, message="AUTH_000006:Unauthorized"), Forbidden, "AUTH_000006"),
    "elsewhere": (status(302, {"Location": "https://elsewhere.example.com/"}), BadAnswer, "redirects to https://else"),
}


@pytest.fixture(params=list(LOST))
def lose(request, faults):
    """A function that has the next send get lost, and says how often it reaches the guest nevertheless."""

    def rule():
        action, reaches = LOST[request.param]
        faults.add(action, "PUT", "/sendMessage$", times=1)
        return reaches

    return rule


def refusal(kind, function, *arguments):
    """The error that a call ends with, in which no value may be."""
    with pytest.raises(kind) as caught:
        function(*arguments)
    assert VALUE not in str(caught.value) + repr(caught.value)
    assert caught.type is kind
    return caught.value


# --- without faults ---------------------------------------------------------------------


def test_messages_arrive_in_their_order_the_root_password_last_by_one_request(manager, vm, faults, arrived):
    password = (b"com.oracle.linux.root-password", b"secret")
    messages = [(b"b", b"1"), password, (b"a", b"2"), (b"\xff \xe2\x80\xae", bytes(range(1, 256)))]
    manager.send(vm, messages)
    assert arrived() == [messages[0], *messages[2:], password]
    assert [request.query for request in faults.seen("PUT")] == [{"logFlag": "No"}]


# --- a manager that starts --------------------------------------------------------------


def test_waits_until_the_manager_runs(manager, faults, passing):
    faults.starting(times=3)
    manager.connect()
    assert faults.count("GET", "/Manager$") == faults.count() == 4
    assert len(passing.slept) == 3


def test_a_manager_that_does_not_start_in_time_is_an_error(make_manager, faults, passing):
    faults.starting()
    problem = refusal(NotReady, make_manager(ready_timeout=60).connect)
    assert "its state was STARTING" in str(problem)
    assert problem.state == "STARTING"
    assert sum(passing.slept) == pytest.approx(60, abs=5)


def test_a_manager_that_is_busy_is_asked_again_when_it_says(manager, faults, passing):
    faults.add(status(503, {"Retry-After": "7"}), "GET", "/Vm$", times=2)
    manager.vms()
    assert passing.slept == [7, 7]


def test_a_manager_that_stays_busy_is_an_error(make_manager, faults):
    faults.add(status(503), "GET", "/Vm$")
    assert "HTTP status 503" in str(refusal(NotReady, make_manager(retries=3).vms))
    assert faults.count() == 4


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_a_send_that_was_refused_for_now_is_repeated(manager, vm, faults, arrived, headers):
    faults.add(status(503, headers), "PUT", times=2)
    manager.send(vm, ONE)
    assert faults.sends() == 3
    assert arrived() == ONE


# --- a VM that is locked ----------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, at_once", [("LOCK", False), ("LOCK", True), ("OBJECT_OUT_OF_DATE", False), ("OBJECT_DIRTY", True)]
)
def test_a_send_that_found_the_vm_locked_is_repeated(manager, vm, faults, arrived, kind, at_once):
    faults.failing_jobs(kind, "GEN_000099: busy", times=3, at_once=at_once)
    manager.send(vm, ONE)
    assert (faults.sends(), faults.sends(passed_on=True)) == (4, 1)
    assert arrived() == ONE


def test_so_is_one_that_was_refused_at_once(manager, vm, faults, arrived):
    faults.add(status(400, message=LOCKED % vm.id, ws_code="LOCKED"), "PUT", times=3)
    manager.send(vm, ONE)
    assert faults.sends() == 4
    assert arrived() == ONE


def test_a_vm_that_stays_locked_is_an_error(make_manager, vm, faults, passing, arrived):
    faults.failing_jobs("LOCK", LOCKED % vm.id)
    problem = refusal(JobFailed, make_manager(job_timeout=40).send, vm, ONE)
    assert "it was locked when it was fetched" in str(problem)
    assert problem.kind == "LOCK"
    assert 40 <= sum(passing.slept) < 60
    assert faults.sends() < 40
    assert arrived() == []


# --- jobs -------------------------------------------------------------------------------


def test_a_job_that_failed_for_good_is_told_with_its_reason_and_not_repeated(manager, vm, faults):
    faults.failing_jobs("RULE", "OVMRU_001234E the value '%s' breaks a rule" % VALUE)
    problem = refusal(JobFailed, manager.send, vm, ONE)
    assert "OVMRU_001234E" in str(problem)
    assert problem.kind == "RULE"
    assert faults.sends() == 1


def test_a_job_that_takes_long_is_followed_to_its_end(manager, vm, faults, passing, arrived):
    faults.unfinished_jobs(polls=8)
    manager.send(vm, ONE)
    assert faults.count("GET", "/Job/") == 9
    assert passing.slept == sorted(passing.slept)  # less and less often
    assert arrived() == ONE


def test_a_job_is_followed_until_its_summary_is_done_too(manager, vm, faults):
    faults.unfinished_jobs(polls=3, done=True)
    manager.send(vm, ONE)
    assert faults.count("GET", "/Job/") == 4


@pytest.mark.parametrize("done", [False, True])
def test_a_job_that_does_not_end_is_an_error_in_time(make_manager, vm, faults, passing, done):
    faults.unfinished_jobs(done=done)
    problem = refusal(JobTimeout, make_manager(job_timeout=100).send, vm, ONE)
    assert "has not ended in time" in str(problem)
    assert sum(passing.slept) == pytest.approx(100, abs=5)
    assert faults.count("GET", "/Job/") < 50
    assert faults.sends() == 1


def test_an_error_object_with_nothing_in_it_is_none(manager, vm, faults, arrived):
    faults.null_errors()
    manager.send(vm, ONE)
    assert faults.sends() == 1
    assert arrived() == ONE


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_losing_sight_of_a_job_for_a_while_does_no_harm(manager, vm, faults, arrived, fault):
    faults.add(fault, "GET", "/Job/", times=2)
    faults.unfinished_jobs(polls=2)
    manager.send(vm, ONE)
    assert faults.sends() == 1
    assert arrived() == ONE


def test_losing_sight_of_a_job_for_ever_makes_its_outcome_unknown(make_manager, vm, faults, arrived):
    faults.add(cut_before(), "GET", "/Job/")
    faults.unfinished_jobs()
    problem = refusal(OutcomeUnknown, make_manager(retries=2).send, vm, ONE)
    assert "it is not known whether this was sent" in str(problem)
    assert (faults.sends(), faults.count("GET", "/Job/")) == (1, 3)
    assert arrived() == ONE


# --- sends that get lost ----------------------------------------------------------------


def test_a_send_whose_outcome_is_unknown_is_never_repeated(manager, vm, faults, arrived, lose):
    reaches = lose()
    problem = refusal(OutcomeUnknown, manager.send, vm, ONE)
    assert "it is not known whether this was sent" in str(problem)
    assert "before it is sent again" in problem.remedy
    assert faults.sends() == 1
    assert arrived() == ONE * reaches


def test_unless_the_log_of_sent_messages_shows_it(manager, vm, faults, arrived, lose):
    """What is new in the log since it was last read counts: the very same message may have been sent before."""
    manager.send(vm, ONE, log=True)
    manager.sent(vm)
    reaches = lose()
    if reaches:
        manager.send(vm, ONE, log=True)
    else:
        refusal(OutcomeUnknown, manager.send, vm, ONE, True)
    assert faults.sends() == 2
    assert arrived() == ONE * (1 + reaches)


def test_a_silent_manager_is_not_waited_for_for_ever(make_manager, vm, faults, arrived):
    held = Held()
    faults.add(held, "PUT")
    start = time.monotonic()
    problem = refusal(OutcomeUnknown, make_manager(timeout=0.3).send, vm, ONE)
    assert time.monotonic() - start < 5
    assert "did not answer in time" in str(problem)
    assert faults.sends() == 1
    assert arrived() == []  # though it may still be, which is why nobody knows


# --- connections ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_only_reads_is_repeated(manager, vm, faults, fault):
    faults.add(fault, "GET", "/Vm$", times=3)
    assert vm in manager.vms()
    assert faults.count("GET", "/Vm$") == 4


@pytest.mark.parametrize("fault, kind, says", LASTING.values(), ids=LASTING)
def test_but_not_for_ever_and_the_error_names_the_cause(make_manager, faults, fault, kind, says):
    faults.add(fault, "GET", "/Vm$")
    assert says in str(refusal(kind, make_manager(retries=2).vms))
    assert faults.count() <= 3


@pytest.mark.parametrize("rule", [Held(), trickle(0.05)], ids=["nothing", "byte by byte"])
def test_an_answer_that_does_not_come_to_its_end_is_an_error_in_time(make_manager, faults, rule):
    faults.add(rule, "GET", "/Vm$")
    start = time.monotonic()
    assert "did not answer in time" in str(refusal(Unreachable, make_manager(timeout=0.5, retries=1).vms))
    assert time.monotonic() - start < 5
    assert faults.count() == 2


def test_nobody_there_is_an_error_in_time(make_manager, passing):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        manager = make_manager(port=nobody.getsockname()[1], retries=2)
        assert "Connection refused" in str(refusal(Unreachable, manager.vms))
    assert len(passing.slept) == 2


def test_a_connection_that_was_closed_meanwhile_costs_nothing(manager, vm, faults, arrived):
    manager.vms()
    faults.disconnect()
    manager.send(vm, ONE)
    assert faults.sends() == 1
    assert arrived() == ONE


# --- sessions ---------------------------------------------------------------------------


def logins(faults):
    return [request for request in faults.seen() if "authorization" in request.headers]


@pytest.mark.parametrize("where", ["/Vm$", "/sendMessage$", "/Job/"])
def test_a_session_that_is_gone_costs_one_new_login(manager, faults, vm, arrived, where):
    manager.connect()
    faults.session_gone(pattern=where)
    faults.unfinished_jobs(polls=1)
    assert vm in manager.vms()
    manager.send(vm, ONE)
    assert arrived() == ONE
    assert faults.sends(passed_on=True) == 1
    assert len(logins(faults)) == 2


def test_a_session_that_is_gone_for_many_threads_costs_one_new_login(make_manager, faults, vm):
    manager = make_manager(pool=4)
    manager.connect()
    faults.session_gone(pattern="/Vm/", times=1)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _n: manager.current(vm), range(20))) == [vm] * 20
    assert len(logins(faults)) == 2


def test_a_wrong_password_is_tried_once(make_manager, faults, gateway):
    problem = refusal(LoginFailed, make_manager(password="wrong-" + VALUE).connect)
    assert "user '%s'" % gateway.username in str(problem)
    assert faults.count() == 1


def test_a_session_that_ends_again_and_again_is_an_error(manager, faults):
    manager.connect()
    faults.session_gone(pattern="/Vm$", times=None)
    assert "has ended the session" in str(refusal(LoginFailed, manager.vms))
    assert faults.count("GET", "/Vm$") == 2


def test_many_requests_use_one_connection_and_one_login(manager, faults, vm):
    manager.connect()
    for _n in range(50):
        manager.current(vm)
    assert faults.count() == manager.session.requests == 51
    assert faults.connections == 1
    assert len(logins(faults)) == 1


def test_many_threads_share_connections_and_login(make_manager, faults, vm):
    manager = make_manager(pool=4)
    manager.connect()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _n: manager.current(vm), range(200))) == [vm] * 200
    assert faults.count() == manager.session.requests == 201
    assert faults.connections <= 4
    assert len(logins(faults)) == 1


def test_no_more_connections_than_allowed(make_manager, faults, vm):
    manager = make_manager(pool=2)
    manager.connect()
    held = Held()
    faults.add(held, "GET", "/Vm/")
    threads = [threading.Thread(target=manager.current, args=(vm,)) for _n in range(4)]
    for thread in threads:
        thread.start()
    held.wait()
    held.wait()
    assert faults.count("GET", "/Vm/") == 2
    held.release()
    for thread in threads:
        thread.join()
    assert faults.count("GET", "/Vm/") == 4
    assert faults.connections == 2


# --- virtual machines -------------------------------------------------------------------


def test_names_that_several_have_are_an_error_with_all_ids(manager, vm, faults):
    faults.same_names()
    problem = refusal(VmAmbiguous, find, manager.vms(), vm.name)
    assert problem.ids == sorted([vm.id, vm.id[:-4] + "ffff"])
    assert all(identity in str(problem) for identity in problem.ids)
    assert find(manager.vms(), vm.id) == vm


@pytest.mark.parametrize("state", ["TEMPLATE", "STOPPED", "STOPPING", "STARTING", "SUSPENDED"])
def test_what_does_not_run_is_sent_nothing(manager, vm, faults, state):
    faults.vm_state(state)
    problem = refusal(VmNotRunning, manager.send, find(manager.vms(), vm.id), ONE)
    assert problem.state == state
    assert faults.sends() == 0


def test_a_vm_that_stopped_meanwhile_is_told_so(manager, vm, faults):
    faults.failing_jobs("ILLEGAL_OPERATION", "OVMAPI_5001E illegal")
    faults.vm_state("STOPPED")
    assert "is not running (STOPPED)" in str(refusal(VmNotRunning, manager.send, vm, ONE))


def test_a_vm_that_is_gone_is_told_so(manager, vm, faults):
    gone = vm._replace(id="f" * 32)
    for ask in (manager.current, manager.received, manager.sent, manager.waiting):
        refusal(VmNotFound, ask, gone)
    refusal(VmNotFound, manager.send, gone, ONE)
    assert faults.sends() == 1
