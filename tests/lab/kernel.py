# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of a fake guest: a process that owns a domain's XenStore ring and lets programs use it.

It does what Linux does behind /dev/xen/xenbus (drivers/xen/xenbus): many programs at once, each
with its own request numbers, watches and transactions, over the one ring. What a program leaves
behind when it ends, open transactions and watches, is ended for it.

    kernel.py MACHINE DOMID FOLDER

MACHINE is the folder that fakexen.c describes. In FOLDER it makes

    xenbus          unix socket: the ring for programs that open a socket
    xenbus-device   link to a character device: the same for programs that open a device
    control         unix socket for the toolstack, which sends one of these lines and gets "ok":
                    ``suspend``      take no more requests; "ok" when all are answered
                    ``reset DOMID``  forget the ring, begin anew as that domain, still suspended
                    ``resume``       set all watches again and go on

Unlike Linux, a refused WATCH is answered with XenStore's error, not by failing write().
"""

import errno
import mmap
import os
import select
import socket
import struct
import sys
import tty

# xs_wire.h
WATCH, UNWATCH, TRANSACTION_START, TRANSACTION_END, WATCH_EVENT, ERROR = 4, 5, 6, 7, 15, 16
HEADER = struct.Struct("=IIII")  # operation, request, transaction, bytes of payload
PAYLOAD_LIMIT = 4096
RING = 1024  # bytes in either direction
REQUESTS, RESPONSES, INDEXES = 0, 1024, 2048  # places in the page
REQUEST_CONSUMED, REQUEST_PRODUCED, RESPONSE_CONSUMED, RESPONSE_PRODUCED = range(4)

PAGE = 4096
PORT_BASE = 2  # hypervisor.PORT_BASE; this program imports nothing of the lab, to start fast

#: Bytes that may wait for the ring, or for one program, before no more requests are taken.
BACKLOG = 65536


class Ring:
    """A domain's half of the page that it shares with XenStore, and its event channel."""

    def __init__(self, machine, domid):
        self._machine = machine
        self._kick = os.open(machine + "/evtchn", os.O_RDWR | os.O_NONBLOCK)
        self.notified = None
        self.bind(domid)

    def bind(self, domid):
        """Begin anew, as this domain: the page is empty, nothing is under way."""
        self._port = struct.pack("=I", domid + PORT_BASE)
        with open("%s/ring-%d" % (self._machine, domid), "r+b") as page:
            self._page = mmap.mmap(page.fileno(), PAGE)
        self._page[:] = bytes(PAGE)
        self._index = memoryview(self._page)[INDEXES : INDEXES + 16].cast("I")
        self.outgoing, self.incoming = bytearray(), bytearray()
        if self.notified:
            self.notified.close()
        path = "%s/evt-%d" % (self._machine, domid)
        if os.path.lexists(path):
            os.unlink(path)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notified.bind(path)

    def push(self):
        """Move what is outgoing into the page, as far as there is room."""
        index, todo, done = self._index, self.outgoing, 0
        while done < len(todo):
            produced = index[REQUEST_PRODUCED]
            at = produced % RING
            count = min(len(todo) - done, RING - ((produced - index[REQUEST_CONSUMED]) & 0xFFFFFFFF), RING - at)
            if not count:
                break
            self._page[REQUESTS + at : REQUESTS + at + count] = todo[done : done + count]
            index[REQUEST_PRODUCED] = (produced + count) & 0xFFFFFFFF
            done += count
        if done:
            del todo[:done]
            self._notify()

    def pull(self):
        """Append what is in the page to what is incoming."""
        index, before = self._index, len(self.incoming)
        while True:
            consumed = index[RESPONSE_CONSUMED]
            there = (index[RESPONSE_PRODUCED] - consumed) & 0xFFFFFFFF
            at = consumed % RING
            count = min(there, RING - at)
            if not count:
                break
            self.incoming += self._page[RESPONSES + at : RESPONSES + at + count]
            index[RESPONSE_CONSUMED] = (consumed + count) & 0xFFFFFFFF
        if len(self.incoming) > before:
            # XenStore may be waiting for room. Whether the page was full cannot be told for sure: Python
            # has no memory barriers, and a daemon that saw an old index would then wait for ever.
            self._notify()

    def _notify(self):
        try:
            os.write(self._kick, self._port)
        except BlockingIOError:
            pass  # thousands of events wait for a daemon that hangs; it looks at all rings then


class Program:
    """One program that has XenStore open.

    :ivar fd: our end of its connection, or None: it has ended.
    :ivar spare: the program's end of a terminal, held open until it is used, or None.
    :ivar bool listens: it takes what it gets.
    :ivar watches: (path, token) of the program -> our tokens for it; as in Linux the same
        pair may be set twice.
    :ivar transactions: those that it has open.
    :ivar stale: those that it had open when the guest was suspended. As in Linux it hears of
        that when it ends them; until then XenStore gets its requests in them.
    """

    def __init__(self, fd, spare=None):
        self.fd, self.spare = fd, spare
        self.input, self.output = bytearray(), bytearray()
        self.watches, self.transactions, self.stale = {}, set(), set()
        self.interest = select.EPOLLIN
        self.listens = True


class Kernel:
    """Serves the programs of one guest.

    :param str machine: the folder that fakexen.c describes.
    :param int domid: which domain this is.
    :param str folder: where its sockets and its device are to be.
    """

    def __init__(self, machine, domid, folder):
        self._folder = folder
        self._ring = Ring(machine, domid)
        self._programs = {}  # descriptor -> Program
        self._watches = {}  # our token -> (Program, path, its token)
        self._asked = {}  # our request number -> (Program or None, its number, operation, detail)
        self._number = 0  # of the newest request and of the newest watch
        self._dirty = set()  # Programs that may have something to get
        self._held_back = set()  # Programs whose requests are not taken at present
        self._suspended = False
        self._cut_off = 0  # transactions whose programs have ended in their midst
        self._waiting = []  # toolstacks that wait for the suspension
        self._poller = select.epoll()
        self._handlers = {}
        self._listen("xenbus", self._connected)
        self._listen("control", self._controlled)
        self._handle(self._ring.notified.fileno(), self._notified)
        try:
            self._new_device()
        except OSError as problem:  # a container without /dev/pts
            print("no xenbus-device: %s" % problem, file=sys.stderr)

    def run(self):
        """Serve for ever."""
        handlers, ring = self._handlers, self._ring
        while True:
            for fd, events in self._poller.poll():
                handler = handlers.get(fd)
                if handler:  # an earlier event of this round may have closed it
                    handler(fd, events)
            ring.push()
            while self._dirty:
                self._flush(self._dirty.pop())
            if self._held_back and not self._suspended and len(ring.outgoing) < BACKLOG:
                for program in list(self._held_back):
                    self._take(program)
                ring.push()

    # Descriptors

    def _handle(self, fd, handler, events=select.EPOLLIN):
        self._handlers[fd] = handler
        self._poller.register(fd, events)

    def _drop(self, fd):
        del self._handlers[fd]
        self._poller.unregister(fd)

    def _listen(self, name, handler):
        path = os.path.join(self._folder, name)
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(path)
        listener.listen(1024)

        def accept(_fd, _events):
            try:
                fd = listener.accept()[0].detach()
            except OSError:
                return  # who wanted to connect is gone again
            os.set_blocking(fd, False)
            handler(fd)

        self._handle(listener.fileno(), accept)

    # Programs

    def _connected(self, fd, spare=None):
        self._programs[fd] = Program(fd, spare)
        self._handle(fd, self._ready)

    def _new_device(self):
        """Make a terminal without any of a terminal's habits, and lead the device's name there.

        Every program gets one of its own: as soon as one has sent something the name leads
        to a new one. So the end of a program is known, and nobody reads what was another's.
        """
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        link = os.path.join(self._folder, "xenbus-device")
        os.symlink(os.ttyname(theirs), link + ".new")
        os.rename(link + ".new", link)
        # Theirs stays open here until a program uses it: a terminal that nobody has open is hung up.
        self._connected(ours, theirs)

    def _ready(self, fd, events):
        """A program has sent something, has read something, or has ended."""
        program = self._programs[fd]
        if events & select.EPOLLOUT:
            self._flush(program)
        if not events & ~select.EPOLLOUT:
            return
        try:
            data = os.read(fd, BACKLOG)
        except BlockingIOError:
            return
        except OSError:  # ECONNRESET of a socket, EIO of a terminal
            data = b""
        if program.spare is not None:
            os.close(program.spare)
            program.spare = None
            self._new_device()
        program.input += data
        if not data:
            self._hang_up(program)
        self._take(program)

    def _take(self, program):
        """Take the program's requests that are here whole, unless that has to wait."""
        data, at = program.input, 0
        wait = False
        while len(data) - at >= HEADER.size:
            operation, number, transaction, size = HEADER.unpack_from(data, at)
            if size > PAYLOAD_LIMIT:
                at = len(data)
                self._hang_up(program)
                break
            end = at + HEADER.size + size
            if len(data) < end:
                break
            wait = self._suspended or len(self._ring.outgoing) >= BACKLOG or len(program.output) >= BACKLOG
            if wait:
                break
            self._request(program, operation, number, transaction, bytes(data[at + HEADER.size : end]))
            at = end
        del data[:at]
        if wait != (program in self._held_back):
            (self._held_back.add if wait else self._held_back.discard)(program)
            self._set_interest(program)
        if program.fd is None and not wait:
            self._clean_up(program)

    def _set_interest(self, program):
        interest = 0 if program in self._held_back else select.EPOLLIN
        if program.output:
            interest |= select.EPOLLOUT
        if interest != program.interest and program.fd is not None:
            program.interest = interest
            self._poller.modify(program.fd, interest)

    def _flush(self, program):
        """Hand the program what it gets."""
        if program.output:
            try:
                del program.output[: os.write(program.fd, program.output)]
            except BlockingIOError:
                pass
            except OSError:  # it has ended; what it sent before is still to be read
                program.listens = False
                program.output.clear()
        self._set_interest(program)

    def _hang_up(self, program):
        """The program has ended. What it has asked for still happens, as in Linux."""
        program.listens = False
        program.output.clear()
        if program.fd is not None:
            self._drop(program.fd)
            os.close(program.fd)
            del self._programs[program.fd]
            program.fd = None

    def _clean_up(self, program):
        """End what a program that has ended left open."""
        asked = [(who, operation, detail) for who, _number, operation, detail in self._asked.values()]
        for transaction in program.transactions | program.stale:
            if (program, TRANSACTION_END, transaction) not in asked:
                self._end_for_it(transaction)
        program.transactions.clear()
        program.stale.clear()
        for (path, _unused), tokens in program.watches.items():
            for token in tokens:
                del self._watches[token]
                self._ask(None, 0, UNWATCH, 0, path + b"\0" + token + b"\0")
        program.watches.clear()

    def _end_for_it(self, transaction):
        """End a transaction whose program has not. A Linux that has done so hangs when it is to be suspended."""
        self._cut_off += 1
        self._ask(None, 0, TRANSACTION_END, transaction, b"F\0")

    # Requests

    def _ask(self, program, number, operation, transaction, payload, detail=None):
        self._number = ours = (self._number + 1) & 0xFFFFFFFF
        self._asked[ours] = (program, number, operation, detail)
        self._ring.outgoing += HEADER.pack(operation, ours, transaction, len(payload)) + payload

    def _answer(self, program, operation, number, transaction, payload):
        if program.listens:
            program.output += HEADER.pack(operation, number, transaction, len(payload)) + payload
            self._dirty.add(program)

    def _request(self, program, operation, number, transaction, payload):
        if transaction and transaction not in program.transactions:
            if transaction not in program.stale:
                self._answer(program, ERROR, number, transaction, b"ENOENT\0")
                return
            if operation == TRANSACTION_END:
                program.stale.discard(transaction)
                wanted = payload == b"T\0"
                answer = (ERROR, b"EAGAIN\0") if wanted else (TRANSACTION_END, b"OK\0")
                self._answer(program, answer[0], number, transaction, answer[1])
                return
        detail = transaction
        if operation in (WATCH, UNWATCH):
            parts = payload.split(b"\0")
            if len(parts) < 3:
                self._answer(program, ERROR, number, transaction, b"EINVAL\0")
                return
            theirs = parts[0], parts[1]
            if operation == WATCH:
                self._number = (self._number + 1) & 0xFFFFFFFF
                token = b"%x" % self._number
                # At once: the first event may come before the answer.
                self._watches[token] = (program, *theirs)
                program.watches.setdefault(theirs, []).append(token)
            else:
                tokens = program.watches.get(theirs)
                if not tokens:
                    self._answer(program, ERROR, number, transaction, b"ENOENT\0")
                    return
                token = tokens[0]
                self._forget(token)
            detail = token
            payload = parts[0] + b"\0" + token + b"\0"
        self._ask(program, number, operation, transaction, payload, detail)

    def _forget(self, token):
        program, path, theirs = self._watches.pop(token)
        tokens = program.watches[path, theirs]
        tokens.remove(token)
        if not tokens:
            del program.watches[path, theirs]

    # Answers

    def _notified(self, fd, _events):
        try:
            os.read(fd, 16)
        except BlockingIOError:
            pass
        ring = self._ring
        ring.pull()
        data, at = ring.incoming, 0
        while len(data) - at >= HEADER.size:
            operation, number, transaction, size = HEADER.unpack_from(data, at)
            end = at + HEADER.size + size
            if len(data) < end:
                break
            self._response(operation, number, transaction, bytes(data[at + HEADER.size : end]))
            at = end
        del data[:at]
        if self._waiting and not self._asked:
            self._is_quiet()

    def _response(self, kind, number, transaction, payload):
        if kind == WATCH_EVENT:
            path, token = payload.split(b"\0")[:2]
            if token in self._watches:
                program, _unused, theirs = self._watches[token]
                self._answer(program, WATCH_EVENT, 0, 0, path + b"\0" + theirs + b"\0")
            return
        program, theirs, operation, detail = self._asked.pop(number, (None, 0, None, None))
        if operation == TRANSACTION_START and kind == operation:
            begun = int(payload.rstrip(b"\0"))
            if program.fd is not None:
                program.transactions.add(begun)
            else:
                self._end_for_it(begun)
        if program is None:
            return
        if operation == TRANSACTION_END:
            program.transactions.discard(detail)
        elif operation == WATCH and kind == ERROR and detail in self._watches:
            self._forget(detail)
        self._answer(program, kind, theirs, transaction, payload)

    # The toolstack

    def _controlled(self, fd):
        line = bytearray()

        def read(_fd, _events):
            try:
                data = os.read(fd, 256)
            except OSError:
                data = b""
            line.extend(data)
            if not data:
                self._drop(fd)
                os.close(fd)
            elif line.endswith(b"\n"):
                words = line.split()
                line.clear()
                self._command(fd, *words)

        self._handle(fd, read)

    def _command(self, fd, command, *arguments):
        if command == b"suspend":
            self._suspended = True
            self._waiting.append(fd)
            if not self._asked:
                self._is_quiet()
            return
        if command == b"cut-off":
            self._say(fd, b"%d\n" % self._cut_off)
            return
        if command == b"reset":
            self._suspended = True
            self._reset(int(arguments[0]))
        elif command == b"resume":
            for program in self._programs.values():
                program.stale |= program.transactions
                program.transactions.clear()
            for token, (_unused, path, _unused) in self._watches.items():
                # Refused (EEXIST) where it is set still, as after a checkpoint.
                self._ask(None, 0, WATCH, 0, path + b"\0" + token + b"\0")
            self._suspended = False
        self._say_ok(fd)

    def _reset(self, domid):
        """Begin anew as that domain. What was asked and not answered is never answered."""
        self._drop(self._ring.notified.fileno())
        self._ring.bind(domid)
        self._handle(self._ring.notified.fileno(), self._notified)
        self._asked.clear()
        self._waiting.clear()

    def _is_quiet(self):
        for fd in self._waiting:
            self._say_ok(fd)
        self._waiting.clear()

    def _say_ok(self, fd):
        self._say(fd, b"ok\n")

    @staticmethod
    def _say(fd, answer):
        try:
            os.write(fd, answer)
        except OSError as problem:
            if problem.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EBADF):
                raise

    def end_with(self, fd):
        """End this process when the other end of a pipe does."""
        self._handle(fd, lambda *_unused: sys.exit(0))


def main():
    machine, domid, folder = sys.argv[1:]
    kernel = Kernel(machine, int(domid), folder)
    if "LAB_TIED" in os.environ:
        kernel.end_with(0)
    ready = int(os.environ["LAB_READY"])
    os.write(ready, b"!")
    os.close(ready)
    kernel.run()


if __name__ == "__main__":
    main()
