# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be sent, and by which evidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import plan
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import BadMessages
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import Wanted
from ansible_collections.ovm.messaging.plugins.module_utils.vms import ROOT_PASSWORD, Record

A = Wanted(b"a", b"1", False)
SECRET = Wanted(b"x", b"1", True)
WANTED = st.lists(
    st.builds(
        Wanted,
        st.sampled_from([b"a", b"b", b"c", b"d", b"my.token", ROOT_PASSWORD]),
        st.sampled_from([b"", b"1", b"x" * 1024, b"x" * 1025]),
        st.booleans(),
    ),
    unique_by=lambda message: message.key,
)


def evidence(received=(), sent=(), dated=list):
    """Of pairs of key and value, or Records; the pairs come one second after the other."""

    def records(given):
        return [r if isinstance(r, Record) else Record(*r, 100.0 + n) for n, r in enumerate(given)]

    return plan.Evidence(records(received), lambda: records(sent), dated)


def held(key, value, boot="b1", secret=False):
    return report.held(boot, key, value, secret)


BOOT = report.guest("b1", "1")
REBOOT = report.guest("b2", "1")


# Which messages, in which requests


@given(WANTED, st.sampled_from([None, False]))
def test_requests_keep_the_order_and_the_root_password_is_last(messages, log):
    messages = plan.checked(messages, log)
    runs = plan.runs(messages, log)
    assert [message for run, _log in runs for message in run] == messages
    assert all(run for run, _log in runs)
    assert all(one[1] != other[1] for one, other in zip(runs, runs[1:]))
    assert ROOT_PASSWORD not in [message.key for message in messages[:-1]]
    for run, flag in runs:
        for message in run:
            assert flag == (log is None and not message.secret and len(message.value) <= 1024)


def test_the_order_is_kept_but_for_the_root_password():
    messages = [Wanted(ROOT_PASSWORD, b"p", False), Wanted(b"b", b"", False), A]
    assert plan.checked(messages) == [messages[1], A, Wanted(ROOT_PASSWORD, b"p", True)]
    assert [log for _run, log in plan.runs(plan.checked(messages))] == [True, False]


def test_a_secret_by_name_is_one_and_none_is_ever_logged():
    (message,) = plan.checked([Wanted(b"db.password", b"p", False)], log=True)
    assert message.secret and not plan.logged(message, True) and not plan.logged(SECRET, True)


def test_what_the_log_cannot_take_is_refused_only_where_it_was_asked_for():
    long = Wanted(b"a", b"x" * 1025, False)
    assert plan.checked([long]) == [long] and plan.checked([long], False) == [long]
    assert plan.checked([long._replace(secret=True)], True)
    assert plan.checked([Wanted(b"a", b"x" * 1024, False)], True)
    with pytest.raises(BadMessages, match="the value of 'a' has 1025 bytes, and at most 1024 can be logged: do not"):
        plan.checked([A._replace(key=b"b"), long], True)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (Wanted(b"", b"v", False), "the key is empty"),
        (Wanted(b"k" * 255, b"v", False), "has 255 bytes, the limit is 254"),
        (Wanted(b"k", b"v" * 8192, True), "the value of 'k' has 8192 bytes, the limit is 8191"),
        (Wanted(b"k", b"a\0b", False), "NUL"),
        (Wanted(b"k\0", b"", False), "NUL"),
    ],
)
def test_what_the_channel_cannot_carry_is_refused(message, says):
    with pytest.raises(InvalidMessage, match=says):
        plan.checked([A, message])


def test_the_limits_themselves_are_fine_and_twice_is_not():
    assert plan.checked([Wanted(b"k" * 254, b"v" * 8191, False)])
    with pytest.raises(BadMessages, match="the key 'a' is given twice"):
        plan.checked([A, SECRET, A._replace(value=b"2")])


def test_no_repr_shows_a_value():
    assert "hunter2" not in repr(Wanted(b"k", b"hunter2", True))


# Evidence. Each: what was received, what was logged, the message -> to be sent?, why

TABLE = {
    "nothing is known": ([], [], A, (True, plan.NONE)),
    "the guest holds it": ([BOOT, held(b"a", b"1")], [], A, (False, plan.REPORT)),
    "the guest holds another": ([BOOT, held(b"a", b"2")], [], A, (True, plan.REPORT)),
    "the guest never had it": ([BOOT], [], A, (True, plan.REPORT)),
    "held before a reboot": ([BOOT, held(b"a", b"1"), REBOOT], [], A, (True, plan.REPORT)),
    "held, but nobody reports": ([held(b"a", b"1")], [], A, (True, plan.NONE)),
    "logged, no reports": ([], [(b"a", b"1")], A, (False, plan.SENT_LOG)),
    "another logged, no reports": ([], [(b"a", b"2")], A, (True, plan.SENT_LOG)),
    "another logged last": ([], [(b"a", b"1"), (b"a", b"2")], A, (True, plan.SENT_LOG)),
    "logged last": ([], [(b"a", b"2"), (b"a", b"1")], A, (False, plan.SENT_LOG)),
    "other keys logged": ([], [(b"b", b"1")], A, (True, plan.NONE)),
    "on its way": ([Record(*BOOT, 50.0)], [(b"a", b"1")], A, (False, plan.SENT_LOG)),
    "logged at the very boot": ([Record(*BOOT, 100.0)], [(b"a", b"1")], A, (False, plan.SENT_LOG)),
    "logged before the boot": ([Record(*BOOT, 200.0)], [(b"a", b"1")], A, (True, plan.REPORT)),
    "the same boot told twice": (
        [Record(*BOOT, 50.0), Record(*BOOT, 200.0)],
        [(b"a", b"1")],
        A,
        (False, plan.SENT_LOG),
    ),
    "another boot before": (
        [Record(*REBOOT, 50.0), Record(*BOOT, 200.0)],
        [(b"a", b"1")],
        A,
        (True, plan.REPORT),
    ),
    "logged, who knows when": ([Record(*BOOT, 50.0)], [Record(b"a", b"1", None)], A, (True, plan.REPORT)),
    "logged, but who knows when it booted": ([Record(*BOOT, None)], [(b"a", b"1")], A, (True, plan.REPORT)),
    "replaced since": (
        [Record(*BOOT, 50.0), Record(*held(b"a", b"2"), 150.0)],
        [(b"a", b"1")],
        A,
        (True, plan.REPORT),
    ),
    "replaces what the guest holds": (
        [Record(*BOOT, 50.0), Record(*held(b"a", b"2"), 60.0)],
        [(b"a", b"1")],
        A,
        (False, plan.SENT_LOG),
    ),
    "perhaps replaced since": (
        [Record(*BOOT, 50.0), Record(*held(b"a", b"2"), None)],
        [(b"a", b"1")],
        A,
        (True, plan.REPORT),
    ),
    "consumed": (
        [Record(*BOOT, 200.0), Record(*held(b"a", None), 201.0)],
        [(b"a", b"1")],
        A,
        (False, plan.SENT_LOG),
    ),
    "consumed before a reboot": (
        [BOOT, held(b"a", None), Record(*REBOOT, 200.0)],
        [(b"a", b"1")],
        A,
        (True, plan.REPORT),
    ),
    "consumed, never logged": ([BOOT, held(b"a", None)], [], A, (True, plan.REPORT)),
    "the guest holds it as a secret": ([BOOT, held(b"a", b"1", secret=True)], [], A, (True, plan.NONE)),
    "it happens": ([BOOT], [(b"VMAPIEvent", b"1")], Wanted(b"VMAPIEvent", b"1", False), (True, plan.NONE)),
    "a secret": ([], [(b"x", b"1")], SECRET, (True, plan.NONE)),
    "a secret that the guest lacks": ([BOOT], [(b"x", b"1")], SECRET, (True, plan.REPORT)),
    "a secret under a key that does not tell": ([BOOT, held(b"x", b"1")], [], SECRET, (False, plan.REPORT)),
    "a secret that nobody can compare": ([BOOT, held(b"x", b"1", secret=True)], [], SECRET, (True, plan.NONE)),
    "too long for the log": ([], [(b"a", b"x" * 1025)], Wanted(b"a", b"x" * 1025, False), (True, plan.NONE)),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_best_evidence_decides(case):
    received, sent, message, decision = TABLE[case]
    assert plan.decide(message, evidence(received, sent)) == decision


def test_a_task_that_does_not_log_cannot_trust_the_log():
    known = evidence([], [(b"a", b"1")])
    assert plan.decide(A, known, log=False) == (True, plan.NONE)
    assert plan.decide(A, known, log=True) == (False, plan.SENT_LOG)


def test_a_secret_may_be_sent_only_where_there_is_none():
    holds = evidence([BOOT, held(b"x", b"old", secret=True)])
    assert plan.decide(SECRET, holds, update_secret=plan.ON_CREATE) == (False, plan.REPORT)
    assert plan.decide(SECRET, evidence([BOOT]), update_secret=plan.ON_CREATE) == (True, plan.REPORT)
    assert plan.decide(SECRET, evidence(), update_secret=plan.ON_CREATE) == (True, plan.NONE)
    # A message that is no secret is compared in any case.
    other = evidence([BOOT, held(b"a", b"old")])
    assert plan.decide(A, other, update_secret=plan.ON_CREATE) == (True, plan.REPORT)


def test_the_log_is_asked_for_once_and_only_if_it_matters():
    asked = []

    def sent():
        asked.append(1)
        return [Record(b"a", b"1", 1.0), Record(b"b", b"1", 2.0)]

    known = plan.Evidence([], sent)
    assert plan.decide(SECRET, known) == (True, plan.NONE) and not asked
    assert not plan.decide(A, known)[0] and not plan.decide(A._replace(key=b"b"), known)[0]
    assert asked == [1]


def test_times_that_are_missing_are_asked_for():
    def dated(records):
        return [record._replace(time=50.0) for record in records]

    known = evidence([Record(*BOOT, None), Record(*held(b"a", b"2"), None)], [(b"a", b"1")], dated)
    assert plan.decide(A, known) == (False, plan.SENT_LOG)


@pytest.mark.parametrize(
    ("received", "asked", "answer"),
    [
        ([], (b"s",), False),
        ([(b"s", b"done")], (b"s",), True),
        ([(b"s", b"done")], (b"s", None), True),
        ([(b"s", b"done")], (b"s", b"done"), True),
        ([(b"s", b"done"), (b"s", b"new")], (b"s", b"done"), False),
        ([(b"s", b"")], (b"s", b""), True),
        ([(b"s", b"x")], (b"s", b""), False),
    ],
)
def test_the_last_that_was_received_counts(received, asked, answer):
    assert evidence(received).has_received(*asked) is answer


@pytest.mark.parametrize(
    ("message", "received", "sent", "was"),
    [
        (A, [], [], plan.UNKNOWN),
        (A, [], [(b"a", b"0")], b"0"),
        (A, [BOOT], [(b"a", b"0")], plan.ABSENT),
        (A, [BOOT, held(b"a", b"1")], [], b"1"),
        (A, [BOOT, held(b"a", b"0")], [(b"a", b"0")], b"0"),
        (A, [BOOT, held(b"a", b"other")], [(b"a", b"0")], plan.UNKNOWN),
        (A, [BOOT, held(b"a", b"other")], [], plan.UNKNOWN),
        (SECRET, [], [(b"x", b"0")], plan.UNKNOWN),
        (SECRET, [BOOT], [], plan.ABSENT),
        (SECRET, [BOOT, held(b"x", b"0", secret=True)], [], plan.CONCEALED),
    ],
)
def test_what_was_there_before_as_far_as_anybody_knows(message, received, sent, was):
    assert plan.before(message, evidence(received, sent)) == was
