# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for ``/dev/ovmapi``: devices, what the host does with them, and processes that use them.

A process sees the device if it was started with the stand-in preloaded; ``Process`` is such
a one. It runs ``python -m lab.ovmapi``, which does what it is told over a pipe, on any Python
from 3.6: so this file has to work there, too.
"""

import ctypes
import errno
import fcntl
import os
import pickle
import select
import struct
import subprocess
import sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fakeovmapi.c")
#: Seconds after which a process that does not answer is taken to hang.
PATIENCE = 60
# of a reply
_LENGTH = struct.Struct("=L")


def library():
    """The path of the stand-in, compiled if need be.

    :rtype: str
    :raises LabError: there is no compiler.
    """
    from .parts import compiled  # not for the Pythons of guests, which come here to serve only

    return compiled(SOURCE, "-ldl", "-pthread")


class Device:
    """A kernel with the driver, for the processes that have ``environment()``.

    :param path: a file that is to become the device; an existing folder gets one named ovmapi.
    :ivar str state: a directory for what the daemon of such a guest remembers.
    """

    def __init__(self, path):
        path = str(path)
        self.path = os.path.join(path, "ovmapi") if os.path.isdir(path) else path
        self.state = self.path + ".state"
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        self._library = ctypes.CDLL(library())

    def environment(self, base=None):
        """The environment of a process that sees the device.

        :param base: the environment to start from; os.environ if None.
        :rtype: dict
        """
        return dict(os.environ if base is None else base, LD_PRELOAD=library(), FAKE_OVMAPI=self.path)

    def inject(self, key, value):
        """Have the host send a message.

        :returns: whether the driver took it.
        """
        result = self._library.fakeovmapi_inject(os.fsencode(self.path), key, value, ctypes.c_size_t(len(value)))
        if result not in (0, -errno.EMSGSIZE):
            raise OSError(-result, os.strerror(-result))
        return result == 0

    def fail(self, call, error):
        """Have the next such ioctl, of whatever process, fail once with an errno."""
        self._check(self._library.fakeovmapi_fail(os.fsencode(self.path), call, error))

    def counts(self):
        """:returns: open handles; events leaked by closing; reads of the driver behind a value."""
        counts = (ctypes.c_ulong * 3)()
        self._check(self._library.fakeovmapi_counts(os.fsencode(self.path), counts))
        return tuple(counts)

    @staticmethod
    def _check(result):
        if result:
            raise OSError(-result, os.strerror(-result))

    def writes(self):
        """What the driver wrote to XenStore: a list of (path below from-guest, value)."""
        try:
            with open(self.path + ".lab/xenstore-writes", "rb") as log:
                lines = log.read().splitlines()
        except FileNotFoundError:
            return []
        prefix = "control/oracle-vmapi/from-guest/"
        fields = [line.split(b" ") for line in lines]
        return [(path.decode()[len(prefix) :], bytes.fromhex(value.decode())) for path, value in fields]

    def sent(self):
        """What a host receives that reads at once whatever is announced.

        :returns: list of (key, list of pieces); no pieces: the message was lost.
        """
        messages, nodes = [], {}
        for path, value in self.writes():
            number, _unused, piece = path.partition("/")
            if number == "last-write":
                for announced in sorted(n for n in nodes if n <= int(value)):
                    node = nodes.pop(announced)
                    messages.append((node.get(""), [node[str(n)] for n in range(len(node) - 1)]))
            else:
                nodes.setdefault(int(number), {})[piece] = value
        return messages


class Process:
    """A process with the stand-in preloaded.

    :param Device device: what it sees.
    :param python: the interpreter it runs on.
    :param env: more environment variables.
    """

    def __init__(self, device, python=sys.executable, env=()):
        environment = dict(device.environment(), **dict(env))
        self._device = device
        self._process = subprocess.Popen(
            [python, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        """End it in good order, so that its coverage data is written."""
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def kill(self):
        self._process.kill()
        self._process.wait(PATIENCE)

    @property
    def returncode(self):
        return self._process.wait(PATIENCE)

    def backend(self, *arguments, **options):
        """The real backend in that process.

        :param arguments: those of OvmapiBackend; the device's path if there are none. Unless told
            otherwise, its state directory is that of the device.
        :rtype: Remote
        """
        options.setdefault("state_directory", self._device.state)
        return self.make("OvmapiBackend", *(arguments or (self._device.path,)), **options)

    def reporter(self, backend, *arguments):
        """A Reporter in that process.

        :param Remote backend: of that process.
        :param arguments: those of Reporter that follow the list.
        :rtype: Remote
        """
        return self.make("Reporter", backend._number, *arguments)

    def handle(self):
        """The bare device, for ioctls by hand, in that process.

        :rtype: Remote
        """
        return self.make("Handle", self._device.path)

    def make(self, what, *arguments, **options):
        """What a function of that process returns; see _serve for their names.

        :rtype: Remote
        """
        return Remote(self, self.start(None, what, arguments, options)())

    def start(self, thing, method, arguments, options):
        """Begin a call.

        :returns: a function that waits for its end and returns or raises what it did.
        """
        pickle.dump((thing, method, arguments, options), self._process.stdin, 4)
        self._process.stdin.flush()
        return self._result

    def _result(self):
        raised, result = pickle.loads(self._read(_LENGTH.unpack(self._read(_LENGTH.size))[0]))
        if raised:
            kind, arguments, attributes = result
            problem = kind.__new__(kind, *arguments)
            problem.__dict__.update(attributes)
            raise problem
        return result

    def _read(self, size):
        """So many bytes from the process; without a buffer, which would hide from select what is there."""
        found = b""
        while len(found) < size:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                self.kill()
                raise AssertionError("the process did not answer within %d seconds" % PATIENCE)
            part = os.read(self._process.stdout.fileno(), size - len(found))
            if not part:
                raise EOFError("the process has died")
            found += part
        return found


class Remote:
    """An object in another process: its methods are called there."""

    def __init__(self, process, number):
        self._process, self._number = process, number

    def __enter__(self):
        self.begin("__enter__")()
        return self

    def __exit__(self, *_exc):
        self.begin("__exit__", None, None, None)()

    def __getattr__(self, method):
        return lambda *arguments, **options: self.begin(method, *arguments, **options)()

    def begin(self, method, *arguments, **options):
        """As calling the method, but the result is to be fetched by calling what this returns.

        Several may be begun before the first is fetched; they are done, and are to be
        fetched, in that order. What is begun must fit into a pipe.
        """
        return self._process.start(self._number, method, arguments, options)


# --- in the process ---------------------------------------------------------------------


class Handle:
    """The device without the backend."""

    _POINTER = "Q" if struct.calcsize("P") == 8 else "I"

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR)

    def ioctl(self, call, record=b""):
        """:returns: what the call returned, or minus its errno, and the record afterwards."""
        record = bytearray(record)
        try:
            return fcntl.ioctl(self.fd, call, record, True), bytes(record)
        except OSError as problem:
            return -problem.errno, bytes(record)

    def bare(self, call, argument=0):
        """An ioctl whose argument is a number, not a buffer."""
        try:
            return fcntl.ioctl(self.fd, call, argument)
        except OSError as problem:
            return -problem.errno

    def parameter(self, call, name=b"", value=b"", index=0, size=None):
        """An ioctl with a parameter record; value is the buffer, size its length unless told otherwise.

        :returns: (result, name field, size field, buffer), afterwards.
        """
        layout = struct.Struct("=I256sI" + self._POINTER)
        buffer = ctypes.create_string_buffer(value, len(value)) if value else None
        size = len(value) if size is None else size
        result, record = self.ioctl(call, layout.pack(index, name, size, ctypes.addressof(buffer) if buffer else 0))
        _unused, name, size, _unused = layout.unpack(record)
        return result, name, size, buffer.raw if buffer else b""

    def names(self, slots, fill=b"\0"):
        """GET_ALL_PARAM_NAMES into so many slots that hold the fill; returns (result, count, slots)."""
        layout = struct.Struct("=I" + self._POINTER)
        buffer = ctypes.create_string_buffer(fill * 256 * slots, 256 * slots)
        result, record = self.ioctl(0x820, layout.pack(slots, ctypes.addressof(buffer)))
        raw = buffer.raw
        return result, layout.unpack(record)[0], [raw[at : at + 256] for at in range(0, len(raw), 256)]

    def readable(self, timeout=0):
        return bool(select.select([self.fd], [], [], timeout)[0])

    def epoll_readable(self):
        with select.epoll() as poller:
            poller.register(self.fd, select.EPOLLIN)
            return bool(poller.poll(0))

    def flock(self, operation):
        """:returns: whether it was granted."""
        try:
            fcntl.flock(self.fd, operation)
        except BlockingIOError:
            return False
        return True

    def stat(self, path=None):
        return tuple(os.fstat(self.fd) if path is None else os.stat(path))

    def exists(self, path):
        return os.path.exists(path), os.access(path, os.R_OK)

    def fork_and_close(self):
        """Have a child close its copy; returns once it has ended."""
        child = os.fork()
        if not child:
            os.close(self.fd)
            os._exit(0)
        os.waitpid(child, 0)

    def close(self):
        os.close(self.fd)


def _in_child(call):
    """Call a function in a forked child; returns once that has ended."""
    child = os.fork()
    if not child:
        call()
        os._exit(0)
    os.waitpid(child, 0)


def _serve(requests, replies):
    from ansible_collections.ovm.messaging.plugins.module_utils.guest.ovmapi import OvmapiBackend

    def reporter(backend, *arguments):
        from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import Reporter

        return Reporter(things[backend], things[backend].state, *arguments)

    things = []
    makers = {
        "OvmapiBackend": OvmapiBackend,
        "Reporter": reporter,
        "Handle": Handle,
        "seteuid": os.seteuid,
        "close": os.close,
    }
    while True:
        try:
            thing, method, arguments, options = pickle.load(requests)
        except EOFError:
            return
        try:
            if thing is None:
                things.append(makers[method](*arguments, **options))
                reply = False, len(things) - 1
            elif method == "in_child":
                reply = False, _in_child(getattr(things[thing], arguments[0]))
            else:
                attribute = getattr(things[thing], method)
                result = attribute(*arguments, **options) if callable(attribute) else attribute
                reply = False, None if result is things[thing] else result
        except Exception as problem:
            # In parts, as not every exception's arguments are those of its constructor.
            reply = True, (type(problem), problem.args, problem.__dict__)
        reply = pickle.dumps(reply, 4)
        replies.write(_LENGTH.pack(len(reply)) + reply)
        replies.flush()


if __name__ == "__main__":
    # Whatever prints must not disturb the pipe.
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)
        _serve(sys.stdin.buffer, pipe)
