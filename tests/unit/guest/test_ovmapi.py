# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``/dev/ovmapi`` backend, in real processes, on the stand-in for the kernel driver; and the stand-in itself."""

import errno
import fcntl
import os
import stat
import struct
import sys

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.guest.entry import Entry
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import (
    DeviceUnavailable,
    ParameterListError,
    SendFailed,
)
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import parse
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import EVENTS, ParameterList
from ansible_collections.ovm.messaging.plugins.module_utils.guest.wake import Listener
from ansible_collections.ovm.messaging.plugins.module_utils.report import Report
from lab.ovmapi import Device, Process
from lab.programs import PYTHONS

REGISTER, UNREGISTER, READ, SEND, COUNT, BY_INDEX = 0x803, 0x805, 0x80C, 0x80D, 0x80E, 0x80F
WRITE, DELETE, ALL_NAMES, SIZE_BY_NAME, FILTER, POST = 0x811, 0x812, 0x820, 0x822, 0x823, 0x824
HEADER, NEXT_HEADER, EVENT, NEXT_EVENT, DISCARD, DISCARD_NEXT = 0x825, 0x826, 0x827, 0x806, 0x828, 0x829
NEW_PARAM, USER, MORE_PROCESSING = 0x40, 0x20, 0x4000
HEADER_RECORD = struct.Struct("=QHHHH" if struct.calcsize("P") == 8 else "=IHHHH")
FILTER_RECORD = struct.Struct("@LL")
LONG = struct.calcsize("L")
ALL_BYTES = bytes(range(1, 256))
# Around the driver's piece size, and the limits.
SIZES = [0, 1, 2, 2046, 2047, 2048, 2049, 4094, 4095, 4096, 4097, 6143, 6144, 8189, 8190]


def value_of(size):
    return (ALL_BYTES * (size // 255 + 1))[:size]


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


@pytest.fixture
def process(device):
    with Process(device) as process:
        yield process


@pytest.fixture
def other(device):
    with Process(device) as process:
        yield process


@pytest.fixture
def backend(process):
    return process.backend()


@pytest.fixture
def handle(process):
    handle = process.handle()
    assert handle.bare(REGISTER) == 0
    return handle


class TestBackend:
    def test_what_it_is(self, backend):
        assert (backend.name(), backend.key_limit(), backend.value_limit()) == ("ovmapi", 255, 8190)

    def test_the_kernel_receives_by_itself(self, device, backend):
        device.inject(b"k", b"v")
        assert (backend.pending(), backend.receive()) == ([], [])
        assert backend.entries() == [Entry(b"k", b"v", False)]

    def test_an_empty_list(self, backend):
        assert (backend.entries(), backend.get(b"k"), backend.delete([b"k"]), backend.delete_all()) == ([], None, [], 0)

    def test_set_transmits_and_stores_in_order(self, device, backend):
        backend.set([Message(b"b", b"1"), Message(b"a", b"2"), Message(b"b", b"3")], secret=[b"a"])
        assert device.sent() == [(b"b", [b"1"]), (b"a", [b"2"]), (b"b", [b"3"])]
        assert backend.entries() == [Entry(b"b", b"3", False), Entry(b"a", b"2", False)]
        assert backend.get(b"a") == b"2"

    def test_set_nothing(self, device, backend):
        backend.set([])
        assert device.writes() == []

    @pytest.mark.parametrize("size", SIZES)
    def test_values_it_sends(self, device, backend, size):
        value = value_of(size)
        backend.set([Message(b"k", value)])
        assert backend.get(b"k") == value
        assert backend.entries() == [Entry(b"k", value, False)]
        ((key, pieces),) = device.sent()
        assert (key, layout.join_from_guest(pieces)) == (b"k", value)
        assert device.counts()[2] == 0, "the driver was made to read behind its buffer"

    @pytest.mark.parametrize("size", [*SIZES, 8191])
    def test_values_it_gets(self, device, backend, size):
        assert device.inject(b"k", value_of(size))
        assert backend.get(b"k") == value_of(size)
        assert backend.entries() == [Entry(b"k", value_of(size), False)]

    def test_a_writers_terminator_is_no_part_of_the_value(self, device, backend):
        device.inject(b"k", b"with\0")
        device.inject(b"inner", b"a\0b")
        assert (backend.get(b"k"), backend.get(b"inner")) == (b"with", b"a\0b")

    def test_a_value_stored_without_any_terminator(self, process, backend):
        handle = process.handle()
        handle.bare(REGISTER)
        handle.parameter(WRITE, b"k", b"bare")
        assert backend.get(b"k") == b"bare"

    @pytest.mark.parametrize("key", [b"k", b"k" * 254, b"k" * 255, ALL_BYTES, "schlüssel".encode("latin-1"), b" \n/"])
    def test_keys(self, device, backend, key):
        backend.set([Message(key, b"v")])
        assert backend.entries() == [Entry(key, b"v", False)]
        assert backend.get(key) == b"v"
        assert device.sent() == [(key, [b"v"])]
        assert backend.delete([key]) == [key]
        assert backend.entries() == []

    def test_an_empty_key_from_the_host(self, device, backend):
        device.inject(b"", b"v")
        assert backend.entries() == [Entry(b"", b"v", False)]
        assert backend.get(b"") == b"v"
        assert backend.delete_all() == 1

    @pytest.mark.parametrize(
        "message",
        [
            Message(b"", b"v"),
            Message(b"k" * 256, b"v"),
            Message(b"k\0", b"v"),
            Message(b"k", b"v\0"),
            Message(b"k", b"v" * 8191),
            Message(b"k", b"v" * 8192),
        ],
        ids=["no key", "long key", "NUL in key", "NUL in value", "8191 bytes", "8192 bytes"],
    )
    def test_what_cannot_be_carried_stops_all(self, device, backend, message):
        with pytest.raises(InvalidMessage) as problem:
            backend.set([Message(b"fine", b"v"), message])
        assert "\n" not in str(problem.value) and "vvv" not in str(problem.value)
        assert (device.writes(), backend.entries()) == ([], [])

    def test_the_dangerous_length_is_refused_with_its_limit(self, backend):
        with pytest.raises(InvalidMessage, match=r"'k' has 8191 bytes, .*ovmapi is 8190: split"):
            backend.set([Message(b"k", b"v" * 8191)])

    def test_a_key_that_cannot_be_there_is_not_mistaken_for_a_shorter_one(self, backend):
        short = b"k" * 255
        backend.set([Message(short, b"v"), Message(b"a", b"v")])
        for key in (short + b"k", short + b"kk", b"a\0b"):
            assert backend.get(key) is None
            assert backend.delete([key]) == []
        assert len(backend.entries()) == 2

    def test_delete_is_local_and_tells_what_was_there(self, device, backend):
        backend.set([Message(key, b"v") for key in (b"a", b"b", b"c")])
        before = device.writes()
        assert backend.delete([b"c", b"missing", b"a", b"a"]) == [b"c", b"a"]
        assert backend.entries() == [Entry(b"b", b"v", False)]
        backend.set([Message(b"a", b"again")])
        assert [entry.key for entry in backend.entries()] == [b"b", b"a"]
        assert len(device.writes()) == len(before) + 3

    @pytest.mark.parametrize("count", [1, 63, 64, 65, 256, 300])
    def test_lists_of_any_length(self, device, backend, count):
        expected = []
        for n in range(count):
            # The last names in the list are the longest: what is left of one must not end up in another.
            key = b"%d." % n + b"k" * (n % 250)
            device.inject(key, b"%d" % n)
            expected.append(Entry(key, b"%d" % n, False))
        assert backend.entries() == expected
        assert backend.delete_all() == count
        assert backend.entries() == []

    def test_a_parameter_deleted_while_listing_is_left_out(self, device, backend):
        for key in (b"a", b"b", b"c"):
            device.inject(key, b"v")
        device.fail(READ, errno.ENOENT)  # what the driver says when the first is gone by now
        assert [entry.key for entry in backend.entries()] == [b"b", b"c"]

    def test_conceal_is_no_error(self, backend):
        backend.set([Message(b"k", b"v")])
        assert backend.conceal([b"k"]) is None
        assert backend.entries() == [Entry(b"k", b"v", False)]

    def test_processes_share_the_list(self, backend, other):
        backend.set([Message(b"k", b"v")])
        assert other.backend().get(b"k") == b"v"

    def test_the_same_on_every_python(self, device):
        for python in PYTHONS.values():
            with Process(device, python) as process, process.backend() as backend:
                sent = len(device.sent())
                messages = [Message(b"%d." % size + ALL_BYTES[:100], value_of(size)) for size in SIZES]
                assert not backend.wait(0) or not backend.wait(0)
                backend.set(messages)
                assert backend.entries() == [Entry(*message, False) for message in messages], python
                new = device.sent()[sent:]
                assert [(key, layout.join_from_guest(pieces)) for key, pieces in new] == messages
                assert (backend.wait(1), backend.wait(0)) == (True, False), python
                assert backend.delete([messages[0].key, b"missing"]) == [messages[0].key]
                assert backend.delete_all() == len(messages) - 1
                backend.attend()
                device.inject(b"VMAPIEvent", b"snapshot:pre")
                assert (backend.attend(), backend.faults()) == (True, []), python
                backend.post(parse("user"))
                assert process.reporter(backend, "1").report() is False, python
                with pytest.raises(DeviceUnavailable):
                    process.backend(os.devnull)
        assert device.counts() == (0, 0, 0)


class TestWaiting:
    def test_the_first_call_may_have_missed_something(self, backend):
        assert (backend.wait(60), backend.wait(0)) == (True, False)

    def test_fileno_listens_from_then_on(self, backend):
        backend.fileno()
        assert backend.wait(0) is False

    def test_a_message_ends_it(self, device, backend):
        backend.fileno()
        waited = backend.begin("wait", 50)
        device.inject(b"k", b"v")
        assert waited() is True
        assert backend.get(b"k") == b"v"

    @pytest.mark.parametrize("count", [1, 2, 100])
    def test_many_events_are_taken_at_once(self, device, backend, count):
        backend.fileno()
        for _unused in range(count):
            device.inject(b"k", b"v")
        assert (backend.wait(50), backend.wait(0)) == (True, False)

    def test_another_process_ends_it(self, backend, other):
        backend.fileno()
        waited = backend.begin("wait", 50)
        other.backend().set([Message(b"k", b"v")])
        assert waited() is True

    def test_a_deletion_does_not(self, device, backend, other):
        device.inject(b"k", b"v")
        backend.fileno()
        other.backend().delete_all()
        assert backend.wait(0) is False

    def test_an_event_message_does(self, device, backend):
        device.inject(b"VMAPIEvent", b"text")
        assert (backend.wait(0), backend.wait(0), backend.wait(0)) == (True, True, False)
        assert backend.entries() == []

    @pytest.mark.parametrize("timeout", [0, -1, 0.0001, 0.02])
    def test_it_ends_in_time(self, backend, timeout):
        backend.fileno()
        assert backend.wait(timeout) is False

    @pytest.mark.parametrize("timeout", [1e9, float("inf")])
    def test_it_takes_any_time(self, device, backend, timeout):
        backend.fileno()
        waited = backend.begin("wait", timeout)
        device.inject(b"k", b"v")
        assert waited() is True

    def test_a_stream_of_events_does_not_hold_it(self, device, process):
        backend = process.backend(device.path, timeout=0)
        backend.fileno()
        device.inject(b"a", b"v")
        device.inject(b"b", b"v")
        # With no time to drain there is always something left, as with events that never end.
        assert (backend.wait(50), backend.wait(50)) == (True, True)

    def test_a_broken_handle_is_an_error_and_no_busy_loop(self, process, backend):
        process.make("close", backend.fileno())
        with pytest.raises(DeviceUnavailable, match="take an event"):
            backend.wait(50)


@pytest.fixture
def state(device):
    with ParameterList(device.state) as opened:
        yield opened


def waiting(state):
    """The events that wait; they do no longer."""
    found = []
    while state.next_event():
        position, event, _begun = state.next_event()
        found.append(event)
        with state.writing():
            state.end_event(position)
    return found


class TestForTheDaemon:
    def test_events_of_messages_wait_in_the_list(self, device, backend, state):
        assert (backend.attend(), backend.attend()) == (True, False)  # nobody listened before
        for text in (b"snapshot:pre:now", b"reconfig", b"user::" + b"x" * 4000):
            assert device.inject(b"VMAPIEvent", text)
        assert (backend.attend(), backend.attend(), backend.faults()) == (True, False, [])
        assert waiting(state) == [parse("snapshot:pre:now"), parse("reconfig"), parse(b"user::" + b"x" * 4000)]

    def test_events_that_nobody_understands_are_told(self, device, backend, state):
        backend.attend()
        for text in (b"nonsense", b"", b"user:sometimes:hunter2", ALL_BYTES):
            device.inject(b"VMAPIEvent", text)
        assert backend.attend() is True
        faults = backend.faults()
        assert [why for _number, why in faults][:3] == [
            "there is no event 'nonsense'",
            "there is no event ''",
            "there is no phase 'sometimes' of the event 'user'",
        ]
        assert len(faults) == 4 and all(len(why) < 200 and why.isprintable() for _number, why in faults)
        assert waiting(state) == [] and (backend.attend(), backend.faults()) == (False, [])

    def test_events_of_other_processes_wait_in_the_list(self, backend, other, state):
        backend.fileno()
        backend.attend()
        poster = other.backend()
        for text in ("shutdown", "user:post:text", "ip-address", "system:pre"):
            poster.post(parse(text))
        assert backend.attend() is True
        assert waiting(state) == [parse(text) for text in ("shutdown", "user:post:text", "ip-address", "system:pre")]
        poster.attend()
        assert poster.attend() is False and waiting(state) == []  # it is told none of its own

    def test_an_event_with_numbers_that_nobody_knows(self, handle, backend, state):
        backend.attend()
        for kind, severity in ((USER | 0x10, 1), (USER, 99)):
            record = HEADER_RECORD.pack(0, kind, severity, 0, 5) + b"text\0"
            assert handle.ioctl(POST, record + bytes(4096 - len(record)))[0] == 0
        assert backend.attend() is True
        assert [why for _number, why in backend.faults()] == ["there is no event of type 0x30"]
        assert waiting(state) == [parse("user:pre:text")]

    def test_too_many_events_are_refused(self, device, backend, state):
        backend.attend()
        for _unused in range(2):
            for _each in range(EVENTS - 100):
                device.inject(b"VMAPIEvent", b"user")
            assert backend.attend() is True
        assert {why for _number, why in backend.faults()} == {"too many events wait already: see that ovmd runs"}
        assert len(backend.faults()) == EVENTS - 200 and len(waiting(state)) == EVENTS

    def test_news_of_parameters_are_no_events_and_are_noted(self, device, backend, other, state):
        backend.attend()
        device.inject(b"a", b"1")
        device.inject(b"", b"2")
        other.backend().set([Message(b"b", b"3")])
        assert (backend.attend(), backend.attend(), backend.faults(), waiting(state)) == (True, False, [], [])
        assert state.reported() == {b"held.a": b"", b"held.b": b""}

    def test_an_event_ends_a_wait_for_something_to_attend_to(self, device, backend, state):
        backend.attend()
        waited = backend.begin("wait", 50)
        device.inject(b"VMAPIEvent", b"user")
        assert waited() is True

    def test_one_shot_commands_leave_events_to_the_daemon(self, device, backend, state):
        backend.fileno()
        device.inject(b"VMAPIEvent", b"user")
        assert (backend.wait(0), backend.receive(), waiting(state)) == (True, [], [])

    def test_an_event_that_cannot_be_taken_stays(self, device, backend, state):
        backend.attend()
        device.fail(NEXT_EVENT, errno.EIO)
        device.inject(b"VMAPIEvent", b"user")
        with pytest.raises(DeviceUnavailable, match="refused to take an event"):
            backend.attend()
        assert backend.attend() is True and waiting(state) == [parse("user")]

    def test_an_event_that_cannot_be_kept_is_not_taken(self, device, process, state):
        backend = process.backend(device.path, timeout=0.1)
        backend.attend()
        device.inject(b"VMAPIEvent", b"user")
        with state.writing(), pytest.raises(ParameterListError, match="another process is writing"):
            backend.attend()
        assert backend.attend() is True and waiting(state) == [parse("user")]

    @pytest.mark.parametrize("size", SIZES)
    def test_telling_transmits_and_stores_nothing(self, device, backend, size):
        value = value_of(size)
        backend.tell([Message(b"k", value), Message(b"l", b"")])
        (first, second) = device.sent()
        assert (first[0], layout.join_from_guest(first[1]), second) == (b"k", value, (b"l", [b""]))
        assert backend.entries() == [] and device.counts()[2] == 0

    def test_telling_that_fails_says_how_far_it_got(self, device, backend):
        device.fail(SEND, errno.ENOMEM)
        with pytest.raises(SendFailed, match="out of memory") as problem:
            backend.tell([Message(b"k", b"v")])
        assert problem.value.sent == [] and device.writes() == []
        with pytest.raises(InvalidMessage):
            backend.tell([Message(b"k", b"v" * 8191)])

    def test_what_the_driver_does_not_tell(self, backend):
        assert (backend.uncollected(), backend.announced(), backend.tree(), backend.expect_room(True)) == (None,) * 4

    def test_a_refused_event_is_an_error(self, device, backend):
        device.fail(POST, errno.EINVAL)
        with pytest.raises(DeviceUnavailable, match="refused to pass the event user:immediate on"):
            backend.post(parse("user"))

    def test_a_deletion_knocks_as_the_kernel_tells_nobody(self, device, backend, state):
        backend.set([Message(b"a", b"1"), Message(b"b", b"2"), Message(b"c", b"3")])
        listener = Listener(device.state)
        assert backend.delete([b"missing"]) == [] and not listener.drain()
        assert backend.delete([b"a"]) == [b"a"] and listener.drain()
        assert backend.delete_all() == 2 and listener.drain()
        listener.close()

    def test_its_list_is_opened_only_where_it_is_needed(self, device, process, backend):
        device.inject(b"a", b"1")
        backend.set([Message(b"b", b"2")])
        backend.delete_all()
        backend.fileno()
        assert not os.path.exists(device.state)
        backend.attend()
        device.inject(b"a", b"1")
        backend.attend()
        assert os.path.exists(device.state)
        backend.close()

    def test_reports(self, device, process, backend, state):
        def told():
            return Report({key: layout.join_from_guest(pieces) for key, pieces in device.sent()})

        reporter = process.reporter(backend, "1.2.3")
        backend.attend()
        device.inject(b"app.password", b"hunter2")
        backend.set([Message(b"a", b"1")])
        backend.attend()
        assert reporter.report() is False and told().boot == state.life
        assert told().holds(b"a", b"1") is True and told().holds(b"app.password", b"hunter2") is None
        before = len(device.sent())
        assert reporter.report() is False and len(device.sent()) == before
        device.inject(b"app.password", b"hunter2")
        backend.delete([b"a"])
        backend.attend()
        assert reporter.report() is False and len(device.sent()) == before + 2
        assert told().holds_key(b"a") is False
        device.fail(SEND, errno.ENOMEM)
        assert reporter.report(again=True) is True
        assert reporter.report() is False and len(device.sent()) == before + 5

    def test_reports_keep_a_pace_where_nobody_knows_how_much_room_there_is(self, device, process, backend):
        for n in range(120):
            device.inject(b"%d" % n, b"v")
        reporter = process.reporter(backend, "1.2.3")
        assert (reporter.report(), reporter.report(), reporter.problem()) == (True, True, None)
        assert 30 < len(device.sent()) <= 50


class TestOpeningAndClosing:
    def test_no_device(self, tmp_path, process):
        with pytest.raises(DeviceUnavailable) as problem:
            process.backend(str(tmp_path / "missing"))
        assert str(problem.value) == (
            "the device %s cannot be opened (No such file or directory): load the kernel module ovmapi, which "
            "Oracle's UEK kernels have; other kernels need the XenStore backend" % (tmp_path / "missing")
        )

    def test_not_root(self, device, process):
        if os.geteuid():
            os.chmod(device.path, 0)
        else:
            os.chmod(os.path.dirname(device.path), 0o711)
            process.make("seteuid", 65534)
        with pytest.raises(DeviceUnavailable, match=r"opened \(Permission denied\): run this as root$"):
            process.backend()
        if not os.geteuid():
            process.make("seteuid", 0)

    @pytest.mark.parametrize("path", [os.devnull, "/dev/zero", "a file", "a FIFO"])
    def test_another_device(self, tmp_path, process, path):
        if path == "a file":
            path = str(tmp_path / "file")
            open(path, "w").close()
        elif path == "a FIFO":
            path = str(tmp_path / "fifo")
            os.mkfifo(path)
        with pytest.raises(DeviceUnavailable) as problem:
            process.backend(path)
        assert str(problem.value).startswith("the device %s does not answer as the driver ovmapi does" % path)
        assert str(problem.value).endswith(": it is another device; name the one of the kernel module ovmapi")

    def test_a_directory(self, tmp_path, process):
        with pytest.raises(DeviceUnavailable, match=r"cannot be opened \(Is a directory\): see the kernel's log"):
            process.backend(str(tmp_path))

    def test_a_driver_that_refuses(self, device, process):
        for code, remedy in ((errno.EINVAL, "another device"), (errno.ENODEV, "load the"), (errno.EIO, "see the")):
            handle = process.handle()
            handle.bare(REGISTER)
            device.fail(REGISTER, code)
            with pytest.raises(DeviceUnavailable, match=remedy):
                process.backend()
        assert device.counts()[0] == 3, "a refused backend must not stay open"

    def test_closing_leaves_nothing_behind(self, device, process):
        with process.backend() as backend:
            backend.fileno()
            device.inject(b"k", b"v")
            assert device.counts()[0] == 1
        assert device.counts() == (0, 0, 0)
        backend.close()

    def test_closing_a_handle_the_driver_has_given_up(self, device, process):
        backend = process.backend()
        device.fail(UNREGISTER, errno.EINVAL)
        backend.close()
        assert device.counts() == (0, 0, 0)

    def test_a_forked_child_that_closes_does_not_unregister_its_parent(self, backend):
        backend.in_child("close")
        assert backend.entries() == []

    def test_a_process_that_dies_is_no_harm(self, device, backend):
        with Process(device) as victim:
            victim.backend().fileno()
            victim.kill()
        backend.set([Message(b"k", b"v")])
        assert device.counts()[0] == 1

    def test_open_close_open(self, process):
        for _unused in range(100):
            with process.backend() as backend:
                assert backend.entries() == []

    def test_the_usual_path(self, device, process):
        device.inject(b"k", b"v")
        assert process.make("OvmapiBackend").get(b"k") == b"v"


class TestFailures:
    def test_the_kernel_has_no_memory(self, device, backend):
        device.fail(WRITE, errno.ENOMEM)
        with pytest.raises(SendFailed) as problem:
            backend.set([Message(b"k", b"geheim")])
        assert str(problem.value) == (
            "the parameter 'k' was not sent: %s: Cannot allocate memory: the kernel is out of memory" % device.path
        )
        assert problem.value.sent == []
        assert (device.writes(), backend.entries()) == ([], [])
        backend.set([Message(b"k", b"v")])

    def test_what_was_sent_before_is_named(self, device, process, backend):
        for n in range(2047):
            device.inject(b"%d" % n, b"")
        # There is room for one more in the stand-in's list.
        with pytest.raises(SendFailed) as problem:
            backend.set([Message(b"a", b"v"), Message(b"b", b"v"), Message(b"c", b"v")])
        assert problem.value.sent == [b"a"]
        assert "'b'" in str(problem.value)

    @pytest.mark.parametrize(
        ("call", "method", "arguments", "what"),
        [
            (READ, "get", (b"k\n",), r"read the parameter 'k\\n'"),
            (ALL_NAMES, "entries", (), "list the parameters"),
            (DELETE, "delete", ([b"k"],), "delete the parameter 'k'"),
            (FILTER, "wait", (0,), "subscribe to events"),
        ],
    )
    def test_the_driver_refuses(self, device, backend, call, method, arguments, what):
        device.fail(call, errno.EFAULT)
        with pytest.raises(DeviceUnavailable) as problem:
            getattr(backend, method)(*arguments)
        assert str(problem.value) == "%s: the driver refused to %s (Bad address): see the kernel's log" % (
            device.path,
            what.replace("\\\\", "\\"),
        )

    def test_after_closing(self, backend):
        backend.close()
        with pytest.raises(ValueError, match="negative"):
            backend.get(b"k")


class TestManyAtOnce:
    def test_another_process_is_sending_for_too_long(self, device, process, other):
        handle = other.handle()
        assert handle.flock(fcntl.LOCK_EX)
        backend = process.backend(device.path, timeout=0.02)
        with pytest.raises(SendFailed) as problem:
            backend.set([Message(b"k", b"v")])
        assert str(problem.value) == (
            "the parameter 'k' was not sent: %s: another process was sending for 0.02 seconds: "
            "try again, or allow more time" % device.path
        )
        assert device.writes() == []
        handle.flock(fcntl.LOCK_UN)
        backend.set([Message(b"k", b"v")])

    def test_it_waits_for_the_other(self, process, other):
        handle = other.handle()
        assert handle.flock(fcntl.LOCK_EX)
        backend = process.backend()
        done = backend.begin("set", [Message(b"k", b"v")])
        handle.close()
        done()
        assert backend.get(b"k") == b"v"

    def test_a_failed_set_does_not_keep_the_others_out(self, device, backend, other):
        device.fail(WRITE, errno.EFAULT)
        with pytest.raises(SendFailed):
            backend.set([Message(b"k", b"v")])
        other.backend(device.path, timeout=0).set([Message(b"k", b"v")])

    def test_two_write_while_one_lists(self, device, process, other, backend):
        count = 150
        device.inject(b"always", b"there")
        with Process(device) as third:
            running, written = [], {(b"always", b"there"), (b"go", b"")}
            for letter, writer in ((b"x", other.backend()), (b"y", third.backend())):
                values = [letter * size for size in (1, 2100, 8190)]
                messages = [Message(b"%b%d" % (letter, n % 70), values[n % 3]) for n in range(count)]
                written.update(messages)
                writer.fileno()
                running.append((letter, messages, writer.begin("wait", 50), writer.begin("set", messages)))
            device.inject(b"go", b"")
            for _unused in range(50):
                seen = backend.entries()
                assert seen[0] == Entry(b"always", b"there", False)
                assert {entry[:2] for entry in seen} <= written, "torn, or invented"
                assert len({entry.key for entry in seen}) == len(seen)
                backend.delete([b"x3", b"y5"])
            for _letter, _messages, started, done in running:
                assert started()
                done()
        sent = [(key, layout.join_from_guest(pieces)) for key, pieces in device.sent()]
        assert len(sent) == 2 * count
        now = {entry.key: entry.value for entry in backend.entries()}
        for letter, messages, _started, _done in running:
            assert [message for message in sent if message[0].startswith(letter)] == messages
            assert all(now.get(key, value) == value for key, value in dict(messages).items())

    def test_a_listing_misses_nothing_while_others_delete(self, device, backend, other):
        stay = [b"stay%d" % n for n in range(60)]
        go = [b"go%d" % n for n in range(60)]
        for pair in zip(go, stay):
            for key in pair:
                device.inject(key, b"v")
        gone = other.backend().begin("delete", go)
        listings = [backend.entries() for _unused in range(20)]
        gone()
        for listing in listings:
            assert [entry.key for entry in listing if entry.key.startswith(b"stay")] == stay


class TestStandIn:
    """The driver's ways, as the documentation has them: what the tests above rest on."""

    def test_it_looks_like_a_character_device(self, device, process, handle):
        for status in (handle.stat(), handle.stat(device.path), handle.stat("/dev/ovmapi")):
            assert stat.S_ISCHR(status[0])
            assert status[0] & 0o777 == 0o600 or status == handle.stat()
        assert handle.exists("/dev/ovmapi") == (True, True)
        os.unlink(device.path)
        assert handle.exists("/dev/ovmapi") == (os.path.exists("/dev/ovmapi"), os.access("/dev/ovmapi", os.R_OK))
        assert not stat.S_ISCHR(os.stat(device.path + ".lab/state").st_mode)

    def test_nothing_before_registering(self, process):
        handle = process.handle()
        for call in (READ, WRITE, COUNT, BY_INDEX, FILTER, UNREGISTER, DISCARD_NEXT, 0x999):
            assert handle.ioctl(call, bytes(4096))[0] == -errno.EINVAL

    def test_numbers_it_does_not_know(self, handle):
        assert handle.ioctl(0x999, bytes(4096))[0] == -errno.EINVAL
        assert handle.ioctl(0x5401, bytes(64))[0] == -errno.EINVAL  # TCGETS: a driver of its own

    @pytest.mark.parametrize("call", [READ, WRITE, SEND, COUNT, BY_INDEX, DELETE, ALL_NAMES, POST, DISCARD])
    def test_no_argument(self, handle, call):
        assert handle.bare(call) == -errno.EINVAL

    @pytest.mark.parametrize("first", [REGISTER, UNREGISTER])
    def test_registering_again_corrupts_the_driver(self, device, first):
        with Process(device) as process:
            handle = process.handle()
            handle.bare(REGISTER)
            handle.bare(first) if first == UNREGISTER else None
            with pytest.raises(EOFError):
                handle.bare(REGISTER)
            assert process.returncode < 0

    def test_other_files_are_left_alone(self, process):
        handle = process.make("Handle", os.devnull)
        assert handle.ioctl(COUNT, bytes(8))[0] == -errno.ENOTTY
        assert handle.flock(fcntl.LOCK_EX)

    def test_count_and_index(self, handle):
        for name in (b"a", b"longer", b"c"):
            handle.parameter(WRITE, name, name + b"\0")
        assert handle.ioctl(COUNT, bytes(LONG)) == (0, (3).to_bytes(LONG, sys.byteorder))
        # The name comes without a NUL: what was in the buffer stays behind it.
        result, name, size, value = handle.parameter(BY_INDEX, b"#" * 256, bytes(8), 1)
        assert (result, name, size, value[:7]) == (0, b"longer" + b"#" * 250, 7, b"longer\0")
        assert handle.parameter(BY_INDEX, b"", bytes(8), 3)[0] == -errno.ENOENT
        result, name, size, _unused = handle.parameter(BY_INDEX, b"", bytes(6), 1)
        assert (result, name.rstrip(b"\0"), size) == (-errno.EINVAL, b"", 6)

    def test_all_names(self, handle):
        for name in (b"a", b"b" * 255, b"c"):
            handle.parameter(WRITE, name, b"\0")
        result, count, slots = handle.names(5, b"#")
        assert (result, count) == (0, 3)
        assert slots == [b"a" + b"#" * 255, b"b" * 255 + b"#", b"c" + b"#" * 255, b"#" * 256, b"#" * 256]
        assert handle.names(2)[:2] == (0, 2)

    def test_read(self, handle):
        handle.parameter(WRITE, b"k", b"value\0")
        assert handle.parameter(READ, b"k", bytes(8))[0::2] == (0, 6)
        assert handle.parameter(READ, b"k", bytes(5))[0::2] == (-errno.EINVAL, 6)
        assert handle.parameter(READ, b"x", bytes(5))[0] == -errno.ENOENT
        assert handle.parameter(SIZE_BY_NAME, b"k")[0::2] == (0, 6)
        assert handle.parameter(SIZE_BY_NAME, b"x")[0] == -errno.EINVAL

    def test_write_sizes(self, handle):
        for size, result in ((0, -errno.EMSGSIZE), (1, 0), (8191, 0), (8193, -errno.EMSGSIZE)):
            assert handle.parameter(WRITE, b"k", bytes(8193), size=size)[0] == result
        assert handle.parameter(WRITE, b"k", size=1)[0] == -errno.EFAULT

    def test_writes_in_the_drivers_order(self, device, handle):
        handle.parameter(WRITE, b"k", b"v" * 3000 + b"\0")
        handle.parameter(SEND, b"k", b"\0")
        assert device.writes() == [
            ("1", b"k"),
            ("1/0", b"v" * 2048),
            ("1/1", b"v" * 952),
            ("last-write", b"1"),
            ("2", b"k"),
            ("2/0", b""),
            ("last-write", b"2"),
        ]
        assert handle.ioctl(COUNT, bytes(LONG))[1][0] == 1, "what is only sent is not stored"

    @pytest.mark.parametrize("size", [2047, 4095, 6143, 8191])
    def test_the_stray_piece(self, device, handle, size):
        handle.parameter(WRITE, b"k", b"v" * size + b"\0")
        ((_unused, pieces),) = device.sent()
        assert [len(piece) for piece in pieces] == [2048] * (size // 2048) + [2047, 8]
        assert layout.join_from_guest(pieces) == b"v" * size
        assert device.counts()[2] == 1

    def test_keys_are_cut(self, device, handle):
        handle.parameter(WRITE, b"w" * 256, b"\0")
        device.inject(b"h" * 256, b"")
        assert [name.rstrip(b"\0") for name in handle.names(2)[2]] == [b"w" * 255, b"h" * 254]
        device.inject(b"h" * 254 + b"other", b"v")
        assert handle.names(9)[1] == 2

    def test_a_value_too_long_is_dropped(self, device, handle):
        assert not device.inject(b"k", b"v" * 8192)
        assert handle.names(1)[1] == 0

    def test_delete(self, handle):
        for name in (b"a", b"b", b"c"):
            handle.parameter(WRITE, name, b"\0")
        assert [handle.parameter(DELETE, b"b")[0] for _unused in range(2)] == [0, 1]
        assert [name.rstrip(b"\0") for name in handle.names(2)[2]] == [b"a", b"c"]

    def test_events_of_parameters_go_to_the_sender_too(self, process, handle):
        deaf = process.handle()
        deaf.bare(REGISTER)
        handle.ioctl(FILTER, FILTER_RECORD.pack(NEW_PARAM, 0))
        assert not handle.readable()
        handle.parameter(WRITE, b"key", b"v\0")
        assert (handle.readable(), handle.epoll_readable(), deaf.readable()) == (True, True, False)
        size = HEADER_RECORD.size
        result, event = handle.ioctl(NEXT_EVENT, bytes(4096))
        assert (result, HEADER_RECORD.unpack(event[:size])[1:]) == (0, (NEW_PARAM, 1, 1, 4))
        assert event[size : size + 5] == b"key\0\0"
        assert not handle.readable()
        # An empty queue answers 0 and leaves the buffer as it was.
        for call in (NEXT_EVENT, NEXT_HEADER, DISCARD_NEXT):
            assert handle.ioctl(call, b"#" * 4096) == (0, b"#" * 4096)

    def test_posted_events_go_to_the_others(self, process, other, handle):
        listener = other.handle()
        assert listener.ioctl(POST, bytes(4096))[0] == -errno.EINVAL
        listener.bare(REGISTER)
        for each in (handle, listener):
            each.ioctl(FILTER, FILTER_RECORD.pack(USER, 0))
        event = HEADER_RECORD.pack(77, USER, 2, 0, 4) + b"text" + bytes(4096)
        for _unused in range(3):
            assert handle.ioctl(POST, event[:4096])[0] == 0
        assert (handle.readable(), listener.readable()) == (False, True)
        headers = [
            HEADER_RECORD.unpack(listener.ioctl(NEXT_HEADER, bytes(HEADER_RECORD.size))[1]) for _unused in range(2)
        ]
        assert headers[0] == headers[1] == (headers[0][0], USER, 2, 0, 4)
        third = (headers[0][0] + 2).to_bytes(LONG, sys.byteorder)
        assert listener.ioctl(HEADER, third + bytes(8))[1][LONG:] == event[LONG : HEADER_RECORD.size]
        assert listener.ioctl(EVENT, third + bytes(4088))[1][HEADER_RECORD.size :][:5] == b"text\0"
        assert listener.ioctl(EVENT, third + bytes(4088))[0] == -errno.EINVAL
        assert listener.ioctl(HEADER, third + bytes(8))[0] == -errno.EINVAL
        first = headers[0][0].to_bytes(LONG, sys.byteorder)
        assert [listener.ioctl(DISCARD, first)[0] for _unused in range(2)] == [0, -errno.EINVAL]
        assert listener.readable()
        # Unsubscribing drops what is queued.
        listener.ioctl(FILTER, FILTER_RECORD.pack(0, USER))
        assert not listener.readable()

    def test_event_messages(self, device, handle):
        assert device.inject(b"VMAPIEvent", b"t" * 4071)
        assert not device.inject(b"VMAPIEvent", b"t" * 4072)
        assert handle.names(1)[1] == 0
        event = handle.ioctl(NEXT_EVENT, bytes(4096))[1]
        size = HEADER_RECORD.size
        assert HEADER_RECORD.unpack(event[:size])[1:] == (MORE_PROCESSING, 5, 1, 4072 + LONG)
        assert event[size:] == MORE_PROCESSING.to_bytes(LONG, sys.byteorder) + b"t" * 4071 + b"\0"

    def test_unregistering_frees_events_and_closing_leaks_them(self, device, process):
        for call, leaked in ((UNREGISTER, 0), (None, 2)):
            handle = process.handle()
            handle.bare(REGISTER)
            handle.ioctl(FILTER, FILTER_RECORD.pack(NEW_PARAM, 0))
            for _unused in range(2):
                device.inject(b"k", b"v")
            if call:
                handle.bare(call)
                assert not handle.readable()
            handle.close()
            assert device.counts() == (0, leaked, 0)

    def test_a_childs_close_closes_nothing(self, device, handle):
        handle.fork_and_close()
        assert device.counts()[0] == 1
        assert handle.names(1)[0] == 0

    def test_a_lock_is_one_handles(self, process, handle):
        second = process.handle()
        try_lock = fcntl.LOCK_EX | fcntl.LOCK_NB
        assert (handle.flock(try_lock), handle.flock(try_lock), second.flock(try_lock)) == (True, True, False)
        assert second.flock(fcntl.LOCK_UN)
        assert not second.flock(try_lock)
        handle.close()
        assert second.flock(try_lock)
        assert second.flock(fcntl.LOCK_UN)

    def test_it_can_be_named_with_its_path(self, tmp_path):
        assert Device(tmp_path / "other").path == str(tmp_path / "other")
