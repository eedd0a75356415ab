# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer has come, fits and is new."""

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.delivery import answers
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.answers import Condition, Since
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.errors import BadPattern
from ansible_collections.ovm.messaging.plugins.module_utils.delivery.plan import Evidence, Wanted
from ansible_collections.ovm.messaging.plugins.module_utils.vms import Record

A = Wanted(b"a", b"1", False)


def timed(*pairs):
    return [Record(b"s", value, time) for value, time in pairs]


def untimed(*found):
    return [Record(b"s", value, None) for value in found]


def test_a_pattern_matches_anywhere_and_none_matches_all():
    assert (
        Condition(b"s").fits(b"") and Condition(b"s", "on").fits(b"done") and not Condition(b"s", "^on").fits(b"done")
    )
    assert Condition(b"s", "^.$").fits(b"\xff")


def test_a_bad_pattern_is_told():
    with pytest.raises(BadPattern, match="the pattern for 's' is no regular expression: "):
        Condition(b"s", "(")


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        # With times, these decide.
        ([], timed((b"x", 11)), [b"x"]),
        (timed((b"x", 5)), timed((b"x", 5)), []),
        (timed((b"x", 5)), timed((b"x", 5), (b"x", 10)), [b"x"]),
        (timed((b"x", 5)), timed((b"x", 12)), [b"x"]),
        ([], timed((b"x", 9)), []),  # it came between the look and the send
        # Unless the clock was set back: what was not there should have been.
        ([], timed((b"x", 7)), [b"x"]),
        (timed((b"x", 5)), timed((b"x", 5), (b"y", 6)), [b"y"]),
        (timed((b"x", 5)), timed((b"x", 5), (b"x", 4)), [b"x"]),
        (timed((b"x", 5), (b"x", 6)), timed((b"x", 6), (b"x", -99)), [b"x"]),  # one forgotten meanwhile
        (untimed(b"x"), timed((b"x", 5), (b"x", 4)), [b"x"]),
        (timed((b"x", 5)), timed((b"x", 4)), [b"x"]),
        (untimed(b"x"), timed((b"x", 5)), []),
        # Without, what was there does.
        ([], untimed(b"x"), [b"x"]),
        (untimed(b"x"), untimed(b"x"), []),
        (untimed(b"x"), untimed(b"y"), [b"y"]),
        (untimed(b"x", b"y"), untimed(b"x", b"y"), []),
        (untimed(b"x", b"y"), untimed(b"x", b"y", b"y"), [b"y"]),
        (untimed(b"x"), untimed(b"x", b"x", b"z"), [b"x", b"z"]),
        (untimed(b"x", b"y"), untimed(b"y"), []),  # forgotten meanwhile
        (untimed(b"x", b"y"), untimed(b"z"), [b"z"]),
        ([], [], []),
    ],
)
def test_what_is_new(before, now, new):
    others = [Record(b"other", b"o", 3.0)]
    assert [record.value for record in Since(others + before, 10.0, 9.5).newer(now)] == new


def test_without_a_send_the_last_word_counts():
    done = Condition(b"s", "done")
    assert answers.answer([], done) == (None, answers.NOTHING)
    assert answers.answer([Record(b"t", b"done", 1.0)], done) == (None, answers.NOTHING)
    assert answers.answer(timed((b"done", 1)), done) == (b"done", "")
    assert answers.answer(timed((b"done", 1), (b"again", 2)), done) == (None, answers.NO_MATCH)


def test_after_a_send_any_new_word_counts():
    done, since = Condition(b"s", "done"), Since(timed((b"done", 1)), 10.0, 9.5)
    assert answers.answer(timed((b"done", 1)), done, since) == (None, answers.NOTHING_NEW)
    assert answers.answer(timed((b"done", 1), (b"busy", 11)), done, since) == (None, answers.NO_MATCH)
    assert answers.answer(timed((b"done 1", 11), (b"idle", 12)), done, since) == (b"done 1", "")
    assert answers.answer(timed((b"done 1", 11), (b"done 2", 12)), done, since) == (b"done 2", "")


def seen(message, *reports, since=None, held_will_do=False, boot="b1", time=20.0):
    records = [Record(*report.guest(boot, "1"), 1.0)] if boot else []
    records += [Record(*one, time) for one in reports]
    return answers.arrived(message, Evidence(records, list), since, held_will_do)


def test_a_report_tells_that_a_message_has_arrived():
    now, held = Since([], 10.0, 9.5), report.held
    secret = Wanted(b"x", b"1", True)
    assert seen(A, boot="") is None
    assert seen(Wanted(b"VMAPIEvent", b"1", False)) is None
    assert seen(A) is False
    assert seen(A, held("b1", b"a", b"1"), since=now) is True
    assert seen(A, held("b1", b"a", b"2"), since=now) is False
    assert seen(A, held("b0", b"a", b"1"), since=now) is False
    assert seen(A, held("b1", b"a", None), since=now) is True  # and used up
    assert seen(A, held("b0", b"a", None), since=now) is False
    assert seen(secret, held("b1", b"x", b"?", secret=True), since=now) is True
    assert seen(secret, held("b1", b"x", b"?", secret=True)) is True
    assert seen(secret, held("b1", b"x", b"other"), held_will_do=True) is True
    assert seen(secret, held_will_do=True) is False


def test_a_report_from_before_the_send_tells_nothing():
    told = report.held("b1", b"x", b"?", secret=True)
    secret = Wanted(b"x", b"1", True)
    assert seen(secret, told, since=Since([Record(*told, 5.0)], 10.0, 9.5), time=5.0) is False
    # Without a time nobody can tell it from a new one.
    assert seen(secret, told, since=Since([Record(*told, None)], 10.0, 9.5), time=None) is None
