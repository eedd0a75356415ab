# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions at a terminal, and a person who answers."""

import os
import pty
import select
import signal
import termios
import threading
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import console
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import Parameter

PATIENCE = 30


class Typed:
    """A terminal without one: gives lines, and keeps what was shown."""

    def __init__(self, *lines):
        self.lines, self.shown, self.hidden = list(lines), [], []

    def line(self, prompt, hidden=False):
        self.shown.append(prompt)
        if hidden:
            self.hidden.append(prompt)
        return self.lines.pop(0)

    def say(self, text):
        self.shown.append(text)


def asked(described, *lines):
    """What comes of lines that are typed; all of them are used up."""
    terminal = Typed(*lines)
    answers = console.Questions(described, terminal).ask()
    assert terminal.lines == []
    return answers, terminal


def test_what_is_asked():
    described = [
        Parameter("a.name", "Your name"),
        Parameter("a.hidden", "Not asked", hidden=True, required=True),
        Parameter("a.bare", "", required=True),
        Parameter("a.name", "The same again"),
    ]
    answers, terminal = asked(described, b"", b"", b" x y ")
    assert answers == {"a.bare": " x y "}
    assert terminal.shown == [
        "Your name (a.name): ",
        "a.bare (required): ",
        "This is required.",
        "a.bare (required): ",
    ]


def test_choices():
    described = [Parameter("c", "Mode", choices=["enforcing", "permissive"]), Parameter("d", "D", choices=["x"])]
    answers, terminal = asked(described, b"Enforcing", b"enforcing", b"")
    assert answers == {"c": "enforcing"}
    assert terminal.shown == [
        "Mode (c; one of enforcing, permissive): ",
        "This is not one of enforcing, permissive.",
        "Mode (c; one of enforcing, permissive): ",
        "D (d; one of x): ",
    ]


def test_a_password_is_asked_twice_and_not_shown():
    described = [
        Parameter("com.oracle.linux.root-password", "Root password", required=True),  # one by its name
        Parameter("pin", "PIN", password=True),
    ]
    answers, terminal = asked(described, b"s3cret", b"s3cred", b"", b"s3cret", b"s3cret", b"")
    assert answers == {"com.oracle.linux.root-password": "s3cret"}
    assert terminal.shown == [
        "Root password (com.oracle.linux.root-password; required): ",
        "The same again: ",
        "These were not the same.",
        "Root password (com.oracle.linux.root-password; required): ",
        "This is required.",
        "Root password (com.oracle.linux.root-password; required): ",
        "The same again: ",
        "PIN (pin): ",
    ]
    assert [text for text in terminal.shown if text.endswith(": ")] == terminal.hidden


def test_what_depends_on_other_answers():
    described = [
        Parameter("ntp", "NTP", choices=["True", "False"]),
        Parameter("servers", "Servers", depends=["ntp=True"], required=True),
        Parameter("local", "Local", depends=["ntp"]),
        Parameter("either", "Either", depends=["ntp=False", "ntp=None"]),
        Parameter("both", "Both", depends=["ntp", "local=x"]),
    ]
    assert asked(described, b"")[0] == {}
    assert asked(described, b"True", b"s", b"l")[0] == {"ntp": "True", "servers": "s", "local": "l"}
    assert asked(described, b"False", b"x", b"e", b"b")[0] == {
        "ntp": "False",
        "local": "x",
        "either": "e",
        "both": "b",
    }


def test_what_other_answers_require():
    described = [
        Parameter("early", "Early"),
        Parameter("user", "User", requires=["early", "late", "nobody.describes"]),
        Parameter("late", "Late"),
    ]
    assert asked(described, b"", b"", b"")[0] == {}
    answers, terminal = asked(described, b"", b"me", b"", b"l", b"e")
    assert answers == {"user": "me", "late": "l", "early": "e"}
    assert terminal.shown[-1] == "Early (early; required): "


NETWORK = [
    Parameter("n.host.0", "Line"),
    Parameter("n.device.0", "Device", required=True),
    Parameter("n.hwaddr.0", "MAC", hidden=True, depends=["n.device.0"]),
    Parameter("n.proto.0", "Protocol", depends=["n.device.0"], choices=["dhcp", "static"]),
    Parameter("n.last", "Last"),
    Parameter("n.ip.0", "Address", depends=["n.proto.0=static"], required=True),
]


@pytest.mark.parametrize("suffix", ["0", "N"])
def test_keys_of_many_numbers(suffix):
    described = []
    for one in NETWORK:
        lists = {"depends": [text.replace(".0", "." + suffix) for text in one.depends], "choices": one.choices}
        described.append(
            Parameter(one.key.replace(".0", "." + suffix), one.description, one.required, one.hidden, **lists)
        )
    answers, terminal = asked(
        described,
        *(b"1.2.3.4 a", b"1.2.3.5 b", b""),
        *(b"", b"eth0", b"dhcp", b"eth1", b"static", b"", b"192.0.2.1", b""),  # the empty ones: required; the end
        b"end",
    )
    assert list(answers.items()) == [
        ("n.host.0", "1.2.3.4 a"),
        ("n.host.1", "1.2.3.5 b"),
        ("n.device.0", "eth0"),
        ("n.proto.0", "dhcp"),
        ("n.device.1", "eth1"),
        ("n.proto.1", "static"),
        ("n.ip.1", "192.0.2.1"),
        ("n.last", "end"),
    ]
    assert terminal.shown[:3] == [
        "Line (n.host.0): ",
        "Line (n.host.1; empty if there are no more): ",
        "Line (n.host.2; empty if there are no more): ",
    ]


def test_no_more_than_so_many_of_them():
    answers, _terminal = asked([Parameter("k.0", "K")], *[b"x"] * 256)
    assert len(answers) == 256 and "k.255" in answers


@pytest.mark.parametrize(
    "answer, fault",
    [
        (b"\xff", "This is not UTF-8: see the terminal's settings."),
        (b"a\x1b[A", "This has control characters."),
        ("a\x9b".encode(), "This has control characters."),
    ],
)
def test_answers_that_are_none(answer, fault):
    answers, terminal = asked([Parameter("k", "K")], answer, "ü".encode())
    assert answers == {"k": "ü"} and terminal.shown[1] == fault


class Person:
    """Someone at the other end of a terminal: types, once a text has appeared.

    :param steps: pairs of a text to wait for, and what to type or to do then.
    """

    def __init__(self, *steps):
        self.master, self.terminal = pty.openpty()
        self.seen = b""
        self._steps = steps
        self._thread = threading.Thread(target=self._live)
        self.echoed = []
        self.failed = None

    def __enter__(self):
        self.before = termios.tcgetattr(self.terminal)
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._thread.join(PATIENCE)
        os.set_blocking(self.master, False)
        try:
            self.seen += os.read(self.master, 65536)
        except OSError:
            pass
        assert self.failed is None, self.failed
        after = termios.tcgetattr(self.terminal)
        os.close(self.master)
        os.close(self.terminal)
        assert after == self.before, "the terminal is not as it was"

    def _live(self):
        at = 0
        for text, then in self._steps:
            deadline = time.monotonic() + PATIENCE
            while text not in self.seen[at:]:
                if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                    self.failed = "not seen: %r but %r" % (text, self.seen)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                self.seen += os.read(self.master, 65536)
            at = self.seen.index(text, at) + len(text)
            self.echoed.append(bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO))
            if callable(then):
                then()
            else:
                os.write(self.master, then)


def test_at_a_real_terminal():
    described = [Parameter("name", "Name\x1b[2J"), Parameter("root-password", "Password")]
    with Person((b"(name): ", "Jörg\x7fG\n".encode()), (b"word): ", b"s3cret\r"), (b"again: ", b"s3cret\n")) as person:
        assert console.ask(described, person.terminal, person.terminal) == {
            "name": "JörG",
            "root-password": "s3cret",
        }
    assert person.echoed == [True, False, False]
    assert b"s3cret" not in person.seen
    assert person.seen.startswith(rb"Name\x1b[2J (name): ") and b"\x1b" not in person.seen


def test_what_a_program_left_behind_does_not_matter():
    """A terminal without echo, and with single characters instead of lines."""
    with Person((b"(k): ", b"value\r")) as person:
        raw = termios.tcgetattr(person.terminal)
        raw[0] &= ~termios.ICRNL
        raw[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(person.terminal, termios.TCSANOW, raw)
        person.before = termios.tcgetattr(person.terminal)
        assert console.ask([Parameter("k", "K")], person.terminal, person.terminal) == {"k": "value"}
    assert b"value" in person.seen


def test_the_end_of_input():
    with Person((b"(k): ", b"\x04")) as person:
        with pytest.raises(console.InputEnded, match="the console's input ended before all was answered"):
            console.ask([Parameter("k", "K", password=True)], person.terminal, person.terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_terminal_right(number):
    handler = signal.getsignal(number)
    with Person((b"(k): ", lambda: os.kill(os.getpid(), number))) as person:
        with pytest.raises(console.Cancelled, match="a signal ended the questions"):
            console.ask([Parameter("k", "K", password=True)], person.terminal, person.terminal)
    assert person.echoed == [False] and signal.getsignal(number) == handler


def test_control_c():
    with Person((b"(k): ", lambda: os.kill(os.getpid(), signal.SIGINT))) as person:
        with pytest.raises(KeyboardInterrupt):
            console.ask([Parameter("k", "K", password=True)], person.terminal, person.terminal)


def test_nobody_wants_the_answers_any_more():
    stop, giving_up = os.pipe()
    with Person((b"(k): ", lambda: os.close(giving_up))) as person:
        with pytest.raises(console.Cancelled, match="the questions are over"):
            console.ask([Parameter("k", "K", password=True)], person.terminal, person.terminal, stop)
    os.close(stop)


def test_answers_through_a_pipe():
    source, target = os.pipe()
    shown, showing = os.pipe()
    os.write(target, b"one\r\ntwo\n")
    os.close(target)
    described = [Parameter("a", "A"), Parameter("b", "B"), Parameter("c", "C")]
    with pytest.raises(console.InputEnded):
        console.ask(described, source, showing)
    assert os.read(shown, 4096) == b"A (a): B (b): C (c): "
    for descriptor in (source, shown, showing):
        os.close(descriptor)


def test_what_has_no_ends_of_lines():
    with open("/dev/zero", "rb") as zeros, open(os.devnull, "wb") as nothing:
        with pytest.raises(SourceError, match="more than 65536 bytes without an end of line"):
            console.ask([Parameter("k", "K")], zeros.fileno(), nothing.fileno())


def test_a_terminal_that_is_gone():
    person = Person()
    os.close(person.master)
    with pytest.raises(SourceError, match="the console cannot be written to .Input/output error."):
        console.ask([Parameter("k", "K")], person.terminal, person.terminal)
    os.close(person.terminal)
    with open(os.devnull, "wb") as nothing:
        with pytest.raises(SourceError, match="the console cannot be read .Is a directory."):
            folder = os.open("/", os.O_RDONLY)
            try:
                console.ask([Parameter("k", "K")], folder, nothing.fileno())
            finally:
                os.close(folder)
