# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines, messages, jobs and events, as a manager tells them, or mistells them."""

import inspect
import time as real_time
import traceback

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import problem
from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect, event_description
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import (
    BadAnswer,
    Forbidden,
    InvalidMessage,
    JobFailed,
    JobTimeout,
    LoginFailed,
    NotReady,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.vms import (
    Record,
    Vm,
    VmAmbiguous,
    VmNotFound,
    VmNotRunning,
    find,
)
from ansible_collections.ovm.messaging.tests.unit.manager.scripted import (
    NOW,
    PAGE,
    VM,
    Reply,
    job,
    refusal,
    simple_id,
)

SEND, MESSAGES = "Vm/%s/sendMessage" % VM, "Vm/%s/messages" % VM
ONE = [(b"key", b"a value of no one's business")]
INCOMING = "Virtual Machine API Incoming Message"
LOCKED = "GEN_000029:Object 0004fb of type Vm could not be modified as it was locked when it was fetched."


def milliseconds(seconds):
    return int(seconds * 1000)


def running(state, **more):
    return [dict({"managerRunState": state, "managerTime": milliseconds(NOW)}, **more)]


# Starting


def test_a_manager_that_runs_is_asked_once(manager, server, time):
    manager.connect()
    assert (len(server.seen), time.slept) == (1, [])


def test_it_is_waited_for_while_it_starts(manager, server, time):
    server.say(
        "GET", "Manager", running("STARTING"), running("STARTING"), Reply(PAGE, 404), Reply(refusal("GEN_000003"), 400),
        Reply(PAGE, 503), running(None), [], None, running("RUNNING"),
    )  # fmt: skip
    manager.connect()
    assert server.count("GET", "Manager") == 9
    waits = [pause for pause in time.slept if pause not in time.slept[4:5]]
    assert waits[:3] == [0.5, 0.75, 1.125]


def test_a_manager_that_says_503_is_one_that_starts(make_manager, server, time):
    server.say("GET", "Manager", *[Reply(PAGE, 503)] * 4, running("RUNNING"))
    make_manager(retries=1).connect()
    assert server.count("GET", "Manager") == 5


def test_one_that_goes_away_while_it_starts_may_come_back(make_manager, server, time):
    server.say("GET", "Manager", running("STARTING"), *[Reply([], cut=-1)] * 3, running("RUNNING"))
    make_manager(retries=0).connect()
    assert server.count("GET", "Manager") == 5


def test_what_it_was_in_last_is_told_when_time_is_up(make_manager, server, time):
    server.say("GET", "Manager", running("STOPPED"))
    with pytest.raises(NotReady, match="does not run, its state was STOPPED: .* allow more than 60 seconds") as error:
        make_manager({"ready_timeout": 60.0}).connect()
    assert error.value.state == "STOPPED"
    assert sum(time.slept) == 60
    assert max(time.slept) <= 10


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(PAGE), BadAnswer),
        (Reply(PAGE, 404), BadAnswer),
        (Reply({"managerRunState": "RUNNING"}), BadAnswer),
        (Reply(refusal("GEN_000003"), 400), Refused),
        (Reply(PAGE, 401), LoginFailed),
    ],
)
def test_what_is_no_manager_is_not_waited_for(manager, server, time, reply, error):
    server.say("GET", "Manager", reply)
    with pytest.raises(error):
        manager.connect()
    assert sum(time.slept) < 10


def test_nobody_there_is_not_waited_for(make_manager, server, time):
    server.close()
    with pytest.raises(Unreachable):
        make_manager().connect()
    assert sum(time.slept) < 10


def test_the_managers_clock_goes_on(manager, server, time):
    assert manager.now() == NOW
    time.now += 5
    assert manager.now() == NOW + 5
    assert len(server.seen) == 1


@pytest.mark.parametrize("told", [None, "soon", 0, [1], 10**400])
def test_our_clock_where_the_manager_has_none(manager, server, told):
    server.say("GET", "Manager", running("RUNNING", managerTime=told))
    assert abs(manager.now() - real_time.time()) < 60


# Virtual machines


def test_virtual_machines_are_asked_for_once(manager, server):
    assert manager.vms() == manager.vms() == [Vm(VM, "web", "RUNNING")]
    assert server.count("GET", "Vm") == 1


def test_virtual_machines_are_decoded_leniently(manager, server):
    server.say(
        "GET", "Vm",
        [
            {"id": simple_id("0004FB00-0006"), "name": "dashes", "vmRunState": "STOPPED", "new": {}},
            {"id": "0004fb02", "name": None, "vmRunState": None},
            {"id": dict(simple_id("0004fb03"), name="by its id"), "vmRunState": "TEMPLATE", "cpuCount": "many"},
            {"id": 12, "name": 13, "vmRunState": 14},
            {"id": None, "name": "nobody"}, {"id": {"value": None}}, {"id": True}, {"id": []}, {}, None, 5, [],
        ],
    )  # fmt: skip
    assert manager.vms() == [
        Vm("0004fb000006", "dashes", "STOPPED"),
        Vm("0004fb02", "", "UNKNOWN"),
        Vm("0004fb03", "by its id", "TEMPLATE"),
        Vm("12", "", "UNKNOWN"),
    ]


def test_names_are_not_unique(manager, server):
    server.say("GET", "Vm", [{"id": identity, "name": "web", "vmRunState": "RUNNING"} for identity in ("b1", "A1")])
    with pytest.raises(VmAmbiguous, match="2 virtual machines are called 'web': give an id: a1, b1"):
        find(manager.vms(), "web")
    assert find(manager.vms(), "A-1").id == "a1"
    with pytest.raises(VmNotFound):
        find(manager.vms(), "we")


@pytest.mark.parametrize("answer", [{}, "text", 5])
def test_a_list_has_to_be_one(manager, server, answer):
    server.say("GET", "Vm", answer)
    with pytest.raises(BadAnswer, match="answers GET Vm with what is no list"):
        manager.vms()


def test_the_state_of_one_is_asked_for_anew(manager, vm, server):
    server.say("GET", "Vm/" + VM, {"id": VM, "name": "web", "vmRunState": "STOPPED"})
    assert manager.current(vm) == Vm(VM, "web", "STOPPED")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ([], BadAnswer, "describes 'web' with what is no object"),
        ({"name": "web"}, BadAnswer, "tells of 'web' is no virtual machine"),
        (Reply(refusal("GEN_000002"), 400), VmNotFound, r"no virtual machine 'web' \(%s\): it may have been" % VM),
        (Reply(refusal("GEN_000019"), 404), VmNotFound, "no virtual machine"),
        (Reply(refusal("VM_000000"), 400), VmNotFound, "no virtual machine"),
        (Reply(refusal("GEN_000023"), 400), Refused, "GEN_000023"),
    ],
)
def test_one_that_is_gone_or_makes_no_sense(manager, vm, server, answer, error, says):
    server.say("GET", "Vm/" + VM, answer)
    with pytest.raises(error, match=says):
        manager.current(vm)


@pytest.mark.parametrize(("told", "waiting"), [({}, None), ({"messagesWaiting": 3}, 3), ({"messagesWaiting": 0}, 0)])
def test_what_is_waiting_is_known_from_our_gateway(manager, vm, server, told, waiting):
    server.say("GET", "Vm/" + VM, dict(told, id=VM))
    assert manager.waiting(vm) == waiting


@pytest.mark.parametrize("told", ["3", True, None, 3.5])
def test_another_field_of_that_name_is_none_of_ours(manager, vm, server, told):
    server.say("GET", "Vm/" + VM, {"id": VM, "messagesWaiting": told})
    assert manager.waiting(vm) is None


# Before sending


@pytest.mark.parametrize(
    ("message", "log", "says"),
    [
        ((b"", b"v"), False, "a key is empty: give every message a key"),
        ((b"k\0", b"v"), False, r"the message 'k\\x00' has a NUL byte: every other byte can be sent"),
        ((b"k", b"v\0"), False, "the message 'k' has a NUL byte"),
        (("é".encode() * 129, b""), False, "the key 'é{64}...' has 258 bytes, the limit is 256: use a shorter key"),
        ((b"k", b"v" * 8193), False, "the value of 'k' has 8193 bytes, the limit is 8192: split it over several keys"),
        ((b"k", "é".encode() * 513), True, "'k' has 1026 bytes, the limit is 1024: send it without having it logged"),
        ((b"k", b"v" * 8193), True, "the value of 'k' has 8193 bytes, the limit is 1024: split it"),
        ((b"root-password", b"v"), True, "'root-password' is a secret, and would be logged: send it without having it"),
    ],
)
def test_what_the_manager_does_not_take_is_refused_before_it_is_asked(manager, vm, server, message, log, says):
    before = len(server.seen)
    for call in (lambda: manager.check([*ONE, message], log), lambda: manager.send(vm, [*ONE, message], log)):
        with pytest.raises(InvalidMessage, match=says) as error:
            call()
        assert "v" * 9 not in str(error.value)
    assert len(server.seen) == before


def test_at_the_limits_it_takes_them(manager):
    messages = [(b"k" * 256, b"v" * 8192), (b"secret", b""), (b"k\xff", b"\x01")]
    assert manager.check(iter(messages)) == messages
    assert manager.check([(b"k", b"v" * 1024)], True)


@pytest.mark.parametrize("state", ["STOPPED", "TEMPLATE", "SUSPENDED", "UNKNOWN"])
def test_only_to_what_runs(manager, vm, server, state):
    before = len(server.seen)
    with pytest.raises(VmNotRunning):
        manager.send(vm._replace(state=state), ONE)
    assert len(server.seen) == before


# Sending


@pytest.mark.parametrize(("log", "flag"), [(False, "No"), (True, "Yes")])
def test_all_go_in_one_request_in_their_order(manager, vm, server, log, flag):
    manager.send(vm, [(b"b", b"1"), (b"a", b"2"), (b"b", 'ж"'.encode()), (b"c\xff", b"\x80\n")], log)
    assert server.bodies() == [
        [
            {"key": "b", "value": "1"},
            {"key": "a", "value": "2"},
            {"key": "b", "value": 'ж"'},
            {"key": "c\udcff", "value": "\udc80\n"},
        ]
    ]
    assert server.seen[-1].body.isascii()
    assert server.seen[-1].query == "logFlag=" + flag
    assert len(server.seen) == 2  # with the look-up; the job was done at once


def test_the_root_password_goes_last(manager, vm, server):
    manager.send(vm, [(b"z", b""), (b"com.oracle.linux.root-password", b"x"), (b"a", b""), (b"m", b"")])
    assert [message["key"] for message in server.bodies()[0]] == ["z", "a", "m", "com.oracle.linux.root-password"]


def test_a_job_is_followed_to_its_real_end(manager, vm, server, time):
    unended = job(summary_done=False, state="CHILD_RUNNING")
    server.say("PUT", SEND, unended)
    server.say("GET", "Job/7", *[unended] * 14, job(error={"message": None, "type": None}))
    manager.send(vm, ONE)
    assert server.count("GET", "Job/7") == 15
    assert time.slept[:3] == pytest.approx([0.05, 0.075, 0.1125])
    assert time.slept == sorted(time.slept)
    assert time.slept[-1] == 5.0


@pytest.mark.parametrize(
    "ended",
    [
        job(error=""),
        job(error={}),
        job(state=None),
        dict(job(), childJobIds=None, error=5),
        {"id": 7, "summaryDone": "true"},
        dict(job(), jobSummaryState="SUCCESS", jobRunState="FAILURE"),
    ],
)
def test_a_job_that_ended_well_may_look_odd(manager, vm, server, ended):
    server.say("PUT", SEND, dict(ended, id="7", summaryDone="false"))
    server.say("GET", "Job/7", ended)
    manager.send(vm, ONE)
    assert server.count("GET", "Job/7") == 1


@pytest.mark.parametrize(
    ("failed", "says", "kind"),
    [
        (job(state="FAILURE", error={"message": "OVMAPI_1:no agent", "type": "SERVER"}), "OVMAPI_1:no agent", "SERVER"),
        (job(error={"message": "no agent", "type": None}), "no agent", ""),
        (job(error="no agent"), "no agent", ""),
        (job(state="FAILURE"), "it does not say why", ""),
        (
            dict(job(state=None), jobRunState="FAILURE", error={"message": None, "type": "ABORT"}),
            "it does not",
            "ABORT",
        ),
    ],
)
def test_a_job_that_failed_tells_why(manager, vm, server, failed, says, kind):
    server.say("PUT", SEND, failed)
    with pytest.raises(
        JobFailed, match="^sending to 'web': the manager's job 7 failed: %s.*: see the manager" % says
    ) as e:
        manager.send(vm, ONE)
    assert (e.value.kind, e.value.whole) == (kind, True)
    assert server.count("PUT", SEND) == 1


def test_the_reason_may_be_with_a_child_and_then_nothing_is_repeated(manager, vm, server):
    children = [simple_id("8", "Job"), simple_id("9", "Job"), 10, "11"]
    server.say("PUT", SEND, dict(job(state="FAILURE"), childJobIds=children))
    server.say("GET", "Job/9", [])
    server.say("GET", "Job/10", job(error={"message": LOCKED, "type": "LOCK"}))
    with pytest.raises(JobFailed, match="GEN_000029") as error:
        manager.send(vm, ONE)
    assert (error.value.kind, error.value.whole) == ("LOCK", False)
    assert (server.count("PUT", SEND), server.count("GET", "Job/11")) == (1, 0)


BUSY = {
    "LOCK": job(state="FAILURE", error={"message": "locked", "type": "LOCK"}),
    "OBJECT_OUT_OF_DATE": job(state="FAILURE", error={"message": "old", "type": "OBJECT_OUT_OF_DATE"}),
    "OBJECT_DIRTY": job(state="FAILURE", error={"message": "dirty", "type": "OBJECT_DIRTY"}),
    "locked, by its text": job(state="FAILURE", error={"message": LOCKED, "type": "WS_API"}),
    "GEN_000029": Reply(refusal("GEN_000029"), 400),
    "GEN_000011": Reply(refusal("GEN_000011"), 400),
}


@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY)
def test_what_others_hold_is_tried_again(manager, vm, server, time, busy):
    server.say("PUT", SEND, busy, busy, job())
    manager.send(vm, ONE)
    assert server.count("PUT", SEND) == 3
    assert 0.1 <= time.slept[0] <= 0.2
    assert len(time.slept) == 2


@pytest.mark.parametrize("busy", [BUSY["LOCK"], BUSY["GEN_000029"]])
@pytest.mark.parametrize(("job_timeout", "patience"), [(10.0, 10.0), (300.0, 60.0)])
def test_what_others_hold_for_long_is_given_up(make_manager, vm, server, time, busy, job_timeout, patience):
    server.say("PUT", SEND, busy)
    with pytest.raises((JobFailed, Refused)):
        make_manager({"job_timeout": job_timeout}).send(vm, ONE)
    assert patience <= sum(time.slept) <= patience + 5


@pytest.mark.parametrize("failed", [BUSY["LOCK"], Reply(refusal("GEN_000023"), 400)])
def test_a_virtual_machine_that_stopped_meanwhile_is_the_reason(make_manager, vm, server, failed):
    server.say("PUT", SEND, failed)
    server.say("GET", "Vm/" + VM, {"id": VM, "name": "web", "vmRunState": "STOPPED"})
    with pytest.raises(VmNotRunning, match="'web' is not running"):
        make_manager({"job_timeout": 1.0}).send(vm, ONE)


def test_what_cannot_be_looked_up_is_no_reason(manager, vm, server):
    server.say("PUT", SEND, Reply(refusal("GEN_000023"), 400))
    server.say("GET", "Vm/" + VM, Reply(refusal("GEN_000000"), 500))
    with pytest.raises(Refused, match="GEN_000023"):
        manager.send(vm, ONE)


@pytest.mark.parametrize("code", ["GEN_000002", "GEN_000019"])
def test_a_virtual_machine_that_is_gone(manager, vm, server, code):
    server.say("PUT", SEND, Reply(refusal(code), 400))
    with pytest.raises(VmNotFound):
        manager.send(vm, ONE)


# When nobody knows

LOST = {
    "no answer": Reply([], cut=-1),
    "half an answer": Reply(job(), cut=40),
    "a page": Reply(PAGE, 500),
    "no job": Reply([]),
    "null": Reply(None),
    "no id": Reply({"summaryDone": False}),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_what_may_have_been_sent_is_not_sent_again(manager, vm, server, lost):
    server.say("PUT", SEND, lost, job())
    with pytest.raises(OutcomeUnknown) as error:
        manager.send(vm, ONE)
    assert isinstance(error.value, problem.OutcomeUnknown)
    assert str(error.value).startswith("it is not known whether this was sent: sending to 'web': ")
    assert str(error.value).endswith(": look in the guest, or in the manager's log of jobs, before it is sent again")
    assert server.count("PUT", SEND) == 1
    assert server.count("GET", MESSAGES) == 0


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(refusal("GEN_000002", "no such object"), 400), "job 7 cannot be followed: .*GEN_000002:no such object"),
        (Reply(PAGE, 503), "job 7 cannot be followed: .*not ready"),
        (Reply([], cut=-1), "job 7 cannot be followed: .*cannot be reached"),
        (Reply(PAGE, 403), "job 7 cannot be followed: .*allow"),
        (Reply([]), "answered with what is no job"),
    ],
)
def test_a_job_that_vanishes(manager, vm, server, reply, says):
    server.say("PUT", SEND, job(summary_done=False))
    server.say("GET", "Job/7", reply)
    with pytest.raises(OutcomeUnknown, match=says):
        manager.send(vm, ONE)
    assert server.count("PUT", SEND) == 1


def test_a_job_that_does_not_end(make_manager, vm, server, time):
    server.say("PUT", SEND, job(summary_done=False))
    server.say("GET", "Job/7", job(summary_done=False))
    with pytest.raises(JobTimeout, match="job 7 has not ended in time: look in the guest") as error:
        make_manager({"job_timeout": 30.0}).send(vm, ONE)
    assert isinstance(error.value, OutcomeUnknown)
    assert sum(time.slept) == pytest.approx(30)
    assert server.count("PUT", SEND) == 1


def logged(value=ONE[0][1], time=None, key="key"):
    return {"key": key, "value": value.decode(), "time": None if time is None else milliseconds(time)}


@pytest.mark.parametrize(
    ("after", "sent"),
    [
        ([logged(time=NOW + 1)], True),
        ([logged(time=NOW - 50), logged(time=NOW + 1)], True),
        ([logged(time=NOW - 1)], False),
        ([logged(time=NOW)], False),
        ([logged()], False),
        ([logged(b"another", time=NOW + 1)], False),
        ([logged(key="another", time=NOW + 1)], False),
        ([], False),
        (Reply(refusal("VM_000005"), 400), False),
        (Reply(PAGE, 404), False),
        (Reply(refusal("GEN_000002"), 400), False),
    ],
)
def test_the_log_may_prove_by_time_that_it_was_sent(manager, vm, server, after, sent):
    manager.connect()
    server.say("PUT", SEND, LOST["no answer"])
    server.say("GET", MESSAGES, after)
    if sent:
        manager.send(vm, ONE, True)
    else:
        with pytest.raises(OutcomeUnknown, match="sending to 'web': the manager at .*; by then the request had been"):
            manager.send(vm, ONE, True)
    assert server.seen[-1].query == "messageDirection=SENT"
    assert server.count("PUT", SEND) == 1


def test_time_proves_nothing_within_the_error_of_the_clock(manager, vm, server, time):
    # It took two seconds to hear the manager's time, so it may already be two seconds later there.
    server.gate = lambda seen: time.sleep(2) if seen.path == "Manager" else None
    manager.connect()
    server.say("PUT", SEND, LOST["no answer"])
    server.say("GET", MESSAGES, [logged(time=NOW + 1.9)])
    with pytest.raises(OutcomeUnknown):
        manager.send(vm, ONE, True)
    server.say("GET", MESSAGES, [logged(time=NOW + 2.1)])
    manager.send(vm, ONE, True)


def test_without_the_managers_clock_time_proves_nothing(manager, vm, server):
    server.say("PUT", SEND, LOST["no answer"])
    server.say("GET", MESSAGES, [logged(time=NOW + 1)])
    with pytest.raises(OutcomeUnknown):
        manager.send(vm, ONE, True)


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ([], [logged()], True),
        ([logged(b"another")], [logged()], True),
        ([logged()], [logged(), logged()], True),
        ([logged()], [logged()], False),
        ([], [logged(b"another")], False),
    ],
)
def test_the_log_may_prove_by_what_it_did_not_have(manager, vm, server, before, after, sent):
    server.say("GET", MESSAGES, before, after)
    server.say("PUT", SEND, LOST["no answer"])
    manager.sent(vm)
    if sent:
        manager.send(vm, ONE, True)
    else:
        with pytest.raises(OutcomeUnknown):
            manager.send(vm, ONE, True)


def test_a_log_of_before_another_send_proves_nothing(manager, vm, server):
    server.say("GET", MESSAGES, [], [logged()])
    server.say("PUT", SEND, job(), LOST["no answer"])
    manager.sent(vm)
    manager.send(vm, ONE, True)
    with pytest.raises(OutcomeUnknown):
        manager.send(vm, ONE, True)


def test_a_log_of_before_a_failed_try_proves_nothing(manager, vm, server):
    server.say("GET", MESSAGES, [], [logged()])
    server.say("PUT", SEND, BUSY["LOCK"], LOST["no answer"])
    manager.sent(vm)
    with pytest.raises(OutcomeUnknown):
        manager.send(vm, ONE, True)


def test_a_log_of_just_after_an_unknown_send_proves_nothing_later(manager, vm, server):
    server.say("GET", MESSAGES, [], [logged()])
    server.say("PUT", SEND, LOST["no answer"])
    for _time in range(2):  # the first may still be on its way while the log is read
        with pytest.raises(OutcomeUnknown):
            manager.send(vm, ONE, True)


def test_all_of_several_have_to_be_in_the_log(manager, vm, server):
    manager.connect()
    server.say("PUT", SEND, LOST["no answer"])
    server.say("GET", MESSAGES, [logged(time=NOW + 1)])
    for more in (ONE[0], (b"other", b"")):
        with pytest.raises(OutcomeUnknown):
            manager.send(vm, [*ONE, more], True)


def test_what_is_not_logged_is_not_looked_for(manager, vm, server):
    manager.connect()
    server.say("PUT", SEND, LOST["no answer"])
    server.say("GET", MESSAGES, [logged(time=NOW + 1)])
    with pytest.raises(OutcomeUnknown):
        manager.send(vm, ONE, False)


# What a manager quotes


@pytest.mark.parametrize(
    "value", ["hunter2", 'a "quoted" & <longer> hunter2', "12", "ж hunter2\n\x1b", "line\r\nbreak"]
)
@pytest.mark.parametrize(
    "quote", [str, ascii, lambda v: v.replace("&", "&amp;").replace("<", "&lt;"), lambda v: v[:20]]
)
def test_a_quoted_value_is_not_repeated(manager, vm, server, value, quote):
    texts = []
    for reply in (
        Reply(refusal("GEN_000023", "bad value=%s!" % quote(value)), 400),
        job(state="FAILURE", error={"message": "GEN_000023:bad value=%s!" % quote(value), "type": "RULE"}),
    ):
        server.say("PUT", SEND, reply)
        with pytest.raises((Refused, JobFailed)) as error:
            manager.send(vm, [(b"key", value.encode())])
        assert "GEN_000023:bad value=" in str(error.value)
        texts += [*traceback.format_exception(error.value), repr(error.value), repr(error.value.__context__)]
    shown = "".join(texts)
    assert "hunter2" not in shown
    assert "value=" + quote(value)[:6] not in shown


def test_a_short_value_does_not_hide_the_words_that_have_it(manager, vm, server):
    server.say("PUT", SEND, Reply(refusal("GEN_000023", "no room on 1 for it"), 400))
    with pytest.raises(Refused, match="GEN_000023:no room on 1 for it$"):
        manager.send(vm, [(b"a", b"r"), (b"b", b""), (b"c", b"0")])


# Reading


def test_both_directions_are_asked_for_by_name(make_manager, vm, server):
    manager = make_manager({"dialect": Dialect.from_options({"direction_parameter": "way", "received": "IN"})})
    server.say("GET", MESSAGES, [{"key": "k", "value": "v"}])
    assert manager.received(vm) == manager.sent(vm) == [Record(b"k", b"v", None)]
    assert [seen.query for seen in server.seen[-2:]] == ["way=IN", "way=SENT"]


def test_messages_are_decoded_leniently(manager, vm, server):
    server.say(
        "GET", MESSAGES,
        [
            {"key": "a\udcff", "value": "ж", "time": milliseconds(NOW)}, {"key": "b", "createTime": 2500},
            {"key": "c", "value": None}, {"key": "d", "value": 5, "time": "1500"},
            {"key": "e", "value": {"x": 1}, "time": "later"},
            {"value": "no key"}, {"key": None, "value": ""}, {"key": "", "value": ""}, None, 5, ["k", "v"],
        ],
    )  # fmt: skip
    assert manager.received(vm) == [
        Record(b"a\xff", "ж".encode(), NOW),
        Record(b"b", b"", 2.5),
        Record(b"c", b"", None),
        Record(b"d", b"5", 1.5),
        Record(b"e", b'{"x": 1}', None),
    ]


@pytest.mark.parametrize("reply", [[], None, Reply(refusal("VM_000005", "no such message"), 400)])
def test_there_may_be_none(manager, vm, server, reply):
    server.say("GET", MESSAGES, reply)
    assert manager.received(vm) == []


@pytest.mark.parametrize(("code", "error"), [("GEN_000002", VmNotFound), ("GEN_000023", Refused)])
def test_messages_may_be_refused(manager, vm, server, code, error):
    server.say("GET", MESSAGES, Reply(refusal(code), 400))
    with pytest.raises(error):
        manager.received(vm)


def event(description="", created=NOW, about=VM, summary=INCOMING, **more):
    return dict(
        {
            "id": simple_id("1", "Event"),
            "associatedObjectId": about,
            "createTime": None if created is None else milliseconds(created),
            "eventSeverity": "INFORMATIONAL",
            "eventType": "T",
            "summary": summary,
            "description": description,
        },
        **more,
    )


def test_events_are_told_oldest_first(manager, vm, server):
    server.say(
        "GET", "Event",
        [
            event("new", NOW + 1), event("old", about=simple_id(VM.upper())), event("other", about="0004fb"), None, 5,
            event("server", about=simple_id(VM, "Server")), {}, event("undated", None, about={"value": VM}),
        ],
    )  # fmt: skip
    assert [found.description for found in manager.events(vm)] == ["undated", "old", "new"]
    found = manager.events()
    assert [event.description for event in found] == ["", "undated", "old", "other", "server", "new"]
    assert [event.vm for event in found] == ["", VM, VM, "0004fb", "", VM]
    assert found[0][2:] == (None, "UNKNOWN", "", "", "")
    assert found[2] == ("1", VM, NOW, "INFORMATIONAL", "T", INCOMING, "old")


def test_records_get_the_times_of_their_events(manager, vm, server):
    def told(key, seconds, value=b"v"):
        return event(event_description("web", key, value, NOW + seconds), NOW + seconds)

    server.say(
        "GET", "Event",
        [
            told(b"a", 1), told(b"a", 5), told(b"a", 3), told(b"b", 2, b"other"), told(b"twice", 7), told(b"twice", 8),
            dict(told(b"c", 4), summary="Something else"), dict(told(b"d", 6), createTime=None),
            dict(told(b"a", 9), associatedObjectId="0004fb"),
        ],
    )  # fmt: skip
    records = [Record(key, b"v", None) for key in (b"a", b"b", b"c", b"d", b"twice", b"twice")]
    dated = Record(b"twice", b"v", 12.0)
    assert manager.dated(vm, [*records, dated]) == [
        Record(b"a", b"v", NOW + 5),
        *records[1:4],
        Record(b"twice", b"v", NOW + 7),
        Record(b"twice", b"v", NOW + 8),
        dated,
    ]


def test_events_are_asked_for_only_where_a_time_is_missing(manager, vm, server):
    records = [Record(b"a", b"v", 1.0)]
    assert manager.dated(vm, records) == records
    assert manager.dated(vm, []) == []
    assert server.count("GET", "Event") == 0


def test_it_is_a_carrier(manager):
    assert manager.name == "rest"
    for name in ("connect", "vms", "current", "check", "send", "received", "sent", "dated", "events", "waiting", "now"):
        assert inspect.getdoc(getattr(Manager, name))


def test_with_it_the_connections_end(make_manager, server):
    with make_manager() as manager:
        manager.vms()
    manager.session.get("Vm")  # an urllib3 session opens anew
    assert server.connections == 2


# Network interfaces


def nic(owner=VM, **more):
    found = {"id": simple_id("1", "VirtualNic"), "name": "nic", "vmId": simple_id(owner), "macAddress": None}
    return dict(found, **more)


def test_interfaces_are_told_with_what_the_manager_knows_of_their_addresses(manager, server):
    shape = {"address": "192.0.2.5", "netmask": "255.255.255.0", "configType": "DHCP", "type": "IPV4"}
    six = {"address": "2001:db8::5", "netmask": "64", "configType": None, "type": "IPV6"}
    server.say(
        "GET",
        "VirtualNic",
        [
            nic(macAddress="00:21:F6:00:00:01", ipAddresses=[shape, six]),
            nic("0004FB00-0006-0000-6F8E-65A5D245EA0C", name=None, ipAddresses=None),
            nic("other", ipAddresses=[dict(shape, netmask=None), dict(six, netmask="ff::"), dict(shape, netmask="x")]),
        ],
    )
    assert manager.interfaces() == {
        VM: [
            {"name": "nic", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.5/24", "2001:db8::5/64"]},
            {"name": "", "mac": "", "addresses": []},
        ],
        "other": [{"name": "nic", "mac": "", "addresses": ["192.0.2.5", "2001:db8::5", "192.0.2.5"]}],
    }


def test_interfaces_that_make_no_sense_are_left_out(manager, server):
    server.say(
        "GET",
        "VirtualNic",
        [
            None,
            "nic",
            nic(vmId=None),
            {},
            nic(name=5, macAddress=["x"], ipAddresses={"address": "192.0.2.5"}),
            nic(ipAddresses=[None, "192.0.2.5", {}, {"address": None}, {"address": "nowhere", "netmask": "24"}]),
        ],
    )
    assert manager.interfaces() == {VM: [dict(name=name, mac="", addresses=[]) for name in ("", "nic")]}


def test_a_manager_that_knows_no_interfaces_has_none(manager, server):
    server.say("GET", "VirtualNic", Reply(refusal("GEN_000003"), 404))
    assert manager.interfaces() == {}
    server.say("GET", "VirtualNic", Reply(refusal("AUTH_000006"), 403))
    with pytest.raises(Forbidden):
        manager.interfaces()
    server.say("GET", "VirtualNic", Reply(refusal("GEN_000000"), 400))
    with pytest.raises(Refused):
        manager.interfaces()
