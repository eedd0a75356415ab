# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The one connection to XenStore that everything in this collection uses.

pyxs gives the packets: operation numbers, header and payload limit. The exchange is
ours, because that of pyxs 0.4.1 hangs for ever when xenstored dies or stops, cannot
reconnect, breaks over fork, refuses most byte values, and keeps several requests in
flight, which on a real ``/dev/xen/xenbus`` silently loses acknowledged writes (the
kernel copies a queued request late). So here:

* one request is in flight on a connection, whatever threads share it;
* every call has a deadline;
* a lost connection is replaced, its watches set again, and a request that cannot have
  taken effect, or that only reads, is repeated; any other raises ConnectionLost;
* a forked child opens a connection of its own and leaves the parent's alone;
* on a device, no transaction is left open when the connection is closed, and no signal ends a
  process in its midst: it would have Linux hang when the guest is saved or migrated later;
* every byte value passes; errors keep XenStore's name for them and say what to do;
* a directory of any size is read whole, where the daemon can.

The wire format is that of ``xs_wire.h`` and ``docs/misc/xenstore.txt`` of Xen.
"""

import errno
import os
import select
import stat
import time
from _signal import (  # type: ignore[import-not-found]
    SIG_BLOCK,
    SIG_UNBLOCK,
    SIGALRM,
    SIGHUP,
    SIGINT,
    SIGQUIT,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    pthread_sigmask,
)
from _socket import AF_UNIX, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET, socket  # the socket module would cost a command 7 ms
from _thread import allocate_lock  # likewise threading, and signal
from struct import pack

from .._vendor.pyxs._internal import Op, Packet
from .errors import (
    Conflict,
    ConnectionLost,
    DeadlineExceeded,
    NotFound,
    NotSupported,
    PermissionDenied,
    ProtocolError,
    QuotaExceeded,
    TooBig,
    XenStoreError,
    XenStoreUnavailable,
)
from .message import display

#: Seconds that one request may take unless told otherwise.
TIMEOUT = 5.0
#: Bytes of payload that one request carries: path, NUL and data (``xs_wire.h``).
PAYLOAD_LIMIT = 4096

#: What a guest's kernel offers: the usual place, then that of old kernels.
GUEST_DEVICES = ("/dev/xen/xenbus", "/proc/xen/xenbus")
#: Where xenstored listens: a name relative to its run directory.
SOCKET = "socket"
RUN_DIRECTORIES = ("/run/xenstored", "/var/run/xenstored")

# pyxs 0.4.1 predates this request (Xen 4.9): a directory in parts.
_DIRECTORY_PART = 22
_HEADER = Packet._struct
# An oxenstored answers DIRECTORY over the limit in one long reply. Beyond this it is no answer.
_REPLY_LIMIT = 64 << 20
# Requests that change nothing may be sent again when it is not known what became of them.
_READS = frozenset((Op.READ, Op.DIRECTORY, _DIRECTORY_PART, Op.GET_PERMS))
# Events that wait to be taken. Beyond this those of one watch are one: a guest can make them without end.
_EVENTS = 1000
# What to do where XenStore's answers make no sense.
_ODD = "see xenstored's log, and try again"
# What may end a process, or cut it off, and has to wait for the end of a transaction.
_ENDING = (SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2)

_ERRORS = {
    b"ENOENT": (NotFound, "it does not exist"),
    b"EACCES": (PermissionDenied, "this domain may not do that to this node; the host decides its permissions"),
    b"EPERM": (PermissionDenied, "only a privileged domain may do that"),
    b"ENOSPC": (
        QuotaExceeded,
        "this domain has used up its share of XenStore; let the host collect what was sent, or raise the quota",
    ),
    b"EQUOTA": (
        QuotaExceeded,
        "this domain has used up its share of XenStore; let the host collect what was sent, or raise the quota",
    ),
    b"E2BIG": (TooBig, "it is more than this xenstored takes at once, or one watch too many"),
    b"EAGAIN": (Conflict, "another writer was faster"),
    b"ENOSYS": (NotSupported, "this xenstored is too old for it"),
}


def candidates(path: "str | None" = None, role: str = "guest", environ=None) -> "list[str]":
    """The places to look for XenStore, best first.

    :param path: a unix socket or a device, which is then the only candidate.
    :param str role: ``guest`` prefers the kernel's device, ``host`` xenstored's socket.
    :param environ: the environment, if not this process's own; ``XENSTORED_PATH`` and
        ``XENSTORED_RUNDIR`` mean what they mean to Xen's own tools.
    :rtype: list of str
    """
    environ = os.environ if environ is None else environ
    if path or environ.get("XENSTORED_PATH"):
        return [path or environ["XENSTORED_PATH"]]
    if environ.get("XENSTORED_RUNDIR"):
        return [os.path.join(environ["XENSTORED_RUNDIR"], SOCKET)]
    sockets = [os.path.join(directory, SOCKET) for directory in RUN_DIRECTORIES]
    devices = list(GUEST_DEVICES)
    return devices + sockets if role == "guest" else sockets + devices


def split_names(listing: bytes) -> "list[bytes]":
    """The names in the answer about a directory."""
    return listing[:-1].split(b"\0") if listing else []


class Requests:
    """The requests, the same within a transaction and outside of one.

    All paths, values, names, tokens and permissions are bytes. A relative path starts
    at the caller's own home. Every method raises an XenStoreError when refused.
    """

    def _call(self, op: int, path: bytes, *more: bytes, **how) -> bytes:
        raise AssertionError("abstract")  # pragma: no cover

    def _deadline(self) -> float:
        raise AssertionError("abstract")  # pragma: no cover

    def read(self, path: bytes) -> bytes:
        """:returns: the value of a node, every byte of it."""
        return self._call(Op.READ, path)

    def write(self, path: bytes, value: bytes) -> None:
        """Set the value of a node, making it and its parents where they do not exist."""
        self._call(Op.WRITE, path, value, end=b"")

    def mkdir(self, path: bytes) -> None:
        """Make a node with an empty value; no change where it exists."""
        self._call(Op.MKDIR, path)

    def remove(self, path: bytes) -> None:
        """Remove a node and all below it. A node that is not there is no error.

        oxenstored says ENOENT there, and the C xenstored only where the parent is missing too.
        """
        try:
            self._call(Op.RM, path)
        except NotFound:
            pass

    def directory(self, path: bytes) -> "list[bytes]":
        """:returns: the names of the children of a node, a list of bytes in XenStore's order."""
        try:
            listing = self._call(Op.DIRECTORY, path)
        except TooBig:
            return self._directory_in_parts(path)
        return split_names(listing)

    def _directory_in_parts(self, path: bytes) -> "list[bytes]":
        names, generation = b"", None
        deadline = self._deadline()
        while time.monotonic() < deadline:
            part = self._call(_DIRECTORY_PART, path, b"%d" % len(names))
            stamp, found, listing = part.partition(b"\0")
            if not found:
                raise ProtocolError("XenStore sent no generation with a part of the directory %s" % display(path), _ODD)
            if generation not in (None, stamp):
                names, generation = b"", None  # it changed while we read: from the start
                continue
            generation = stamp
            # The last part has one more NUL, an empty name, behind its last name.
            if not listing or listing == b"\0" or listing.endswith(b"\0\0"):
                names += listing[:-1]
                return split_names(names)
            names += listing
        raise DeadlineExceeded(
            "the directory %s could not be read whole in time" % display(path, 160),
            "see what changes it all the time, or allow more time",
        )

    def exists(self, path: bytes) -> bool:
        """:returns: whether the node exists, as far as this domain may know."""
        try:
            self._call(Op.GET_PERMS, path)
        except NotFound:
            return False
        return True

    def read_together(self, wanted: "list[tuple[bytes, bool]]") -> list:
        """Read several nodes, each for its value or for its children's names, in order.

        :param wanted: paths, each with whether the names are wanted.
        :returns: for each a value, a list of names, or None where there is no such node.
        """
        found = []  # type: list
        for path, names in wanted:
            try:
                found.append(self.directory(path) if names else self.read(path))
            except NotFound:
                found.append(None)
        return found

    def remove_together(self, paths: "list[bytes]") -> None:
        """Remove several nodes likewise, each as remove() does."""
        for path in paths:
            self.remove(path)

    def get_permissions(self, path: bytes) -> "list[bytes]":
        """:returns: the permissions, a list such as ``[b"n5", b"r0"]``: the owner with what all others may do first."""
        return self._call(Op.GET_PERMS, path)[:-1].split(b"\0")

    def set_permissions(self, path: bytes, permissions: "list[bytes]") -> None:
        """Set the permissions; see get_permissions."""
        self._call(Op.SET_PERMS, path, *permissions)


class Transaction(Requests):
    """A set of requests that takes effect as a whole or not at all; made by XenStore.transact."""

    def __init__(self, store, identity, connection):
        self._store, self._identity, self._connection = store, identity, connection

    def _call(self, op, path, *more, **how):
        try:
            return self._store._request(
                op, (path,) + more, transaction=self._identity, connection=self._connection, **how
            )
        except XenStoreError as problem:
            # Of a transaction that it does not know, since this guest was suspended meanwhile, the C xenstored
            # says ENOENT, and oxenstored EIO.
            if problem.code == "EIO" or problem.code == "ENOENT" and self._is_gone():
                raise Conflict("the transaction is gone", "try again") from problem
            raise

    def _deadline(self):
        return self._store._deadline()

    def _is_gone(self):
        try:
            self._store._request(Op.GET_PERMS, (b"/",), transaction=self._identity, connection=self._connection)
        except XenStoreError as problem:
            return problem.code == "ENOENT"  # there is always a root
        return False


class XenStore(Requests):
    """A connection to XenStore. Usable from several threads, and as a context manager.

    :param path: unix socket or device; None looks in the usual places.
    :param float timeout: seconds that one request may take.
    :param str role: where to look first, see candidates().
    :raises XenStoreUnavailable: saying which places were tried, and why each failed.
    """

    def __init__(self, path: "str | None" = None, timeout: float = TIMEOUT, role: str = "guest") -> None:
        self.timeout = timeout
        self._limit = None  # type: float | None  # of until()
        # token -> path, to set them again on a new connection
        self._watches = {}  # type: dict[bytes, bytes]
        self._events = {}  # type: dict[tuple[bytes, bytes], None]  # a set with an order
        self._request_id = 0
        self._connection = 0  # how many connections there have been: tells old from new
        self._transactions = set()  # type: set[int]  # that are open on this one
        self._fd = -1
        self._device = False
        self._buffer = bytearray()
        self._lock = allocate_lock()
        self._pid = os.getpid()
        failures = []
        tried = candidates(path, role)
        for self.path in tried:
            try:
                self._connect(time.monotonic() + timeout)
                return
            except XenStoreUnavailable as failure:
                failures.append(failure)
        there = [failure for failure in failures if failure.code != "ENOENT"]
        if len(tried) == 1 or len(there) == 1:
            raise (there or failures)[0]
        raise XenStoreUnavailable(
            "there is no XenStore here: " + "; ".join(failure.text for failure in failures),
            "run this in a Xen guest whose kernel offers /dev/xen/xenbus, or name the path of a XenStore",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def fileno(self) -> int:
        """:returns: a descriptor that is readable when wait() may have something, for a loop of one's own."""
        return self._fd

    def close(self) -> None:
        """Close the connection; XenStore drops its watches and open transactions."""
        self._watches.clear()
        self._events.clear()
        self._disconnect()

    # Requests that make sense outside of a transaction only

    def introduce(self, domid: int, gfn: int, port: int) -> None:
        """Tell xenstored of a new domain, as a toolstack does.

        :param int domid: the domain's number.
        :param int gfn: frame number of its XenStore page.
        :param int port: its event channel.
        """
        self._call(Op.INTRODUCE, b"%d" % domid, b"%d" % gfn, b"%d" % port)

    def watch(self, path: bytes, token: bytes) -> None:
        """Ask for an event whenever the node, or one below it, changes; there is one at once.

        The watch is set again on every new connection, and fires then too.
        """
        self._watches[token] = path  # first: the event may come with the answer
        try:
            self._call(Op.WATCH, path, token)
        except XenStoreError:
            self._watches.pop(token, None)
            raise

    def unwatch(self, path: bytes, token: bytes) -> None:
        """Stop a watch. Events that are already here stay."""
        self._watches.pop(token, None)
        try:
            self._call(Op.UNWATCH, path, token)
        except NotFound:
            pass  # it went with a connection that was lost

    def wait(self, timeout: float, token: "bytes | None" = None) -> "tuple[bytes, bytes] | None":
        """Wait for the next event of a watch. Other threads wait for the connection meanwhile.

        :param float timeout: seconds; 0 only looks.
        :param token: the watch; None means any. Events of the others are kept.
        :returns: ``(path, token)``, or None when the time is over.
        :raises ConnectionLost: when XenStore went away and did not come back in time.
        """
        deadline = time.monotonic() + timeout
        if self._limit is not None:
            deadline = min(deadline, self._limit)
        late = False
        with _Held(self, deadline + self.timeout):
            while True:
                self._take_events()
                for event in self._events:
                    if token in (None, event[1]):
                        del self._events[event]
                        return event
                if self._fd < 0:
                    # Losing the watches silently would be worse than a moment over the time.
                    self._reconnect(max(deadline, time.monotonic() + self.timeout))
                    late = False
                elif late or not self._readable(deadline):
                    return None  # events of others may come without end
                else:
                    late = time.monotonic() >= deadline
                    try:
                        self._receive()
                    except ConnectionLost:
                        continue

    def until(self, deadline: float) -> "_Until":
        """Bound all calls within a ``with`` block together.

        :param float deadline: as of time.monotonic().
        """
        return _Until(self, deadline)

    def transaction(self) -> "_Transacting":
        """A transaction as a context manager: committed at the end, given up on an exception.

        :raises Conflict: when another writer was faster; see transact, which tries again.
        """
        return _Transacting(self)

    def transact(self, work, attempts=0):
        """Do work in a transaction, again as often as another writer was faster.

        :param work: called with a Transaction, possibly several times; its result is returned.
        :param int attempts: how often at most; 0 means until the deadline.
        :raises Conflict: when the deadline passed first, or none of the attempts succeeded.
        :raises ConnectionLost: also when it is not known whether the commit took effect.
        """
        deadline = self._deadline()
        pause = 0.0005
        obstacles = []  # type: list[XenStoreError]
        beaten = 0
        while True:
            transacting = _Transacting(self)
            try:
                with transacting as transaction:
                    result = work(transaction)
                return result  # noqa: RET504 - not before the commit has succeeded
            except Conflict:
                conflict = Conflict(
                    "a transaction met other writers again and again until its time was over",
                    "try again, or allow more time",
                )
                beaten += 1
                if beaten == attempts:
                    raise conflict from None
                obstacles = [conflict]
            except ConnectionLost:
                # Nothing of it took effect unless the commit was on its way.
                if transacting.committing or time.monotonic() >= deadline:
                    raise
            except QuotaExceeded as refusal:
                # So many transactions of this domain are open, for a moment: their number is limited.
                if transacting.begun:
                    raise
                obstacles = [refusal]
            except DeadlineExceeded as late:
                # It is told what the time went by with, where nothing can have taken effect.
                if not obstacles or transacting.committing:
                    raise
                raise obstacles[0] from late
            # Writers that collided must not do so again in step.
            nap = pause * (0.5 + os.urandom(1)[0] / 256.0)
            if obstacles and time.monotonic() + nap >= deadline:
                raise obstacles[0]
            time.sleep(nap)
            pause = min(pause * 2, 0.05)

    # The exchange

    def _call(self, op, path, *more, **how):
        return self._request(op, (path,) + more, **how)

    def _lost(self):
        text = "the connection to XenStore at %s was lost in a transaction" % self.path
        return ConnectionLost(text, "see that xenstored runs, then try again")

    def _deadline(self):
        deadline = time.monotonic() + self.timeout
        return deadline if self._limit is None else min(deadline, self._limit)

    def _request(self, op, parts, end=b"\0", transaction=0, connection=None):
        """One request and its answer's payload."""
        payload = b"\0".join(parts) + end
        if len(payload) > PAYLOAD_LIMIT:
            raise TooBig(
                "a request for %s has %d bytes, XenStore carries %d" % (display(parts[0]), len(payload), PAYLOAD_LIMIT),
                "make it smaller",
            )
        deadline = self._deadline()
        with _Held(self, deadline):
            while True:
                if self._fd < 0:
                    if connection is not None:
                        raise self._lost()
                    self._reconnect(deadline)
                    if op == Op.WATCH:
                        return b""  # set with all others: a second time it would be one too many
                elif connection not in (None, self._connection):
                    raise self._lost()
                try:
                    kind, answer = self._exchange(op, payload, transaction, deadline)
                    break
                except ConnectionLost as lost:
                    # Unsent, or harmless: again on a new connection, which the deadline bounds.
                    if transaction or not (lost.unsent or op in _READS) or time.monotonic() >= deadline:
                        raise
        if kind == Op.ERROR:
            raise self._refusal(op, parts, answer.rstrip(b"\0"))
        return answer

    def _exchange(self, op, payload, transaction, deadline):
        data = self._packet(op, payload, transaction)
        try:
            self._send(data, deadline)
        except ConnectionLost as lost:
            if self._device and op in (Op.WATCH, Op.UNWATCH) and lost.code.encode("ascii") in _ERRORS:
                # Linux makes these requests itself, and so hands over how XenStore refuses them.
                return Op.ERROR, lost.code.encode("ascii")
            self._disconnect()
            raise
        return self._answer(op, self._request_id, deadline)

    def _packet(self, op, payload, transaction):
        self._request_id = (self._request_id + 1) & 0xFFFFFFFF
        return _HEADER.pack(op, self._request_id, transaction, len(payload)) + payload

    def _send(self, data, deadline):
        sent = 0
        try:
            while sent < len(data):
                try:
                    sent += os.write(self._fd, data[sent:] if sent else data)
                except BlockingIOError:
                    self._poll(deadline, select.POLLOUT, "a request")
        except DeadlineExceeded:
            # Half a request is on its way, or none: either way this connection is of no more use.
            self._disconnect()
            raise
        except OSError as problem:
            lost = ConnectionLost(
                "the connection to XenStore at %s broke: %s" % (self.path, problem.strerror),
                "see that xenstored runs, then try again",
            )
            lost.code = errno.errorcode.get(problem.errno or 0, "")
            lost.unsent = sent < len(data)
            raise lost from problem

    def _answer(self, op, number, deadline):
        late = False
        while True:
            packet = self._next_packet()
            while packet is None:
                # What is there when the time is over is looked at once: events may come without end.
                if late or not self._readable(deadline):
                    self._disconnect()  # a late answer must not be taken for that of the next request
                    raise DeadlineExceeded(
                        "XenStore at %s did not answer a request in time" % self.path,
                        "see that xenstored runs; whether the request took effect is not known",
                    )
                late = time.monotonic() >= deadline
                self._receive()
                packet = self._next_packet()
            kind, identity, answer = packet
            if kind == Op.WATCH_EVENT:
                self._queue(answer)
            elif kind in (op, Op.ERROR) and (identity == number or self._device):
                # Some guest kernels echo a wrong identity (pyxs issue 11). With one request
                # in flight its kind alone tells.
                return kind, answer
            else:
                self._disconnect()
                raise ProtocolError(
                    "XenStore at %s answered request %d of kind %d with %d of kind %d"
                    % (self.path, number, op, identity, kind),
                    _ODD,
                )

    def _next_packet(self):
        """A whole packet out of what was received: ``(kind, request id, payload)``, or None."""
        buffer = self._buffer
        if len(buffer) < _HEADER.size:
            return None
        kind, identity, _transaction, size = _HEADER.unpack_from(buffer)
        if size > _REPLY_LIMIT:
            self._disconnect()
            raise ProtocolError("XenStore at %s announced an answer of %d bytes" % (self.path, size), _ODD)
        end = _HEADER.size + size
        if len(buffer) < end:
            return None
        payload = bytes(buffer[_HEADER.size : end])
        del buffer[:end]
        return kind, identity, payload

    def _take_events(self):
        packet = self._next_packet()
        while packet is not None:
            if packet[0] != Op.WATCH_EVENT:
                self._disconnect()
                raise ProtocolError("XenStore at %s answered where nothing was asked" % self.path, _ODD)
            self._queue(packet[2])
            packet = self._next_packet()

    def _queue(self, payload):
        path, _nul, token = payload.rstrip(b"\0").partition(b"\0")
        if token in self._watches:  # else an event that was under way when its watch ended
            # The same twice says no more than once.
            self._events[path if len(self._events) < _EVENTS else self._watches[token], token] = None

    def _readable(self, deadline):
        return self._poll(deadline, select.POLLIN, None)

    def _poll(self, deadline, what, thing):
        while True:
            left = deadline - time.monotonic()
            self._poller.modify(self._fd, what)
            if self._poller.poll(max(0, int(left * 1000) + 1 if left > 0 else 0)):
                return True
            if left <= 0:
                if thing is None:
                    return False
                raise DeadlineExceeded(
                    "XenStore at %s did not take %s in time" % (self.path, thing),
                    "see that xenstored runs; whether the request took effect is not known",
                )

    def _receive(self):
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:  # pragma: no cover - a spurious wake-up
            return
        except OSError as problem:
            reason, data = problem.strerror, b""
        else:
            reason = "xenstored closed it"
        if not data:
            self._disconnect()
            raise ConnectionLost(
                "the connection to XenStore at %s broke: %s" % (self.path, reason),
                "see that xenstored runs; whether a request in flight took effect is not known",
            )
        self._buffer += data

    def _refusal(self, op, parts, name):
        kind, remedy = _ERRORS.get(name, (XenStoreError, ""))
        refusal = kind(
            "XenStore refused to %s %s (%s)"
            % (
                Op._fields[Op.index(op)].lower().replace("_", " ") if op in Op else "list",
                display(parts[0], 160),
                display(name),
            ),
            remedy,
        )
        refusal.code = name.decode("ascii", "replace")
        return refusal

    # The connection

    def _leave_to_parent(self):
        """In a forked child: the connection, its lock, its transactions and its watches' events are the parent's."""
        self._transactions.clear()
        self._disconnect()
        self._lock = allocate_lock()
        self._pid = os.getpid()
        self._events.clear()

    def _disconnect(self):
        if self._fd >= 0:
            if self._device:
                self._end_unheard()
            closing, self._fd = self._fd, -1  # in this order: a signal may cut it off in between
            os.close(closing)  # never shut down: a forked relative may share the connection
        self._transactions.clear()
        del self._buffer[:]

    def _end_unheard(self):
        """Have Linux end the open transactions properly. It does so, in time, though nobody waits for the answer."""
        for identity in self._transactions:
            try:
                os.write(self._fd, _HEADER.pack(Op.TRANSACTION_END, 0, identity, 2) + b"F\0")
            except OSError:
                return  # what cannot be written to has nothing to lose

    def _connect(self, deadline):
        try:
            self._device = not stat.S_ISSOCK(os.stat(self.path).st_mode)
            if self._device:
                self._fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            else:
                self._fd = _open_socket(self.path, deadline - time.monotonic())
        except OSError as problem:
            if problem.errno == errno.EAGAIN:
                raise DeadlineExceeded(
                    "xenstored at %s took no connection in time" % self.path, "see that it runs and answers"
                ) from problem
            unavailable = XenStoreUnavailable(
                "XenStore at %s cannot be opened (%s)" % (self.path, problem.strerror),
                "run this as root"
                if problem.errno in (errno.EACCES, errno.EPERM)
                else "see that this is a Xen guest, or that xenstored runs, or name another path",
            )
            unavailable.code = errno.errorcode.get(problem.errno or 0, "")
            raise unavailable from problem
        self._connection += 1
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLIN)

    def _reconnect(self, deadline):
        pause = 0.01
        while True:
            try:
                self._connect(deadline)
                break
            except XenStoreUnavailable as problem:
                # A daemon that restarts is back in a moment.
                if time.monotonic() + pause >= deadline:
                    raise ConnectionLost("XenStore is gone: " + problem.text, "see that xenstored runs") from problem
            time.sleep(pause)
            pause = min(pause * 2, 0.2)
        for token, path in list(self._watches.items()):
            kind, answer = self._exchange(Op.WATCH, path + b"\0" + token + b"\0", 0, deadline)
            if kind == Op.ERROR:
                raise self._refusal(Op.WATCH, (path,), answer.rstrip(b"\0"))


def _open_socket(path: str, timeout: float) -> int:
    """Connect to a unix socket within some seconds and give its descriptor.

    A stopped xenstored's queue of connections is full at once. Only this option bounds
    connect() then: a non-blocking one fails at once, and there is nothing to poll.
    """
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        timeout = max(timeout, 0.001)
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack("@ll", int(timeout), int(timeout % 1 * 1e6)))
        sock.connect(path)
        sock.setblocking(False)
        return sock.detach()
    finally:
        sock.close()


class _Held:
    """Holds the connection for one thread, and notices a fork."""

    __slots__ = ("store", "deadline", "lock")

    def __init__(self, store, deadline):
        self.store, self.deadline = store, deadline

    def __enter__(self):
        store = self.store
        if store._pid != os.getpid():
            store._leave_to_parent()
        self.lock = store._lock
        if not self.lock.acquire(False) and not self.lock.acquire(True, max(0, self.deadline - time.monotonic())):
            raise DeadlineExceeded(
                "the connection to XenStore was in use by another thread all the time", "allow more time"
            )

    def __exit__(self, *_exc):
        self.lock.release()


class _Until:
    def __init__(self, store, deadline):
        self.store, self.deadline = store, deadline

    def __enter__(self):
        self.before = self.store._limit
        self.store._limit = self.deadline if self.before is None else min(self.before, self.deadline)
        return self.store

    def __exit__(self, *_exc):
        self.store._limit = self.before


class _Transacting:
    def __init__(self, store):
        self.store = store
        self.begun = self.committing = False
        self.signals = None  # that waited already

    def __enter__(self):
        if not self.store._device:
            return self._begin()
        # The deadlines of its requests bound it.
        self.signals = set(_ENDING).difference(pthread_sigmask(SIG_BLOCK, ()))
        try:
            pthread_sigmask(SIG_BLOCK, _ENDING)  # raises what the handler of one raises that came just now
            return self._begin()
        except BaseException:
            pthread_sigmask(SIG_UNBLOCK, self.signals)
            raise

    def _begin(self):
        identity = self.store._request(Op.TRANSACTION_START, (b"",)).rstrip(b"\0")
        if not identity.isdigit() or len(identity) > 10 or int(identity) > 0xFFFFFFFF:
            raise ProtocolError("XenStore gave no number to a transaction", _ODD)
        self.begun = True
        self.identity, self.connection = int(identity), self.store._connection
        self.store._transactions.add(self.identity)
        return Transaction(self.store, self.identity, self.connection)

    def __exit__(self, kind, problem, _traceback):
        try:
            self._end(kind)
        finally:
            if self.signals is not None:
                pthread_sigmask(SIG_UNBLOCK, self.signals)

    def _end(self, kind):
        if kind is not None and issubclass(kind, (ConnectionLost, DeadlineExceeded, ProtocolError)):
            return  # the connection is gone, and the transaction with it
        self.committing = kind is None
        if self.connection == self.store._connection:
            self.store._transactions.discard(self.identity)  # whatever becomes of this request, it ends it
        try:
            self.store._request(
                Op.TRANSACTION_END,
                (b"T" if kind is None else b"F",),
                transaction=self.identity,
                connection=self.connection,
            )
        except XenStoreError as problem:
            if kind is None and problem.code in ("EINVAL", "ENOENT"):
                # EINVAL is what oxenstored 4.17 says, now and then, of a commit that met another writer; of those
                # that were looked at, none had taken effect. ENOENT: there is no such transaction any more.
                raise Conflict("another writer was faster", "try again") from problem
            if kind is None:
                raise
            # What went wrong first is the error to tell; a lost connection ends the transaction too.
