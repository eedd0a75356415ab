# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovmd refuses and what fails it: one line, a documented exit code, and no half work."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS
from ansible_collections.ovm.messaging.plugins.module_utils.guest.events import PHASES, TYPES

OK, NO_SUCH_PARAMETER, BAD_INPUT, NO_CHANNEL, NOT_SENT, NO_OUTPUT = range(6)

OF_THE_DAEMON = "run ovmd twice, once as the daemon"
MORE = b": see 'ovmd --list' for those that there are"
BAD = {
    "no equals": (["-p", "nonsense"], "the parameter 'nonsense' has no '=': give it in the format key=value"),
    "no key": (["-p", "=v"], "the key is empty: give every parameter a name"),
    "long key": (
        ["-p", "k" * 256 + "=v"],
        "the key '%s...' has 256 bytes, the limit is 255: use a shorter key" % ("k" * 64),
    ),
    "long value": (
        ["-p", "k=" + "v" * 8192],
        "the value of 'k' has 8192 bytes, the limit is 8191: split the value over several keys",
    ),
    "no such option": (["--frobnicate"], "there is no option --frobnicate: try 'ovmd --help'"),
    "operand": (["k=v"], "unexpected argument 'k=v': quote a value that has blanks in it; try 'ovmd --help'"),
    "no argument": (["-p"], "the option -p needs an argument: try 'ovmd --help'"),
    "level": (["-d", "3"], "there is no debug level '3': use 0, 1 or 2"),
    "event": (
        ["-e", "x"],
        "there is no event 'x': use one of %s, suspend, resume, reconfigure" % ", ".join(TYPES),
    ),
    "phase": (
        ["-e", "user:soon"],
        "there is no phase 'soon' of the event 'user': write NAME:PHASE:TEXT, where PHASE is one of %s"
        % ", ".join(PHASES),
    ),
    "target": (
        ["-s", "x"],
        "there is no target 'x': use one of %s" % ", ".join(TARGETS),
    ),
    "pid file": (["-f", "x"], "--pid-file is for the daemon, --set-param is not: " + OF_THE_DAEMON),
    "period": (["-t", "5"], "--time-period is for the daemon, --set-param is not: " + OF_THE_DAEMON),
    "foreground": (["--foreground"], "--foreground is for the daemon, --set-param is not: " + OF_THE_DAEMON),
    "reports": (["--reports=none"], "--reports is for the daemon, --set-param is not: " + OF_THE_DAEMON),
    "units": (["--units"], "--units is for the daemon, --set-param is not: " + OF_THE_DAEMON),
}


def test_nothing_is_done_unless_all_arguments_are_good(ovmd, other_side, environment):
    for arguments, text in BAD.values():
        assert ovmd("-p", "first=1", "-x", *arguments) == (BAD_INPUT, b"", ("ovmd: %s\n" % text).encode())
    assert not os.path.exists(environment["OVM_STATE_DIR"]) and other_side.heard() == []


@pytest.mark.parametrize("arguments", [["-d", "1"], ["-d1", "--"], ["-d1", "-t", "5"], ["-d1", "--units"]])
def test_without_any_action_it_is_the_daemon(one_ovmd, tmp_path, arguments):
    missing = str(tmp_path / "missing")
    code, out, err = one_ovmd(*arguments, environment={"XENSTORED_PATH": missing})
    assert (code, out) == (NO_CHANNEL, b"") and err.startswith(b"ovmd: XenStore at %s cannot be" % missing.encode())


@pytest.mark.parametrize("option", ["-g", "-r"])
@pytest.mark.parametrize("key", ["missing", "", "k" * 300, "\udcff"])
def test_a_parameter_that_is_not_there(one_ovmd, option, key):
    code, out, err = one_ovmd("-p", "k=v", option, key, "-l")
    assert (code, out) == (NO_SUCH_PARAMETER, b"")  # what comes after it is not done
    assert err.startswith(b"ovmd: there is no parameter '") and err.count(b"\n") == 1
    assert one_ovmd("-l") == (OK, b'{"k":"v"}\n', b"")  # what came before it is


def test_no_xenstore(ovmd, tmp_path):
    missing = str(tmp_path / "missing")
    code, out, err = ovmd("-p", "k=v", environment={"XENSTORED_PATH": missing})
    text = "ovmd: XenStore at %s cannot be opened (No such file or directory): see that this is a Xen guest" % missing
    assert (code, out) == (NO_CHANNEL, b"") and err.startswith(text.encode()) and err.count(b"\n") == 1
    # Where nothing is named, all that was tried is.
    code, out, err = ovmd("-l", environment={"XENSTORED_PATH": "", "XENSTORED_RUNDIR": missing, "OVM_DEVICE": missing})
    assert (code, out) == (NO_CHANNEL, b"") and err.count(b"\n") == 1
    assert b"XenStore at %s/socket" % missing.encode() in err and b"there is no %s either" % missing.encode() in err


def test_an_unknown_backend(one_ovmd):
    code, out, err = one_ovmd("-l", environment={"OVM_BACKEND": "floppy"})
    assert (code, out) == (BAD_INPUT, b"")
    assert err == b"ovmd: there is no backend 'floppy': use one of auto, ovmapi, xenstore\n"


def test_no_device(one_ovmd, tmp_path):
    where = {"OVM_BACKEND": "ovmapi", "OVM_DEVICE": str(tmp_path / "missing")}
    code, out, err = one_ovmd("-l", environment=where)
    assert (code, out) == (NO_CHANNEL, b"") and err.startswith(b"ovmd: ") and err.count(b"\n") == 1
    assert where["OVM_DEVICE"].encode() in err


#: Takes root's power over permissions away, where it is root who runs the tests.
POWERLESS = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []


def test_not_root(ovmd, guest, tmp_path):
    os.chmod(guest.path, 0)
    code, out, err = ovmd("-p", "k=v", prefix=POWERLESS)
    text = "ovmd: XenStore at %s cannot be opened (Permission denied): run this as root\n" % guest.path
    assert (code, out, err) == (NO_CHANNEL, b"", text.encode())
    os.chmod(guest.path, 0o600)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, out, err = ovmd("-p", "k=v", prefix=POWERLESS, environment={"OVM_STATE_DIR": str(closed / "state")})
    assert (code, out) == (NO_CHANNEL, b"") and err.startswith(b"ovmd: the parameter list ") and err.count(b"\n") == 1
    assert err.endswith(b"run this as root\n")


def test_a_channel_that_the_host_has_not_opened(ovmd, make_guest):
    closed = {"XENSTORED_PATH": make_guest(6, prepare=False).path}
    code, out, err = ovmd("-p", "k=v", environment=closed)
    assert (code, out) == (NOT_SENT, b"") and err.count(b"\n") == 1
    assert err.startswith(b"ovmd: the parameter 'k' was not sent: this domain may not write to control/oracle-vmapi/")
    assert ovmd("-l", environment=closed) == (OK, b"", b"")


def test_a_failure_is_told_with_debugging_off_too(one_ovmd):
    code, _out, err = one_ovmd("-d0", "-g", "missing")
    assert (code, err) == (NO_SUCH_PARAMETER, b"ovmd: there is no parameter 'missing'%s\n" % MORE)


# Standard output


def test_a_reader_that_goes_away_ends_it_quietly(ovmd):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [*ovmd.command, "-p", "k=v", "-l", "-x"], stdout=writer, stderr=subprocess.PIPE, env=ovmd.environment
    )
    os.close(writer)
    assert process.communicate(timeout=60)[1] == b"" and process.returncode == -signal.SIGPIPE
    assert ovmd("-l") == (OK, b'{"k":"v"}\n', b"")


@pytest.mark.parametrize("to, reason", [(">/dev/full", b"No space left on device"), (">&-", b"Bad file descriptor")])
def test_output_that_cannot_be_written_is_an_error(ovmd, to, reason):
    shell = ["sh", "-c", 'exec "$@" ' + to, "sh"]
    text = b"ovmd: standard output cannot be written (%s): see where it leads\n" % reason
    assert ovmd("-p", "k=v", "-l", "-x", prefix=shell) == (NO_OUTPUT, b"", text)
    # Neither the list's file nor the connection got into standard output's place.
    assert ovmd("-l") == (OK, b'{"k":"v"}\n', b"")


def test_it_runs_with_all_descriptors_closed(ovmd, other_side):
    assert ovmd("-p", "k=v", prefix=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]) == (OK, b"", b"")
    assert ovmd("-g", "missing", prefix=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]) == (NO_SUCH_PARAMETER, b"", b"")
    assert other_side.heard() == [(b"k", b"v")]


# The system's log


@pytest.fixture
def system_log():
    """A /dev of one's own with a log in it: the command that gives it to a program, and what was logged."""
    folder = tempfile.mkdtemp(prefix="dev-")  # a socket's path has to be short
    for name in ("null", "urandom"):
        with open(os.path.join(folder, name), "wb"):
            pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(os.path.join(folder, "log"))
    listener.setblocking(False)

    def logged():
        lines = []
        while True:
            try:
                lines.append(listener.recv(65536))
            except BlockingIOError:
                return lines

    # A user namespace even for root, who in a container may not mount anything without one.
    unshare = ["unshare", "--mount", "--map-root-user"]
    yield [*unshare, "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', folder], logged
    listener.close()
    shutil.rmtree(folder)


def test_changes_and_failures_are_logged_but_no_values(ovmd, other_side, system_log):
    prefix, logged = system_log
    other_side.send(b"sent", b"SECRET")
    code, _out, err = ovmd("-p", "k=SECRET", "-g", "sent", "-l", "-r", "k", "-x", "-g", "gone", prefix=prefix)
    assert (code, err) == (NO_SUCH_PARAMETER, b"ovmd: there is no parameter 'gone'%s\n" % MORE)
    lines = logged()
    assert not any(b"SECRET" in line for line in lines)
    # 30 is daemon.info, 27 is daemon.err.
    assert [(line[:4], line.partition(b"]: ")[2]) for line in lines] == [
        (b"<30>", b"received 'sent' (6 bytes)"),
        (b"<30>", b"set 'k' (6 bytes)"),
        (b"<30>", b"deleted 'k'"),
        (b"<30>", b"deleted all parameters (1)"),
        (b"<27>", b"there is no parameter 'gone'" + MORE),
    ]
    assert ovmd("-d", "2", "-p", "k=v", prefix=prefix)[0] == OK
    assert len(logged()) == 1


def test_a_message_that_cannot_be_read_is_logged(one_ovmd, host, other_side, system_log):
    prefix, logged = system_log
    host.write(b"/local/domain/5/control/oracle-vmapi/to-guest/1/1", b"x")
    other_side.send(b"good", b"v")
    assert one_ovmd("-g", "good", prefix=prefix) == (OK, b"v\n", b"")
    assert b"message 1 from the host cannot be read and was passed over: its piece 0 is missing" in logged()[1]


@pytest.mark.parametrize("arguments", [["-d0", "-p", "k=v"], ["-d1", "-p", "k=v"], ["-p", "nonsense"], ["-l"]])
def test_what_is_not_logged(one_ovmd, system_log, arguments):
    prefix, logged = system_log
    code, _out, err = one_ovmd(*arguments, prefix=prefix)
    assert logged() == [] and b"unshare" not in err
    assert code == (BAD_INPUT if "nonsense" in arguments else OK)
