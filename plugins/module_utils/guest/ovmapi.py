# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""A guest's parameters where its kernel keeps them: the device ``/dev/ovmapi``.

The kernel driver ``ovmapi`` (Oracle's UEK kernels) takes messages out of XenStore itself,
keeps the list and transmits. It is asked through ioctls whose numbers are plain integers and
whose records are packed, in native byte order. Facts not marked otherwise are confirmed by
the driver's own source.
"""

import os
import struct
from array import array
from errno import EACCES, EAGAIN, EINVAL, ENODEV, ENOENT, ENOMEM, ENOTTY, ENXIO, EPERM
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock, ioctl
from select import POLLIN, poll
from time import monotonic, sleep

from ..channel import layout
from ..channel.errors import InvalidMessage
from ..channel.message import display
from .entry import Entry
from .errors import DeviceUnavailable, SendFailed, UnknownEvent
from .parameter_list import DIRECTORY, ParameterList

_REGISTER = 0x803
_UNREGISTER = 0x805
_GET_NEXT_EVENT = 0x806
_READ = 0x80C
_SEND = 0x80D
_WRITE = 0x811
_DELETE = 0x812
_ALL_NAMES = 0x820
_MODIFY_FILTER = 0x823
_POST_EVENT = 0x824
_DISCARD_NEXT_EVENT = 0x829

_POINTER = "Q" if struct.calcsize("P") == 8 else "I"
# index, name, size of the value with its NUL, pointer to the value
_PARAMETER = struct.Struct("=I256sI" + _POINTER)
# slots, pointer to them
_NAMES = struct.Struct("=I" + _POINTER)
_SLOT = 256
# event types to subscribe, to unsubscribe; "unsigned long" in C
_FILTER = struct.Struct("@LL")

# An event's id, type, severity, phase, and bytes of payload; a whole event has always the same size.
_EVENT = struct.Struct("=" + _POINTER + "HHHH")
_EVENT_SIZE = 4096
# Before the text of a VMAPIEvent: what the receiver has subscribed to, an "unsigned long".
_MASK = struct.calcsize("@L")

_NEW_PARAM = 0x40
# What comes as a message; every handle is subscribed to it from the start.
_MORE_PROCESSING = 0x4000
# All that the driver knows.
_ANY_EVENT = 0xFF
# Events that one attend() takes at most, so that nobody can keep it busy for ever.
_AT_ONCE = 1000
#: Bytes of the longest value that can be there, with its NUL.
_BUFFER = layout.VALUE_LIMIT + 1
# Names asked for at first; more are asked for where there are more.
_FEW = 64
# Seconds between two looks whether another process has finished sending.
_LOOK_AGAIN = 0.005
# Seconds; the system call counts milliseconds in 31 bits.
_LONGEST_POLL = 1000000


class OvmapiBackend:
    """See guest.backend for the interface.

    The driver does not look at XenStore's answers: where the host has not opened the
    channel, or it is full, a parameter is stored, and the driver reports success all the
    same (observed).

    :param str path: the device.
    :param float timeout: seconds to wait for another process that is just sending. The
        driver's own calls cannot be interrupted.
    :param str state_directory: where the daemon keeps what the kernel does not, and listens.
    :ivar list faults: of attend() only: of messages the kernel tells nobody.
    :ivar int key_limit: bytes of the longest key that set() takes.
    :ivar int value_limit: bytes of the longest value that set() takes. One more arrives from
        the host, but sending it makes the driver read behind its buffer, which can cost the
        guest its connection to XenStore (observed).
    :raises DeviceUnavailable: there is no such device, or it may not be used.
    """

    name = "ovmapi"
    key_limit = layout.KEY_LIMIT_FROM_GUEST
    value_limit = layout.VALUE_LIMIT - 1

    def __init__(self, path="/dev/ovmapi", timeout=10.0, state_directory=DIRECTORY):
        self.path, self._timeout, self._directory = path, timeout, state_directory
        self._subscribed = 0
        self._state = None  # type: ParameterList | None
        self.faults = []  # type: list
        self.knocking = True
        self._owner = os.getpid()
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as problem:
            raise _unavailable(path, "cannot be opened", problem) from problem
        try:
            # Without this the driver answers nothing else.
            ioctl(self._fd, _REGISTER)
        except OSError as problem:
            os.close(self._fd)
            raise _unavailable(path, "does not answer as the driver ovmapi does", problem) from problem
        self._poll = poll()
        self._poll.register(self._fd, POLLIN)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        """Give the device up. A second call does nothing."""
        if self._state is not None:
            self._state.close()
            self._state = None
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        # At a mere close the driver would forget, but not free, the events still queued here.
        # A forked child must not do this: the registration is its parent's, too. Nobody may
        # register again on the same handle: that corrupts the driver's list (observed).
        if os.getpid() == self._owner:
            try:
                ioctl(fd, _UNREGISTER)
            except OSError:
                pass  # there is nothing to be done about it, and the handle goes in any case
        os.close(fd)

    # Receiving

    def receive(self):
        """:returns: nothing, as the kernel takes the messages itself."""
        return []

    def pending(self):
        """:returns: nothing, as there is nothing that the kernel has not taken."""
        return []

    def fileno(self):
        """The handle, for a poll or select of one's own; readable when wait(0) should be called.

        :rtype: int
        """
        self._subscribe(_NEW_PARAM)
        return self._fd

    def wait(self, timeout):
        """Wait for a parameter to be set, by the host or by any process of this guest.

        :param float timeout: seconds.
        :returns: whether one may have been set. The first call returns True at once unless
            fileno() was called before: nobody listened until then.
        :rtype: bool
        """
        if self._subscribe(_NEW_PARAM):
            return True
        if not self._readable(timeout):
            return False
        # One event says as much as many. On an empty queue the driver reports success as
        # well, so only poll tells when to stop; others may queue more meanwhile.
        deadline = monotonic() + self._timeout
        while self._readable(0) and monotonic() < deadline:
            self._call(_DISCARD_NEXT_EVENT, bytearray(_FILTER.size), "take an event")
        return True

    def _subscribe(self, types):
        """:returns: whether this was new."""
        if not types & ~self._subscribed:
            return False
        self._call(_MODIFY_FILTER, bytearray(_FILTER.pack(types, 0)), "subscribe to events")
        self._subscribed |= types
        return True

    def _readable(self, timeout):
        # Rounded up: a caller with half a millisecond left would spin otherwise.
        return bool(self._poll.poll(int(min(max(0, timeout), _LONGEST_POLL) * 1000 + 0.999)))

    # The list

    def entries(self):
        """All parameters that are there throughout the call, in order, and perhaps others.

        :rtype: list of Entry
        """
        # Not by index: a deletion in between moves all that follow, and one would be missed.
        values = ((key, self.get(key)) for key in self._keys())
        return [Entry(key, value, False) for key, value in values if value is not None]

    def _keys(self):
        """All names, which the driver copies under one lock."""
        slots = _FEW
        while True:
            # The driver copies no NULs: they must be there.
            buffer = array("B", bytes(slots * _SLOT))
            record = bytearray(_NAMES.pack(slots, buffer.buffer_info()[0]))
            self._call(_ALL_NAMES, record, "list the parameters")
            count = _NAMES.unpack(record)[0]
            if count < slots:
                raw = buffer.tobytes()
                return [raw[at : at + _SLOT].rstrip(b"\0") for at in range(0, count * _SLOT, _SLOT)]
            slots *= 4  # perhaps not all of them

    def get(self, key):
        """One value.

        :param bytes key: the parameter's name.
        :returns: the value as bytes, or None where there is no such parameter.
        """
        if not _possible(key):
            return None
        buffer = array("B", bytes(_BUFFER))
        record = bytearray(_PARAMETER.pack(0, key, _BUFFER, buffer.buffer_info()[0]))
        if self._call(_READ, record, "read the parameter '%s'" % display(key), unless=ENOENT) is None:
            return None
        value = buffer[: _PARAMETER.unpack(record)[2]].tobytes()
        # The driver's own terminator, and one that some writers send (we too, see set).
        for _terminator in range(2):
            if value.endswith(b"\0"):
                value = value[:-1]
        return value

    def set(self, messages, secret=()):
        """Transmit each parameter to the host and store it.

        :param messages: of Message, in order.
        :param secret: ignored: the kernel's list has no such mark.
        :raises InvalidMessage: one of them cannot be carried; nothing was sent.
        :raises SendFailed: naming what was sent before.
        """
        self._send_each(_WRITE, messages)

    def _send_each(self, call, messages):
        messages = [self.check(message) for message in messages]
        sent = []  # type: list
        for message in messages:
            value = message.value + b"\0"
            if len(value) % layout.DRIVER_PIECE == 0:
                # The driver would send a further piece from behind its buffer: another NUL
                # makes that piece an empty one from within.
                value += b"\0"
            buffer = array("B", value)
            record = bytearray(_PARAMETER.pack(0, message.key, len(value), buffer.buffer_info()[0]))
            try:
                self._lock()
                try:
                    ioctl(self._fd, call, record, True)
                finally:
                    flock(self._fd, LOCK_UN)
            except OSError as problem:
                raise SendFailed(
                    "the parameter '%s' was not sent: %s: %s" % (display(message.key), self.path, problem.strerror),
                    _REMEDIES.get(problem.errno or 0, _SEE_LOG),
                    sent,
                ) from problem
            sent.append(message.key)

    def check(self, message):
        """Refuse what the driver cannot send.

        :returns: the message itself.
        :raises InvalidMessage: saying which limit, and by how much.
        """
        message.check(self.key_limit)
        if len(message.value) > self.value_limit:
            raise InvalidMessage(
                "the value of '%s' has %d bytes, the limit for a kernel with %s is %d"
                % (display(message.key), len(message.value), self.path, self.value_limit),
                "split the value over several keys",
            )
        return message

    def _lock(self):
        """Keep other processes of ours from sending.

        The driver has no lock of its own around it. It would announce the message of one
        process while another's of a lower number is half written, and the host loses that.
        """
        deadline = monotonic() + self._timeout
        while True:
            try:
                return flock(self._fd, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                if monotonic() >= deadline:
                    waited = "another process was sending for %g seconds" % self._timeout
                    raise BlockingIOError(EAGAIN, waited) from None
            sleep(_LOOK_AGAIN)

    def conceal(self, keys):
        """Do nothing: the kernel's list marks no secrets."""

    def delete(self, keys):
        """Delete parameters here; nothing is sent.

        :param keys: of bytes.
        :returns: those that were there, a list of bytes.
        """
        deleted = [key for key in keys if _possible(key) and self._delete(key)]
        if deleted and self.knocking:
            # Of what is set the kernel tells the daemon, of what is deleted it does not.
            from .wake import knock

            knock(self._directory)
        return deleted

    def delete_all(self):
        """Delete all parameters that are there now; nothing is sent.

        :returns: how many there were.
        :rtype: int
        """
        return len(self.delete(self._keys()))

    def _delete(self, key):
        record = bytearray(_PARAMETER.pack(0, key, 0, 0))
        # A missing key is no error to the driver: it answers 1.
        return self._call(_DELETE, record, "delete the parameter '%s'" % display(key)) == 0

    # For the daemon

    @property
    def state(self):
        """What the kernel does not keep: events that wait, and what was reported.

        :rtype: ParameterList
        :raises ParameterListError: it cannot be opened.
        """
        if self._state is None:
            self._state = ParameterList(self._directory, self._timeout)
        return self._state

    def attend(self):
        """Take the events that are queued here: into ``state``, but for news of parameters, which are noted there.

        The kernel forgets an event when it is taken, and all of a process that ends: one
        that it has just handed over to a process that is killed is lost.

        :returns: whether there was any.
        :rtype: bool
        """
        self.faults = []
        happened = self._subscribe(_ANY_EVENT)
        # On an empty queue the driver reports success as well, so only poll tells when to stop.
        for _number in range(_AT_ONCE):
            if not self._readable(0):
                break
            self._take_event()
            happened = True
        return happened

    def _take_event(self):
        # The lock comes first: an event is not taken where it cannot be kept.
        with self.state.writing():
            buffer = bytearray(_EVENT_SIZE)
            self._call(_GET_NEXT_EVENT, buffer, "take an event")
            identity, kind, severity, phase, size = _EVENT.unpack_from(buffer)
            payload = bytes(buffer[_EVENT.size : _EVENT.size + size])
            if kind == _NEW_PARAM:
                key = payload.partition(b"\0")[0]
                if key:
                    self.state.note_received(key)
                return
            from .events import of_numbers, parse

            try:
                if kind == _MORE_PROCESSING:
                    event = parse(payload[_MASK:].partition(b"\0")[0])
                else:
                    event = of_numbers(kind, severity, phase, payload.rstrip(b"\0"))
            except UnknownEvent as problem:
                self.faults.append((identity, problem.text))
                return
            if not self.state.queue_event(event):
                self.faults.append((identity, "too many events wait already: see that ovmd runs"))

    def post(self, event):
        """Pass an event on to all other processes that have subscribed to it. The driver does not say whether any has.

        :param Event event: see events.
        """
        from .events import numbers

        payload = event.payload + b"\0"
        buffer = bytearray(_EVENT_SIZE)
        _EVENT.pack_into(buffer, 0, 0, *numbers(event) + (len(payload),))
        buffer[_EVENT.size : _EVENT.size + len(payload)] = payload
        self._call(_POST_EVENT, buffer, "pass the event %s on" % (event,))

    def tell(self, messages):
        """Transmit each message to the host, and store none.

        :raises SendFailed: naming what was sent before.
        """
        self._send_each(_SEND, messages)

    def uncollected(self):
        """:returns: None: the driver does not say what the host has collected."""

    def announced(self):
        """:returns: None: the driver does not tell its counter."""

    def tree(self):
        """:returns: None: the driver does not tell its domain's number."""

    def expect_room(self, wanted):
        """Do nothing: the driver does not say when the host collects."""

    def _call(self, number, record, what, unless=None):
        """One ioctl, the answer in the record.

        :param int unless: the errno that is an answer, too: None is returned then.
        """
        try:
            return ioctl(self._fd, number, record, True)
        except OSError as problem:
            if problem.errno == unless:
                return None
            raise DeviceUnavailable(
                "%s: the driver refused to %s (%s)" % (self.path, what, problem.strerror),
                _REMEDIES.get(problem.errno or 0, _SEE_LOG),
            ) from problem


_SEE_LOG = "see the kernel's log"
_REMEDIES = {
    EAGAIN: "try again, or allow more time",
    ENOMEM: "the kernel is out of memory",
}
_NO_DRIVER = "load the kernel module ovmapi, which Oracle's UEK kernels have; other kernels need the XenStore backend"
_NOT_IT = "it is another device; name the one of the kernel module ovmapi"
_OPENING = {
    EACCES: "run this as root",
    EPERM: "run this as root",
    ENOENT: _NO_DRIVER,
    ENODEV: _NO_DRIVER,
    ENXIO: _NO_DRIVER,
    ENOTTY: _NOT_IT,
    EINVAL: _NOT_IT,
}


def _unavailable(path, what, problem):
    return DeviceUnavailable(
        "the device %s %s (%s)" % (path, what, problem.strerror), _OPENING.get(problem.errno or 0, _SEE_LOG)
    )


def _possible(key):
    """Whether the list can have this key. Another would be cut to a shorter one, and meet that one's parameter."""
    return len(key) <= layout.KEY_LIMIT_FROM_GUEST and b"\0" not in key
