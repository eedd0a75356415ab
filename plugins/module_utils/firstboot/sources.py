# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the parameters of a first boot come from, side by side: the console and the OVF disc.

Messages are a source, too; it lives where the channel is known. All have this:

``name``
    For the log.
``start(described)``
    Begin; ``described`` is a list of Parameter.
``fileno()``
    A descriptor that is readable when look() is worth calling; -1 for none at present.
``interval``
    Seconds after which look() is worth calling all the same; None for never.
``look()``
    What there is: a dict, not necessarily with all that is required; None for nothing new.
    Does not wait.
``secrets``
    Keys that the source knows to be secrets, besides those that everybody can tell.
``give_up(reason)``
    Nobody wants it any more; does not wait.
``close()``
    End; may wait a little.

A person takes her time, and a drive may take its own to say that it is empty. So these two are
processes of their own; they end with the one that started them, however that ends.
"""

import fcntl
import json
import os
import select
import signal
import termios
import time

from . import console, flag, ovf
from .errors import SourceError

#: The console of a machine, whatever that is.
CONSOLE = "/dev/console"

# Signals that may have handlers which raise.
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds that a process has to end by itself, and to put a terminal right.
_PATIENCE = 2.0
_BANNER = (
    "\nThis machine waits for its first configuration. It may come in messages from the machine's\n"
    "manager, or on a disc with an OVF environment.\n"
    "Press Enter to give it here instead: "
)
_THANKS = "That is all. The machine configures itself now."
_AGAIN = "\nNothing was kept."
# A terminal that ends its input at once, again and again, has nobody in front of it.
_VAIN = 20


class Console:
    """A person at the console. The questions can be given up at any time.

    :param str path: the terminal.
    :param log: called with a text.
    """

    name = flag.CONSOLE
    interval = None
    secrets = ()

    def __init__(self, path: str = CONSOLE, log=lambda text: None) -> None:
        self._path, self._log = path, log
        self._terminal = -1
        self._before = []  # type: list
        self._process = None  # type: _Process | None

    def start(self, described) -> None:
        try:
            # Not as this process's own terminal: its signals are for the one that asks. And without
            # waiting for a modem.
            self._terminal = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._before = termios.tcgetattr(self._terminal)
        except (OSError, termios.error) as problem:
            self._log("nobody can be asked: %s is no terminal (%s)" % (self._path, problem.args[-1]))
            self.close()
            return
        self._process = _Process(lambda tell, control: _ask(self._path, described, tell, control))

    def fileno(self) -> int:
        return self._process.fileno() if self._process else -1

    def look(self) -> "dict[str, str] | None":
        if not self._process:
            return None
        for news in self._process.news():
            if "parameters" in news:
                return news["parameters"]
            self._log("the console gives no parameters: " + news["problem"])
        if self._process.ended:
            self.close()
        return None

    def give_up(self, reason: str) -> None:
        if self._process:
            self._process.give_up(reason)

    def close(self) -> None:
        if self._process:
            status = self._process.close()
            self._process = None
            if status:  # it may not have come to putting the terminal right
                try:
                    termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)
                except termios.error:
                    pass
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


class Disc:
    """The disc with the OVF environment, looked for again and again.

    :param devices: see ovf.find().
    :param log: called with a text.
    :param float period: seconds between two looks.
    """

    name = flag.OVF
    interval = None
    secrets = ()

    def __init__(self, devices=None, log=lambda text: None, period: float = 5.0) -> None:
        self._devices, self._log, self._period = devices, log, period
        self._process = None  # type: _Process | None

    def start(self, described) -> None:
        self._process = _Process(self._look_again)

    def _look_again(self, tell, control):  # pragma: no cover - in a process that ends without a word
        before = {}  # type: dict
        poll = select.poll()
        poll.register(control, select.POLLIN)
        while True:
            try:
                now = {"parameters": ovf.find(self._devices)}  # type: dict
            except SourceError as problem:
                now = {"problem": str(problem)}
            if now != before and now != {"parameters": None}:
                tell(now)
            before = now
            if poll.poll(self._period * 1000):
                return

    def fileno(self) -> int:
        return self._process.fileno() if self._process else -1

    def look(self) -> "dict[str, str] | None":
        found = None
        for news in self._process.news() if self._process else ():
            found = news.get("parameters")
            if "problem" in news:
                self._log(news["problem"])
        if self._process and self._process.ended:
            self.close()
        return found

    def give_up(self, reason: str) -> None:
        if self._process:
            self._process.give_up(reason)

    def close(self) -> None:
        if self._process:
            self._process.close()
            self._process = None


class _Process:
    """A forked process that does one thing, and tells of it in lines of JSON.

    :param work: called there with a function that tells an object, and with a descriptor that
        becomes readable when nobody wants it any more.
    :ivar bool ended: it has nothing more to tell.
    """

    def __init__(self, work) -> None:
        self.ended = False
        self._rest = b""
        self._answers, answers = os.pipe()
        control, self._control = os.pipe()
        # What a signal's handler raises amid a fork is lost: the functions that Python calls then cannot raise.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            self._pid = os.fork()
            if not self._pid:  # pragma: no cover - ends without a word to the measurement
                _live(work, answers, control, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(answers)
        os.close(control)
        os.set_blocking(self._answers, False)

    def fileno(self) -> int:
        return -1 if self.ended else self._answers

    def news(self) -> "list[dict]":
        """What it has told since the last time."""
        try:
            while not self.ended:
                piece = os.read(self._answers, 65536)
                self._rest += piece
                self.ended = not piece
        except BlockingIOError:
            pass
        lines = self._rest.split(b"\n")
        self._rest = lines.pop()
        return [json.loads(line.decode("ascii")) for line in lines]

    def give_up(self, reason: str) -> None:
        """Let it know that nobody wants it any more."""
        if self._control >= 0:
            try:
                os.write(self._control, reason.encode("utf-8"))
            except OSError:
                pass  # it has ended
            os.close(self._control)
            self._control = -1

    def close(self) -> int:
        """See it ended.

        :returns: how it ended; 0 for well.
        """
        self.give_up("")
        poll, deadline = select.poll(), time.monotonic() + _PATIENCE
        poll.register(self._answers, select.POLLIN)
        left = _PATIENCE
        while left > 0 and not self.ended:
            if poll.poll(left * 1000):
                self.news()  # nobody wants it; but its end shows by it
            left = deadline - time.monotonic()
        if not self.ended:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._answers)
        return os.waitpid(self._pid, 0)[1]


def _live(work, answers, control, mask):  # pragma: no cover
    """A forked process's whole life."""
    status = 1
    try:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # The locks and connections of the parent are not for it.
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) not in (answers, control):
                try:
                    os.close(int(name))
                except OSError:
                    pass  # the listing's own
        work(lambda news: os.write(answers, json.dumps(news).encode("ascii") + b"\n"), control)
        status = 0
    finally:
        os._exit(status)


def _ask(path, described, tell, control):  # pragma: no cover
    """Ask at a terminal of one's own: Ctrl-C there is for nobody else."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.set_blocking(terminal, True)
    try:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    except OSError:
        pass  # it is somebody else's; Ctrl-C does nothing then
    try:
        tell({"parameters": _answers(described, terminal, control)})
    except console.Cancelled:
        pass
    except SourceError as problem:
        tell({"problem": problem.text})


def _answers(described, file, control):  # pragma: no cover
    vain = 0
    with console.Terminal(file, file, control) as terminal:
        while True:
            try:
                terminal.line(_BANNER)
                vain = 0
                found = console.Questions(described, terminal).ask()
                terminal.say(_THANKS)
                return found
            except (KeyboardInterrupt, console.InputEnded):
                vain += 1
                if vain == _VAIN:
                    raise SourceError("nobody is there") from None
                terminal.say(_AGAIN)
            except console.Cancelled:
                if not select.select([control], [], [], 0)[0]:
                    raise SourceError("it was hung up") from None
                reason = os.read(control, 4096).decode("utf-8")
                if reason:
                    terminal.say("\n" + reason)
                raise
